from datetime import timedelta

import pytest
from servers.running import KINDS, running_all
from servers.served import manager

HTTP1, HTTP2 = "HTTP/1.1", "HTTP/2"


def pytest_generate_tests(metafunc):
    """Run a test on each server that it is about, in each version of HTTP that it asks for and the server speaks."""
    names = metafunc.fixturenames
    if "server" not in names:
        return
    kinds = [kind for kind in KINDS if (kind.http2 or "http2" not in names) and (kind.unix or "unix" not in names)]
    if "version" in names:
        both = [(kind, version) for kind in kinds for version in (HTTP1, HTTP2)[: 1 + kind.http2]]
        ids = [f"{kind.name}-{version}" for kind, version in both]
        metafunc.parametrize(("server", "version"), both, indirect=["server"], ids=ids, scope="session")
    else:
        metafunc.parametrize("server", kinds, indirect=True, ids=[kind.name for kind in kinds], scope="session")


@pytest.fixture(scope="session")
def servers(request, tmp_path_factory):
    """Run the servers that the chosen tests need and that are installed."""
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    kinds = [kind for kind in KINDS if not kind.missing() and any(one.get("server") is kind for one in params)]
    with running_all(kinds, tmp_path_factory.mktemp) as running:
        yield running


@pytest.fixture(scope="session")
def server(request, servers):
    """Each server in turn."""
    if reason := request.param.missing():
        pytest.skip(reason)
    return servers[request.param]


@pytest.fixture
def http2(server):
    """Return a server that speaks HTTP/2."""
    return server


@pytest.fixture
def unix(server):
    """Return a server that listens on a unix socket."""
    return server


@pytest.fixture
def open_client(server, version):
    """Return what opens a connection of its own."""
    return lambda: server.client(http2=version == HTTP2)


@pytest.fixture
def client(open_client):
    with open_client() as client:
        yield client


@pytest.fixture(scope="session")
def token():
    """Return what makes the header of a user, with an access token that outlives the tests."""

    def header(user, *scopes):
        made = manager.create_access_token(data={"sub": user}, scopes=scopes, expires=timedelta(hours=1))
        return "Authorization", f"Bearer {made}"

    return header
