"""The instructions of a request: with this library, by hand, with other libraries; and those of each of our steps."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks import anatomy, ours
from benchmarks.cachegrind import count, missing
from benchmarks.counted import FEW, MANY
from benchmarks.entrants import CACHED_FLOOR
from benchmarks.report import Section, Table

# Where `make test-compiled` installs the compiled wheel.
_COMPILED = Path(__file__).parent.parent / ".venv-compiled" / "bin" / "python"
CORE = (ours.ANONYMOUS, ours.CACHED, ours.SESSION, ours.COLD)
_TITLE = "Instructions added to a request"
_METHOD = (
    f"The difference between a process with {MANY:,} and one with {FEW:,} requests, both forked after the same start. "
    "Python's hashes are not random, its garbage collector is off, and the bare application of the same framework is "
    "subtracted. What cachegrind does not count is what the kernel does."
)
_WHEEL = "Of the wheel that `make test-compiled` has installed. The dict of tokens is Python here too."
_STEPS = "Each step is called alone, in a loop, whose own instructions are subtracted."


def share(name: str, *, is_compiled: bool = False) -> str:
    """Return what the ratio to the dict of tokens is called among the figures."""
    return f"instructions, {name}{', compiled' if is_compiled else ''}"


def instructions() -> Section:
    """Count them all."""
    why_not = missing()
    if why_not is not None:
        return Section([Table(_TITLE, [], [], [why_not])])
    counts = count("everybody")
    tables = [_table(_TITLE, counts, _METHOD)]
    figures = _figures(counts, is_compiled=False)
    compiled_title = f"{_TITLE} by the compiled wheel"
    if _COMPILED.exists():
        compiled = count("core", _COMPILED)
        tables.append(_table(compiled_title, compiled, _WHEEL))
        figures |= _figures(compiled, is_compiled=True)
    else:
        tables.append(Table(compiled_title, [], [], ["Not counted: `make test-compiled` installs the wheel first."]))
    tables += [_anatomy("bearer token", count("bearer")), _anatomy("session", count("session"))]
    return Section(tables, figures=figures)


def _figures(counts: Mapping[str, float], *, is_compiled: bool) -> dict[str, float]:
    return {share(name, is_compiled=is_compiled): count / counts[CACHED_FLOOR] for name, count in counts.items()}


def _table(title: str, counts: Mapping[str, float], note: str) -> Table:
    ordered = sorted(counts.items(), key=lambda one: one[1])
    rows = [[name, f"{number:,.0f}", f"{number / counts[CACHED_FLOOR]:.2f}"] for name, number in ordered]
    return Table(title, ["", "instructions", "ratio to the dict of tokens"], rows, [note])


def _anatomy(what: str, counts: Mapping[str, float]) -> Table:
    whole = counts[anatomy.WHOLE]
    steps = {name: number for name, number in counts.items() if name != anatomy.WHOLE}
    rest = {anatomy.REST: whole - sum(steps.values()), "together": whole}
    rows = [[name, f"{number:,.0f}", f"{number / whole:.0%}"] for name, number in (steps | rest).items()]
    return Table(f"The instructions of a cached {what}", ["step", "instructions", "share"], rows, [_STEPS])
