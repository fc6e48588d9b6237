"""Measures what this library costs, next to what people use and write today: `make bench`.

The ratios are what counts; the microseconds are this machine's, in this minute. Nothing here fails because of a time.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import added, entrants, ours
from benchmarks.anatomy import anatomy
from benchmarks.chart import bar_chart
from benchmarks.growth import growth
from benchmarks.imports import imports
from benchmarks.instructions import instructions
from benchmarks.machine import machine, processor
from benchmarks.memory import memory
from benchmarks.report import Section, Table, with_tables
from benchmarks.server import server
from benchmarks.signing import signing
from benchmarks.stores import stores
from benchmarks.targets import medians, targets
from benchmarks.verification import verification

_ROOT = Path(__file__).parent.parent
_RESULTS = _ROOT / "benchmarks" / "RESULTS.md"
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
    "server": lambda: server(rounds=25, duration=1),
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

_CHARTED = {
    entrants.CACHED_FLOOR: ("floor", "by hand: a dict of tokens"),
    entrants.VERIFYING_FLOOR: ("floor", "by hand: verified each time"),
    ours.CACHED: ("ours", "asgi-login, bearer, cached"),
    ours.COLD: ("ours", "asgi-login, bearer, verified each time"),
    ours.SESSION: ("ours", "asgi-login, session cookie, CSRF check"),
    "starlette-login, session cookie": ("peer", "starlette-login, session cookie"),
    "Starlette AuthenticationMiddleware + PyJWT, HS256": ("peer", "Starlette's middleware and PyJWT"),
    added.DEPENDS: ("peer", "fastapi-login, dependency"),
    "Litestar JWTAuth, HS256": ("peer", "Litestar JWTAuth"),
    "authx, bearer, HS256": ("peer", "authx"),
    "fastapi-login, middleware, HS256": ("peer", "fastapi-login, middleware"),
    "fastapi-users, bearer, HS256": ("peer", "fastapi-users, bearer"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sections that are asked for; a full run of all also writes RESULTS.md and the chart."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what asgi-login costs.")
    parser.add_argument("--quick", action="store_true", help="few rounds, for a look; writes no file")
    parser.add_argument("--only", nargs="+", choices=_FULL, default=list(_FULL), help="sections; writes no file")
    parser.add_argument("--write", action="store_true", help="with --only: replace their tables in RESULTS.md")
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
        _RESULTS.write_text(_introduction(minutes) + text)
        _CHART.parent.mkdir(exist_ok=True)
        _CHART.write_text(_chart(sections))
        print(f"Written in {minutes:.1f} minutes: {_RESULTS.relative_to(_ROOT)}, {_CHART.relative_to(_ROOT)}")
    elif not options.quick and options.write:
        dated = [table.with_note(f"Measured by itself on {_today()}, on {processor()}.") for table in tables]
        _RESULTS.write_text(with_tables(_RESULTS.read_text(), dated))
        print(f"Replaced in {_RESULTS.relative_to(_ROOT)}: {', '.join(table.title for table in tables)}")
    else:
        print("RESULTS.md and the chart are left as they are: only a full run writes them.")


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


def _chart(sections: Sequence[Section]) -> str:
    found = medians(sections)
    bars = {label: (found[name], kind) for name, (kind, label) in _CHARTED.items() if name in found}
    ordered = dict(sorted(bars.items(), key=lambda bar: bar[1][0]))
    return bar_chart("Added to a request by a login, in microseconds (less is better)", ordered, unit="µs")


if __name__ == "__main__":
    main()
