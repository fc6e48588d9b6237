"""Ends in the store what a manager, a logout or a client asks for: a token, a login, or all logins of a user."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

from asgi_login.asgi_types import AnyScope
from asgi_login.auth import auth_of_manager, get_auth, token_of
from asgi_login.config import Config
from asgi_login.errors import InvalidToken
from asgi_login.scope import HasScope, Scope, scope_of
from asgi_login.stores import Revocation
from asgi_login.tokens import ACCESS, REFRESH, REMEMBER, SESSION, UnknownKey, VerifiedToken, is_text
from asgi_login.transports import CookieTransport

_ALL_KINDS: Final = frozenset({ACCESS, SESSION, REMEMBER, REFRESH})


def revocation_in(config: Config) -> Revocation:
    """Return what a manager knows of its store.

    Raises:
        ValueError: It has none.
    """
    if config.revocation is None:
        raise ValueError(
            "this needs LoginManager(store=): MemoryStore() for one process, or RedisStore(url) of asgi_login.redis"
        )
    return config.revocation


async def read_any(config: Config, token: str) -> VerifiedToken:
    """Verify a token of any kind, which may have expired, and ask another issuer for its keys where that is needed.

    Raises:
        InvalidToken: It is no token of this manager's.
        ServiceUnavailable: The issuer's keys cannot be found now.
    """
    if not token.isascii():
        raise InvalidToken("not ASCII", reason_code="malformed_token")
    raw = token.encode()
    try:
        return config.tokens.read(raw, _ALL_KINDS)
    except UnknownKey as unknown:
        await unknown.learn()
        return config.tokens.read(raw, _ALL_KINDS)


async def end(config: Config, token: VerifiedToken, scope: Scope | None = None) -> None:
    """End a token; one that is no access token with its whole login. There is nothing to do for what has expired.

    Args:
        config: The settings of the manager, which has a store.
        token: It was read before.
        scope: Of the request, for who is told of it; None for the one being handled.

    Raises:
        InvalidToken: It has no id by which it could be ended.
        ServiceUnavailable: The store did not say that it was written.
    """
    now, rules, revocation = config.clock(), config.tokens.rules, revocation_in(config)
    # It can be sent again and again, which is told once.
    is_news = not revocation.ends(token)
    if token.kind != ACCESS:
        await end_login(config, _text_claim(token, "sid"), sub=token.sub, scope=scope, tells=is_news)
    elif (jti := _text_claim(token, "jti")) and token.exp + rules.leeway > now:
        # No longer than any token is accepted.
        await revocation.end_token(jti, min(token.exp, now + (rules.longest or 0)))
        if is_news:
            config.events.tell("revoked", scope, sub=token.sub)


async def end_login(
    config: Config, sid: str, *, sub: str | None = None, scope: Scope | None = None, tells: bool = True
) -> None:
    """End a login until its longest possible token has expired; `sub` is its user, where that is known."""
    check_text("sid", sid)
    await revocation_in(config).end_session(sid, config.clock() + (config.tokens.rules.longest or 0))
    if tells:
        config.events.tell("revoked", scope, sub=sub, sid=sid)


async def end_user(config: Config, sub: str, *, keep: str | None = None) -> None:
    """End every login and token of a user that was issued until now, but for the login `keep`."""
    await revocation_in(config).end_user(sub, keep=keep)
    config.events.tell("revoked", sub=sub)


def ending_of(config: Config, scope: AnyScope | HasScope, *, everywhere: bool) -> Callable[[], Awaitable[None]] | None:
    """Return what ends the login of a request in the store, or None if there is nothing to end.

    Nobody is logged out everywhere by a request that has no user.

    Raises:
        ValueError: The user is to be logged out everywhere, and the manager has no store.
    """
    if config.revocation is None:
        if everywhere:
            revocation_in(config)
        return None
    auth = auth_of_manager(get_auth(scope), config.name)
    token, sids = token_of(auth), _session_ids(config, scope)
    if auth.session_id is not None:
        sids.add(auth.session_id)
    # The logout tells of the login of the request itself.
    endings = [partial(end_login, config, sid, tells=sid != auth.session_id) for sid in sorted(sids)]
    if everywhere and token is not None:
        endings.append(partial(end_user, config, token.sub))
    elif token is not None and auth.session_id is None and is_text(jti := token.claims.get("jti")):
        endings.append(partial(config.revocation.end_token, jti, token.exp))
    return partial(_all_of, endings) if endings else None


def _session_ids(config: Config, scope: AnyScope | HasScope) -> set[str]:
    """Return the logins whose cookies a request carries. A logout deletes them, whoever the request counts as.

    Where a token in a header came first, or a session has expired and its remember token has not, the cookies' login
    is not that of the request; copies of them must not go on all the same.
    """
    found: set[str] = set()
    for transport in {*config.transports, config.remember_cookie}:
        raw = transport.extract(scope_of(scope)) if isinstance(transport, CookieTransport) else None
        try:
            token = None if raw is None else config.tokens.read(raw, _ALL_KINDS)
        except InvalidToken:
            continue
        sid = None if token is None or token.claims.get("mgr") != config.name else token.claims.get("sid")
        if is_text(sid):
            found.add(sid)
    return found


async def _all_of(writes: Iterable[Callable[[], Awaitable[None]]]) -> None:
    for write in writes:
        await write()


def check_text(argument: str, value: object) -> None:
    """Raise TypeError for what cannot be the id of a user or a login."""
    if not is_text(value):
        raise TypeError(f"{argument} is a non-empty str of at most 255 characters, not {type(value).__name__}")


def _text_claim(token: VerifiedToken, name: str) -> str:
    value = token.claims.get(name)
    if not is_text(value):
        raise InvalidToken(f"{name}: missing, so that the token cannot be ended by itself", reason_code="bad_claim")
    return value
