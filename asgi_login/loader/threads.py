"""Runs a plain user loader on a worker thread of our own, or on the one that Django's database expects."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from asgi_login.loader.django_connections import (
    await_for_django,
    closing,
    django_connections,
    run_for_django,
    runs_on_asyncio,
)

if TYPE_CHECKING:
    from anyio import CapacityLimiter

# As many as anyio's default limiter, but our own: an application that fills the default one with slow work
# would otherwise lock everybody out.
_MAX_THREADS = 40


class Threads:
    """Runs plain functions off the event loop, at most 40 of them at once."""

    __slots__ = ("_limiters",)

    def __init__(self) -> None:
        # Here, because it takes half as long as the rest of the package, and only plain functions need it.
        from anyio.lowlevel import RunVar  # noqa: PLC0415

        # An event loop of its own has a limiter of its own.
        self._limiters: RunVar[CapacityLimiter] = RunVar("asgi_login_user_loader")

    async def run(self, function: Callable[[], object]) -> object:
        """Call `function` on a thread, and return or raise what it does."""
        connections = django_connections()
        if connections is None:
            return await self._on_ours(function)
        if not runs_on_asyncio():
            return await self._on_ours(closing(function, connections))
        async with self._limiter():
            result = await run_for_django(function, connections)
        return await_for_django(result) if inspect.isawaitable(result) else result

    async def _on_ours(self, function: Callable[[], object]) -> object:
        from anyio import to_thread  # noqa: PLC0415

        # In a list, because trio refuses a thread that returns a coroutine.
        return (await to_thread.run_sync(lambda: [function()], limiter=self._limiter()))[0]

    def _limiter(self) -> "CapacityLimiter":
        limiter = self._limiters.get(None)
        if limiter is None:
            from anyio import CapacityLimiter  # noqa: PLC0415

            limiter = CapacityLimiter(_MAX_THREADS)
            self._limiters.set(limiter)
        return limiter
