"""What a request knows of its user."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from asgi_login._asgi import Scope
from asgi_login.claims import Claims, InvalidClaims, Verified, check_scope_names
from asgi_login.config import Config
from asgi_login.errors import AuthError, InsufficientScope, InvalidToken, LoginNotFresh, NotAuthenticated
from asgi_login.transports import Transport

UserT = TypeVar("UserT")

_NO_CLAIMS: Final[Claims] = MappingProxyType({})
_NO_SCOPES: Final[frozenset[str]] = frozenset()
_NO_COOKIES: Final[Mapping[str, tuple[bytes, bytes]]] = MappingProxyType({})


class HasScope(Protocol):
    """A request, websocket or connection object of a framework."""

    @property
    def scope(self) -> Any:  # noqa: ANN401 - each framework has a type of its own for it
        """The ASGI scope."""
        ...


class Attempt(NamedTuple):
    """A credential that a request carries: whose manager read it, from where, and what came of it.

    Attributes:
        is_fresh: Whether the token can count as fresh, if it is young enough.
        cookies: The header pairs to write back, by the cookie's name.
    """

    config: Config
    transport: Transport
    token: Verified | None = None
    error: AuthError | None = None
    is_fresh: bool = True
    cookies: Mapping[str, tuple[bytes, bytes]] = _NO_COOKIES

    def __repr__(self) -> str:
        # The cookies hold a token.
        return f"<Attempt {self.config.name} {self.transport.name}>"


class Auth(Generic[UserT]):
    """Who sent a request, or why nobody knows; immutable.

    Three outcomes: an identity; anonymous, where no credential was sent (`error` is None); refused, where one
    was sent and `error` tells why it does not count.
    """

    # Nothing here may lead back to the scope: each request would become a cycle for the garbage collector.
    __slots__ = ("_attempt", "_configs", "_user")

    def __init__(self, configs: tuple[Config, ...], attempt: Attempt | None = None, user: UserT | None = None) -> None:
        self._configs = configs
        self._attempt = attempt
        self._user = user

    @property
    def user(self) -> UserT | None:
        """What the user loader returned, or None."""
        return self._user

    @property
    def is_authenticated(self) -> bool:
        """Whether the request has a user."""
        return self._user is not None

    @property
    def claims(self) -> Claims:
        """The verified claims, read-only at every depth; empty without a user."""
        return self._token.claims if self._token else _NO_CLAIMS

    @property
    def scopes(self) -> frozenset[str]:
        """The OAuth scopes that the token grants."""
        return self._token.scopes if self._token else _NO_SCOPES

    @property
    def error(self) -> AuthError | None:
        """Why the credential of this request does not count, or None."""
        return self._attempt.error if self._attempt else None

    @property
    def transport(self) -> str | None:
        """The name of the transport that carried the credential, or None if there was none."""
        return self._attempt.transport.name if self._attempt else None

    @property
    def manager(self) -> str | None:
        """The name of the manager whose credential it is, or None if there was none."""
        return self._attempt.config.name if self._attempt else None

    @property
    def expires_at(self) -> float | None:
        """When the token expires, in seconds since the epoch, or None without a user."""
        return self._token.exp if self._token else None

    @property
    def fresh(self) -> bool:
        """Whether the user proved who they are within `Sessions(fresh_for=)`, from this client."""
        if self._attempt is None or self._token is None or self._token.auth_time is None or not self._attempt.is_fresh:
            return False
        config = self._attempt.config
        return config.clock() - self._token.auth_time <= config.fresh_for

    def require(self, *scopes: str, fresh: bool = False) -> None:
        """Demand a user, all of `scopes`, and if asked a fresh login; the clock is looked at again.

        Raises:
            AuthError: The one that says what is missing.
            TypeError, ValueError: What stands in `scopes` is no scope.
        """
        error = self.refusal(check_scope_names("require", scopes), fresh=fresh)
        try:
            if error is not None:
                raise error
        finally:
            del error  # whose traceback holds this frame

    def refusal(
        self, scopes: tuple[str, ...] = (), *, fresh: bool = False, manager: str | None = None
    ) -> AuthError | None:
        """Return a new error that says what keeps this request out, or None if it may pass.

        Args:
            scopes: All that are needed.
            fresh: Whether a fresh login is needed.
            manager: The name of the manager whose users may pass; None for every manager's.

        Raises:
            RuntimeError: No manager of that name is in the middleware.
        """
        config = self.config(manager)
        if self.error is not None:
            return self.error.again()
        token = self._token
        if token is None or (self._attempt is not None and self._attempt.config is not config):
            return config.located(NotAuthenticated("no credential"))
        try:
            config.tokens.rules.check_times(token, config.clock())
        except InvalidClaims as problem:
            return config.located(InvalidToken(str(problem), expired=problem.expired))
        if not token.scopes.issuperset(scopes):
            return config.located(InsufficientScope("scope missing", required=scopes))
        if fresh and not self.fresh:
            return config.located(LoginNotFresh("the login is not fresh"))
        return None

    def config(self, manager: str | None = None) -> Config:
        """Return the settings that answer for this request: those of `manager`, else of whose credential it carries.

        Raises:
            RuntimeError: No manager of that name is in the middleware.
        """
        if manager is None:
            return self._attempt.config if self._attempt else self._configs[0]
        for config in self._configs:
            if config.name == manager:
                return config
        names = ", ".join(config.name for config in self._configs)
        raise RuntimeError(f"no manager named {manager!r} is in this AuthMiddleware, only {names}")

    def token_of(self, config: Config) -> Verified | None:
        """Return the verified token of the request if it is that manager's, else None."""
        return self._token if self._attempt is not None and self._attempt.config.loader is config.loader else None

    def knows(self, config: Config) -> bool:
        """Tell whether that manager had its say about this request."""
        return any(known.loader is config.loader for known in self._configs)

    @property
    def cookies(self) -> Mapping[str, tuple[bytes, bytes]]:
        """What to write back to the browser for this request: a renewed or ended session."""
        return self._attempt.cookies if self._attempt else _NO_COOKIES

    @property
    def is_ambient(self) -> bool:
        """Whether the credential, good or bad, came in a cookie, so that the response varies with it."""
        return self._attempt is not None and self._attempt.transport.ambient

    @property
    def _token(self) -> Verified | None:
        return self._attempt.token if self._attempt else None

    def __repr__(self) -> str:
        # Neither the user nor the claims: reprs end up in logs.
        outcome = "authenticated" if self.is_authenticated else type(self.error).__name__ if self.error else "anonymous"
        return f"<Auth {outcome} manager={self.manager!r} transport={self.transport!r}>"


AnyAuth: TypeAlias = Auth[Any]


def get_auth(scope_or_connection: Scope | HasScope) -> AnyAuth:
    """Return the Auth of a request, from its ASGI scope or from any object that has one as `.scope`.

    Raises:
        RuntimeError: The scope did not pass through AuthMiddleware.
    """
    state: dict[str, object] = scope_of(scope_or_connection).get("state") or {}
    auth = state.get("auth")
    if not isinstance(auth, Auth):
        raise RuntimeError("this request did not pass through AuthMiddleware: wrap the application in it")  # noqa: TRY004
    return auth  # pyright: ignore[reportUnknownVariableType] - of whatever user


def scope_of(scope_or_connection: Scope | HasScope) -> Scope:
    """Return the ASGI scope itself, or that of a framework's object."""
    return cast("Scope", getattr(scope_or_connection, "scope", scope_or_connection))
