"""Real servers that serve the application below a prefix: `skip` and `exempt` mean the same on each of them."""

from dataclasses import replace

import pytest
from servers import running
from servers.prefixed import manager
from websockets.exceptions import InvalidStatus

PREFIX = "/api"
APP = "servers.prefixed:app"
OPTIONS = {
    "uvicorn": "--root-path",
    "hypercorn": "--root-path",
    "granian": "--url-path-prefix",
    "daphne": "--root-path",
}
CHOSEN = ["uvicorn-h11-websockets", "uvicorn-httptools-wsproto", "hypercorn", "granian", "daphne"]
KINDS = {kind.name: kind for kind in running.KINDS if kind.name in CHOSEN}


def below_a_prefix(kind):
    """Return the server as it is run below a prefix."""

    def command(place):
        name, *arguments, _ = kind.command(place)
        return [name, OPTIONS[name], PREFIX, *arguments, APP]

    return replace(kind, command=command)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    kinds = [below_a_prefix(kind) for kind in KINDS.values() if not kind.missing()]
    with running.running_all(kinds, tmp_path_factory.mktemp) as found:
        yield {kind.name: server for kind, server in found.items()}


@pytest.fixture(params=CHOSEN)
def prefixed(request, servers):
    if reason := KINDS[request.param].missing():
        pytest.skip(reason)
    return servers[request.param]


@pytest.fixture
def client(prefixed):
    with prefixed.client(follow_redirects=False) as client:
        yield client


def forms(server, path):
    """Return how a proxy may ask for a path: without the prefix, and with it where the server leaves that to it."""
    # uvicorn puts the prefix in front of what it is asked for.
    return [path] if server.kind.name.startswith("uvicorn") else [path, PREFIX + path]


def token(*scopes):
    return {"Authorization": f"Bearer {manager.create_access_token(data={'sub': 'ada'}, scopes=scopes)}"}


def test_an_exempt_path_is_open_and_the_rest_is_closed(prefixed, client):
    for path, status in (("/login", 200), ("/members", 401)):
        for asked in forms(prefixed, path):
            assert client.get(asked).status_code == status, asked
            assert client.get(asked, headers=token()).json() == {"user": "ada", "auth": "bearer"}


def test_a_skipped_path_is_anonymous(prefixed, client):
    for asked in forms(prefixed, "/health"):
        assert client.get(asked, headers=token()).json() == {"user": None, "auth": None}, asked


def test_the_gate_of_a_mount_is_told_full_paths(prefixed, client):
    # Starlette finds nothing in a mount where the path lacks the prefix that root_path has.
    asked = forms(prefixed, "/admin")[-1]
    assert client.get(f"{asked}/help").json() == {"user": None, "auth": None}
    assert client.get(f"{asked}/users").status_code == 401
    assert client.get(f"{asked}/users", headers=token("admin")).json()["user"] == "ada"


def test_the_browser_comes_back_to_the_address_that_it_asked_for(prefixed, client):
    for asked in forms(prefixed, "/members"):
        answer = client.get(asked, headers={"Accept": "text/html"})
        assert answer.headers["location"] == "/login?next=%2Fapi%2Fmembers"


def test_a_websocket_below_an_exempt_path_is_open(prefixed):
    for asked in forms(prefixed, "/login/feed"):
        with prefixed.websocket(asked) as websocket:
            assert websocket.recv() == '{"user":null}'
    for asked in forms(prefixed, "/members/feed"):
        with pytest.raises(InvalidStatus), prefixed.websocket(asked):
            pass


@pytest.mark.parametrize("root", ["/login", "/log", "/login/", "/login/members"])
def test_a_prefix_that_the_client_has_chosen_opens_nothing(prefixed, client, root):
    # daphne believes Daphne-Root-Path, whoever has sent it.
    headers = {"Daphne-Root-Path": root, "X-Forwarded-Prefix": root, "X-Script-Name": root}
    for path in ("/login/members", "/members", "/login/members/members"):
        answer = client.get(path, headers=headers)
        assert answer.status_code in {401, 404}, path
        assert "user" not in answer.text
