"""What goes wrong with the store in one run: it is killed, frozen, or out of reach of one process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from soak.record import began

HERE, THERE = 0, 1
BOTH = HERE, THERE
# A run of so many seconds has one round of all faults; a shorter one has the two quickest.
ROUND = 60


class Planned(NamedTuple):
    what: str
    processes: tuple[int, ...]
    seconds: float
    do: Callable[[float], Awaitable[None]]


class Faults:
    """Harms a store.

    Args:
        server: The store.
        proxies: By which each process reaches it.
        record: Is told when a fault begins and ends.
    """

    def __init__(self, server, proxies, record):
        self._server, self._proxies, self._record = server, proxies, record

    def plan(self, seconds):
        """Return the faults of a run, in order."""
        beyond = self._record.max_staleness + 2
        quick = [
            Planned("killed", BOTH, 0.5, self._kill),
            Planned("cut off from the second process", (THERE,), 0.5, self._cut),
        ]
        long = [
            Planned("killed", BOTH, 1, self._kill),
            Planned("frozen", BOTH, 3, self._freeze),
            Planned("cut off from the second process", (THERE,), 2, self._cut),
            Planned("silent to the first process, beyond max_staleness", (HERE,), beyond, self._silence),
            Planned("frozen, beyond max_staleness", BOTH, beyond, self._freeze),
            Planned("killed", BOTH, 1, self._kill),
        ]
        return long * (seconds // ROUND) if seconds >= ROUND else quick

    async def happen(self, seconds):
        """Let one fault after the other happen, with the same pause around each."""
        plan = self.plan(seconds)
        pause = (seconds - sum(one.seconds for one in plan)) / (len(plan) + 1)
        for one in plan:
            await asyncio.sleep(pause)
            fault = began(self._record, one.what, one.processes)
            await one.do(one.seconds)
            fault.ended = time.monotonic()
        await asyncio.sleep(pause)

    async def _kill(self, seconds):
        self._server.kill()
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._server.start)

    async def _freeze(self, seconds):
        self._server.freeze()
        await asyncio.sleep(seconds)
        self._server.thaw()

    async def _cut(self, seconds):
        proxy = self._proxies[THERE]
        await asyncio.to_thread(proxy.refuse)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(proxy.listen)

    async def _silence(self, seconds):
        self._proxies[HERE].silent = True
        await asyncio.sleep(seconds)
        self._proxies[HERE].silent = False
