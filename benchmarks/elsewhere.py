"""How soon a logout in one process is a refusal in another: two uvicorn processes on one store."""

import statistics
import time
from contextlib import ExitStack, closing
from http import HTTPStatus
from http.client import HTTPConnection

from benchmarks.runner import Samples
from benchmarks.serving import uvicorn

NAME = "logged out in one process, refused by another"
LIMITS = {"median": None, "99th percentile": 100, "at most": 1000}
"""Milliseconds."""
# Seconds after which a logout is not late, but lost.
_PATIENCE = 10


class Browser:
    """Somebody with cookies, who has one connection to each process."""

    def __init__(self, *ports: int) -> None:
        self.cookies: dict[str, str] = {}
        self._connections = [HTTPConnection("127.0.0.1", port, timeout=10) for port in ports]

    def send(self, which: int, method: str, path: str) -> int:
        """Send a request to one of the processes, keep the cookies that it sets, and return the status."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        self._connections[which].request(method, path, headers=headers if self.cookies else {})
        answer = self._connections[which].getresponse()
        answer.read()
        for line in answer.headers.get_all("set-cookie", ()):
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer.status

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def two_processes(url: str, *, logouts: int) -> dict[str, float]:
    """Start two processes on a store, and return the figures of so many logouts."""
    with ExitStack() as stack:
        here, there = (
            stack.enter_context(uvicorn("benchmarks.server_apps:with_store", BENCHMARK_STORE=url)) for _ in range(2)
        )
        took = logged_out_elsewhere(here, there, logouts=logouts).values
    found = statistics.median(took), percentile(took, 99), max(took)
    return {f"{NAME}, {which}": one for which, one in zip(LIMITS, found, strict=True)}


def percentile(values: tuple[float, ...], percent: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def logged_out_elsewhere(here: int, there: int, *, logouts: int) -> Samples:
    """Return the milliseconds from the answer to a logout in one process to the first refusal in the other.

    Args:
        here: The port of a process. Its application logs in at POST /login?user=ada and out at POST /logout, and
            answers GET / with 200 to whoever is logged in and with 401 to others.
        there: The port of another process of the same application.
        logouts: How many. The other process has accepted each login before, and is asked again and again without a
            pause.
    """
    return Samples(tuple(_one_logout(here, there) * 1000 for _ in range(logouts)))


def _one_logout(here: int, there: int) -> float:
    with closing(Browser(here, there)) as browser:
        assert browser.send(0, "POST", "/login?user=ada") == HTTPStatus.OK
        assert browser.send(1, "GET", "/") == HTTPStatus.OK, "who has logged in here must be logged in there"
        kept = dict(browser.cookies)
        assert browser.send(0, "POST", "/logout") == HTTPStatus.OK
        ended = time.perf_counter()
        # A copy that somebody made.
        browser.cookies = kept
        while (status := browser.send(1, "GET", "/")) == HTTPStatus.OK:
            assert time.perf_counter() - ended < _PATIENCE, "the other process must hear of it"
            browser.cookies = dict(kept)
        assert status == HTTPStatus.UNAUTHORIZED
        return time.perf_counter() - ended
