"""Logins in the browser, from the first cookie to the last: what starts, confirms and ends them."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from asgi_login.config import Config
from asgi_login.errors import InvalidToken
from asgi_login.scope import Cookies, Scope, header
from asgi_login.sessions import session
from asgi_login.sessions.remember import find_remembered, first_generation, remember_login
from asgi_login.settings import Sessions
from asgi_login.tokens import VerifiedToken, check_scope_names, is_text

# What we write ourselves, and what RFC 7519 and RFC 8693 give a meaning of its own.
_RESERVED: Final = frozenset(
    {
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "scope", "scopes", "cnf"),
        *("sid", "mgr", "fresh", "permanent", "start", "remember_for", "fp", "stamp", "gen", "rev"),
    }
)


def log_in(
    config: Config,
    scope: Scope,
    sub: str,
    user: Any,  # noqa: ANN401 - the application's user
    *,
    scopes: Iterable[str],
    remember: bool | timedelta,
    permanent: bool,
    fresh: bool,
    claims: Mapping[str, object] | None,
) -> tuple[VerifiedToken, float | None, Cookies]:
    """Return a new session, until when it is remembered, and its cookies; nothing of an earlier login is kept.

    Raises:
        TypeError: `sub` is not a non-empty str, or there is a stamp and no user.
        ValueError: This manager has no sessions, no cookie or no private key; a claim is reserved; `remember` is not
            positive or longer than `remember_at_most`; or a cookie would be too long.
    """
    settings = session.session_settings(config)
    if not is_text(sub):
        raise TypeError(
            "login_user takes the user's id as a non-empty str of at most 255 characters, like str(user.id)"
        )
    if settings.stamp is not None and user is None:
        raise TypeError("with Sessions(stamp=) the stamp needs the user: login_user(request, sub, user=user)")
    now = config.clock()
    kept = {
        **own_claims("login_user(claims=)", claims),
        "sub": sub,
        "sid": config.tokens.random_id(),
        "mgr": config.name,
    }
    kept |= {"auth_time": int(now), "permanent": permanent, **config.rev_claim(sub)}
    granted = check_scope_names("scopes", scopes)
    if granted:
        kept["scope"] = " ".join(granted)
    token, cookies = session.start_session(config, scope, {**kept, "fresh": fresh}, user, now=now)
    if session.session_cookie(config).is_dropped_by(header(scope, b"origin") or b""):
        session.log.warning(
            "this login comes over plain http, where browsers drop the Secure cookie that it sets: serve the site over "
            "https, or in development use CookieTransport.insecure_for_development()"
        )
    if remember or isinstance(remember, timedelta):
        kept |= {**_duration(config, settings, remember), **first_generation(config)}
        until, remembered = remember_login(config, kept, user, now=now)
        return token, until, {**cookies, **remembered}
    # Deleted even if nobody was remembered: the cookie there may be that of the user before.
    return token, None, {**log_out(config), **cookies}


def confirm(config: Config, scope: Scope, token: VerifiedToken | None, user: Any) -> Cookies | None:  # noqa: ANN401
    """Return the cookies of a login that was proved anew, or None if `token` is no session.

    Raises:
        ValueError: This manager has no sessions.
    """
    cookies = session.confirm_session(config, scope, token, user)
    if cookies is None or token is None:
        return cookies
    try:
        remembered = find_remembered(config, scope)
    except InvalidToken:
        return cookies
    if remembered is None or remembered.claims.get("sid") != token.claims.get("sid"):
        return cookies
    now = config.clock()
    claims = {**session.kept_claims(remembered), "auth_time": int(now)}
    return {**cookies, **remember_login(config, claims, user, now=now)[1]}


def log_out(config: Config) -> Cookies:
    """Return the cookies that delete session and remember token in the browser."""
    forgotten = config.remember_cookie
    cookies = session.end_session(config)
    return cookies if forgotten is None else {**cookies, forgotten.cookie_name: forgotten.delete_cookie_header()}


def own_claims(argument: str, claims: Mapping[str, object] | None, *reserved: str) -> dict[str, object]:
    """Return the application's own claims of a login, after making sure that none is one of ours.

    Raises:
        ValueError: One is.
    """
    own = dict(claims or {})
    ours = {*_RESERVED, *reserved}.intersection(own)
    if ours:
        raise ValueError(f"{argument} cannot set {', '.join(sorted(ours))}: choose other names")
    return own


def _duration(config: Config, settings: Sessions, remember: bool | timedelta) -> dict[str, object]:  # noqa: FBT001
    """Return the claim that says for how long a login is remembered, unless that is the manager's `remember_for`."""
    if not isinstance(remember, timedelta):
        return {}
    longest = settings.remember_at_most
    if config.tokens.rules.longest is not None:
        longest = min(longest, timedelta(seconds=config.tokens.rules.longest))
    if not timedelta(seconds=1) <= remember <= longest:
        raise ValueError(
            "login_user(remember=) is at least a second and at most Sessions(remember_at_most=), or what the store "
            f"keeps: {longest}"
        )
    return {"remember_for": int(remember.total_seconds())}
