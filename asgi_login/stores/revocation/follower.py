"""Follows the log of a store, so that a view knows what was ended: one task for each event loop."""

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context

from asgi_login.errors import ServiceUnavailable
from asgi_login.stores.entry import Entry
from asgi_login.stores.protocol import Batch, Beginning, FollowedChannel
from asgi_login.stores.revocation.line import Line, Unreachable
from asgi_login.stores.revocation.view import View

log: logging.Logger = logging.getLogger("asgi_login")

# A read waits half a second. If it takes another half, the connection is dead without having been closed.
_LONGEST_READ = 1.0
# A store keeps its log for at least twice as long.
_RESUMABLE = 1_800.0
_PAUSE = 0.5
_OFFERED_AT_ONCE = 200


class Follower:
    """Reads the log again and again, from the end that was there at the first read.

    Args:
        channel: The store.
        view: What is kept up to date.
        line: How the store is asked to begin.
        clock: The time of day; a horizon is never earlier than it, in case the store's clock is behind.
        monotonic: The clock for what is stale.
        tell: Called with each entry; with None where some may have been missed.
    """

    __slots__ = (
        "_channel",
        "_clock",
        "_last",
        "_line",
        "_lost",
        "_monotonic",
        "_offer_at",
        "_offer_refusal",
        "_refusal",
        "_tasks",
        "_tell",
        "_view",
    )

    def __init__(
        self,
        channel: FollowedChannel,
        view: View,
        line: Line,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        tell: Callable[[Entry | None], None],
    ) -> None:
        self._channel = channel
        self._view = view
        self._line = line
        self._clock = clock
        self._monotonic = monotonic
        self._tell = tell
        self._tasks: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        # Several loops may share it: to read something twice does no harm.
        self._last: Beginning | Batch | None = None
        self._lost: list[Entry] = []
        self._offer_at = 0.0
        self._offer_refusal: str | None = None
        self._refusal: str | None = None

    def start(self) -> None:
        """Follow on the running event loop, if nothing does so yet. The task ends with the loop.

        Raises:
            RuntimeError: The application does not run on asyncio.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "a store that processes share needs asyncio, and this application runs on another event loop: run it "
                "on asyncio, or use MemoryStore in a single process"
            ) from None
        task = self._tasks.get(loop)
        if task is None or task.done():
            self._tasks = {loop: task for loop, task in self._tasks.items() if not loop.is_closed()}
            # In a context of its own: that of the request would be kept for ever, with its user.
            self._tasks[loop] = loop.create_task(self._run(), name="asgi-login follower", context=Context())

    async def _run(self) -> None:
        try:
            while not _is_cancelled():
                await self._follow_until_it_breaks()
        finally:
            self._view.fall_silent()
            await self._channel.close()

    async def _follow_until_it_breaks(self) -> None:
        try:
            await self._begin()
            self._refusal = None
            while not _is_cancelled() and await self._read():
                await self._offer()
        except Unreachable:
            await asyncio.sleep(_PAUSE)
        except ServiceUnavailable as refusal:
            self._report(refusal.reason)
            await asyncio.sleep(_PAUSE)
        except OSError as problem:
            # At once: if the connection alone was lost, nothing else is wrong.
            log.info("the connection on which a store is followed was lost: %s", type(problem).__name__)
        except Exception:
            log.exception("following a store failed")
            await asyncio.sleep(_PAUSE)

    def _report(self, refusal: str) -> None:
        """Log why the store refuses to be followed, once."""
        if refusal != self._refusal:
            self._refusal = refusal
            log.error("the store cannot be used: %s", refusal)

    async def _begin(self) -> None:
        last, sent = self._last, self._monotonic()
        here = await self._line.ask(self._channel.begin)
        if last is not None and _is_same(here, last) and here.now - last.now < _RESUMABLE:
            return
        now = max(here.now, self._clock())
        self._view.begin(now=now, sent=sent, received=self._monotonic())
        self._last = here
        self._tell(None)
        if last is None:
            return
        if last.epoch not in {"", here.epoch}:
            log.error(
                "the store has lost its data, by FLUSHALL or a restart without persistence: what was ended within the "
                "last minutes is written again, what was ended before is lost"
            )
        self._lost = self._view.entries(now)

    async def _read(self) -> bool:
        """Read once, and tell whether the log is still the same."""
        last = self._last
        if last is None:
            return False
        sent = self._monotonic()
        async with asyncio.timeout(_LONGEST_READ):
            batch = await self._channel.read(last.position, wait=not self._offers())
        received = self._monotonic()
        for entry in batch.entries:
            self._view.apply(entry)
            self._tell(entry)
        if not _is_same(batch, last):
            return False
        self._view.heard(now=max(batch.now, self._clock()), sent=sent, received=received, complete=batch.complete)
        self._last = batch
        return True

    async def _offer(self) -> None:
        """Write again a part of what the store may have lost."""
        if not self._offers():
            return
        # Taken out at once: another loop may be at it too.
        part, self._lost = self._lost[-_OFFERED_AT_ONCE:], self._lost[:-_OFFERED_AT_ONCE]
        try:
            await self._line.ask(lambda: self._channel.offer(part))
        except ServiceUnavailable as refusal:
            # A store that is full can still be read.
            self._lost += part
            self._offer_at = self._monotonic() + _PAUSE
            if refusal.reason != self._offer_refusal:
                log.warning("what the store may have lost cannot be written again yet: %s", refusal.reason)
            self._offer_refusal = refusal.reason
        else:
            self._offer_refusal = None

    def _offers(self) -> bool:
        """Tell whether there is something to be written again now."""
        return bool(self._lost) and self._monotonic() >= self._offer_at


def _is_cancelled() -> bool:
    """Tell whether the task was told to end. A client library may have swallowed that: redis-py does while it connects.

    A task that goes on keeps `asyncio.run` from returning.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _is_same(one: Beginning | Batch, other: Beginning | Batch) -> bool:
    """Tell whether nothing can have been lost between the two."""
    return one.epoch == other.epoch and one.writer == other.writer
