"""One run of a function at a time on each event loop, which goes on when whoever waits for it is cancelled."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from anyio import Event
from anyio.lowlevel import RunVar


class _Flight:
    """One run.

    Attributes:
        over: Set when it is over.
        is_over: Whether it is over.
        task: What runs it: asyncio does not hold its tasks.
    """

    __slots__ = ("is_over", "over", "task")

    def __init__(self) -> None:
        self.over = Event()
        self.is_over = False
        self.task: object = None

    def end(self) -> None:
        """Let go on who waits."""
        self.is_over = True
        self.over.set()


class Flights:
    """Runs a function, on asyncio and trio, so that at most one run is under way on each event loop.

    Args:
        run: The function. It raises nothing but cancellation.
    """

    __slots__ = ("_last", "_run")

    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self._run = run
        self._last: RunVar[_Flight | None] = RunVar("asgi_login_flight", None)

    def is_under_way(self) -> bool:
        """Tell whether a run is under way on the running event loop, if there is one."""
        last = self._last.get() if _has_event_loop() else None
        return last is not None and not last.is_over

    def begin(self) -> None:
        """Begin a run unless one is under way, and do not wait for it. Without an event loop, do nothing."""
        if _has_event_loop():
            self._current()

    async def join(self) -> None:
        """Wait for the run that is under way, or for a new one."""
        await self._current().over.wait()

    def _current(self) -> _Flight:
        flight = self._last.get()
        if flight is None or flight.is_over:
            flight = _Flight()
            self._start(flight)
            self._last.set(flight)
        return flight

    def _start(self, flight: _Flight) -> None:
        # In a context of its own: that of the request would be kept until the end, with its user.
        trio, name = _trio(), "asgi-login keys"
        if trio is not None:
            trio.lowlevel.spawn_system_task(self._fly, flight, name=name, context=Context())
        else:
            task = asyncio.get_running_loop().create_task(self._fly(flight), name=name, context=Context())
            flight.task = task
            # If it is cancelled before its first step, nothing of it runs.
            task.add_done_callback(lambda _task: flight.end(), context=Context())

    async def _fly(self, flight: _Flight) -> None:
        try:
            await self._run()
        finally:
            flight.end()


def _trio() -> Any:  # noqa: ANN401 - a module that need not be installed
    """Return trio if it is running here. Where it runs inside asyncio, as a guest, both are."""
    trio: Any = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_task() else None


def _has_event_loop() -> bool:
    if _trio() is not None:
        return True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
