"""Refresh tokens: issues an access token and a refresh token as a pair, and exchanges the refresh token for a new pair.

Each use of a refresh token makes a new one (RFC 9700 §4.14.2). The store knows how far a login has got; see
`stores.families`. The tokens of a login carry one `sid`, by which all of them are ended together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asgi_login.config import Config
from asgi_login.errors import AuthError, InsufficientScope, InvalidToken, ServiceUnavailable
from asgi_login.scope import Scope
from asgi_login.sessions import (
    check_owner,
    generation_of,
    has_same_stamp,
    kept_claims,
    own_claims,
    stamp_claim,
    use_up,
)
from asgi_login.settings import Refresh
from asgi_login.stores import Revocation
from asgi_login.tokens import ACCESS, REFRESH, InvalidClaims, VerifiedToken, check_scope_names, is_text

_REFRESH_ONLY: Final = frozenset({REFRESH})
# What is said by a refresh token alone.
_REFRESH_CLAIMS: Final = frozenset({"gen", "scope", "stamp"})


class OtherClient(InvalidToken):
    """A refresh token is shown by another client than the one that it was issued to."""


class ScopeTooWide(InsufficientScope):
    """More scopes are asked for than a login grants; what a user loader raises is none of these."""


@dataclass(frozen=True)
class TokenPair:
    """An access token, and the refresh token that brings the next pair (RFC 6749 §5.1).

    Attributes:
        access_token: The access token.
        refresh_token: The refresh token. It is used once: the pair that it brings has another one.
        expires_in: Seconds that the access token lives.
        scope: The scopes that the access token grants, separated by spaces.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    scope: str


async def issue_pair(
    config: Config,
    sub: str,
    *,
    scopes: Iterable[str],
    user: Any,  # noqa: ANN401 - the application's user
    client_id: str | None,
    claims: Mapping[str, object] | None = None,
    expires_at: float | None = None,
    scope: Scope | None = None,
    transport: str | None = None,
) -> TokenPair:
    """Return the first pair of a new login.

    Args:
        config: The settings of the manager.
        sub: The user.
        scopes: What the login grants.
        user: The user, where `Sessions(stamp=)` is set.
        client_id: The only client that may use the refresh token, or None for any.
        claims: Other claims of the access tokens, also of those that come later.
        expires_at: When the login ends at the latest, in seconds since the epoch; later than now.
        scope: Of the request, for who is told of it; None for the one being handled.
        transport: How the user has logged in, for the same.

    Raises:
        ServiceUnavailable: The store did not say that it knows of the login.
        TypeError: `sub` or `client_id` is no text, or there is a stamp and no user.
        ValueError: The manager has no refresh tokens, or a claim is reserved or has no JSON form.
    """
    settings, revocation = _refreshing(config)
    granted = " ".join(check_scope_names("scopes", scopes))
    login = {**own_claims("claims=", claims, "client_id"), **_login(config, sub, user, client_id, granted)}
    sid, lifetime = str(login["sid"]), settings.lifetime.total_seconds()
    if expires_at is not None:
        lifetime = min(lifetime, expires_at - config.clock())
    rev = await revocation.start_family(sid, sub, idle=settings.idle.total_seconds(), lifetime=lifetime)
    login |= {} if rev is None else {"rev": rev}
    pair = _pair(config, settings, login, granted, left=lifetime)
    config.events.tell("logged_in", scope, sub=sub, sid=sid, transport=transport)
    return pair


async def refresh_pair(
    config: Config, token: str, *, scopes: Sequence[str] | None, client_id: str | None, scope: Scope
) -> TokenPair:
    """Return the next pair of a login (RFC 6749 §6).

    Args:
        config: The settings of the manager.
        token: The refresh token.
        scopes: What the access token shall grant, or None for all that the login grants. The refresh token keeps all.
        client_id: The client that asks, or None if it does not say.
        scope: Of the request, for the user loader.

    The user is loaded first, so that a database that is down does not use the token up.

    Raises:
        Exception: Whatever the user loader raises.
        ScopeTooWide: More is asked for than the login grants.
        InvalidToken: The token is none of this manager's or of another client's, or it has expired, was ended or used
            before, or its user is gone or has changed. If it was used before, the login has ended now.
        ServiceUnavailable: The store does not answer. The same token is good for another try.
        ValueError: The manager has no refresh tokens.
    """
    _refreshing(config)
    shown = None
    try:
        shown = _read(config, token, client_id)
        return await _next_pair(config, shown, scopes=scopes, scope=scope)
    except AuthError as error:
        config.events.tell("refused", scope, shown, transport="refresh_token", reason=error.reason_code)
        raise


async def _next_pair(config: Config, shown: VerifiedToken, *, scopes: Sequence[str] | None, scope: Scope) -> TokenPair:
    settings, revocation = _refreshing(config)
    if revocation.ends(shown):
        raise InvalidToken("the login was ended", reason_code="ended")
    if scopes is not None and not shown.scopes.issuperset(scopes):
        raise ScopeTooWide("scope: more than the login grants")
    user = await config.loader.finish(await config.loader.call(shown.sub, scope, shown.claims))
    if user is None or not has_same_stamp(config, shown, user):
        await revocation.end_family(str(shown.claims["sid"]))
        if user is None:
            raise InvalidToken("no such user", reason_code="unknown_user")
        raise InvalidToken("the user's stamp has changed", reason_code="stamp_changed")
    claims = {**kept_claims(shown), **stamp_claim(config, user)}
    granted = " ".join(dict.fromkeys(scopes)) if scopes is not None else str(claims.get("scope", ""))
    idle, window = settings.idle.total_seconds(), settings.reuse_window.total_seconds()
    left = await use_up(config, scope, shown, idle=idle, window=window)
    pair = _pair(config, settings, {**claims, "gen": generation_of(shown) + 1}, granted, left=left)
    config.events.tell("renewed", scope, shown, transport="refresh_token")
    return pair


def _login(config: Config, sub: str, user: Any, client_id: str | None, scope: str) -> dict[str, object]:  # noqa: ANN401
    """Return the claims of the refresh token of a new login."""
    for name, value in {"sub": sub, **({} if client_id is None else {"client_id": client_id})}.items():
        if not is_text(value):
            raise TypeError(f"{name} is a non-empty str of at most 255 characters, not {type(value).__name__}")
    if user is None and config.sessions is not None and config.sessions.stamp is not None:
        raise TypeError("with Sessions(stamp=) the stamp needs the user: issue_tokens(sub, user=user)")
    claims = {**stamp_claim(config, user), "sub": sub, "sid": config.tokens.random_id(), "mgr": config.name, "gen": 1}
    claims["auth_time"] = int(config.clock())
    if client_id is not None:
        claims["client_id"] = client_id
    if scope:
        claims["scope"] = scope
    return claims


def _read(config: Config, token: str, client_id: str | None) -> VerifiedToken:
    """Verify a refresh token of this manager's, for this client.

    Raises:
        InvalidToken: Whatever is wrong with it.
    """
    try:
        # Not kept in the cache: it is used once.
        shown = config.tokens.read(token.encode("ascii"), _REFRESH_ONLY)
        if config.clock() < shown.valid_from:
            # Of another process, whose clock is ahead. After a 400 the client would drop what is good in a moment.
            raise ServiceUnavailable("the refresh token was issued later than now: clocks differ by more than leeway")
        config.tokens.rules.check_times(shown, config.clock())
    except InvalidClaims as problem:
        raise problem.refusal() from None
    except UnicodeEncodeError:
        raise InvalidToken("not ASCII", reason_code="malformed_token") from None
    check_owner(config, shown)
    # RFC 6749 §10.4: it is bound to the client that it was issued to.
    if "client_id" in shown.claims and (client_id is None or shown.claims["client_id"] != client_id):
        raise OtherClient("client_id: another client's", reason_code="wrong_client")
    if not is_text(shown.claims.get("sid")) or generation_of(shown) < 1:
        raise InvalidToken("sid or gen: missing in a refresh token", reason_code="bad_claim")
    return shown


def _pair(config: Config, settings: Refresh, claims: Mapping[str, object], scope: str, *, left: float) -> TokenPair:
    """Sign a pair.

    Args:
        config: The settings of the manager.
        settings: Those of its refresh tokens.
        claims: All claims of the refresh token, but for `exp`.
        scope: What the access token grants.
        left: Seconds that the login lives at most.
    """
    now = config.clock()
    lives = max(1, int(min(config.default_expiry.total_seconds(), left)))
    access = {name: value for name, value in claims.items() if name not in _REFRESH_CLAIMS}
    if scope:
        access["scope"] = scope
    access_token, _ = config.tokens.issue(ACCESS, {**access, "exp": int(now) + lives}, now=now)
    ends = int(now) + max(1, int(min(settings.idle.total_seconds(), left)))
    refresh_token, _ = config.tokens.issue(REFRESH, {**claims, "exp": ends}, now=now)
    return TokenPair(access_token, refresh_token, lives, scope)


def _refreshing(config: Config) -> tuple[Refresh, Revocation]:
    if config.refresh is None or config.revocation is None:
        raise ValueError(
            "this needs LoginManager(refresh=Refresh(), store=...), with MemoryStore() for one process or "
            "RedisStore(url) of asgi_login.redis"
        )
    return config.refresh, config.revocation
