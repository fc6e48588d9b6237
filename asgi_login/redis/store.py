"""The store that an application names, and its settings."""

import math
import re
from collections.abc import Callable
from datetime import timedelta

import redis.asyncio

from asgi_login.redis.channel import RedisChannel
from asgi_login.redis.connections import Client, Connections, connector
from asgi_login.stores import FollowedChannel, StoreOptions

_PREFIX = re.compile(r"[A-Za-z0-9._:-]+")


class RedisStore:
    """Remembers for all processes what was ended, in Redis or Valkey 7 or later.

    Args:
        url_or_client: Where it is, like `redis://cache:6379/0`; or a client of `redis.asyncio`, such as one for
            Sentinel or Cluster, which is taken as it is and belongs to the event loop that uses it first.
        prefix: What all keys begin with.
        replicas: How many replicas must have what is ended before a call that ends it returns.
        insecure_allow_eviction: Go on where the store may drop what was ended when its memory is full.
        keep: How long a cut-off of a user is remembered. No login and no token may live longer.
        max_staleness: How long a process goes on by what it knows while it hears nothing from the store.
        timeout: How long one question to the store may take.
        insecure_fail_open: Accept tokens that the store must be asked about while it does not answer.

    Works on asyncio; redis-py has no client for trio.
    """

    __slots__ = ("_allow_eviction", "_connect", "_is_ready", "_prefix", "_replicas", "options")

    def __init__(
        self,
        url_or_client: "str | redis.asyncio.Redis | redis.asyncio.RedisCluster",
        *,
        prefix: str = "asgi-login",
        replicas: int = 0,
        insecure_allow_eviction: bool = False,
        keep: timedelta = timedelta(days=31),
        max_staleness: timedelta = timedelta(seconds=10),
        timeout: timedelta = timedelta(milliseconds=250),
        insecure_fail_open: bool = False,
    ) -> None:
        self.options: StoreOptions = StoreOptions(
            keep=keep, max_staleness=max_staleness, timeout=timeout, insecure_fail_open=insecure_fail_open
        )
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"prefix {prefix!r}: use letters, digits, '.', ':', '-' and '_'")
        if type(replicas) is not int or replicas < 0:
            raise ValueError("replicas is how many replicas must have what is ended: 0 or more")
        if type(insecure_allow_eviction) is not bool:
            raise TypeError("insecure_allow_eviction is True or False")
        self._prefix = prefix
        self._replicas = replicas
        self._allow_eviction = insecure_allow_eviction
        self._is_ready = not isinstance(url_or_client, str)
        self._connect: Callable[[], Client] = connector(url_or_client, timeout.total_seconds(), replicas)

    def open(self, name: str, *, leeway: float, clock: Callable[[], float]) -> FollowedChannel:  # noqa: ARG002
        """Return the channel of the manager with this name. The clock is the store's own."""
        connections = Connections(
            self._connect, is_ready=self._is_ready, timeout=self.options.timeout, replicas=self._replicas
        )
        return RedisChannel(
            connections,
            self.options,
            keys=f"{{{self._prefix}:{name}}}:",
            leeway=math.ceil(leeway),
            allow_eviction=self._allow_eviction,
        )
