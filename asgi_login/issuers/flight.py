"""One run of a function at a time on each event loop, which goes on when whoever waits for it is cancelled."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from anyio import Event
from anyio.lowlevel import RunVar


class Flights:
    """Runs a function, on asyncio and trio, so that at most one run is under way on each event loop.

    Args:
        run: The function. It raises nothing but cancellation.
    """

    __slots__ = ("_run", "_under_way")

    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self._run = run
        # The event, and what holds the task: asyncio itself does not.
        self._under_way: RunVar[tuple[Event, object] | None] = RunVar("asgi_login_flight", None)

    def is_under_way(self) -> bool:
        """Tell whether a run is under way on the running event loop."""
        return self._under_way.get() is not None

    def begin(self) -> None:
        """Begin a run unless one is under way, and do not wait for it. Without an event loop, do nothing."""
        if _trio() is not None or _runs_asyncio():
            self._begun()

    async def join(self) -> None:
        """Wait for the run that is under way, or for a new one."""
        await self._begun().wait()

    def _begun(self) -> Event:
        flight = self._under_way.get()
        if flight is None:
            over = Event()
            self._under_way.set((over, None))
            self._under_way.set((over, self._start(over)))
            return over
        return flight[0]

    def _start(self, over: Event) -> object:
        # In a context of its own: that of the request would be kept until the end, with its user.
        trio, name = _trio(), "asgi-login keys"
        if trio is not None:
            return trio.lowlevel.spawn_system_task(self._fly, over, name=name, context=Context())
        return asyncio.get_running_loop().create_task(self._fly(over), name=name, context=Context())

    async def _fly(self, over: Event) -> None:
        try:
            await self._run()
        finally:
            self._under_way.set(None)
            over.set()


def _trio() -> Any:  # noqa: ANN401 - a module that need not be installed
    """Return trio if it is running here. Where it runs inside asyncio, as a guest, both are."""
    trio: Any = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_task() else None


def _runs_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
