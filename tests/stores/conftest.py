import os
import time
from itertools import count

import anyio
import pytest
from stores.proxy import Proxy
from stores.servers import HOW_TO_GET, PROGRAMS, Server

from asgi_login.redis import RedisStore
from asgi_login.stores import MemoryStore, Revocation

KINDS = ["redis", "valkey"]
_NAMES = count()


def needed(kind):
    """Skip the test where there is no such server. CI installs them, and skips nothing."""
    if PROGRAMS[kind] is None:
        assert "CI" not in os.environ, HOW_TO_GET[kind]
        pytest.skip(HOW_TO_GET[kind])
    return kind


@pytest.fixture(params=KINDS)
def make_server(request, tmp_path):
    """Return what makes a server, not started, that is the test's own."""
    servers = []

    def make(*settings):
        servers.append(Server(needed(request.param), tmp_path / str(len(servers)), *settings))
        return servers[-1]

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def server(make_server):
    """Return a server that may be harmed."""
    return make_server().start()


@pytest.fixture
def proxy(server):
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def name():
    """Return the name of a manager that no other test has."""
    return f"manager-{next(_NAMES)}"


class Place:
    """Where a test runs: on an event loop, with a store that each of its processes opens.

    A process is a Revocation of its own. With MemoryStore all have the same store, and share one process.
    """

    def __init__(self, backend, make_store, name):
        self.backend, self.make_store, self.name = backend, make_store, name

    def process(self, *, leeway=0, lives=900, clock=time.time, **options):
        return Revocation(self.make_store(**options), self.name, leeway=leeway, lives=lives, clock=clock)

    def run(self, main, *arguments):
        return anyio.run(main, *arguments, backend=self.backend)


@pytest.fixture(params=["memory-asyncio", "memory-trio", "redis", "valkey"])
def place(request, name):
    """Every store, on every event loop that it works on."""
    kind, _, backend = request.param.partition("-")
    if kind == "memory":
        store = MemoryStore()
        return Place(backend, lambda **_: store, name)
    server = request.getfixturevalue("shared_servers")(kind)
    return Place("asyncio", lambda **options: RedisStore(server.url, **options), name)


@pytest.fixture(scope="session")
def shared_servers(tmp_path_factory):
    """Return what gives the one server of a kind that no test harms."""
    running = {}

    def get(kind):
        if kind not in running:
            running[kind] = Server(needed(kind), tmp_path_factory.mktemp(kind) / "server").start()
        return running[kind]

    yield get
    for server in running.values():
        server.kill()
