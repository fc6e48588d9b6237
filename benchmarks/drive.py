"""Drives ASGI applications in-process: each request is awaited in one running asyncio loop, whoever answers it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import cache
from threading import Thread
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

from benchmarks.runner import Run

ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

BROWSER: tuple[Header, ...] = (
    (b"host", b"example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
)
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What a client sends.

    Attributes:
        headers: All of them, in order.
        method: The method.
        path: The path.
    """

    headers: tuple[Header, ...] = BROWSER
    method: str = "GET"
    path: str = "/"

    def having(self, *headers: Header) -> "Request":
        """Return the same request with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    def scope(self) -> dict[str, Any]:
        """Return a new scope, with the keys that uvicorn sets."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("192.0.2.1", 5000),
            "scheme": "https",
            "method": self.method,
            "root_path": "",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "headers": list(self.headers),
            "state": {},
        }


def bearer(token: str) -> Request:
    """Return a request with a token in its Authorization header."""
    return Request().having((b"authorization", b"Bearer " + token.encode()))


def with_cookie(cookie: bytes) -> Request:
    """Return a request with a cookie, given as `name=value`."""
    return Request().having((b"cookie", cookie))


def forged(token: str) -> str:
    """Return a token with the signature of another."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def requests(app: ASGIApp, request: Request) -> Run:
    """Return what times that request."""
    return lambda calls: in_loop(_repeat(app, request, calls))


def awaited(make: Callable[[], Awaitable[object]]) -> Run:
    """Return what times the making and awaiting of something."""
    return lambda calls: in_loop(_await(make, calls))


def answer(app: ASGIApp, request: Request) -> tuple[int, list[Header]]:
    """Return the status and the headers of the answer."""
    messages: list[dict[str, Any]] = []

    async def keep(message: dict[str, Any]) -> None:
        messages.append(message)

    in_loop(_call(app, request, keep))
    return messages[0]["status"], messages[0]["headers"]


def set_cookies(app: ASGIApp, request: Request) -> list[bytes]:
    """Return `name=value` of each cookie that the answer sets, without those that it deletes."""
    lines = [value for name, value in answer(app, request)[1] if name.lower() == b"set-cookie"]
    return [line.partition(b";")[0] for line in lines if b"max-age=0" not in line.lower()]


def in_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run in the loop that all share; nobody else uses the interpreter meanwhile."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running().loop).result()


def stop_loop() -> None:
    """Stop that loop, for a process that forks: its thread would not come along. The next call starts another."""
    _running().stop()
    _running.cache_clear()


class _Running:
    """A loop that runs on, as a server's does: some need tasks, and keep their worker threads along with it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._end = self.loop.create_future()
        self._thread = Thread(target=self.loop.run_until_complete, args=(self._end,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._end.set_result, None)
        self._thread.join()
        self.loop.close()


@cache
def _running() -> _Running:
    return _Running()


async def _repeat(app: ASGIApp, request: Request, calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        await app(request.scope(), _receive, _discard)
    return perf_counter() - start


async def _await(make: Callable[[], Awaitable[object]], calls: int) -> float:
    start = perf_counter()
    for _ in range(calls):
        await make()
    return perf_counter() - start


async def _call(app: ASGIApp, request: Request, send: Callable[[Any], Awaitable[None]]) -> None:
    await asyncio.wait_for(app(request.scope(), _receive, send), timeout=10)


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _discard(_message: dict[str, Any]) -> None:
    pass
