"""The websockets that are open: each is closed when its login ends. One task on each event loop that has some."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import TypeAlias

from asgi_login.errors import AuthError, ServiceUnavailable
from asgi_login.exchange.event_loop import EventLoop
from asgi_login.exchange.watch import Watch
from asgi_login.stores import Entry, Revocation

_log = logging.getLogger("asgi_login")

Close: TypeAlias = Callable[[AuthError], None]
_Key: TypeAlias = tuple[str, str]

# Seconds between two looks at what has expired: a manager's clock can be set.
_LOOK_EVERY = 0.5
# So many are asked for at once. A store has a connection for each of about as many.
_ASKED_AT_ONCE = 30


class OpenConnections:
    """The open websockets of one middleware.

    Args:
        revocations: Of its managers, those that have a store.
    """

    __slots__ = ("_loops", "_revocations")

    def __init__(self, revocations: Sequence[Revocation]) -> None:
        self._revocations = revocations
        self._loops: dict[EventLoop, _LoopConnections] = {}

    def add(self, watch: Watch, close: Close) -> Callable[[], None]:
        """Call `close` when one of the logins ends, on this event loop; return what calls that off."""
        loop = EventLoop()
        here = self._loops.get(loop)
        if here is None:
            here = self._loops[loop] = _LoopConnections(loop, self._revocations)
            loop.start(partial(self._follow, loop, here))
        here.add(watch, close)
        return partial(here.remove, watch)

    async def _follow(self, loop: EventLoop, here: "_LoopConnections") -> None:
        try:
            await here.close_those_that_end()
        finally:
            del self._loops[loop]
            here.forget()


class _LoopConnections:
    __slots__ = ("_closes", "_keys", "_loop", "_revocations", "_suspects", "_unjudged", "_woken")

    def __init__(self, loop: EventLoop, revocations: Sequence[Revocation]) -> None:
        from anyio import Event  # noqa: PLC0415 - it takes half as long as the rest of the package

        self._loop = loop
        self._closes: dict[Watch, Close] = {}
        # Whom an entry would end.
        self._keys: dict[_Key, set[Watch]] = {}
        self._suspects: set[Watch] = set()
        # Those whose end this process may have missed.
        self._unjudged: dict[Watch, None] = {}
        self._woken = Event()
        self._revocations = revocations
        for one in revocations:
            one.subscribe(self._hear)
            one.follow()

    def add(self, watch: Watch, close: Close) -> None:
        self._closes[watch] = close
        for key in watch.entry_keys():
            self._keys.setdefault(key, set()).add(watch)
        # It may have been ended while it was being opened.
        self._unjudged[watch] = None
        self._suspect(watch)

    def remove(self, watch: Watch) -> None:
        if self._closes.pop(watch, None) is None:
            return
        self._unjudged.pop(watch, None)
        for key in watch.entry_keys():
            watches = self._keys[key]
            watches.discard(watch)
            if not watches:
                del self._keys[key]
        if not self._closes:
            self._wake()

    def forget(self) -> None:
        for one in self._revocations:
            one.unsubscribe(self._hear)

    async def close_those_that_end(self) -> None:
        """Close connections as their logins end, until none is open."""
        from anyio import Event, move_on_after  # noqa: PLC0415 - as above

        while self._closes:
            self._woken = Event()
            try:
                ended = await self._ended()
            except Exception:  # noqa: BLE001 - nobody would be closed any more
                _log.exception("watching open connections failed")
                self._unjudged.update(dict.fromkeys(self._closes))
                ended = []
            for watch, error in ended:
                close = self._closes.get(watch)
                if close is not None:
                    self.remove(watch)
                    close(error)
            with move_on_after(_LOOK_EVERY):
                await self._woken.wait()

    async def _ended(self) -> list[tuple[Watch, AuthError]]:
        suspects, self._suspects = self._suspects, set()
        suspects.update([watch for watch in self._closes if watch.clock() >= watch.expires_at])
        found = [(watch, error) for watch in suspects if (error := watch.end()) is not None]
        if self._unjudged:
            found += await self._judged()
        return found

    async def _judged(self) -> list[tuple[Watch, AuthError]]:
        """Ask about some of those whose end may have been missed. While nobody knows, they stay open."""
        from anyio import create_task_group  # noqa: PLC0415 - as above

        found: list[tuple[Watch, AuthError]] = []

        async def judge(watch: Watch) -> None:
            try:
                error = await watch.judge()
            except ServiceUnavailable:
                return
            except Exception:  # noqa: BLE001 - the others would stay open
                _log.exception("a login could not be judged")
                return
            if error is not None:
                found.append((watch, error))

        self._unjudged = {watch: None for watch in self._unjudged if not watch.clears()}
        asked = list(islice(self._unjudged, _ASKED_AT_ONCE))
        # Those that cannot be judged come last the next time, so that they keep nobody waiting.
        for watch in asked:
            del self._unjudged[watch]
            self._unjudged[watch] = None
        async with create_task_group() as tasks:
            for watch in asked:
                tasks.start_soon(judge, watch)
        if self._unjudged and any(watch.clears() for watch in asked):
            self._wake()
        return found

    def _hear(self, entry: Entry | None) -> None:
        """Look closer if what was ended concerns anybody here; called on any thread."""
        if entry is None:
            self._loop.call_soon(self._doubt_all)
        elif (key := (entry.kind, entry.value)) in self._keys:
            self._loop.call_soon(lambda: self._suspect(*self._keys.get(key, ())))

    def _doubt_all(self) -> None:
        self._unjudged.update(dict.fromkeys(self._closes))
        self._wake()

    def _suspect(self, *watches: Watch) -> None:
        self._suspects.update(watches)
        self._wake()

    def _wake(self) -> None:
        self._woken.set()
