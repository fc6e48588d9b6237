"""What a manager is told by its application: who a user is, and whose a credential is."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from asgi_login.config import Config
from asgi_login.credentials import CredentialLoader
from asgi_login.grant import Grant
from asgi_login.transports import Transport

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
UserT = TypeVar("UserT")
FoundT_co = TypeVar("FoundT_co", covariant=True)
FoundT_contra = TypeVar("FoundT_contra", contravariant=True)
SubT = TypeVar("SubT")
SubT_co = TypeVar("SubT_co", covariant=True)
SubT_contra = TypeVar("SubT_contra", contravariant=True)


# By position, a type checker would take a loader of a wrong type for another object to pass on.
Passed: TypeAlias = str | bytes | float | Iterable[object] | None


class Loader(Protocol[P, R_co, SubT_contra, FoundT_co]):  # pyright: ignore[reportInvalidTypeVarUse]
    """A function that a manager calls with a `sub` or a credential.

    A function must fit both overloads: the first learns what it is, and the second says what it must be.
    """

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(
        self,
        sub: SubT_contra,
        /,
        *args: Any,  # noqa: ANN401 - whatever else it takes
        **kwargs: Any,  # noqa: ANN401
    ) -> FoundT_co | Awaitable[FoundT_co | None] | None: ...


class Register(Protocol[SubT_co, FoundT_contra]):
    """A decorator that registers a function and returns it as it is."""

    def __call__(self, loader: Loader[P, R, SubT_co, FoundT_contra], /) -> Callable[P, R]:
        """Register it."""
        ...


class Loading(Generic[UserT]):
    """The methods of a LoginManager that register the application's functions."""

    _config: Config

    @overload
    def user_loader(
        self, loader: Loader[P, R, SubT, UserT], /, *, sub_type: Callable[[str], SubT]
    ) -> Callable[P, R]: ...
    @overload
    def user_loader(
        self, /, *args: Passed, sub_type: Callable[[str], SubT], **kwargs: object
    ) -> Register[SubT, UserT]: ...
    @overload
    def user_loader(self, /, *args: Passed, sub_type: None = None, **kwargs: object) -> Register[str, UserT]: ...
    # Last, because the last is the one that pyright explains when none fits.
    @overload
    def user_loader(self, loader: Loader[P, R, str, UserT], /) -> Callable[P, R]: ...
    def user_loader(self, /, *args: Any, sub_type: Callable[[str], object] | None = None, **kwargs: Any) -> Any:
        """Register the function that returns the user for a token's `sub`, or None if there is no such user.

        Used as `@manager.user_loader`, or as `@manager.user_loader(*args, **kwargs)` to pass more arguments on after
        `sub`; a single callable among these goes by keyword. The loader may be async, plain (then it runs in a
        worker thread), or return anything awaitable. Parameters named `scope` and `claims` are given the ASGI scope
        and the verified claims. An AuthError that it raises refuses the token; anything else becomes a 5xx, never an
        anonymous visitor.

        Args:
            args: Passed on after `sub`. For a type checker, what is no text, number or collection goes by keyword.
            sub_type: Parses `sub` before the loader is called with it, say UUID or int; where it raises ValueError or
                TypeError, the token is invalid.
            kwargs: Passed on by name.

        Raises:
            TypeError: The function cannot be called like that.

        Example:
            >>> @manager.user_loader(session_factory=make_session)
            ... def load_user(sub: str, session_factory) -> User | None:
            ...     with session_factory() as session:
            ...         return session.get(User, sub)
        """
        if len(args) == 1 and not kwargs and callable(args[0]):
            self._config.loader.register(args[0], (), {}, sub_type)
            return args[0]

        def register(loader: Callable[..., object]) -> object:
            self._config.loader.register(loader, args, kwargs, sub_type)
            return loader

        return register

    def credential_loader(self, transport: Transport, *, cache_for: timedelta | None = None) -> Register[str, Grant]:
        """Register the function that knows whose a credential is that is no token of ours, such as an API key.

        The function takes the credential as a str and returns a Grant, or None if it does not know it. It may be async
        or plain (then it runs in a worker thread); a parameter named `scope` is given the ASGI scope. The user loader
        runs afterwards. None refuses the request like a bad token, and so does an AuthError; anything else that is
        raised becomes a 5xx, never an anonymous visitor.

        Args:
            transport: Where the credential travels, say `HeaderTransport("X-API-Key", name="api-key", ambient=False)`
                or `BasicTransport()`. One of the manager's own carries no tokens any more.
            cache_for: How long a Grant counts for the same credential, on this process; None asks each time. What was
                revoked or has expired is refused all the same.

        Raises:
            TypeError: The function cannot be called like that, or `transport` is none.
            ValueError: The transport does not fit to the others, `cache_for` is not positive, or it is given for a
                function that takes the scope: what the function sees there would not be asked again.

        Example:
            >>> @manager.credential_loader(HeaderTransport("X-API-Key", name="api-key", ambient=False))
            ... async def load_key(key: str) -> Grant | None:
            ...     row = await db.find_key(sha256(key.encode()).hexdigest())
            ...     return Grant(row.owner, scopes=row.scopes) if row else None
        """

        def register(function: Any) -> Any:  # noqa: ANN401 - it is returned as it is
            config = self._config
            loader = CredentialLoader(
                function, cache_for=cache_for, leeway=config.tokens.rules.leeway, clock=config.clock
            )
            config.all_transports.add(transport, loader)
            return function

        return register
