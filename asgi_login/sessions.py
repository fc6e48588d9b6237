"""What a session or remember token says about this request, and what to write back to the browser.

A session token is the whole session: nothing is kept on the server. It dies after `idle` without use, is renewed
once half of that is gone, and never outlives `lifetime` after the login. A remember token starts a new one.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias, cast

from asgi_login._asgi import Scope
from asgi_login.claims import Verified, check_scope_names, is_text
from asgi_login.config import Config, Sessions
from asgi_login.errors import InvalidToken
from asgi_login.fingerprint import fingerprint
from asgi_login.keys import Key
from asgi_login.tokens import ACCESS, REMEMBER, SESSION
from asgi_login.transports import CookieTransport

Cookies: TypeAlias = Mapping[str, tuple[bytes, bytes]]
"""The header pairs that set or delete cookies, by the cookie's name."""

_COOKIE_KINDS = frozenset({ACCESS, SESSION})
_ACCESS_ONLY = frozenset({ACCESS})
_REMEMBER_ONLY = frozenset({REMEMBER})
# Made anew for each token.
_OWN_CLAIMS = frozenset({"iss", "aud", "exp", "iat", "jti"})


class Finding(NamedTuple):
    """What a session or remember token says about this request.

    Attributes:
        token: The token.
        is_fresh: Whether it can count as fresh, if it is young enough.
        is_same_client: Whether the client looks like the one that logged in.
        has_ended: Whether the session is over, because it is strongly protected and the client is another.
    """

    token: Verified
    is_fresh: bool
    is_same_client: bool = True
    has_ended: bool = False


def read(config: Config, token: bytes) -> Verified:
    """Verify what is in the cookie of a manager: an access token, or a session within its lifetime.

    Raises:
        InvalidToken: Whatever is wrong with it.
    """
    settings = config.sessions
    verified = config.tokens.verify(token, _COOKIE_KINDS if settings else _ACCESS_ONLY)
    if settings is None or verified.kind != SESSION:
        return verified
    # The token itself ends with the lifetime that was set when it was issued; this is today's.
    if verified.auth_time is None:
        raise InvalidToken("a session without auth_time")
    if config.clock() >= verified.auth_time + settings.lifetime.total_seconds():
        raise InvalidToken("the session is older than its lifetime", expired=True)
    return verified


def remembered(config: Config, scope: Scope) -> Verified | None:
    """Return the remember token of a request, or None if it carries none, or none that this manager can use.

    Raises:
        InvalidToken: Whatever is wrong with it.
    """
    if config.remember_cookie is None or not config.tokens.keys.signing.can_sign:
        return None
    token = config.remember_cookie.extract(scope)
    return config.tokens.verify(token, _REMEMBER_ONLY) if token else None


def examine(config: Config, scope: Scope, token: Verified) -> Finding:
    """Compare the client with the one that logged in."""
    if token.kind == REMEMBER:
        return Finding(token, is_fresh=False)
    settings = _settings(config)
    key = _key(config, token)
    if settings.protection is None or not key.can_sign:
        return Finding(token, token.claims.get("fresh") is True)
    is_same = _equal(token.claims.get("fp"), _client(settings, key, scope))
    ends = not is_same and settings.protection == "strong" and token.claims.get("permanent") is not True
    return Finding(token, is_same and token.claims.get("fresh") is True, is_same, ends)


def has_same_stamp(config: Config, token: Verified, user: Any) -> bool:  # noqa: ANN401 - the application's user
    """Compare the user's stamp with the one at login: a new password, or "log out everywhere", has changed it."""
    settings, key = _settings(config), _key(config, token)
    if settings.stamp is None or not key.can_sign:
        return True
    return _equal(token.claims.get("stamp"), _stamp(settings, key, user))


def write_back(config: Config, scope: Scope, finding: Finding, user: Any) -> tuple[Verified, Cookies]:  # noqa: ANN401 - the same
    """Return the token that counts from here on, and the cookies to set: usually the same and none."""
    token, key, now = finding.token, config.tokens.keys.signing, config.clock()
    settings = _settings(config)
    demoted = not finding.is_same_client and token.claims.get("fresh") is True
    if not key.can_sign or not (demoted or token.kind == REMEMBER or _is_due(settings, token, now)):
        return token, {}
    kept = {name: value for name, value in token.claims.items() if name not in _OWN_CLAIMS}
    if token.kind == REMEMBER:
        kept.update(_stamp_claim(settings, key, user))
        # A new session: its lifetime starts now, and nobody has typed a password for it.
        session = {**kept, "sid": config.tokens.random_id(), "auth_time": int(now), "fresh": False, "permanent": True}
        session["fp"] = _client(settings, key, scope)
        cookie, renewed = _session_cookie(config, session, key, now)
        return renewed, {**cookie, **_remember_cookie(config, kept, key, now)}
    if not finding.is_same_client:
        # Only the key that made the fingerprint can keep it: whose it was is not in the request.
        cookie, renewed = _session_cookie(config, {**kept, "fresh": False}, _key(config, token), now)
        return renewed, cookie
    renewed_claims = {**kept, **_stamp_claim(settings, key, user), "fp": _client(settings, key, scope)}
    cookie, renewed = _session_cookie(config, renewed_claims, key, now)
    return renewed, cookie


def login(
    config: Config,
    scope: Scope,
    sub: str,
    *,
    user: Any,  # noqa: ANN401 - the same
    scopes: Iterable[str],
    remember: bool,
) -> Cookies:
    """Return the cookies of a new session; nothing of an earlier one is kept.

    Raises:
        TypeError: `sub` is not a non-empty str, or there is a stamp and no user.
        ValueError: This manager has no sessions, no cookie or no private key, or a cookie would be too long.
    """
    settings, now = _settings(config), config.clock()
    if not is_text(sub):
        raise TypeError("login_user takes the user's id as a non-empty str, of at most 255 characters")
    if settings.stamp is not None and user is None:
        raise TypeError("with Sessions(stamp=) the stamp needs the user: login_user(request, sub, user=user)")
    key = config.tokens.keys.signing
    if not key.can_sign:
        raise ValueError("this manager has only a public key and cannot log anybody in; pass the private key")
    kept: dict[str, object] = {"sub": sub, "sid": config.tokens.random_id(), "auth_time": int(now)}
    granted = check_scope_names("scopes", scopes)
    if granted:
        kept["scope"] = " ".join(granted)
    kept.update(_stamp_claim(settings, key, user))
    session = {**kept, "fresh": True, "permanent": remember, "fp": _client(settings, key, scope)}
    cookie, _ = _session_cookie(config, session, key, now)
    # Without `remember` too: the cookie there may be that of the user before.
    return {**logout(config), **cookie, **(_remember_cookie(config, kept, key, now) if remember else {})}


def confirm(config: Config, scope: Scope, token: Verified | None, user: Any) -> Cookies:  # noqa: ANN401
    """Return the cookie of a session that is fresh again, from this client.

    Raises:
        ValueError: The request has no session of this manager's.
    """
    if token is None or token.kind not in {SESSION, REMEMBER}:
        raise ValueError("confirm_login: this request has no session; log the user in with login_user")
    settings, key, now = _settings(config), config.tokens.keys.signing, config.clock()
    kept = {name: value for name, value in token.claims.items() if name not in _OWN_CLAIMS}
    claims = {**kept, **_stamp_claim(settings, key, user), "auth_time": int(now), "fresh": True}
    claims["fp"] = _client(settings, key, scope)
    return _session_cookie(config, claims, key, now)[0]


def logout(config: Config) -> Cookies:
    """Return the cookies that end a session in the browser: the session's and the remember token's, deleted."""
    cookies = (_cookie(config), config.remember_cookie)
    return {cookie.cookie_name: cookie.delete_cookie_header() for cookie in cookies if cookie is not None}


def _is_due(settings: Sessions, token: Verified, now: float) -> bool:
    """Tell whether half of `idle` is gone and a new token would live longer."""
    idle = settings.idle.total_seconds()
    return token.iat is not None and now - token.iat >= idle / 2 and _expiry(settings, token.auth_time, now) > token.exp


def _expiry(settings: Sessions, auth_time: float | None, now: float) -> int:
    return int(min(now + settings.idle.total_seconds(), (auth_time or 0) + settings.lifetime.total_seconds()))


def _session_cookie(config: Config, claims: Mapping[str, object], key: Key, now: float) -> tuple[Cookies, Verified]:
    exp = _expiry(_settings(config), cast("float", claims["auth_time"]), now)
    token = config.tokens.seal(SESSION, {**claims, "exp": exp}, now=now, key=key)
    transport = _cookie(config)
    header = transport.set_cookie_header(token, expires_in=exp - now)
    return {transport.cookie_name: header}, config.tokens.verify(token.encode(), _COOKIE_KINDS)


def _remember_cookie(config: Config, claims: Mapping[str, object], key: Key, now: float) -> Cookies:
    transport = cast("CookieTransport", config.remember_cookie)
    lifetime = _settings(config).remember_for.total_seconds()
    token = config.tokens.seal(REMEMBER, {**claims, "exp": int(now + lifetime)}, now=now, key=key)
    return {transport.cookie_name: transport.set_cookie_header(token, expires_in=lifetime)}


def _settings(config: Config) -> Sessions:
    if config.sessions is None:
        raise ValueError("this manager is made with sessions=None, for an API only; leave that out for browser logins")
    return config.sessions


def _cookie(config: Config) -> CookieTransport:
    if config.session_cookie is None:
        raise ValueError("this manager has no cookie: pass transports=[BearerTransport(), CookieTransport()]")
    return config.session_cookie


def _key(config: Config, token: Verified) -> Key:
    """Return the key that signed a verified token."""
    return cast("Key", config.tokens.keys.find(token.kid))


def _client(settings: Sessions, key: Key, scope: Scope) -> str:
    """Return the keyed hash of the client: an address alone has few enough values to try them all."""
    return _keyed(key, "fingerprint", (settings.fingerprint or fingerprint)(scope))


def _stamp(settings: Sessions, key: Key, user: Any) -> str:  # noqa: ANN401
    stamp = cast("Any", settings.stamp)(user)
    if not isinstance(stamp, str):
        raise TypeError(f"Sessions(stamp=) must return a str, not {type(stamp).__name__}")
    return _keyed(key, "stamp", stamp.encode())


def _stamp_claim(settings: Sessions, key: Key, user: Any) -> dict[str, object]:  # noqa: ANN401
    return {} if settings.stamp is None else {"stamp": _stamp(settings, key, user)}


def _keyed(key: Key, label: str, value: bytes) -> str:
    # BLAKE2's keyed mode (RFC 7693 §2.9) is a MAC of its own, in a third of HMAC's time.
    return urlsafe_b64encode(blake2b(value, key=key.derive(label), digest_size=16).digest()).rstrip(b"=").decode()


def _equal(claimed: object, expected: str) -> bool:
    return isinstance(claimed, str) and hmac.compare_digest(claimed.encode(), expected.encode())
