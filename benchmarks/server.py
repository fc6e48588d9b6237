"""Over a real server: requests per second of uvicorn with and without a login, as wrk sees them."""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.util import find_spec

from benchmarks.report import Section, Table
from benchmarks.runner import Samples
from benchmarks.server_cases import FASTAPI, ON_FASTAPI, PLAIN, TUTORIAL, Case
from benchmarks.serving import uvicorn
from benchmarks.wrk import Load, load

KEPT = "requests/s kept"
_TITLE = "Over a real server"
_ON_FASTAPI = f"{_TITLE}, with FastAPI"
_METHOD = (
    "uvicorn runs with one worker, httptools and uvloop, on the loopback interface. wrk loads each server in turn from "
    "one thread with 32 connections. The ratio is taken within each round, to the same request without the middleware."
)
_LOSS = (
    "In the same turns. Each page answers the same. What is lost is the time of a request beyond that of the bare "
    "page; it and its ratio to what the tutorial's page loses are taken within each round. Every contestant accepted "
    "the token and refused a forged one and none, before anything was measured."
)


def loss(name: str) -> str:
    """Return what the time that a login costs each request is called among the samples."""
    return f"lost behind uvicorn, {name}"


def server(*, rounds: int, duration: int) -> Section:
    """Load each server in turn."""
    wrk, missing = _wrk()
    if wrk is None:
        return Section([Table(title, [], [], [f"Not measured: {missing}."]) for title in (_TITLE, _ON_FASTAPI)])
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for case in (*PLAIN, *ON_FASTAPI):
            if case.app not in ports:
                ports[case.app] = stack.enter_context(_serve(case))
            case.check(ports[case.app])
        found: dict[str, list[Load]] = {case.name: [] for case in (*PLAIN, *ON_FASTAPI)}
        for number in range(rounds + 1):
            for case in (*PLAIN, *ON_FASTAPI):
                one = load(wrk, ports[case.app], case.token, duration)
                # The first round is for warming up.
                if number:
                    found[case.name].append(one)
    rates = {name: Samples(tuple(one.rate for one in loads)) for name, loads in found.items()}
    slowest = {name: Samples(tuple(one.p99 for one in loads)) for name, loads in found.items()}
    losses = _losses(rates)
    kept = [rates[case.name].over(rates[case.base]).low for case in PLAIN if case.base]
    samples = {loss(name): one for name, one in losses.items()}
    return Section([_plain(rates, slowest), _fastapi(rates, slowest, losses)], samples, {KEPT: min(kept)})


def _wrk() -> tuple[str | None, str]:
    """Return the path of wrk, or None and what is missing."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return None, "there is no wrk on this machine: apt-get install wrk"
    needed = ("uvicorn", "httptools", "uvloop", "fastapi", "fastapi_login")
    missing = [name for name in needed if find_spec(name) is None]
    return (None, f"{missing[0]} is not installed") if missing else (wrk, "")


def _serve(case: Case):
    return uvicorn(f"benchmarks.server_apps:{case.app}", "--factory", "--loop", "uvloop", "--http", "httptools")


def _losses(rates: Mapping[str, Samples]) -> dict[str, Samples]:
    """Return the microseconds that each login adds to a request, round by round."""
    took = {case.name: Samples(tuple(1e6 / rate for rate in rates[case.name].values)) for case in ON_FASTAPI}
    return {name: one.minus(took[FASTAPI]) for name, one in took.items() if name != FASTAPI}


def _plain(rates: Mapping[str, Samples], slowest: Mapping[str, Samples]) -> Table:
    rows = [
        [
            case.name,
            *rates[case.name].format(",.0f"),
            "{} ({})".format(*rates[case.name].over(rates[case.base or case.name]).format(".3f")),
            "{} ({})".format(*slowest[case.name].format()),
        ]
        for case in PLAIN
    ]
    columns = ["", "requests/s", "quartiles", "ratio to without (quartiles)", "99th percentile, ms (quartiles)"]
    return Table(_TITLE, columns, rows, [_METHOD])


def _fastapi(rates: Mapping[str, Samples], slowest: Mapping[str, Samples], losses: Mapping[str, Samples]) -> Table:
    rows = []
    for case in ON_FASTAPI:
        row = [case.name, *rates[case.name].format(",.0f"), "{} ({})".format(*slowest[case.name].format())]
        if case.name in losses:
            lost = losses[case.name]
            ratio = lost.over(losses[TUTORIAL])
            row += ["{} ({})".format(*lost.format(".1f")), "{} ({})".format(*ratio.format())]
        rows.append(row + [""] * (6 - len(row)))
    columns = [
        *("", "requests/s", "quartiles", "99th percentile, ms (quartiles)"),
        *("lost for each request, µs (quartiles)", "ratio to the tutorial's (quartiles)"),
    ]
    return Table(_ON_FASTAPI, columns, rows, [_LOSS])
