"""The instructions of a request: with this library, by hand, with other libraries; and those of each of our steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import anatomy, ours
from benchmarks.cachegrind import Counts, count, missing
from benchmarks.chart import Bar, Group, bar_chart
from benchmarks.cheapest import cheapest
from benchmarks.contestants import Contestant
from benchmarks.counted import FEW, MANY
from benchmarks.entrants import CACHED_FLOOR, all_entrants
from benchmarks.report import Section, Table
from benchmarks.verification import HMAC_ALONE, RSA_ALONE

# Where `make test-compiled` installs the compiled wheel.
_COMPILED = Path(__file__).parent.parent / ".venv-compiled" / "bin" / "python"
CORE = (ours.ANONYMOUS, ours.CACHED, ours.SESSION, ours.COLD)
RS256 = "verified RS256 bearer / public_key.verify and what HS256 adds beyond its HMAC"
_TITLE = "Instructions added to a request"
_CORE = f"{_TITLE} on plain ASGI"
_SIGNATURES = "The instructions of a signature, and of what surrounds it"
_RATIO = "ratio to the dict of tokens"
_METHOD = (
    f"The difference between a process with {MANY:,} and one with {FEW:,} requests, both forked after the same start. "
    "Python's hashes are not random, its garbage collector is off, and the bare application of the same framework is "
    "subtracted. What cachegrind does not count is what the kernel does."
)
_WHEEL = "The wheel is the one that `make test-compiled` has installed. The dict of tokens is Python there too."
_NO_WHEEL = "The compiled wheel is not counted: `make test-compiled` installs it first."
_STEPS = "Each step is called alone, in a loop, whose own instructions are subtracted."
_CHART = "Instructions of a request: the page alone, and what a login adds (less is better)"


def share(name: str, *, is_compiled: bool = False) -> str:
    """Return what the ratio to the dict of tokens is called among the figures."""
    return f"instructions, {name}{', compiled' if is_compiled else ''}"


def instructions() -> Section:
    """Count them all."""
    why_not = missing()
    if why_not is not None:
        return Section([Table(title, [], [], [why_not]) for title in (_TITLE, _CORE, _SIGNATURES)])
    counts = count("everybody")
    entrants = [one for one in all_entrants()[0] if one.name in counts.added]
    compiled = count("core", _COMPILED).added if _COMPILED.exists() else None
    signatures, rs256 = _signatures(counts.added)
    figures = {RS256: rs256, **_figures(counts.added, is_compiled=False)}
    if compiled is not None:
        figures |= _figures(compiled, is_compiled=True)
    tables = [
        _table(counts.added, entrants),
        _core(counts.added, compiled),
        signatures,
        _anatomy("bearer token", count("bearer").added),
        _anatomy("session", count("session").added),
    ]
    return Section(tables, figures=figures, chart=bar_chart(_CHART, _groups(counts, entrants)))


def _figures(counts: Mapping[str, float], *, is_compiled: bool) -> dict[str, float]:
    return {share(name, is_compiled=is_compiled): count / counts[CACHED_FLOOR] for name, count in counts.items()}


def _table(counts: Mapping[str, float], entrants: Sequence[Contestant]) -> Table:
    ordered = sorted(entrants, key=lambda one: counts[one.name])
    rows = [[one.name, one.base, *_cells(one.name, counts)] for one in ordered]
    return Table(_TITLE, ["", "on", "instructions", _RATIO], rows, [_METHOD])


def _core(counts: Mapping[str, float], compiled: Mapping[str, float] | None) -> Table:
    """Return the four that have a budget, and the same of the compiled wheel."""
    columns = ["", "instructions", _RATIO]
    rows = [[name, *_cells(name, counts)] for name in (CACHED_FLOOR, *CORE)]
    if compiled is not None:
        columns += ["compiled", "compiled, ratio"]
        rows = [[*row, *_cells(row[0], compiled)] for row in rows]
    return Table(_CORE, columns, rows, [_NO_WHEEL if compiled is None else _WHEEL])


def _cells(name: str, counts: Mapping[str, float]) -> list[str]:
    return [f"{counts[name]:,.0f}", f"{counts[name] / counts[CACHED_FLOOR]:.2f}"]


def _signatures(counts: Mapping[str, float]) -> tuple[Table, float]:
    """Return what a request costs beyond its signature, and by how much it is more with RS256 than with HS256."""
    beyond = counts[ours.COLD] - counts[HMAC_ALONE]
    expected = counts[RSA_ALONE] + beyond
    found = counts[ours.COLD_RS256]
    numbers = {
        HMAC_ALONE: counts[HMAC_ALONE],
        ours.COLD: counts[ours.COLD],
        "what that adds beyond its HMAC": beyond,
        RSA_ALONE: counts[RSA_ALONE],
        "the same and what HS256 adds beyond its HMAC": expected,
        ours.COLD_RS256: found,
        "what that adds to the line above": found - expected,
    }
    rows = [[name, f"{number:,.0f}"] for name, number in numbers.items()]
    return Table(_SIGNATURES, ["", "instructions"], rows), found / expected


def _anatomy(what: str, counts: Mapping[str, float]) -> Table:
    whole = counts[anatomy.WHOLE]
    steps = {name: number for name, number in counts.items() if name != anatomy.WHOLE}
    rest = {anatomy.REST: whole - sum(steps.values()), "together": whole}
    rows = [[name, f"{number:,.0f}", f"{number / whole:.0%}"] for name, number in (steps | rest).items()]
    return Table(f"The instructions of a cached {what}", ["step", "instructions", "share"], rows, [_STEPS])


def _groups(counts: Counts, entrants: Sequence[Contestant]) -> list[Group]:
    """Return each framework, the lightest first: alone, with us, and with the cheapest of the others."""
    shown = cheapest(entrants, counts.added)
    return [
        Group(
            base,
            counts.bare[base],
            [Bar(_label(one), counts.added[one.name], one.kind.name.lower()) for one in shown[base]],
        )
        for base in sorted(shown, key=lambda name: counts.bare[name])
    ]


def _label(one: Contestant) -> str:
    return one.name.replace(f" on {one.base}", "").replace(", HS256", "")
