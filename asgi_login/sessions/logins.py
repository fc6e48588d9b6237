"""Logins in the browser, from the first cookie to the last: what starts them, and what ends all of them."""

from collections.abc import Iterable
from typing import Any

from asgi_login.config import Config
from asgi_login.scope import Cookies, Scope, header
from asgi_login.sessions import session
from asgi_login.sessions.remember import remember_login
from asgi_login.tokens import check_scope_names, is_text


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
    settings = session.session_settings(config)
    if not is_text(sub):
        raise TypeError(
            "login_user takes the user's id as a non-empty str of at most 255 characters, like str(user.id)"
        )
    if settings.stamp is not None and user is None:
        raise TypeError("with Sessions(stamp=) the stamp needs the user: login_user(request, sub, user=user)")
    now = config.clock()
    kept: dict[str, object] = {"sub": sub, "sid": config.tokens.random_id(), "auth_time": int(now)}
    granted = check_scope_names("scopes", scopes)
    if granted:
        kept["scope"] = " ".join(granted)
    _, cookies = session.start_session(config, scope, {**kept, "fresh": True, "permanent": remember}, user, now=now)
    if session.session_cookie(config).is_dropped_by(header(scope, b"origin") or b""):
        session.log.warning(
            "this login comes over plain http, where browsers drop the Secure cookie that it sets: serve the site over "
            "https, or in development use CookieTransport.insecure_for_development()"
        )
    if remember:
        return {**cookies, **remember_login(config, {**kept, **session.stamp_claim(config, user)}, now=now)}
    # Deleted even if nobody was remembered: the cookie there may be that of the user before.
    return {**log_out(config), **cookies}


def log_out(config: Config) -> Cookies:
    """Return the cookies that delete session and remember token in the browser."""
    forgotten = config.remember_cookie
    cookies = session.end_session(config)
    return cookies if forgotten is None else {**cookies, forgotten.cookie_name: forgotten.delete_cookie_header()}
