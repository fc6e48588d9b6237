"""Remember-me: a cookie of its own that brings a login back after its session has ended, never as a fresh one."""

from collections.abc import Mapping
from typing import Any, Final, cast

from asgi_login.config import Config
from asgi_login.errors import InvalidToken
from asgi_login.scope import NO_COOKIES, Cookies, Scope
from asgi_login.sessions import session
from asgi_login.tokens import REMEMBER, UnacceptableTokenError, VerifiedToken
from asgi_login.transports import CookieTooLongError, CookieTransport

_REMEMBER_ONLY: Final = frozenset({REMEMBER})


def find_remembered(config: Config, scope: Scope) -> VerifiedToken | None:
    """Return the remember token of a request, or None if it carries none, or this manager can use none.

    Raises:
        InvalidToken: Whatever is wrong with it.
    """
    if config.remember_cookie is None or not config.tokens.keys.can_sign:
        return None
    token = config.remember_cookie.extract(scope)
    return read_remembered(config, token) if token else None


def read_remembered(config: Config, token: bytes) -> VerifiedToken:
    """Verify a remember token of this manager's, within `remember_at_most` after the last proof of identity.

    Raises:
        InvalidToken: Whatever is wrong with it.
    """
    verified = config.tokens.verify(token, _REMEMBER_ONLY)
    session.check_owner(config, verified)
    # The token itself ends with the bound that was set when it was issued; this is today's.
    if config.clock() >= _end(config, verified.claims):
        raise InvalidToken("the last proof of identity is older than remember_at_most", expired=True)
    return verified


def restore_session(config: Config, scope: Scope, token: VerifiedToken, user: Any) -> tuple[VerifiedToken, Cookies]:  # noqa: ANN401 - the application's user
    """Return a new session whose lifetime starts now, and both cookies.

    It keeps `sid` and `auth_time`: it is the same login, and nobody has typed a password.
    """
    now = config.clock()
    kept = session.kept_claims(token)
    claims = {name: value for name, value in kept.items() if name != "remember_for"}
    try:
        restored, cookies = session.start_session(
            config, scope, {**claims, "start": int(now), "fresh": False}, user, now=now
        )
        return restored, {**cookies, **remember_login(config, kept, user, now=now)[1]}
    except (CookieTooLongError, UnacceptableTokenError) as problem:
        session.log.warning("a login cannot be restored for longer than a request: %s", problem)
        return token, NO_COOKIES


def remember_login(config: Config, claims: Mapping[str, object], user: object, *, now: float) -> tuple[float, Cookies]:
    """Return until when a login with these claims is remembered, and the cookie that does it.

    `remember_for` among the claims are seconds of its own.
    """
    # A manager with sessions and a cookie always has this one.
    transport = cast("CookieTransport", config.remember_cookie)
    remember_for = session.session_settings(config).remember_for.total_seconds()
    seconds = cast("float", claims.get("remember_for", remember_for))
    exp = int(min(now + seconds, _end(config, claims)))
    sealed = {**claims, **session.stamp_claim(config, user), "exp": exp}
    token, _ = config.tokens.issue(REMEMBER, sealed, now=now)
    return exp, {transport.cookie_name: transport.set_cookie_header(token, expires_in=exp - now)}


def _end(config: Config, claims: Mapping[str, object]) -> float:
    """Return until when a login can be restored at most."""
    return cast("float", claims["auth_time"]) + session.session_settings(config).remember_at_most.total_seconds()
