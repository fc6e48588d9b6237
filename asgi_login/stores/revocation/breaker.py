"""Gives up on a store that does not answer: a deadline for each question, and one probe a second while it is down."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from asgi_login.errors import ServiceUnavailable

log: logging.Logger = logging.getLogger("asgi_login")

T = TypeVar("T")

# Seconds between two probes of a store that is down.
_PROBE_EVERY = 1.0
# A deadline that is noticed this many times too late says that this process was busy, and nothing about the store.
_STALLED = 2.0


class Unreachable(ServiceUnavailable):
    """The store could not be reached; the circuit breaker has logged it."""


class CircuitBreaker:
    """Puts questions to a store.

    Args:
        timeout: Seconds that a question may take.
        monotonic: The clock for it.
        on_down: Called when the store cannot be reached any more.

    When the store cannot be reached, everybody is refused at once, but for one a second who tries. Otherwise each
    request would wait for the deadline, and all that wait would break upon the store when it comes back.
    """

    __slots__ = ("_answered_at", "_is_down", "_monotonic", "_on_down", "_probe_at", "_timeout")

    def __init__(self, timeout: float, monotonic: Callable[[], float], on_down: Callable[[], object]) -> None:
        self._timeout = timeout
        self._monotonic = monotonic
        self._on_down = on_down
        self._is_down = False
        self._probe_at = 0.0
        self._answered_at = 0.0

    async def call(self, question: Callable[[], Awaitable[T]]) -> T:
        """Return the store's answer.

        Raises:
            Unreachable: The store was not reached.
            ServiceUnavailable: The store says that it cannot answer.
        """
        sent = self._monotonic()
        if not self._admits(sent):
            raise Unreachable("the store could not be reached a moment ago")
        try:
            answer = await self._in_time(question)
        except ServiceUnavailable:
            self._answered()
            raise
        except OSError as problem:
            self._failed(sent, problem)
            raise Unreachable(f"the store cannot be reached: {_described(problem)}") from None
        self._answered()
        return answer

    async def _in_time(self, question: Callable[[], Awaitable[T]]) -> T:
        began = self._monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                return await question()
        except TimeoutError:
            if self._monotonic() - began < _STALLED * self._timeout:
                raise
        # The loop stood still, so that the answer may have come in time and nobody looked.
        async with asyncio.timeout(self._timeout):
            return await question()

    def _admits(self, now: float) -> bool:
        if not self._is_down:
            return True
        if now < self._probe_at:
            return False
        self._probe_at = now + _PROBE_EVERY
        return True

    def _answered(self) -> None:
        self._answered_at = self._monotonic()
        if self._is_down:
            self._is_down = False
            log.info("the store answers again")

    def _failed(self, sent: float, problem: OSError) -> None:
        # One slow answer among others that came in time is no reason to refuse everybody.
        if self._answered_at > sent:
            return
        self._probe_at = self._monotonic() + _PROBE_EVERY
        if not self._is_down:
            self._is_down = True
            log.warning("the store cannot be reached, and is tried once a second: %s", _described(problem))
            self._on_down()


def _described(problem: OSError) -> str:
    return f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
