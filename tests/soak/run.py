"""One run: a store, two processes, people and faults, and what came of it."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

from soak.faults import Faults
from soak.people import Person
from soak.processes import resident, two_processes
from soak.record import Record
from soak.served import MAX_STALENESS
from soak.site import Site
from stores.proxy import Proxy
from stores.servers import Server

PEOPLE = 12
IDLE = timedelta(seconds=4)
# MiB that a process may grow from a third of the time on, in a run of so many seconds or more. In a shorter one, caches
# are still being filled.
GROWTH = 4
GROWTH_SHOWS = 60
# What the processes must not write into their logs. Nothing is lost with an append-only file.
WRONG = ("Traceback", "lost its data")


@dataclass
class Result:
    record: Record
    resident: list[tuple[float | None, float | None]]


def run(seconds, folder, *, kind="redis", timeout):
    """Let people live for some seconds while the store is harmed, and return what they have seen."""
    store = folder / "store"
    store.mkdir()
    server = Server(kind, store, "--appendonly", "yes")
    try:
        server.start()
        with ExitStack() as stack:
            proxies = [stack.enter_context(Proxy(server.port)) for _ in range(2)]
            urls = [proxy.url for proxy in proxies]
            servers = stack.enter_context(two_processes(folder, *urls, idle=IDLE, timeout=timeout))
            record = Record(MAX_STALENESS.total_seconds(), timeout.total_seconds())
            faults = Faults(server, proxies, record)
            memory = asyncio.run(_live(seconds, servers, faults, record))
            _check_logs(servers, record)
    finally:
        server.kill()
    if seconds >= GROWTH_SHOWS:
        _check_memory(memory, record)
    return Result(record, memory)


async def _live(seconds, servers, faults, record):
    """Return the resident memory of each process after a third of the time, and at the end."""
    stop = asyncio.Event()
    async with Site(servers, record) as site, asyncio.TaskGroup() as tasks:
        people = [Person(f"user-{number}", site, record, tasks) for number in range(PEOPLE)]
        living = [tasks.create_task(person.live(stop)) for person in people]
        harm = tasks.create_task(faults.happen(seconds))
        await asyncio.sleep(seconds / 3)
        early = [resident(server) for server in servers]
        await harm
        stop.set()
        await asyncio.wait(living)
        late = [resident(server) for server in servers]
        # Back after the last fault, and heard of the last end.
        await asyncio.sleep(record.back)
        for person in people:
            await person.die()
    return list(zip(early, late, strict=True))


def _check_logs(servers, record):
    for server in servers:
        text = server.log.read_text()
        record.violations += [
            f"the log of {server.kind.name} has {word!r}: {text[-2000:]}" for word in WRONG if word in text
        ]


def _check_memory(memory, record):
    for number, (early, late) in enumerate(memory):
        if early is not None and late - early > GROWTH:
            record.violations.append(f"process {number} has grown from {early:.1f} to {late:.1f} MiB")
