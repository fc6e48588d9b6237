"""The LoginManager of FastAPI: a dependency that takes fastapi-login's arguments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from inspect import Signature
from typing import TYPE_CHECKING, Generic, TypedDict, Unpack

from fastapi import FastAPI, HTTPException
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes

from asgi_login.auth import Auth, refusal
from asgi_login.errors import AuthError, ExceptionOrClass
from asgi_login.events import Event
from asgi_login.fastapi.dependency import Authentication, OptionalUser, Requirement, Subject, names_of
from asgi_login.fastapi.installation import install
from asgi_login.fastapi.openapi import FirstScheme, LateSignature, SecuritySchemes
from asgi_login.gates import Check
from asgi_login.manager import SET_ELSEWHERE
from asgi_login.manager import LoginManager as CoreLoginManager
from asgi_login.resource import Resource
from asgi_login.settings import Refresh, Sessions
from asgi_login.stores import Store
from asgi_login.tokens import Secret
from asgi_login.transports import BearerTransport, CookieTransport, Transport

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    UserT = TypeVar("UserT", default=object)
else:
    # Python has defaults from 3.13 on.
    from typing import TypeVar

    UserT = TypeVar("UserT")

_COOKIE_NAME = "access-token"  # fastapi-login's


class InvalidCredentialsException(HTTPException):
    """What a login view raises for a wrong password: 401 with a challenge."""

    def __init__(self, detail: str = "Invalid credentials") -> None:
        super().__init__(401, detail, {"WWW-Authenticate": 'Bearer realm="api"'})


class CoreSettings(TypedDict, total=False):
    """What else LoginManager takes: the arguments of `asgi_login.LoginManager`."""

    transports: Iterable[Transport]
    issuer: str | Sequence[str] | None
    audience: str | Sequence[str] | None
    leeway: timedelta
    public_url: str | None
    insecure_any_audience: bool
    sessions: Sessions | None
    redirect_to: str | None
    error_body: Callable[[AuthError], Mapping[str, object]] | None
    store: Store | None
    refresh: Refresh | None
    resource: Resource | None
    on_event: Callable[[Event], object] | None
    name: str
    realm: str
    token_cache_size: int
    clock: Callable[[], float]


class LoginManager(CoreLoginManager[UserT], Generic[UserT]):
    """A LoginManager that is a FastAPI dependency.

    Args:
        secret: The key, in any of the forms that `asgi_login.LoginManager` takes.
        token_url: Where clients log in: what the Authorize button of /docs posts to; None where tokens come from
            elsewhere.
        algorithm: Of a secret that is no Key.
        use_cookie: Whether the token is also read from a cookie, after the header.
        use_header: Whether the token is read from the Authorization header.
        cookie_name: The name of that cookie. It is Secure; for plain http in development, or for other attributes,
            pass `transports=` instead of these three.
        not_authenticated_exception: Raised instead of our 401, class or instance.
        default_expiry: How long access tokens live.
        scopes: The OAuth scopes there are, with a description of each.
        out_of_scope_exception: Raised instead of our 403, class or instance.
        core: Every other argument of `asgi_login.LoginManager`.

    Works on HTTP and WebSocket routes. With the middleware nothing is verified or loaded twice; without it, the
    dependency does the whole of it, the CSRF check included.

    Example:
        >>> manager = LoginManager(SECRET, "/auth/token")
        >>> @app.get("/me")
        ... async def me(user: Annotated[User, Depends(manager)]): ...
        >>> @app.get("/orders")
        ... async def orders(user: Annotated[User, Security(manager, scopes=["orders:read"])]): ...
        >>> @app.get("/")
        ... async def home(user: Annotated[User | None, Depends(manager.optional)]): ...
        >>> def account(sub: Annotated[str, Depends(manager.subject)]) -> Account: ...
    """

    __wrapped__: FirstScheme = FirstScheme()

    optional: OptionalUser[UserT]
    """A dependency that returns the user, or None where there is none."""
    subject: Subject[UserT]
    """A dependency that returns the `sub` of the token, for applications that load their users themselves.

    A route that depends on it needs no user loader. If none is registered, `sub` itself is the user from then on: gates
    let every valid token pass, and `request.state.user` is the `sub`. If one is registered, the user must exist.
    """

    def __init__(  # noqa: PLR0917 - fastapi-login's order
        self,
        secret: Secret | Sequence[Secret],
        token_url: str | None = "/auth/token",  # noqa: S107 - an address
        algorithm: str = "HS256",
        use_cookie: bool = False,  # noqa: FBT001, FBT002 - fastapi-login's order
        use_header: bool = True,  # noqa: FBT001, FBT002 - the same
        cookie_name: str = _COOKIE_NAME,
        not_authenticated_exception: ExceptionOrClass | None = None,
        default_expiry: timedelta = timedelta(minutes=15),
        scopes: Mapping[str, str] | None = None,
        out_of_scope_exception: ExceptionOrClass | None = None,
        **core: Unpack[CoreSettings],
    ) -> None:
        _check_known(core)
        if "transports" not in core:
            if cookie_name != _COOKIE_NAME and not use_cookie:
                raise ValueError("cookie_name= names a cookie that nobody reads: pass use_cookie=True with it")
            core["transports"] = _transports(cookie_name if use_cookie else None, use_header=use_header)
        elif use_cookie or not use_header or cookie_name != _COOKIE_NAME:
            raise ValueError(
                "transports= replaces use_cookie= and use_header=, and cookie_name= with them: leave these out"
            )
        super().__init__(
            secret,
            token_url,
            algorithm=algorithm,
            not_authenticated_exception=not_authenticated_exception,
            default_expiry=default_expiry,
            scopes=scopes,
            out_of_scope_exception=out_of_scope_exception,
            **core,
        )
        authentication = Authentication[UserT](self.config)
        self._authentication = authentication
        self.optional = OptionalUser(authentication)
        self._schemes = SecuritySchemes(self.config)
        self.subject = Subject(authentication, self._schemes, self._config.loader)

    @LateSignature
    def __signature__(self) -> Signature:
        """What FastAPI asks for when a route is declared."""
        return self._schemes.signature()

    async def __call__(
        self, connection: HTTPConnection, security_scopes: SecurityScopes | None = None, **_schemes: None
    ) -> UserT:
        """Return the user of a request; called by FastAPI.

        Raises:
            AuthError: There is no user, or the token does not grant every scope; or the exceptions that were
                passed in place of these.
        """
        authentication = self._authentication
        # Not by `auth_of`: its coroutine would cost as much as the rest, where the middleware has been.
        auth = authentication.known(connection) or await authentication.find_out(connection)
        authentication.admit(connection, auth, refusal(auth, names_of(security_scopes)))
        return authentication.user_of(auth)

    def requires(self, check: Check[UserT]) -> Requirement[UserT]:
        """Return a dependency that returns the user, and lets only those in of whom `check` says so (403 otherwise).

        Args:
            check: A function, also an asynchronous one, from the Auth to True or False. It runs on the event loop.

        Example:
            >>> def is_editor(auth: Auth[User]) -> bool: ...
            >>> @app.post("/articles")
            ... async def publish(editor: Annotated[User, Depends(manager.requires(is_editor))]): ...
        """
        return Requirement(self._authentication, self._schemes, check)

    async def authenticate(self, connection: HTTPConnection) -> Auth[UserT]:
        """Return the Auth that the middleware found, or find it out here, once for each request."""
        return await self._authentication.auth_of(connection)

    def attach_middleware(self, app: FastAPI) -> None:
        """Do what `install(app, manager)` does."""
        install(app, self)

    def create_access_token(
        self,
        *,
        data: Mapping[str, object],
        expires: timedelta | None = None,
        scopes: Iterable[str] | None = None,
        **older: timedelta,
    ) -> str:
        """Return a signed access token, as `asgi_login.LoginManager` does; `scopes=None` means none."""
        if older:
            hint = (
                "expires_delta= is called expires= now" if "expires_delta" in older else f"unknown: {', '.join(older)}"
            )
            raise TypeError(hint)
        return super().create_access_token(data=data, expires=expires, scopes=scopes or ())

    @property
    def cookie_name(self) -> str:
        """The name of the cookie.

        Raises:
            ValueError: This manager has none.
        """
        return self.cookie_transport.cookie_name

    @property
    def not_authenticated_exception(self) -> ExceptionOrClass | None:
        """What is raised instead of our 401, or None; set in the constructor only."""
        return self.config.not_authenticated_exception

    @property
    def out_of_scope_exception(self) -> ExceptionOrClass | None:
        """What is raised instead of our 403, or None; set in the constructor only."""
        return self.config.out_of_scope_exception


def _check_known(core: Mapping[str, object]) -> None:
    """Raise TypeError for an argument that there is not, and say which there is in its place."""
    for name in core:
        if name not in CoreSettings.__annotations__:
            if name == "tokenUrl":
                raise TypeError("tokenUrl= is called token_url= now")
            raise TypeError(
                f"LoginManager takes no argument {name}=: {SET_ELSEWHERE.get(name, 'there is no such setting')}"
            )


def _transports(cookie_name: str | None, *, use_header: bool) -> list[Transport]:
    transports: list[Transport] = [BearerTransport()] if use_header else []
    if cookie_name is not None:
        transports.append(CookieTransport(cookie_name))
    if not transports:
        raise ValueError("use_cookie and use_header are both False: one of them must be True")
    return transports
