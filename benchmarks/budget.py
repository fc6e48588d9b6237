"""Fails when a request takes more instructions than budget.json allows: `make budget`.

Another build of Python needs another number of instructions for the same code. So a row may take as many times those of
the dict of tokens, counted in the same run, as it does in the budget.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.cachegrind import count, missing
from benchmarks.entrants import CACHED_FLOOR
from benchmarks.instructions import CORE

_BUDGET = Path(__file__).parent / "budget.json"
_TOLERANCE = 0.02
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Count, and return what is wrong, or None; with --write make what was counted the budget of this Python."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what is counted into budget.json")
    options = parser.parse_args(arguments)
    why_not = missing()
    if why_not is not None:
        return why_not
    counts = count("core").added
    budget: dict[str, dict[str, int]] = json.loads(_BUDGET.read_text())
    if options.write:
        budget[_VERSION] = {name: round(counts[name]) for name in (CACHED_FLOOR, *CORE)}
        _BUDGET.write_text(json.dumps(dict(sorted(budget.items())), indent=2) + "\n")
    elif _VERSION not in budget:
        return f"budget.json allows nothing for Python {_VERSION} yet: `make budget WRITE=1` writes what is counted"
    return "\n".join(verdicts(counts, budget[_VERSION])) or None


def verdicts(counts: Mapping[str, float], budget: Mapping[str, float]) -> list[str]:
    """Print each row next to its budget, and return a sentence for each that exceeds it."""
    scale = counts[CACHED_FLOOR] / budget[CACHED_FLOOR]
    problems = []
    for name in CORE:
        allowed = budget[name] * scale
        over = counts[name] / allowed - 1
        line = f"{name}: {counts[name]:,.0f} instructions, {counts[name] / counts[CACHED_FLOOR]:.2f} times the dict's"
        print(f"{line} ({over:+.1%})")
        if over > _TOLERANCE:
            problems.append(
                f"{name} takes {counts[name]:,.0f} instructions, {over:.1%} more than its budget of {allowed:,.0f}: "
                "spend less, or say in the commit what they are spent on and run `make budget WRITE=1`"
            )
    return problems


if __name__ == "__main__":
    sys.exit(main())
