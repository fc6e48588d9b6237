"""Times contestants side by side: interleaved, so that a noisy moment falls on all of them alike."""

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

Run: TypeAlias = Callable[[int], float]
"""Calls something that many times and returns the seconds it took."""


@dataclass(frozen=True)
class Samples:
    """What one contestant took, one value for each round; of microseconds for one call, or of ratios.

    Attributes:
        values: One for each round; those of two contestants of one run belong together, round by round.
    """

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The first quartile."""
        return self._quartile(0)

    @property
    def high(self) -> float:
        """The third quartile."""
        return self._quartile(2)

    def _quartile(self, which: int) -> float:
        return statistics.quantiles(self.values, n=4)[which] if len(self.values) > 1 else self.values[0]

    def minus(self, other: "Samples") -> "Samples":
        """Return the differences, round by round: what the machine did in a round cancels out."""
        return Samples(tuple(a - b for a, b in zip(self.values, other.values, strict=True)))

    def over(self, other: "Samples") -> "Samples":
        """Return the ratios, round by round."""
        return Samples(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def format(self, spec: str = ".2f", *, divisor: float = 1) -> tuple[str, str]:
        """Return the median, and the quartiles."""
        low, median, high = (value / divisor for value in (self.low, self.median, self.high))
        return f"{median:{spec}}", f"{low:{spec}} to {high:{spec}}"


def measure(contestants: Mapping[str, Run], *, rounds: int, seconds: float) -> dict[str, Samples]:
    """Let each contestant run for about `seconds` in each of `rounds` rounds, in turns."""
    calls = {name: _calls_in(run, seconds) for name, run in contestants.items()}
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    # The collector runs as in any application, but looks only at what is made from here on: not at all the frameworks
    # that are loaded, and not at what another contestant has left behind.
    gc.collect()
    gc.freeze()
    try:
        for _ in range(rounds):
            for name, run in contestants.items():
                # What others did has filled the processor's caches.
                run(max(1, calls[name] // 8))
                samples[name].append(run(calls[name]) / calls[name] * 1e6)
                gc.collect()
    finally:
        gc.unfreeze()
    return {name: Samples(tuple(values)) for name, values in samples.items()}


def _calls_in(run: Run, seconds: float) -> int:
    """Warm a contestant up, and return how often it can be called in that time."""
    calls, took = 1, run(1)
    while took < seconds / 4:
        calls *= 4
        took = run(calls)
    return max(1, round(seconds / (took / calls)))


def calls_of(function: Callable[[], object]) -> Run:
    """Return what times a function."""

    def run(calls: int) -> float:
        start = perf_counter()
        for _ in range(calls):
            function()
        return perf_counter() - start

    return run
