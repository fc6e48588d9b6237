"""The event loop under a request, asyncio's or trio's, for what runs beside the requests."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import Any, Protocol

# A loop keeps its tasks by weak references only.
_RUNNING: set[object] = set()


class EventLoop(Protocol):
    """A running event loop. Two of these are equal if they stand for the same loop."""

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine function, which must not raise, until it returns or the loop ends."""
        ...

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a function on the loop's own thread, from any thread; not at all if the loop has ended."""
        ...


def running_loop() -> EventLoop:
    """Return the event loop of the current task."""
    # Here, because the import takes as long as half of the package.
    import asyncio  # noqa: PLC0415

    try:
        return _Asyncio(asyncio.get_running_loop())
    except RuntimeError:
        import trio  # noqa: PLC0415

        return _Trio(trio.lowlevel.current_trio_token(), trio)


class _Loop:
    __slots__ = ("_loop",)

    def __init__(self, loop: Any) -> None:  # noqa: ANN401 - asyncio's loop, or trio's token
        self._loop = loop

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Loop) and other._loop is self._loop

    def __hash__(self) -> int:
        return hash(self._loop)


class _Asyncio(_Loop):
    __slots__ = ()

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        # In a context of its own: that of the request would be kept, with its user.
        task = self._loop.create_task(function(), name="asgi-login open connections", context=Context())
        _RUNNING.add(task)
        task.add_done_callback(_RUNNING.discard)

    def call_soon(self, function: Callable[[], None]) -> None:
        # A loop that is closed has no connections either.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)


class _Trio(_Loop):
    __slots__ = ("_trio",)

    def __init__(self, token: Any, trio: Any) -> None:  # noqa: ANN401
        super().__init__(token)
        self._trio = trio

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        self._trio.lowlevel.spawn_system_task(function, name="asgi-login open connections", context=Context())

    def call_soon(self, function: Callable[[], None]) -> None:
        with suppress(self._trio.RunFinishedError):
            self._loop.run_sync_soon(function)
