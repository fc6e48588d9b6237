"""Remember-me: a cookie of its own that brings a login back after its session has ended, never as a fresh one."""

from typing import Any, Final, cast

from asgi_login.config import Config
from asgi_login.scope import NO_COOKIES, Cookies, Scope
from asgi_login.sessions import session
from asgi_login.tokens import REMEMBER, UnacceptableTokenError, VerifiedToken
from asgi_login.transports import CookieTooLongError, CookieTransport

REMEMBER_ONLY: Final = frozenset({REMEMBER})


def find_remembered(config: Config, scope: Scope) -> VerifiedToken | None:
    """Return the remember token of a request, or None if it carries none, or this manager can use none.

    Raises:
        InvalidToken: Whatever is wrong with it.
    """
    if config.remember_cookie is None or not config.tokens.keys.signing_key.can_sign:
        return None
    token = config.remember_cookie.extract(scope)
    return config.tokens.verify(token, REMEMBER_ONLY) if token else None


def restore_session(config: Config, scope: Scope, token: VerifiedToken, user: Any) -> tuple[VerifiedToken, Cookies]:  # noqa: ANN401 - the application's user
    """Return a new session, whose lifetime starts now and for which nobody has typed a password, and both cookies."""
    kept = {**session.kept_claims(token), "sid": config.tokens.random_id()}
    now = config.clock()
    claims = {**kept, "auth_time": int(now), "fresh": False, "permanent": True}
    try:
        restored, cookies = session.start_session(config, scope, claims, user, now=now)
        return restored, {**cookies, **remember_login(config, {**kept, **session.stamp_claim(config, user)}, now=now)}
    except (CookieTooLongError, UnacceptableTokenError) as problem:
        session.log.warning("a login cannot be restored for longer than a request: %s", problem)
        return token, NO_COOKIES


def remember_login(config: Config, claims: dict[str, object], *, now: float) -> Cookies:
    """Return the cookie that remembers a login with these claims."""
    # Whoever has sessions and a cookie has this one, and without these no session was made before.
    transport = cast("CookieTransport", config.remember_cookie)
    exp = int(now + session.session_settings(config).remember_for.total_seconds())
    token, _ = config.tokens.issue(REMEMBER, {**claims, "exp": exp}, now=now)
    return {transport.cookie_name: transport.set_cookie_header(token, expires_in=exp - now)}
