"""What a manager with a store can end before its time: tokens, sessions, and all logins of a user."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from asgi_login.auth import auth_of_manager, get_auth, token_of
from asgi_login.config import Config
from asgi_login.errors import InvalidToken, ServiceUnavailable
from asgi_login.exchange import answering_own_end, mark_refusal
from asgi_login.scope import AnyScope, HasScope, Scope, scope_of
from asgi_login.sessions import device_of, list_device
from asgi_login.settings import Refresh, Sessions
from asgi_login.stores import Device, Revocation, Store
from asgi_login.tokens import ACCESS, REFRESH, REMEMBER, SESSION, UnknownKey, VerifiedToken, is_text
from asgi_login.transports import CookieTransport

T = TypeVar("T")

_ALL_KINDS = frozenset({ACCESS, SESSION, REMEMBER, REFRESH})


class Revoking:
    """The methods of a LoginManager that need a store."""

    _config: Config

    async def revoke_token(self, token: str) -> None:
        """End one token on every machine: an access token, or with any other kind its whole login.

        Args:
            token: A token of this manager's, which may have expired.

        Raises:
            InvalidToken: It is no token of this manager's, or has no `jti` by which it could be ended.
            TypeError: `token` is no str.
            ServiceUnavailable: The store did not say that it was written.
            ValueError: The manager has no store.
        """
        revocation, tokens = _revocation(self._config), self._config.tokens
        if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"revoke_token takes the token as a str, not {type(token).__name__}")
        try:
            raw = token.encode("ascii")
        except UnicodeEncodeError:
            raise InvalidToken("not ASCII", reason_code="malformed_token") from None
        try:
            verified = tokens.read(raw, _ALL_KINDS)
        except UnknownKey as unknown:
            await unknown.learn()
            verified = tokens.read(raw, _ALL_KINDS)
        if verified.kind != ACCESS:
            await self.revoke_session(_text_claim(verified, "sid"))
        elif verified.exp + tokens.rules.leeway > self._config.clock():
            with answering_own_end():
                await _in_request(revocation.end_token(_text_claim(verified, "jti"), verified.exp))
            self._config.events.tell("revoked", None, verified)

    async def revoke_session(self, sid: str) -> None:
        """End a login on every machine: its session, its remember or refresh token, and all tokens with the same `sid`.

        Args:
            sid: `Auth.session_id`, or `Device.session_id`. It stays the same when a login is renewed, restored or
                refreshed.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
            ValueError: The manager has no store.
        """
        with answering_own_end():
            await _in_request(end_login(self._config, sid))
        self._config.events.tell("revoked", sid=sid)

    async def revoke_user(self, sub: str, *, keep: AnyScope | HasScope | None = None) -> None:
        """Log a user out everywhere: end every token and session that was issued until now.

        Args:
            sub: What the user loader finds the user by.
            keep: The request or websocket whose own session stays.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
            ValueError: The manager has no store.
        """
        revocation = _revocation(self._config)
        _check_text("sub", sub)
        kept = None if keep is None else get_auth(keep, manager=self._config.name).session_id
        with answering_own_end():
            await _in_request(revocation.end_user(sub, keep=kept))
        self._config.events.tell("revoked", sub=sub)

    async def devices(self, sub: str) -> tuple[Device, ...]:
        """Return where a user is logged in; the device that was seen last comes first. Needs `Sessions(listed=True)`.

        Raises:
            ServiceUnavailable: The store does not answer.
            ValueError: The manager has no store, or its sessions are not listed.
        """
        if self._config.sessions is None or not self._config.sessions.listed:
            raise ValueError("devices() needs Sessions(listed=True)")
        _check_text("sub", sub)
        return await _in_request(_revocation(self._config).devices(sub))


async def _in_request(call: Awaitable[T]) -> T:
    """Await what a view asks of the store. Where the framework has only a 500 for a failure, the answer is 503."""
    try:
        return await call
    except ServiceUnavailable as error:
        mark_refusal(error)
        raise


def keep_of(store: Store | None) -> timedelta | None:
    """Return how long a store remembers what was ended, or None without one.

    Raises:
        TypeError: It is no store.
    """
    if store is None:
        return None
    if isinstance(store, type) or not hasattr(store, "options"):
        raise TypeError(f"store is a MemoryStore() or a RedisStore(url) of asgi_login.redis, not {store!r:.80}")
    return store.options.keep


def revocation_of(
    store: Store | None,
    name: str,
    *,
    leeway: timedelta,
    expiry: timedelta,
    sessions: Sessions | None,
    refresh: Refresh | None,
    clock: Callable[[], float],
    on_down: Callable[[], object],
) -> Revocation | None:
    """Return what a manager knows of what was ended, or None without a store.

    Raises:
        ValueError: A setting needs a store, or the store forgets sooner than a login ends.
    """
    if store is None:
        if isinstance(sessions, Sessions) and sessions.listed:
            raise ValueError("Sessions(listed=True) needs LoginManager(store=)")
        if refresh is not None:
            raise ValueError(
                "refresh= needs LoginManager(store=), which knows what token was used: pass MemoryStore() for one "
                "process, or RedisStore(url) of asgi_login.redis"
            )
        return None
    keep = store.options.keep
    lives = expiry if sessions is None else max(expiry, sessions.idle)
    longest = lives if sessions is None else max(lives, sessions.remember_for)
    if isinstance(refresh, Refresh):
        longest = max(longest, refresh.lifetime)
    if longest > keep:
        raise ValueError(
            f"the store remembers what was ended for {keep}, and a login or token may live for {longest}: pass "
            "keep= to the store, at least as long"
        )
    return Revocation(
        store, name, leeway=leeway.total_seconds(), lives=lives.total_seconds(), clock=clock, on_down=on_down
    )


async def end_login(config: Config, sid: str) -> None:
    """End a session until its longest possible token has expired."""
    revocation = _revocation(config)
    _check_text("sid", sid)
    await revocation.end_session(sid, config.clock() + (config.tokens.rules.longest or 0))


def ending_of(config: Config, scope: AnyScope | HasScope, *, everywhere: bool) -> Callable[[], Awaitable[None]] | None:
    """Return what ends the login of a request in the store, or None if there is nothing to end.

    Nobody is logged out everywhere by a request that has no user.

    Raises:
        ValueError: The user is to be logged out everywhere, and the manager has no store.
    """
    if config.revocation is None:
        if everywhere:
            _revocation(config)
        return None
    auth = auth_of_manager(get_auth(scope), config.name)
    token, sids = token_of(auth), _session_ids(config, scope)
    if auth.session_id is not None:
        sids.add(auth.session_id)
    endings = [partial(end_login, config, sid) for sid in sorted(sids)]
    if everywhere and token is not None:
        endings.append(partial(_end_user, config, config.revocation, token.sub))
    elif token is not None and auth.session_id is None and is_text(jti := token.claims.get("jti")):
        endings.append(partial(config.revocation.end_token, jti, token.exp))
    return partial(_all_of, endings) if endings else None


async def _end_user(config: Config, revocation: Revocation, sub: str) -> None:
    await revocation.end_user(sub, keep=None)
    config.events.tell("revoked", sub=sub)


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


def starting_of(
    config: Config, token: VerifiedToken, *, remembered_until: float | None
) -> Callable[[], Awaitable[object]] | None:
    """Return what tells the store of a new login that is remembered, or None if there is nothing to tell."""
    if config.revocation is None or config.sessions is None or remembered_until is None:
        return None
    idle, lifetime = remembered_until - config.clock(), config.sessions.remember_at_most.total_seconds()
    sid = _text_claim(token, "sid")
    return partial(config.revocation.start_family, sid, token.sub, idle=idle, lifetime=lifetime)


def listing_of(
    config: Config, scope: Scope, token: VerifiedToken, *, remembered_until: float | None
) -> Callable[[], Awaitable[None]] | None:
    """Return what writes a new login into the list of its user's devices, or None if there is no list."""
    if config.revocation is None or config.sessions is None or not config.sessions.listed:
        return None
    device = device_of(config, scope, token, remembered_until=remembered_until)
    return partial(list_device, config, scope, token.sub, device)


def _revocation(config: Config) -> Revocation:
    if config.revocation is None:
        raise ValueError(
            "this needs LoginManager(store=): MemoryStore() for one process, or RedisStore(url) of asgi_login.redis"
        )
    return config.revocation


def _check_text(argument: str, value: object) -> None:
    if not is_text(value):
        raise TypeError(f"{argument} is a non-empty str of at most 255 characters, not {type(value).__name__}")


def _text_claim(token: VerifiedToken, name: str) -> str:
    value = token.claims.get(name)
    if not is_text(value):
        raise InvalidToken(f"{name}: missing, so that the token cannot be ended by itself", reason_code="bad_claim")
    return value
