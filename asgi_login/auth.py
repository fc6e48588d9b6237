"""What a request knows of its user."""

from collections.abc import MutableMapping
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, cast

from asgi_login.config import Config
from asgi_login.errors import (
    AuthError,
    CrossOriginRequest,
    InsufficientScope,
    InvalidToken,
    LoginNotFresh,
    NotAuthenticated,
)
from asgi_login.scope import AnyScope, Scope
from asgi_login.tokens import Claims, InvalidClaims, VerifiedToken, check_scope_names, check_times
from asgi_login.transports import Transport

UserT = TypeVar("UserT")

_NO_CLAIMS: Final[Claims] = MappingProxyType({})
_NO_SCOPES: Final[frozenset[str]] = frozenset()


NO_MIDDLEWARE: Final = (
    "this request did not pass through AuthMiddleware: call install() of asgi_login.starlette, fastapi or quart, add "
    "the LoginPlugin of asgi_login.litestar, or wrap another application in AuthMiddleware(app, manager)"
)


class HasScope(Protocol):
    """A request, websocket or connection object of a framework."""

    @property
    def scope(self) -> AnyScope:
        """The ASGI scope."""
        ...


class Auth(Generic[UserT]):
    """Who sent a request, or why nobody knows; immutable.

    Three outcomes: an identity; anonymous, where no credential was sent (`error` is None); refused, where one
    was sent and `error` tells why it does not count.
    """

    # Nothing here may lead back to the scope: each request would become a cycle for the garbage collector.
    # What the application sees are properties without setters; a __setattr__ that refuses would cost each request
    # another tenth of its time.
    __slots__ = ("_config", "_configs", "_error", "_is_fresh", "_token", "_transport", "_user")

    def __init__(  # noqa: PLR0917 - made for each request, by position in a tenth less of its time
        self,
        configs: tuple[Config, ...],
        config: Config | None = None,
        transport: Transport | None = None,
        token: VerifiedToken | None = None,
        user: UserT | None = None,
        error: AuthError | None = None,
        is_fresh: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        self._configs = configs
        self._config = config
        self._transport = transport
        self._token = token
        self._user = user
        self._error = error
        self._is_fresh = is_fresh

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
        return self._error

    @property
    def transport(self) -> str | None:
        """The name of the transport that carried the credential, good, bad or over, or None if there was none."""
        return self._transport.name if self._transport else None

    @property
    def manager(self) -> str | None:
        """The name of the manager whose credential it is, or None if there was none."""
        return self._config.name if self._config else None

    @property
    def expires_at(self) -> float | None:
        """When the token expires, in seconds since the epoch, or None without a user."""
        return self._token.exp if self._token else None

    @property
    def fresh(self) -> bool:
        """Whether the user proved who they are within `Sessions(fresh_for=)`, from this client."""
        if self._config is None or self._token is None or self._token.auth_time is None or not self._is_fresh:
            return False
        return self._config.clock() - self._token.auth_time <= self._config.fresh_for

    def publish(self, state: MutableMapping[str, object]) -> None:
        """Write user, scopes and itself into the state of a request."""
        state["user"] = self._user
        state["scopes"] = self._token.scopes if self._token else _NO_SCOPES
        state["auth"] = self

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
        if self._error is not None:
            return self._error.again()
        token = self._token
        if token is None or self._config is not config:
            return config.fill_in(NotAuthenticated("no credential"))
        try:
            check_times(token, config.clock())
        except InvalidClaims as problem:
            return config.fill_in(InvalidToken(str(problem), expired=problem.expired))
        if not token.scopes.issuperset(scopes):
            return config.fill_in(InsufficientScope("scope missing", required=scopes))
        if fresh and not self.fresh:
            return config.fill_in(LoginNotFresh("the login is not fresh"))
        return None

    def config(self, manager: str | None = None) -> Config:
        """Return the settings that answer for this request: those of `manager`, else of whose credential it carries.

        Raises:
            RuntimeError: No manager of that name is in the middleware.
        """
        if manager is None:
            return self._config or self._configs[0]
        for config in self._configs:
            if config.name == manager:
                return config
        names = ", ".join(config.name for config in self._configs)
        raise RuntimeError(f"no manager named {manager!r} is in this AuthMiddleware, only {names}")

    def token_of(self, config: Config) -> VerifiedToken | None:
        """Return the verified token of the request if it is that manager's, else None."""
        return self._token if self._config is not None and self._config.loader is config.loader else None

    def knows(self, config: Config) -> bool:
        """Tell whether that manager had its say about this request."""
        return any(known.loader is config.loader for known in self._configs)

    # Methods: until Python 3.12 a property costs a call through C, and these are asked of every request.

    def came_in_a_cookie(self) -> bool:
        """Tell whether the credential, good or bad, came in a cookie, so that the response varies with it."""
        return self._transport is not None and self._transport.ambient

    def cross_origin_error(self) -> CrossOriginRequest | None:
        """Return why the request is not even shown to the application: another site has sent it."""
        return self._error if self._error is not None and isinstance(self._error, CrossOriginRequest) else None

    def __repr__(self) -> str:
        # Neither the user nor the claims: reprs end up in logs.
        outcome = "authenticated" if self.is_authenticated else type(self.error).__name__ if self.error else "anonymous"
        return f"<Auth {outcome} manager={self.manager!r} transport={self.transport!r}>"


AnyAuth: TypeAlias = Auth[Any]


def get_auth(scope_or_connection: AnyScope | HasScope) -> AnyAuth:
    """Return the Auth of a request, from its ASGI scope or from any object that has one as `.scope`.

    Raises:
        RuntimeError: The scope did not pass through AuthMiddleware.
    """
    state: dict[str, object] = scope_of(scope_or_connection).get("state") or {}
    auth = state.get("auth")
    if not isinstance(auth, Auth):
        raise RuntimeError(NO_MIDDLEWARE)  # noqa: TRY004
    return auth  # pyright: ignore[reportUnknownVariableType] - of whatever user


def scope_of(scope_or_connection: AnyScope | HasScope) -> Scope:
    """Return the ASGI scope itself, or that of a framework's object.

    Raises:
        TypeError: It is neither.
    """
    scope: object = getattr(scope_or_connection, "scope", scope_or_connection)
    if not isinstance(scope, MutableMapping):
        raise TypeError(f"pass the request, the websocket or its ASGI scope, not {type(scope_or_connection).__name__}")
    return cast("Scope", scope)
