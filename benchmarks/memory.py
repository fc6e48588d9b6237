"""How much memory is kept: each in a process of its own, so that nothing else is counted."""

import json
import subprocess
import sys

from benchmarks.report import Section, Table

FULL_CACHE = "full cache"
GAINED = "memory gained"


def memory(*, requests: int) -> Section:
    """Measure a full cache, and the resident memory along that many mixed requests."""
    cache = _probe("cache", 500)
    rows = [[f"{cache['tokens']:,} distinct tokens of {cache['size']} bytes seen", f"{cache['mebibytes']:.2f}"]]
    full = Table(
        "A full cache of the default size",
        ["", "MiB"],
        rows,
        ["What tracemalloc counts for the cache at its fullest, the tokens themselves included."],
    )
    steps = _probe("mixed", requests)["resident"]
    figures = {FULL_CACHE: cache["mebibytes"]}
    if steps and requests >= 1_000_000:  # noqa: PLR2004
        figures[GAINED] = max(steps.values()) - steps["200000"]
    rows = [[f"{int(count):,}", f"{resident:.1f}"] for count, resident in steps.items()]
    notes = [
        "One in four each: anonymous, a good bearer token, a forged one, a session cookie. No bearer is sent twice."
        if steps
        else "Not measured: this system has no /proc."
    ]
    resident = Table("Resident memory along mixed requests", ["requests", "MiB"], rows, notes)
    return Section([full, resident], figures=figures)


def _probe(name: str, argument: int) -> dict:
    command = [sys.executable, "-m", "benchmarks.memory_probe", name, str(argument)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(found.stdout)
