"""Two uvicorn processes of one application, on one store."""

import os
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from servers.running import Kind, running, wait_for
from soak.served import IDLE, STORE, TIMEOUT
from stores.servers import free_port


def uvicorn(place):
    where = ["--host", "127.0.0.1", "--port", str(place.port)]
    return ["uvicorn", "--log-level", "warning", *where, "soak.served:app"]


PATIENT = timedelta(seconds=2)
"""What a question to the store may take on a machine that does many other things."""


@contextmanager
def two_processes(folder, here, there, *, idle, timeout=PATIENT):
    """Run two servers, each of which reaches the store at a URL of its own; yield them when they listen."""
    with ExitStack() as stack:
        servers = []
        for name, url in {"here": here, "there": there}.items():
            place = folder / name
            place.mkdir()
            kind = Kind(f"uvicorn {name}", uvicorn, ("uvicorn",))
            settings = {STORE: url, TIMEOUT: str(timeout.total_seconds()), IDLE: str(idle.total_seconds())}
            servers.append(stack.enter_context(running(kind, place, free_port(), settings)))
        for server in servers:
            wait_for(server)
        yield tuple(servers)


def resident(server):
    """Return the resident memory of a server in MiB, or None where there is no /proc."""
    statm = Path(f"/proc/{server.process.pid}/statm")
    if not statm.exists():
        return None
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
