"""Measures what this library costs, next to what people use and write today: `make bench`.

The ratios are what counts; the microseconds are this machine's, in this minute. Nothing here fails because of a time.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import added
from benchmarks.anatomy import anatomy
from benchmarks.growth import growth
from benchmarks.imports import imports
from benchmarks.instructions import instructions
from benchmarks.machine import machine, processor
from benchmarks.memory import memory
from benchmarks.pages import with_results
from benchmarks.report import Section, Table, with_tables
from benchmarks.server import server
from benchmarks.signing import signing
from benchmarks.stores import stores
from benchmarks.targets import targets
from benchmarks.verification import verification

_ROOT = Path(__file__).parent.parent
_RESULTS = _ROOT / "benchmarks" / "RESULTS.md"
_PAGE = _ROOT / "docs" / "explanation" / "performance.md"
_CHART = _ROOT / "docs" / "assets" / "added-cost.svg"

_FULL: dict[str, Callable[[], Section]] = {
    "added": lambda: added.added_costs(rounds=61, seconds=0.01),
    "anatomy": lambda: anatomy(rounds=61, seconds=0.01),
    "instructions": instructions,
    "verification": lambda: verification(rounds=61, seconds=0.01),
    "growth": lambda: growth(rounds=31, seconds=0.01, distinct=(1, 1_000, 100_000, 1_000_000)),
    "memory": lambda: memory(requests=1_000_000),
    "signing": lambda: signing(rounds=15, seconds=0.05),
    "stores": lambda: stores(rounds=201, seconds=0.01, idle=60, count=100_000, logouts=200),
    "server": lambda: server(rounds=20, duration=1),
    "imports": lambda: imports(rounds=15),
}
_QUICK: dict[str, Callable[[], Section]] = {
    "added": lambda: added.added_costs(rounds=3, seconds=0.001),
    "anatomy": lambda: anatomy(rounds=3, seconds=0.001),
    "instructions": instructions,
    "verification": lambda: verification(rounds=3, seconds=0.001),
    "growth": lambda: growth(rounds=3, seconds=0.001, distinct=(1, 1_000)),
    "memory": lambda: memory(requests=2_000),
    "signing": lambda: signing(rounds=3, seconds=0.001),
    "stores": lambda: stores(rounds=3, seconds=0.001, idle=1, count=1_000, logouts=5),
    "server": lambda: server(rounds=3, duration=1),
    "imports": lambda: imports(rounds=1),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sections that are asked for; a full run of all also writes RESULTS.md, the page and the chart."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what asgi-login costs.")
    parser.add_argument("--quick", action="store_true", help="few rounds, for a look; writes no file")
    parser.add_argument("--only", nargs="+", choices=_FULL, default=list(_FULL), help="sections; writes no file")
    parser.add_argument("--write", action="store_true", help="with --only: replace what they have measured")
    options = parser.parse_args(arguments)
    start, sections = time.monotonic(), []
    for name in options.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        sections.append((_QUICK if options.quick else _FULL)[name]())
    tables = [table for section in sections for table in section.tables]
    text = _text([machine(), targets(sections), *tables])
    minutes = (time.monotonic() - start) / 60
    if options.quick:
        print("A quick run: few rounds, to see that everything runs. Its figures, and its targets, say nothing.\n")
    print(text)
    if not options.quick and set(options.only) == set(_FULL):
        _write(_introduction(minutes) + text, sections)
        print(f"Written in {minutes:.1f} minutes: RESULTS.md, the page that shows it, and the chart.")
    elif not options.quick and options.write:
        dated = [table.with_note(f"Measured by itself on {_today()}, on {processor()}.") for table in tables]
        _write(with_tables(_RESULTS.read_text(), dated), sections)
        print(f"Replaced in RESULTS.md and in the page that shows it: {', '.join(table.title for table in tables)}")
    else:
        print("RESULTS.md and the chart are left as they are: only a full run writes them.")


def _write(results: str, sections: Sequence[Section]) -> None:
    _RESULTS.write_text(results)
    _PAGE.write_text(with_results(_PAGE.read_text(), results))
    for section in sections:
        if section.chart is not None:
            _CHART.write_text(section.chart)


def _text(tables: Sequence[Table]) -> str:
    return "\n".join(table.markdown() for table in tables)


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _introduction(minutes: float) -> str:
    return (
        "# What asgi-login costs\n\n"
        f"Written by `make bench` on {_today()}, in one run of {minutes:.0f} minutes. The ratios are "
        "what counts; the microseconds are this machine's, in that minute.\n\n"
        "All contestants of a table are run in turns, milliseconds each, round after round, so that a noisy moment "
        "falls on all of them alike. Differences and ratios are taken within each round; a median is that of all "
        "rounds, the quartiles are the first and the third. Python's garbage collector is on, as in any application. "
        "Nothing fails because of a time.\n\n"
    )


if __name__ == "__main__":
    main()
