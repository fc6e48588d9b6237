"""Over a real server: requests per second of uvicorn with and without the middleware, as wrk sees them."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from urllib.request import Request, urlopen

from benchmarks.drive import forged
from benchmarks.ours import access_token, make_manager
from benchmarks.report import Section, Table
from benchmarks.runner import Samples
from benchmarks.serving import uvicorn

KEPT = "requests/s kept"
_TITLE = "Over a real server"
_APPS = "benchmarks.server_apps"
_METHOD = (
    "uvicorn with one worker on the loopback interface, wrk with one thread and 32 connections, in turns. The ratio "
    "is taken within each round, to the same request without the middleware."
)
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def server(*, rounds: int, duration: int) -> Section:
    """Let wrk at both, in turns."""
    wrk = shutil.which("wrk")
    missing = None if wrk else "there is no wrk on this machine: apt-get install wrk"
    if find_spec("uvicorn") is None:
        missing = "uvicorn is not installed"
    if wrk is None or missing:
        return Section([Table(_TITLE, [], [], [f"Not measured: {missing}."])])
    token = access_token(make_manager())
    with uvicorn(f"{_APPS}:without") as bare_port, uvicorn(f"{_APPS}:with_middleware") as our_port:
        bare, ours = (f"http://127.0.0.1:{port}/" for port in (bare_port, our_port))
        _check(bare, ours, token)
        cases = {
            "without, a bearer token sent": (bare, token),
            "with, bearer, cached": (ours, token),
            "without, no token sent": (bare, None),
            "with, anonymous": (ours, None),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
        for url, sent in cases.values():
            _wrk(wrk, url, sent, 1)
        for _ in range(rounds):
            for name, (url, sent) in cases.items():
                found[name].append(_wrk(wrk, url, sent, duration))
    return _section(found)


def _section(found: dict[str, list[tuple[float, float]]]) -> Section:
    rates = {name: Samples(tuple(rate for rate, _ in pairs)) for name, pairs in found.items()}
    slowest = {name: Samples(tuple(p99 for _, p99 in pairs)) for name, pairs in found.items()}
    bases = ["without, a bearer token sent"] * 2 + ["without, no token sent"] * 2
    rows, kept = [], []
    for name, base in zip(found, bases, strict=True):
        rate, p99, ratio = rates[name], slowest[name], rates[name].over(rates[base])
        if name != base:
            kept.append(ratio.low)
        rows.append(
            [
                name,
                *rate.format(",.0f"),
                "{} ({})".format(*ratio.format(".3f")),
                "{} ({})".format(*p99.format()),
            ]
        )
    columns = ["", "requests/s", "quartiles", "ratio to without (quartiles)", "99th percentile, ms (quartiles)"]
    return Section([Table(_TITLE, columns, rows, [_METHOD])], rates, {KEPT: min(kept)})


def _check(bare: str, ours: str, token: str) -> None:
    assert _get(bare, None) == _get(bare, token) == b"ada"
    assert _get(ours, token) == b"ada"
    assert _get(ours, None) == _get(ours, forged(token)) == b"-"


def _get(url: str, token: str | None) -> bytes:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with urlopen(Request(url, headers=headers), timeout=5) as answer:
        return answer.read()


def _wrk(wrk: str, url: str, token: str | None, duration: int) -> tuple[float, float]:
    """Return requests per second, and the milliseconds in which 99 of 100 were answered."""
    command = [wrk, "-t1", "-c32", f"-d{duration}s", "--latency"]
    if token is not None:
        command += ["-H", f"Authorization: Bearer {token}"]
    text = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in text, text
    assert "Socket errors" not in text, text
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    assert rate, text
    assert p99, text
    return float(rate[1]), float(p99[1]) * _MILLISECONDS[p99[2]]
