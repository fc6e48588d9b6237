"""The event loop under a request, asyncio's or trio's, for what runs beside the requests."""

import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any

# A loop keeps its tasks by weak references only.
_RUNNING: set[object] = set()
_NAME = "asgi-login open connections"


class EventLoop:
    """The running event loop. Two of these are equal if they stand for the same loop."""

    __slots__ = ("_loop", "_trio")

    def __init__(self) -> None:
        # trio first: it may run as a guest of asyncio's loop.
        self._trio: Any = sys.modules.get("trio")
        if self._trio is not None:
            try:
                self._loop: Any = self._trio.lowlevel.current_trio_token()
            except RuntimeError:
                self._trio = None
        if self._trio is None:
            # Here, because the import takes as long as half of the package.
            import asyncio  # noqa: PLC0415

            self._loop = asyncio.get_running_loop()

    def start(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine function, which must not raise, until it returns or the loop ends."""
        # In a context of its own: that of the request would be kept, with its user.
        if self._trio is not None:
            self._trio.lowlevel.spawn_system_task(function, name=_NAME, context=Context())
            return
        task = self._loop.create_task(function(), name=_NAME, context=Context())
        _RUNNING.add(task)
        task.add_done_callback(_RUNNING.discard)

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a function on the loop's own thread, from any thread; not at all if the loop has ended."""
        # A loop that has ended has no connections either.
        if self._trio is not None:
            with suppress(self._trio.RunFinishedError):
                self._loop.run_sync_soon(function)
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EventLoop) and other._loop is self._loop

    def __hash__(self) -> int:
        return hash(self._loop)
