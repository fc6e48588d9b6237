"""What a manager makes of `store=`, and the settings that need one."""

from collections.abc import Callable
from datetime import timedelta

from asgi_login.settings import Refresh, Sessions
from asgi_login.stores import Revocation, Store


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
