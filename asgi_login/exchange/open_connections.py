"""The websockets that are open: each is closed when its login ends. One task on each event loop that has some."""

import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

from asgi_login.errors import AuthError, ServiceUnavailable
from asgi_login.exchange.event_loop import EventLoop, running_loop
from asgi_login.exchange.watch import Watch
from asgi_login.stores import Entry, Revocation

_log = logging.getLogger("asgi_login")

Close: TypeAlias = Callable[[AuthError], Coroutine[Any, Any, None]]
_Name: TypeAlias = tuple[str, str]

# Tokens expire by the clocks of their managers, which can be set: they are looked at anew so often, in seconds.
_LOOK_EVERY = 0.5


class OpenConnections:
    """The open websockets of one middleware.

    Args:
        revocations: Of its managers, those that have a store.
    """

    __slots__ = ("_lock", "_loops", "_revocations")

    def __init__(self, revocations: Sequence[Revocation]) -> None:
        self._revocations = revocations
        self._loops: dict[EventLoop, _OfOneLoop] = {}
        # An application may be served by several threads, each with a loop of its own.
        self._lock = threading.Lock()

    def add(self, watch: Watch, close: Close) -> Callable[[], None]:
        """Call `close` when one of the logins ends, on the running event loop; return what calls that off."""
        loop = running_loop()
        with self._lock:
            here = self._loops.get(loop)
            if here is None:
                here = self._loops[loop] = _OfOneLoop(loop, self._revocations)
                loop.start(lambda: self._follow(loop, here))
            here.add(watch, close)
        return lambda: here.remove(watch)

    async def _follow(self, loop: EventLoop, here: "_OfOneLoop") -> None:
        try:
            await here.close_those_that_end(lambda: self._retires(loop, here))
        except Exception:  # noqa: BLE001 - trio ends the whole application for it
            _log.exception("watching open connections failed")
        finally:
            self._retires(loop, here, at_once=True)
            here.forget()

    def _retires(self, loop: EventLoop, here: "_OfOneLoop", *, at_once: bool = False) -> bool:
        """Tell whether nothing is open any more; then the next connection gets a task of its own."""
        with self._lock:
            if not (at_once or here.is_empty()):
                return False
            if self._loops.get(loop) is here:
                del self._loops[loop]
            return True


class _OfOneLoop:
    __slots__ = ("_closes", "_has_missed", "_loop", "_names", "_revocations", "_suspects", "_woken")

    def __init__(self, loop: EventLoop, revocations: Sequence[Revocation]) -> None:
        # Here, because it takes half as long as the rest of the package, and only websockets need it.
        from anyio import Event  # noqa: PLC0415

        self._loop = loop
        self._closes: dict[Watch, Close] = {}
        # Whom an entry would end.
        self._names: dict[_Name, set[Watch]] = {}
        self._suspects: set[Watch] = set()
        self._has_missed = False
        self._woken = Event()
        self._revocations = revocations
        for one in revocations:
            one.subscribe(self._hear)

    def add(self, watch: Watch, close: Close) -> None:
        self._closes[watch] = close
        for name in watch.names():
            self._names.setdefault(name, set()).add(watch)
        # It may have been ended while it was being opened.
        self._suspect(watch)

    def remove(self, watch: Watch) -> None:
        if self._closes.pop(watch, None) is None:
            return
        for name in watch.names():
            watches = self._names[name]
            watches.discard(watch)
            if not watches:
                del self._names[name]
        if not self._closes:
            self._woken.set()

    def is_empty(self) -> bool:
        return not self._closes

    def forget(self) -> None:
        for one in self._revocations:
            one.unsubscribe(self._hear)

    async def close_those_that_end(self, is_done: Callable[[], bool]) -> None:
        """Close connections as their logins end, until nothing is left to do."""
        from anyio import Event, create_task_group, move_on_after  # noqa: PLC0415

        # A client that does not take the close must not keep the others waiting.
        async with create_task_group() as closing:
            while not is_done():
                self._woken = Event()
                for watch, error in await self._ended():
                    close = self._closes.get(watch)
                    if close is not None:
                        self.remove(watch)
                        closing.start_soon(close, error)
                with move_on_after(_LOOK_EVERY):
                    await self._woken.wait()

    async def _ended(self) -> list[tuple[Watch, AuthError]]:
        suspects, self._suspects = self._suspects, set()
        suspects.update([watch for watch in self._closes if watch.clock() >= watch.expires_at])
        found = [(watch, error) for watch in suspects if (error := watch.end()) is not None]
        if self._has_missed:
            self._has_missed = False
            found += await self._judged()
        return found

    async def _judged(self) -> list[tuple[Watch, AuthError]]:
        found: list[tuple[Watch, AuthError]] = []
        for watch in list(self._closes):
            try:
                error = await watch.judge()
            except ServiceUnavailable:
                # Asked again later. The connections stay open: nobody knows that their logins have ended.
                self._has_missed = True
                break
            if error is not None:
                found.append((watch, error))
        return found

    def _hear(self, entry: Entry | None) -> None:
        """Look closer if what was ended concerns anybody here; called on any thread."""
        if entry is None:
            self._has_missed = True
            self._loop.call_soon(self._wake)
            return
        name = entry.kind, entry.value
        if name in self._names:
            self._loop.call_soon(lambda: self._suspect(*self._names.get(name, ())))

    def _suspect(self, *watches: Watch) -> None:
        self._suspects.update(watches)
        self._wake()

    def _wake(self) -> None:
        self._woken.set()
