"""Auth: who sent a request, and what keeps it out."""
# pyright: reportPrivateUsage=false

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, cast

from asgi_login.auth.facts import AuthFacts
from asgi_login.config import Config
from asgi_login.current import CURRENT, Holder
from asgi_login.errors import (
    AuthError,
    InsufficientScope,
    InvalidToken,
    LoginNotFresh,
    NotAuthenticated,
)
from asgi_login.events import EventKind
from asgi_login.scope import Scope
from asgi_login.tokens import (
    MAX_NUMERIC_DATE,
    SESSION,
    Claims,
    InvalidClaims,
    VerifiedToken,
    check_scope_names,
    check_times,
)

# Nobody can set the user of an Auth, so that an Auth of editors is an Auth of users.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    UserT_co = TypeVar("UserT_co", covariant=True, default=object)
else:
    # Python has defaults from 3.13 on.
    from typing import TypeVar

    UserT_co = TypeVar("UserT_co", covariant=True)

_NO_CLAIMS: Final[Claims] = MappingProxyType({})
NO_SCOPES: Final[frozenset[str]] = frozenset()


class Auth(AuthFacts, Generic[UserT_co]):
    """Says who sent a request, or why that is unknown; immutable.

    There are three outcomes. *Identity*: `user` is set. *Anonymous*: the request has no credential, and `error` is
    None. *Refused*: the request has a credential that is not accepted, and `error` says why.
    """

    # A refusing __setattr__ would make each request a tenth slower, so that these are properties without setters.
    __slots__ = ()

    @property
    def user(self) -> UserT_co | None:
        """What the user loader returned, or None."""
        user: UserT_co | None = self._user
        return user

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
        return self._token.scopes if self._token else NO_SCOPES

    @property
    def error(self) -> AuthError | None:
        """Why the credential was refused, or None."""
        return self._error

    @property
    def transport(self) -> str | None:
        """The name of the transport that carried the credential, accepted or not, or None if there was none."""
        return self._transport.name if self._transport else None

    @property
    def manager(self) -> str | None:
        """The name of the manager whose credential it is, or None if there was none."""
        return self._config.name if self._transport else None

    @property
    def session_id(self) -> str | None:
        """The `sid` of the login that the token belongs to, or None. It stays the same when a session is renewed."""
        sid = self.claims.get("sid")
        return sid if isinstance(sid, str) else None

    @property
    def expires_at(self) -> float | None:
        """When the token expires, in seconds since the epoch, or None without a user or without an end."""
        return self._token.exp if self._token and self._token.exp <= MAX_NUMERIC_DATE else None

    @property
    def fresh(self) -> bool:
        """Whether the user proved who they are within `Sessions(fresh_for=)`, from this client."""
        if self._token is None or self._token.auth_time is None or not self._is_fresh:
            return False
        return self._config.clock() - self._token.auth_time <= self._config.fresh_for

    def require(self, *scopes: str, fresh: bool = False) -> UserT_co:
        """Require a user, all of `scopes`, and perhaps a fresh login, and return the user. The expiry is checked again.

        Raises:
            AuthError: The one that says what is missing.
            TypeError, ValueError: What stands in `scopes` is no scope.

        Example:
            >>> user = current_auth(manager).require("orders:read")
        """
        error = refusal(self, check_scope_names("require", scopes), fresh=fresh)
        try:
            if error is not None:
                tell_refusal(self, error)
                raise error
        finally:
            del error  # whose traceback holds this frame
        return cast("UserT_co", self._user)

    @contextmanager
    def active(self) -> Generator[None]:
        """Make this the current Auth inside a `with` block, for handlers that outlive their request.

        Decorators and `current_auth()` work inside, and check the expiry again. Use it in a Socket.IO or GraphQL
        handler that is called after the response to the request that carried the credential.

        Example:
            >>> auth = get_auth(environ["asgi.scope"])
            >>> with auth.active():
            ...     await handler(message)
        """
        token = CURRENT.set(Holder(self))
        try:
            yield
        finally:
            CURRENT.reset(token)

    def __repr__(self) -> str:
        # A repr ends up in logs, so it shows neither the user nor the claims.
        outcome = "authenticated" if self.is_authenticated else type(self.error).__name__ if self.error else "anonymous"
        return f"<Auth {outcome} manager={self.manager!r} transport={self.transport!r}>"


AnyAuth: TypeAlias = Auth[Any]


def auth_of_manager(auth: AnyAuth, manager: str | None) -> AnyAuth:
    """Return the Auth of the manager with that name, or `auth` itself for None.

    Raises:
        RuntimeError: No manager of that name is in the middleware.
    """
    if manager is None or manager == auth._config.name:
        return auth
    others: Mapping[str, AnyAuth] = auth._others or {}
    if manager in others:
        return others[manager]
    raise RuntimeError(f"no manager named {manager!r} is in this AuthMiddleware, only {names_in(auth)}")


def names_in(auth: AnyAuth) -> str:
    """Return the names of the managers of a request, for a sentence."""
    return ", ".join([auth._config.name, *(auth._others or {})])


def refusal(
    auth: AnyAuth, scopes: tuple[str, ...] = (), *, fresh: bool = False, manager: str | None = None
) -> AuthError | None:
    """Return a new error that says what is missing, or None if the request may pass. The expiry is checked again.

    Args:
        auth: Of the request.
        scopes: All that are needed.
        fresh: Whether a fresh login is needed.
        manager: The name of the manager whose users may pass; None for every manager's.

    Raises:
        RuntimeError: No manager of that name is in the middleware.
    """
    if manager is not None:
        auth = auth_of_manager(auth, manager)
    if auth._error is not None:
        return auth._config.name_resource(auth._error.again(), scopes)
    config, token = auth._config, auth._token
    if token is None:
        return config.name_resource(config.complete(NotAuthenticated("no credential")), scopes)
    over = end_of(config, token)
    if over is not None:
        return config.name_resource(config.complete(over), scopes)
    if scopes and not token.scopes.issuperset(scopes):
        return config.complete(_scope_missing(token, scopes))
    if fresh and not auth.fresh:
        return config.name_resource(config.complete(LoginNotFresh("the login is not fresh")), scopes)
    return None


def tell_refusal(auth: AnyAuth, error: AuthError, scope: Scope | None = None) -> None:
    """Tell of what keeps a request out of a view, unless that was told when its credential was refused, or has ended.

    Args:
        auth: Of the manager that is asked.
        error: What `refusal` has returned.
        scope: Of the request; None for the one being handled.
    """
    has_ended = auth._transport is not None and auth._token is None
    if has_ended or auth._error is not None:
        return
    kind: EventKind = "not_fresh" if isinstance(error, LoginNotFresh) else "refused"
    auth._config.events.tell(kind, scope, auth._token, transport=auth.transport, reason=error.reason_code)


def end_of(config: Config, token: VerifiedToken) -> InvalidToken | None:
    """Return why a token that was valid at the start of its request no longer is, or None."""
    try:
        check_times(token, config.clock())
    except InvalidClaims as problem:
        return problem.refusal()
    if config.revocation is not None and config.revocation.ends(token):
        return InvalidToken("the token, its session or its user's logins were ended", reason_code="ended")
    return None


def _scope_missing(token: VerifiedToken, scopes: tuple[str, ...]) -> InsufficientScope:
    error = InsufficientScope("scope missing", required=scopes)
    if token.kind == SESSION:
        # Who logged in with a form has never seen a token.
        error.description = "The request requires higher privileges than this login has"
    return error
