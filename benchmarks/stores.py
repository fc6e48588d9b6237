"""What a store costs: in a request, in memory, and while nothing happens; and how soon the others hear of a logout."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from asgi_login import LoginManager
from asgi_login.stores.revocation.view import View
from benchmarks import elsewhere
from benchmarks.elsewhere import two_processes
from benchmarks.keys import SECRET
from benchmarks.report import Section, Table, timing_table
from benchmarks.runner import Samples, calls_of, measure
from benchmarks.serving import missing_for_stores, store_server
from benchmarks.store_memory import CUT_OFFS, IN_LOG, IN_PROCESS, IN_STORE, MARKS, marks, name_of, store_memory
from benchmarks.store_requests import BEARER, NONE, REDIS, REMOVED, SESSION, store_requests
from benchmarks.target import Target, difference, figure, target_table

CLEARED = "clears: a token issued after the horizon, nothing ended"
_AMONG = "clears: the same, where 100,000 sessions and tokens were ended"
_ASKED = "clears: an old token that was asked for since"
IDLE = "the follower, while nothing happens"
_COUNT = 100_000

_TARGETS = (
    *(
        Target(f"{what}, {REDIS} - {NONE}", 1, "µs", difference(f"{what}, {REDIS}", f"{what}, {NONE}"))
        for what in (BEARER, SESSION)
    ),
    *(
        Target(f"{what}, {NONE} - {REMOVED}", 0.1, "µs", difference(f"{what}, {NONE}", f"{what}, {REMOVED}"))
        for what in (BEARER, SESSION)
    ),
    Target(f"{IDLE}, of a processor", 0.1, "%", figure(IDLE)),
    *(
        Target(name_of(_COUNT, what, where), None, "MiB", figure(name_of(_COUNT, what, where)))
        for what in (MARKS, CUT_OFFS)
        for where in (IN_PROCESS, IN_STORE, IN_LOG)
    ),
    *(
        Target(f"{elsewhere.NAME}, {which}", limit, "ms", figure(f"{elsewhere.NAME}, {which}"))
        for which, limit in elsewhere.LIMITS.items()
    ),
)


def stores(*, rounds: int, seconds: float, idle: float, count: int, logouts: int) -> Section:
    """Measure everything.

    Args:
        rounds: Of what is measured in turns.
        seconds: For each turn.
        idle: Seconds that a follower follows.
        count: How many sessions, tokens and users are ended for the tables of memory.
        logouts: How many there are in two processes.
    """
    missing = missing_for_stores()
    with ExitStack() as stack:
        url = None if missing else stack.enter_context(store_server())
        requests, net = store_requests(url, rounds=rounds, seconds=seconds)
        hot, cleared = _clearing(rounds, seconds)
        memory, figures = store_memory(url, count=count)
        if url is not None:
            figures[IDLE] = _idle(url, idle)
            figures |= two_processes(url, logouts=logouts)
    section = Section([], net | cleared, figures)
    table = store_targets([section])
    notes = [f"Not measured with Redis: {missing}."] if missing else []
    notes.append(f"The follower ran for {idle:g} seconds, and there were {logouts} logouts.")
    summary = Table(table.title, table.columns, table.rows, notes)
    return Section([summary, requests, hot, memory], section.samples, figures)


def store_targets(sections: Sequence[Section]) -> Table:
    """Return each target of stores with what was measured, all in one run."""
    return target_table("Stores", _TARGETS, sections)


class _Token:
    """A verified token, with the one slot more that a store needs."""

    __slots__ = ("claims", "exp", "good_since", "iat", "sub")

    def __init__(self, iat: float) -> None:
        manager = LoginManager(SECRET)
        verified = manager.config.tokens.verify(
            manager.create_access_token(data={"sub": "ada", "sid": "Zk3pQ8vLr1xYw0aTnB5cGg"}).encode()
        )
        self.sub, self.claims, self.exp, self.iat, self.good_since = verified.sub, verified.claims, 4e9, iat, 0.0


def _clearing(rounds: int, seconds: float) -> tuple[Table, dict[str, Samples]]:
    """Measure the step by itself."""
    now = time.time()
    young, old = _Token(now + 3600), _Token(now - 3600)
    empty, full = _hearing(), _hearing()
    for entry in marks(_COUNT):
        full.apply(entry)
    old.good_since = time.monotonic() + 1e6
    assert all(view.clears(one) for view in (empty, full) for one in (young, old))
    runs = {
        CLEARED: calls_of(lambda: empty.clears(young)),
        _AMONG: calls_of(lambda: full.clears(young)),
        _ASKED: calls_of(lambda: empty.clears(old)),
    }
    samples = measure(runs, rounds=rounds, seconds=seconds)
    return timing_table("The step that a store adds to a request, alone", samples, base=CLEARED), samples


def _hearing() -> View:
    view = View(margin=11, window=911, max_staleness=10)
    here = time.monotonic()
    view.begin(now=time.time(), sent=here, received=here)
    # So that it is current for as long as the run takes.
    view.always_hear()
    return view


def _idle(url: str, seconds: float) -> float:
    """Return the percentage of a processor, of a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.store_probe", url, str(seconds)]
    return 100 * float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
