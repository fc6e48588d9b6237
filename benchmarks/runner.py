"""Times several callables side by side: interleaved, so that a noisy moment falls on all of them alike."""

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Timing:
    """Microseconds for one call.

    Attributes:
        median: Of all rounds.
        low: The first quartile.
        high: The third quartile.
    """

    median: float
    low: float
    high: float


def measure(contestants: Mapping[str, Callable[[], object]], *, calls: int, rounds: int = 25) -> dict[str, Timing]:
    """Call each contestant `calls` times in each of `rounds` rounds, in turns."""
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, contestant in contestants.items():
                start = perf_counter()
                for _ in range(calls):
                    contestant()
                samples[name].append((perf_counter() - start) / calls * 1e6)
    finally:
        gc.enable()
    return {name: _timing(values) for name, values in samples.items()}


def _timing(values: list[float]) -> Timing:
    low, median, high = statistics.quantiles(values, n=4)
    return Timing(median, low, high)


def table(title: str, timings: Mapping[str, Timing], *, base: str) -> str:
    """Return the timings as text, each also as a ratio to `base`."""
    width = max(map(len, timings))
    lines = [title, ""]
    for name, timing in timings.items():
        ratio = timing.median / timings[base].median
        spread = f"{timing.low:.1f} to {timing.high:.1f}"
        lines.append(f"  {name:{width}}  {timing.median:9.1f} µs  ({spread:>18})  x {ratio:.2f}")
    return "\n".join(lines)
