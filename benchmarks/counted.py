"""What valgrind runs: it loads everything once, and forks a process for each number of calls that is counted.

All processes of a row have come the same way up to the fork, so that the difference of two is their calls.
"""

import gc
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from benchmarks import anatomy, ours
from benchmarks.contestants import Contestant
from benchmarks.drive import ASGIApp, Request, requests, stop_loop
from benchmarks.entrants import CACHED_FLOOR, all_entrants, floors
from benchmarks.frameworks import RAW, ReadyUser, bare_applications, page
from benchmarks.runner import Run, calls_of
from benchmarks.verification import HMAC_ALONE, RSA_ALONE, hmac_alone, rsa_alone

FEW, MANY = 100, 1_100
_NOTHING = "a call of nothing"


class Row(NamedTuple):
    """What is counted, and the name of the row that is subtracted, if any."""

    run: Run
    base: str | None


def _core() -> dict[str, Row]:
    """Return the requests that have a budget, and what they are measured by; without any framework."""
    floor = next(one for one in floors() if one.name == CACHED_FLOOR)
    return _requests({RAW: ReadyUser(page)}, [floor, *ours.core()])


def _everybody() -> dict[str, Row]:
    rows = _requests(bare_applications(), all_entrants()[0])
    alone = {HMAC_ALONE: Row(hmac_alone(), _NOTHING), RSA_ALONE: Row(rsa_alone(), _NOTHING)}
    return {_NOTHING: _nothing(), **rows, **alone}


def _requests(bare: Mapping[str, ASGIApp], contestants: Iterable[Contestant]) -> dict[str, Row]:
    rows = {name: Row(requests(app, Request()), None) for name, app in bare.items()}
    for one in contestants:
        problem = one.problem()
        assert problem is None, f"{one.name} {problem}"
        rows[one.name] = Row(requests(one.app, one.request), one.base)
    return rows


def _steps(steps: Mapping[str, Run]) -> dict[str, Row]:
    bases = {anatomy.WHOLE: anatomy.BARE, anatomy.BARE: None}
    rows = {name: Row(run, bases.get(name, _NOTHING)) for name, run in steps.items()}
    return {_NOTHING: _nothing(), **rows}


def _nothing() -> Row:
    return Row(calls_of(lambda: None), None)


ROWS: Mapping[str, Callable[[], Mapping[str, Row]]] = {
    "core": _core,
    "everybody": _everybody,
    "bearer": lambda: _steps(anatomy.bearer_steps()),
    "session": lambda: _steps(anatomy.session_steps()),
}


def main(rows: str) -> None:
    """Print, as JSON, what each row is subtracted from, and its two processes."""
    found = ROWS[rows]()
    stop_loop()
    gc.collect()
    gc.disable()
    processes = {name: [row.base, _forked(row.run, FEW), _forked(row.run, MANY)] for name, row in found.items()}
    print(json.dumps(processes))


def _forked(run: Run, calls: int) -> int:
    process = os.fork()
    if process == 0:
        # Whatever happens, the rest of this program is not for the child.
        status = 1
        try:
            run(calls)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(process, 0)
    assert status == 0, "a contestant failed"
    return process


if __name__ == "__main__":
    main(sys.argv[1])
