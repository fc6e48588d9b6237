"""Remember-me: a cookie of its own that brings a login back after its session has ended, never as a fresh one.

With a store, each use of a remember token makes the one before void: see `generations`. That happens when the response
with the new cookie starts, so that a page that fails costs nobody their login. If the response is lost on its way, the
browser still has the old cookie. For ten seconds that is good, say in another tab that was opened at the same time.
After that its next use ends the login, and the user logs in again.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from asgi_login.config import Config
from asgi_login.errors import InvalidToken, ServiceUnavailable
from asgi_login.scope import NO_COOKIES, Cookies, Scope, request_line
from asgi_login.sessions import session
from asgi_login.sessions.generations import generation_of, use_up
from asgi_login.settings import REUSE_WINDOW
from asgi_login.tokens import REMEMBER, UnacceptableTokenError, VerifiedToken
from asgi_login.transports import CookieTooLongError, CookieTransport

_REMEMBER_ONLY: Final = frozenset({REMEMBER})
# What is said by a remember token alone.
_REMEMBER_CLAIMS: Final = frozenset({"gen", "remember_for"})


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
    generation_of(verified)
    # The token itself ends with the bound that was set when it was issued; this is today's.
    if config.clock() >= _end(config, verified.claims):
        raise InvalidToken("the last proof of identity is older than remember_at_most", expired=True)
    return verified


def restore_session(config: Config, scope: Scope, token: VerifiedToken, user: Any) -> tuple[VerifiedToken, Cookies]:  # noqa: ANN401 - the application's user
    """Return a new session whose lifetime starts now, and both cookies.

    It keeps `sid` and `auth_time`: it is the same login, and nobody has typed a password. If no cookies are returned,
    they would be too long, and the login is there for this request only.
    """
    now = config.clock()
    kept = session.kept_claims(token)
    claims = {name: value for name, value in kept.items() if name not in _REMEMBER_CLAIMS}
    if config.revocation is not None:
        kept["gen"] = generation_of(token) + 1
    try:
        restored, cookies = session.start_session(
            config, scope, {**claims, "start": int(now), "fresh": False}, user, now=now
        )
        return restored, {**cookies, **remember_login(config, kept, user, now=now)[1]}
    except (CookieTooLongError, UnacceptableTokenError) as problem:
        session.log.warning("a login cannot be restored for longer than a request: %s", problem)
        return token, NO_COOKIES


async def check_remembered(config: Config, scope: Scope, token: VerifiedToken) -> bool:
    """Check that the remember token that restores a session is the newest of its login, where there is a store.

    Returns:
        False if nobody knows: the store does not answer, and the manager overlooks that.

    Raises:
        InvalidToken: The login was ended; or the token was used before, and the login has ended now.
        ServiceUnavailable: The store does not answer.
    """
    if config.revocation is None:
        return True
    try:
        await _use(config, scope, token, advances=False, ends=True)
    except ServiceUnavailable as unanswered:
        if not config.revocation.overlooks(unanswered):
            raise
        return False
    return True


async def settle_remembered(config: Config, scope: Scope, cookies: Cookies) -> Cookies:
    """Return those cookies of a user's request that are to be sent, as the response starts.

    With a store, the browser is given the next remember token only if the one that it has can be used up now. A token
    without a generation was issued before there was a store. It is taken once: otherwise, everybody who is remembered
    would be logged out on the day when an application gets one.
    """
    transport = config.remember_cookie
    if config.revocation is None or transport is None or transport.cookie_name not in cookies:
        return cookies
    try:
        remembered = find_remembered(config, scope)
        if remembered is not None:
            await _use(config, scope, remembered, advances=True, ends=False)
    except (InvalidToken, ServiceUnavailable) as error:
        # Another tab has used the token since it was checked, the login was ended, or the store does not answer. The
        # session is restored all the same: its token was good when the request came in.
        session.log.info("%s: the remember token stays as it is: %s", request_line(scope), error.log_text)
        return {name: header for name, header in cookies.items() if name != transport.cookie_name}
    return cookies


async def _use(config: Config, scope: Scope, token: VerifiedToken, *, advances: bool, ends: bool) -> None:
    idle = _remembered_for(config, token.claims)
    if generation_of(token) == 0:
        # For as long as it can be shown again, or it could be taken twice.
        idle = max(idle, token.exp - config.clock())
    window, until = REUSE_WINDOW.total_seconds(), _end(config, token.claims)
    await use_up(config, scope, token, idle=idle, window=window, until=until, advances=advances, ends=ends)


def first_generation(config: Config) -> dict[str, object]:
    """Return the claim of the remember token of a new login; there is none without a store."""
    return {} if config.revocation is None else {"gen": 1}


def remember_login(config: Config, claims: Mapping[str, object], user: object, *, now: float) -> tuple[float, Cookies]:
    """Return until when a login with these claims is remembered, and the cookie that does it.

    `remember_for` among the claims are seconds of its own.
    """
    # A manager with sessions and a cookie always has this one.
    transport = cast("CookieTransport", config.remember_cookie)
    exp = int(min(now + _remembered_for(config, claims), _end(config, claims)))
    sealed = {**claims, **session.stamp_claim(config, user), "exp": exp}
    token, _ = config.tokens.issue(REMEMBER, sealed, now=now)
    return exp, {transport.cookie_name: transport.set_cookie_header(token, expires_in=exp - now)}


def _remembered_for(config: Config, claims: Mapping[str, object]) -> float:
    """Return for how many seconds after its last use a login is remembered."""
    remember_for = session.session_settings(config).remember_for.total_seconds()
    return cast("float", claims.get("remember_for", remember_for))


def _end(config: Config, claims: Mapping[str, object]) -> float:
    """Return until when a login can be restored at most."""
    return cast("float", claims["auth_time"]) + session.session_settings(config).remember_at_most.total_seconds()
