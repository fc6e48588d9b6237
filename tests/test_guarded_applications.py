"""Applications that know nothing of us, behind the login of the page that shows how: real servers."""

import importlib.util
from contextlib import ExitStack

import httpx
import pytest
import test_docs
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

PAGE = test_docs.ROOT / "docs" / "how-to" / "in-front-of-an-application.md"
# For each the path and what stands there for a user, once the application has started as it does alone.
APPLICATIONS = {
    "datasette": ("/-/actor.json", '{"actor": {"id": "ada"}}'),
    "gradio": ("/gradio_api/startup-events", "true"),
    "nicegui": ("/", "Hello, ada"),
    "sqladmin": ("/admin/order/list", "Orders"),
}


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Serve the page's first application with what it adds for another one, and give a client."""
    clients = {}
    with ExitStack() as stack:

        def serve(name):
            if importlib.util.find_spec(name) is None:
                pytest.skip(f"{name} is not installed: .venv/bin/python -m pip install {name}")
            if name not in clients:
                parts = [block.text for block in test_docs.blocks(PAGE)[1:] if f" {name}" in block.text]
                site = test_docs.Site(PAGE, tmp_path_factory.mktemp(name), stack, parts[-1])
                stack.callback(site.stop)
                (address,) = site.listen().values()
                clients[name] = stack.enter_context(httpx.Client(base_url=f"http://{address}"))
            return clients[name]

        yield serve


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_stranger_sees_nothing_of_the_application(serve, name):
    client, (path, _) = serve(name), APPLICATIONS[name]
    assert client.get(path).status_code == 401
    answer = client.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, httpx.URL(answer.headers["location"]).path) == (303, "/login")


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_user_is_let_in_and_known(serve, name):
    client, (path, shown) = serve(name), APPLICATIONS[name]
    login = client.post("/login", data={"username": "ada", "password": "correct horse"})
    # By hand, because the client rightly keeps the cookie for TLS.
    cookie = login.headers["set-cookie"].partition(";")[0]
    answer = client.get(path, headers={"Cookie": cookie})
    assert answer.status_code == 200
    assert shown in answer.text


def test_a_stranger_opens_no_websocket(serve):
    address = str(serve("nicegui").base_url).replace("http", "ws")
    path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    with pytest.raises(InvalidStatus, match="401"), connect(f"{address}{path}"):
        pass
