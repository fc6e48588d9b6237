"""What `memory` runs in a process of its own: prints JSON."""

import asyncio
import gc
import json
import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any

from asgi_login import AuthMiddleware
from benchmarks.drive import Request, with_cookie
from benchmarks.frameworks import page
from benchmarks.mint import Mint
from benchmarks.ours import make_manager, session_cookie

_STATM = Path("/proc/self/statm")


def cache(size: int) -> dict[str, Any]:
    """Fill a cache of the default size twice over, and return its memory at its fullest."""
    manager = make_manager()
    mint = Mint(manager)
    verify = manager.config.tokens.verify
    verify(mint.of_size(size, 0))
    seen = 2 * 4096
    gc.collect()
    tracemalloc.start()
    before, most = tracemalloc.get_traced_memory()[0], 0
    for number in range(seen):
        token = mint.of_size(size, number)
        verify(token)
        if number % 64 == 0:
            most = max(most, tracemalloc.get_traced_memory()[0] - before)
    return {"tokens": seen, "size": len(token), "mebibytes": most / 2**20}


def mixed(count: int) -> dict[str, Any]:
    """Send requests of four kinds, and return the resident memory at every fifth of them."""
    manager = make_manager()
    session = with_cookie(session_cookie(manager))
    return {"resident": asyncio.run(_mixed(manager, session, count)) if _STATM.exists() else {}}


async def _mixed(manager: Any, session: Request, count: int) -> dict[int, float]:
    app, mint = AuthMiddleware(page, manager), Mint(manager)
    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    resident = {0: _resident()}
    for number in range(1, count + 1):
        token = mint.numbered(number)
        wrong = token[:-8] + b"AAAAAAAA"
        kinds = (
            (Request(), 401),
            (Request().having((b"authorization", b"Bearer " + token)), 200),
            (Request().having((b"authorization", b"Bearer " + wrong)), 401),
            (session, 200),
        )
        request, status = kinds[number % 4]
        await app(request.scope(), None, send)
        assert statuses == [status]
        statuses.clear()
        if number % (count // 5) == 0:
            resident[number] = _resident()
    return resident


def _resident() -> float:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    print(json.dumps({"cache": cache, "mixed": mixed}[sys.argv[1]](int(sys.argv[2]))))
