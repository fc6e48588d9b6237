"""How a manager logs browsers in and out."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar, cast

from asgi_login.asgi_types import AnyScope
from asgi_login.auth import AnyAuth, auth_of_manager, came_in_cookie, refusal, settings_of, tell_refusal, token_of
from asgi_login.config import Config
from asgi_login.endings import ending_of
from asgi_login.errors import AuthError, NotAuthenticated
from asgi_login.exchange import changeable_record
from asgi_login.scope import HasScope, Scope
from asgi_login.sessions import confirm, device_of, list_device, log_in, log_out, session_cookie
from asgi_login.tokens import VerifiedToken
from asgi_login.transports import CookieTransport

UserT = TypeVar("UserT")


class LoggingIn(Generic[UserT]):
    """The methods of a LoginManager for logins in the browser."""

    _config: Config

    def login_user(
        self,
        connection: AnyScope | HasScope,
        sub: str,
        *,
        user: UserT | None = None,
        scopes: Iterable[str] = (),
        remember: bool | timedelta = False,
        permanent: bool = False,
        fresh: bool = True,
        claims: Mapping[str, object] | None = None,
        insecure_cross_origin: bool = False,
    ) -> None:
        """Log a user in: the middleware sets the session cookie on the response, whatever that will be.

        Args:
            connection: The ASGI scope, or an object that has it as `.scope`: a request or websocket.
            sub: What the user loader finds the user by.
            user: The user, where `Sessions(stamp=)` is set.
            scopes: The OAuth scopes that the session grants.
            remember: Whether the login is restored after the session has ended: True for `Sessions(remember_for=)`, or
                a timedelta of its own.
            permanent: Whether the session outlives a changed client, as one that is not fresh, also with
                `protection="strong"`.
            fresh: Whether the user has just proved who they are.
            claims: Other claims of the session, like `act` for somebody who acts as this user (RFC 8693 §4.1).
            insecure_cross_origin: Log in though another site sent this request. For the page that a login provider
                posts its signed answer to, which must check that signature.

        The current request's Auth stays what it is. With a store, a login that is remembered is written there before
        the response starts; if that fails, the response is a 503, and nobody is logged in.

        Raises:
            CrossOriginRequest: Another site sent this request (login CSRF).
            RuntimeError: Without AuthMiddleware, or after the response has started.
            TypeError: `sub` is not a non-empty str, or a stamp is set and `user` is missing.
            ValueError: This manager has no sessions or no cookie, the cookie would have more than 4,096 bytes, or a
                claim is reserved.

        Example:
            >>> if password_is_right(form):
            ...     manager.login_user(request, form["name"], remember="remember" in form)
        """
        record, scope = changeable_record(connection, self._config, insecure_cross_origin=insecure_cross_origin)
        token, remembered_until, cookies = log_in(
            self._config,
            scope,
            sub,
            user,
            scopes=scopes,
            remember=remember,
            permanent=permanent,
            fresh=fresh,
            claims=claims,
        )
        starting = _starting_of(self._config, token, remembered_until=remembered_until)
        listing = _listing_of(self._config, scope, token, remembered_until=remembered_until)
        changes = record.change()
        # Who is told 503 must not find themselves logged in, by a login that would not be remembered.
        changes.add(cookies, starting, listing, cookies_if_unwritten=log_out(self._config))
        changes.tell_later("logged_in", self._config, scope, token, self.cookie_transport.name)

    def logout_user(self, connection: AnyScope | HasScope, *, everywhere: bool = False) -> None:
        """Log the user of this browser out: session and remember cookie are deleted.

        With a store, the login also ends there, before the response starts. Without one, a copy of the token that was
        made before is good until it expires; a changed `Sessions(stamp=)` ends that too.

        Args:
            connection: The ASGI scope, or an object that has it as `.scope`.
            everywhere: Whether all logins of the user end. It needs a store.

        Raises:
            CrossOriginRequest: Another site sent this request (logout CSRF).
            RuntimeError: Without AuthMiddleware, or after the response has started.
            ValueError: This manager has no sessions or no cookie, or `everywhere` is set and it has no store.
        """
        record, scope = changeable_record(connection, self._config)
        ending = ending_of(self._config, scope, everywhere=everywhere)
        auth, changes = auth_of_manager(record.auth, self._config.name), record.change()
        changes.add(log_out(self._config), ending)
        # Nothing ends of what came in a header, if there is no store, and nothing ever of an API key.
        if auth.is_authenticated and (came_in_cookie(auth) or (ending is not None and "jti" in auth.claims)):
            changes.tell_later("logged_out", self._config, scope, token_of(auth), auth.transport)
        else:
            changes.drop_telling(self._config)

    def confirm_login(self, connection: AnyScope | HasScope) -> None:
        """Make the session fresh again, from the next request on, after the user has shown the password once more.

        Raises:
            CrossOriginRequest: Another site sent this request.
            InvalidToken: The session has expired, or is none.
            NotAuthenticated: The request has no session of this manager's, say an access token.
            RuntimeError: Without AuthMiddleware, after the response has started, or after a login or logout in the
                same request.
            ValueError: This manager has no sessions or no cookie.
        """
        record, scope = changeable_record(connection, self._config)
        changes = record.change()
        if self.cookie_transport.cookie_name in changes.cookies:
            raise RuntimeError(
                "this request has logged somebody in or out already: there is no session left to confirm"
            )
        auth = auth_of_manager(record.auth, self._config.name)
        token = token_of(auth)
        cookies = confirm(self._config, scope, token, auth.user)
        if cookies is None:
            error = (refusal(auth) if auth.manager else None) or _no_session(auth)
            tell_refusal(auth, error, scope)
            record.refuse(error)
        changes.add(cookies)
        changes.tell_later("confirmed", self._config, scope, token, auth.transport)

    @property
    def cookie_transport(self) -> CookieTransport:
        """The first cookie of this manager, the one that is written.

        Raises:
            ValueError: It has none.
        """
        return session_cookie(self._config)


def _no_session(auth: AnyAuth) -> AuthError:
    """Return the error for a request that has no session, but perhaps an access token."""
    error = settings_of(auth).complete(NotAuthenticated("no session to confirm"))
    if auth.is_authenticated:
        error.reason_code = "wrong_type"
    return error


def _starting_of(
    config: Config, token: VerifiedToken, *, remembered_until: float | None
) -> Callable[[], Awaitable[object]] | None:
    """Return what tells the store of a new login that is remembered, or None if there is nothing to tell."""
    if config.revocation is None or config.sessions is None or remembered_until is None:
        return None
    idle, lifetime = remembered_until - config.clock(), config.sessions.remember_at_most.total_seconds()
    sid = cast("str", token.claims["sid"])
    return partial(config.revocation.start_family, sid, token.sub, idle=idle, lifetime=lifetime)


def _listing_of(
    config: Config, scope: Scope, token: VerifiedToken, *, remembered_until: float | None
) -> Callable[[], Awaitable[None]] | None:
    """Return what writes a new login into the list of its user's devices, or None if there is no list."""
    if config.revocation is None or config.sessions is None or not config.sessions.listed:
        return None
    device = device_of(config, scope, token, remembered_until=remembered_until)
    return partial(list_device, config, scope, token.sub, device)
