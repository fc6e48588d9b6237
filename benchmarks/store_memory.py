"""What was ended, in the memory of each process and of the store."""

import asyncio
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any, cast

from asgi_login.stores import CutOff, Entry
from asgi_login.stores.revocation.view import View
from benchmarks.report import Table

MARKS, CUT_OFFS = "sessions and tokens", "users, logged out everywhere"
IN_PROCESS, IN_STORE, IN_LOG = "in a process", "in Redis, to be asked for", "in Redis, in the log of an hour"
_OFFERED_AT_ONCE = 500
_MEBIBYTE = 2**20


def store_memory(url: str | None, *, count: int) -> tuple[Table, dict[str, float]]:
    """Measure so many of each; return figures in MiB, named by what they are and where."""
    figures = {}
    for what, entries in {MARKS: list(marks(count)), CUT_OFFS: list(_cut_offs(count))}.items():
        figures[name_of(count, what, IN_PROCESS)] = _in_process(entries)
        if url is not None:
            marked, logged = asyncio.run(_in_store(url, entries))
            figures[name_of(count, what, IN_STORE)] = marked
            figures[name_of(count, what, IN_LOG)] = logged
    rows = [[name, f"{mebibytes:.1f}"] for name, mebibytes in figures.items()]
    notes = ["Of the process, what tracemalloc counts; of Redis, used_memory."]
    return Table("The memory of what was ended", ["", "MiB"], rows, notes), figures


def name_of(count: int, what: str, where: str) -> str:
    """Return the name of a figure."""
    return f"{count:,} {what}, {where}"


def marks(count: int) -> Iterator[Entry]:
    """Return the ends of so many sessions and tokens."""
    until = time.time() + 900
    for number in range(count):
        kind, value = ("s", "sid") if number % 2 else ("t", "jti")
        # As long as our own.
        yield Entry(cast("Any", kind), f"{value}-{number:018d}", until)


def _cut_offs(count: int) -> Iterator[Entry]:
    until, cut_off = time.time() + 2_678_400, CutOff(int(time.time()))
    for number in range(count):
        yield Entry("u", f"user-{number:017d}", until, cut_off)


def _in_process(entries: Sequence[Entry]) -> float:
    view = View(margin=11, window=911, max_staleness=10)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    # As they come from a store, each in text of its own.
    for entry in entries:
        view.apply(Entry(entry.kind, entry.value[:1] + entry.value[1:], entry.until + 0, entry.cut_off))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return taken / _MEBIBYTE


async def _in_store(url: str, entries: Sequence[Entry]) -> tuple[float, float]:
    """Write entries as a process does that offers what the store has lost, and return what they and the log take."""
    import redis.asyncio

    from asgi_login.redis import RedisStore

    async with redis.asyncio.Redis.from_url(url) as client:
        await client.flushall()
        empty = (await client.info("memory"))["used_memory"]
        channel = RedisStore(client).open("default", leeway=0, clock=time.time)
        for start in range(0, len(entries), _OFFERED_AT_ONCE):
            await channel.offer(entries[start : start + _OFFERED_AT_ONCE])
        taken = (await client.info("memory"))["used_memory"] - empty
        logged = await client.memory_usage("{asgi-login:default}:log", samples=0)
        await client.flushall()
    return (taken - logged) / _MEBIBYTE, logged / _MEBIBYTE
