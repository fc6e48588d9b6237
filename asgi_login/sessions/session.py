"""One session: reads it from its token, renews, confirms and ends it.

The token is the whole session; nothing is kept on the server. A session ends after `idle` without use. A request in the
second half of `idle` renews it, but never beyond `lifetime` after the login.
"""

import hmac
import logging
import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, cast

from asgi_login.config import Config
from asgi_login.errors import InvalidToken
from asgi_login.scope import NO_COOKIES, Cookies, Scope
from asgi_login.sessions.fingerprint import fingerprint
from asgi_login.settings import Sessions
from asgi_login.tokens import (
    ACCESS,
    ACCESS_ONLY,
    SESSION,
    Key,
    SessionMemo,
    UnacceptableTokenError,
    VerifiedToken,
    encode,
)
from asgi_login.transports import CookieTooLongError, CookieTransport

log: Final[logging.Logger] = logging.getLogger("asgi_login")

_COOKIE_KINDS: Final = frozenset({ACCESS, SESSION})
# Ordinary clients are described by some hundred bytes; a proxy lets some thousand through.
_MAX_KEPT_CLIENT: Final = 512
# Looked up once.
_are_equal: Final = hmac.compare_digest
# Each token gets its own.
_OWN_CLAIMS: Final = frozenset({"iss", "aud", "exp", "iat", "jti"})


def read_session(config: Config, token: bytes) -> VerifiedToken:
    """Verify the token in the cookie of a manager: an access token, or a session within its lifetime.

    Raises:
        InvalidToken: Whatever is wrong with it.
    """
    verified = config.tokens.verify(token, _COOKIE_KINDS if config.sessions else ACCESS_ONLY)
    if verified.kind == SESSION and verified.session_memo is None:
        check_owner(config, verified)
        _limit_to_lifetime(config, verified)
        if config.clock() >= verified.valid_until:
            raise InvalidToken("the session is older than its lifetime", expired=True)
    return verified


def check_owner(config: Config, token: VerifiedToken) -> None:
    """Check that a session or remember token belongs to this manager. Another manager may have the same key.

    Raises:
        InvalidToken: It is not, or it does not say when the user proved who they are.
    """
    if token.claims.get("mgr") != config.name:
        raise InvalidToken("mgr: another manager's", reason_code="wrong_manager", foreign=True)
    if token.auth_time is None:
        raise InvalidToken(f"auth_time: missing in a {token.kind}", reason_code="bad_claim")


def _limit_to_lifetime(config: Config, token: VerifiedToken) -> None:
    # `exp` follows the lifetime at the time of issue. This applies the present setting.
    token.bind_session(_memo_of(config, token))


def _began(claims: Mapping[str, object]) -> float:
    """Return when a session began: the time it was restored, or else the time of the login."""
    return cast("float", claims.get("start", claims["auth_time"]))


def _memo_of(config: Config, token: VerifiedToken) -> SessionMemo:
    settings, can_sign = session_settings(config), config.tokens.keys.can_sign
    is_renewed = can_sign and token.iat is not None
    looks = can_sign and settings.protection is not None
    return SessionMemo(
        _began(token.claims) + settings.lifetime.total_seconds(),
        (token.iat or 0) + settings.idle.total_seconds() / 2 if is_renewed else math.inf,
        (settings.fingerprint or fingerprint) if looks else None,
    )


def is_same_client(config: Config, scope: Scope, token: VerifiedToken) -> bool:
    """Tell whether the client looks like the one that logged in; True if clients are not compared."""
    memo = token.session_memo or _memo_of(config, token)
    describe = memo.fingerprint
    if describe is None:
        return True
    client = describe(scope)
    if not isinstance(client, bytes):
        raise _no_description(client)
    if memo.client is not None and _are_equal(client, memo.client):
        return True
    key = _key(config, token)
    # A retired key may be here as a public key only. Then nothing can be compared, and the client counts as changed.
    if not key.can_sign or not _equal(token.claims.get("fp"), _keyed(key, "fingerprint", client)):
        return False
    if len(client) <= _MAX_KEPT_CLIENT:
        memo.client = client
    return True


def ends_with_client(config: Config, token: VerifiedToken) -> bool:
    """Tell whether a changed client ends this session."""
    return session_settings(config).protection == "strong" and token.claims.get("permanent") is not True


def has_same_stamp(config: Config, token: VerifiedToken, user: Any) -> bool:  # noqa: ANN401 - the application's user
    """Tell whether the user's stamp is the one at login; a new password or "log out everywhere" changes it."""
    settings = config.sessions
    if settings is None or settings.stamp is None:
        return True
    key = _key(config, token)
    # Without the private key nothing can be compared, and the stamp counts as changed.
    return key.can_sign and _equal(token.claims.get("stamp"), _stamp(settings, key, user))


def is_due(config: Config, token: VerifiedToken) -> bool:
    """Tell whether the first half of `idle` is over, so that a request renews the session."""
    memo = token.session_memo
    return memo is not None and config.clock() >= memo.renew_at


def renew_session(
    config: Config,
    scope: Scope,
    token: VerifiedToken,
    user: Any,  # noqa: ANN401 - the application's user
    *,
    same_client: bool,
) -> tuple[VerifiedToken, Cookies]:
    """Return a session that is due, or whose client has changed, renewed, and the cookie to write, if there is one."""
    now = config.clock()
    # Near the end of its lifetime, a renewed session would live no longer than this one.
    if same_client and _expiry(session_settings(config), token.claims, now) <= token.exp:
        return token, NO_COOKIES
    key = _key(config, token)
    try:
        if same_client:
            return start_session(config, scope, kept_claims(token), user, now=now)
        # The fingerprint stays that of the login. Only the key that made it can sign it again.
        if key.can_sign and (is_due(config, token) or token.claims.get("fresh") is True):
            return _seal(config, {**kept_claims(token), "fresh": False}, key, now=now)
    except (CookieTooLongError, UnacceptableTokenError) as problem:
        # Another key's signature may be longer, and the clock may have jumped while the user was loaded. The session
        # stays valid until it expires.
        log.warning("a session cannot be renewed: %s", problem)
    return token, NO_COOKIES


def start_session(
    config: Config,
    scope: Scope,
    claims: Mapping[str, object],
    user: Any,  # noqa: ANN401 - the application's user
    *,
    now: float,
) -> tuple[VerifiedToken, Cookies]:
    """Return a new session for this client, signed by the present key, and its cookie.

    Args:
        config: Of the manager.
        scope: Of the request.
        claims: `sub`, `sid`, `mgr`, `auth_time`, `fresh`, `permanent`, and perhaps `scope` and `start`.
        user: The user, for the stamp, if there is one.
        now: In seconds since the epoch.

    Raises:
        UnacceptableTokenError: The session is over, or begins in the future.
        ValueError: The manager has no cookie or no private key, or the cookie would be too long for browsers.
    """
    settings = session_settings(config)
    if not config.tokens.keys.can_sign:
        raise ValueError("this manager has no key that signs and cannot log anybody in; pass a private key or a secret")
    key = config.tokens.keys.signing_key
    return _seal(config, {**claims, **stamp_claim(config, user), "fp": _client(settings, key, scope)}, key, now=now)


def confirm_session(config: Config, scope: Scope, token: VerifiedToken | None, user: Any) -> Cookies | None:  # noqa: ANN401
    """Make a session fresh, for this client, and return its cookie; None if `token` is not a session.

    Raises:
        ValueError: This manager has no sessions.
    """
    session_settings(config)
    if token is None or token.kind != SESSION:
        return None
    now = config.clock()
    claims = {**kept_claims(token), "auth_time": int(now), "fresh": True}
    claims.pop("start", None)
    return start_session(config, scope, claims, user, now=now)[1]


def end_session(config: Config) -> Cookies:
    """Return the headers that delete every cookie of the manager: the session may be in any of them."""
    session_settings(config)
    session_cookie(config)
    cookies = [transport for transport in config.transports if isinstance(transport, CookieTransport)]
    return {cookie.cookie_name: cookie.delete_cookie_header() for cookie in cookies}


def kept_claims(token: VerifiedToken) -> dict[str, object]:
    """Return the claims that the next token of this login keeps."""
    return {name: value for name, value in token.claims.items() if name not in _OWN_CLAIMS}


def stamp_claim(config: Config, user: Any) -> dict[str, object]:  # noqa: ANN401
    """Return the claim with the user's stamp, if there is a stamp."""
    settings = config.sessions
    if settings is None or settings.stamp is None:
        return {}
    return {"stamp": _stamp(settings, config.tokens.keys.signing_key, user)}


def session_settings(config: Config) -> Sessions:
    """Return the settings of browser logins.

    Raises:
        ValueError: This manager has none.
    """
    if config.sessions is None:
        raise ValueError("this manager is made with sessions=None, for an API only; leave that out for browser logins")
    return config.sessions


def _seal(config: Config, claims: Mapping[str, object], key: Key, *, now: float) -> tuple[VerifiedToken, Cookies]:
    transport, exp = session_cookie(config), _expiry(session_settings(config), claims, now)
    token, verified = config.tokens.issue(SESSION, {**claims, "exp": exp}, now=now, key=key)
    _limit_to_lifetime(config, verified)
    return verified, {transport.cookie_name: transport.set_cookie_header(token, expires_in=exp - now)}


def _expiry(settings: Sessions, claims: Mapping[str, object], now: float) -> int:
    return int(min(now + settings.idle.total_seconds(), _began(claims) + settings.lifetime.total_seconds()))


def session_cookie(config: Config) -> CookieTransport:
    """Return the first cookie of a manager, which is the one that is written.

    Raises:
        ValueError: It has none.
    """
    if config.session_cookie is None:
        raise ValueError("this manager has no cookie: pass transports=[BearerTransport(), CookieTransport()]")
    return config.session_cookie


def _key(config: Config, token: VerifiedToken) -> Key:
    """Return the key that signed a verified token."""
    return cast("Key", config.tokens.keys.find(token.kid))


def _client(settings: Sessions, key: Key, scope: Scope) -> str:
    """Return the keyed hash of the client. Without a key, somebody could try all addresses."""
    describe: Any = settings.fingerprint or fingerprint
    client = describe(scope)
    if not isinstance(client, bytes):
        raise _no_description(client)
    return _keyed(key, "fingerprint", client)


def _no_description(client: object) -> TypeError:
    return TypeError(f"Sessions(fingerprint=) must return bytes, not {type(client).__name__}")


def _stamp(settings: Sessions, key: Key, user: Any) -> str:  # noqa: ANN401
    stamp = cast("Any", settings.stamp)(user)
    if not isinstance(stamp, str):
        raise TypeError(f"Sessions(stamp=) must return a str, not {type(stamp).__name__}")
    return _keyed(key, "stamp", stamp.encode())


def _keyed(key: Key, label: str, value: bytes) -> str:
    # BLAKE2's keyed mode (RFC 7693) is a MAC, and three times as fast as HMAC.
    return encode(blake2b(value, key=key.derive(label), digest_size=16).digest()).decode()


def _equal(claimed: object, expected: str) -> bool:
    return isinstance(claimed, str) and _are_equal(claimed.encode(), expected.encode())
