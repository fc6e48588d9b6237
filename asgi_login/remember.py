"""Remember-me: a cookie of its own that brings a login back after its session has ended, never as a fresh one."""

from collections.abc import Iterable
from typing import Any, cast

from asgi_login import sessions
from asgi_login._asgi import NO_COOKIES, Cookies, CredentialLines, Scope
from asgi_login.claims import check_scope_names, is_text
from asgi_login.config import Config
from asgi_login.tokens import REMEMBER
from asgi_login.transports import CookieTooLongError, CookieTransport
from asgi_login.verified import Verified

_REMEMBER_ONLY = frozenset({REMEMBER})


def find(config: Config, lines: CredentialLines) -> Verified | None:
    """Return the remember token of a request, or None if it carries none, or this manager can use none.

    Raises:
        InvalidToken: Whatever is wrong with it.
    """
    if config.remember_cookie is None or not config.tokens.keys.signing.can_sign:
        return None
    token = config.remember_cookie.read(lines[1])
    return config.tokens.verify(token, _REMEMBER_ONLY) if token else None


def restore(config: Config, scope: Scope, token: Verified, user: Any) -> tuple[Verified, Cookies]:  # noqa: ANN401 - the application's user
    """Return a new session, whose lifetime starts now and for which nobody has typed a password, and both cookies."""
    kept = {**sessions.kept_claims(token), "sid": config.tokens.random_id()}
    claims = {**kept, "auth_time": int(config.clock()), "fresh": False, "permanent": True}
    try:
        session, cookies = sessions.start(config, scope, claims, user)
        return session, {**cookies, **_cookie(config, {**kept, **sessions.stamp_claim(config, user)})}
    except CookieTooLongError as problem:
        sessions.log.warning("a login cannot be restored for longer than a request: %s", problem)
        return token, NO_COOKIES


def log_in(
    config: Config,
    scope: Scope,
    sub: str,
    user: Any,  # noqa: ANN401 - the application's user
    *,
    scopes: Iterable[str],
    remember: bool,
) -> Cookies:
    """Return the cookies of a new session, remembered or not; nothing of an earlier one is kept.

    Raises:
        TypeError: `sub` is not a non-empty str, or there is a stamp and no user.
        ValueError: This manager has no sessions, no cookie or no private key, or a cookie would be too long.
    """
    settings = sessions.settings_of(config)
    if not is_text(sub):
        raise TypeError("login_user takes the user's id as a non-empty str, of at most 255 characters")
    if settings.stamp is not None and user is None:
        raise TypeError("with Sessions(stamp=) the stamp needs the user: login_user(request, sub, user=user)")
    kept: dict[str, object] = {"sub": sub, "sid": config.tokens.random_id(), "auth_time": int(config.clock())}
    granted = check_scope_names("scopes", scopes)
    if granted:
        kept["scope"] = " ".join(granted)
    _, cookies = sessions.start(config, scope, {**kept, "fresh": True, "permanent": remember}, user)
    if remember:
        return {**cookies, **_cookie(config, {**kept, **sessions.stamp_claim(config, user)})}
    # Deleted even if nobody was remembered: the cookie there may be that of the user before.
    return {**log_out(config), **cookies}


def log_out(config: Config) -> Cookies:
    """Return the cookies that delete session and remember token in the browser."""
    forgotten = config.remember_cookie
    cookies = sessions.end(config)
    return cookies if forgotten is None else {**cookies, forgotten.cookie_name: forgotten.delete_cookie_header()}


def _cookie(config: Config, claims: dict[str, object]) -> Cookies:
    # Whoever has sessions and a cookie has this one, and without these no session was made before.
    transport = cast("CookieTransport", config.remember_cookie)
    now, lifetime = config.clock(), sessions.settings_of(config).remember_for.total_seconds()
    exp = int(now + lifetime)
    token = config.tokens.seal(REMEMBER, {**claims, "exp": exp}, now=now)
    return {transport.cookie_name: transport.set_cookie_header(token, expires_in=exp - now)}
