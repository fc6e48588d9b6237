"""Websockets on real servers: refused before and after they are accepted, and never another's."""

import json
from contextlib import ExitStack

import pytest
from servers.served import COOKIE
from websockets.exceptions import ConnectionClosed, InvalidStatus

PRIVATE = ["/private", "/gate", "/starlette/websocket"]
SCOPED = ["/scoped", "/gate/scoped"]


def ask(websocket):
    websocket.send("who?")
    described = json.loads(websocket.recv(30))
    assert described["user"] == described["context"]
    return described


@pytest.fixture(scope="module")
def offers_answers(server):
    """Tell whether the server lets the application answer a websocket's handshake."""
    with server.websocket("/who") as websocket:
        return "websocket.http.response" in ask(websocket)["extensions"]


def refused(server, path, *headers, **settings):
    """Open a websocket that is refused and return the answer."""
    with pytest.raises(InvalidStatus) as caught, server.websocket(path, headers, **settings):
        pass
    return caught.value.response


def session(server):
    with server.client() as client:
        return "Cookie", f"{COOKIE}={client.post('/login', params={'user': 'ada'}).cookies[COOKIE]}"


def check(answer, status, error, *, offers_answers):
    """Check our own answer where the server has a way for it, else the server's own."""
    if not offers_answers:
        assert answer.status_code == 403
        return
    assert answer.status_code == status
    assert json.loads(answer.body)["error"] == error
    challenges = answer.headers.get_all("www-authenticate")
    if error == "unauthorized":
        assert challenges == ['Bearer realm="api"']
    elif error == "cross_origin_request":
        assert challenges == []
    else:
        assert len(challenges) == 1
        assert f'error="{error}"' in challenges[0]


@pytest.mark.parametrize("path", PRIVATE + SCOPED)
def test_a_websocket_without_a_credential_is_refused(server, offers_answers, path):
    check(refused(server, path), 401, "unauthorized", offers_answers=offers_answers)


@pytest.mark.parametrize("path", PRIVATE + SCOPED)
def test_a_websocket_with_a_bad_token_is_refused(server, offers_answers, path):
    answer = refused(server, path, ("Authorization", "Bearer nonsense"))
    check(answer, 401, "invalid_token", offers_answers=offers_answers)


@pytest.mark.parametrize("path", SCOPED)
def test_a_websocket_without_the_scope_is_refused(server, token, offers_answers, path):
    check(refused(server, path, token("ada")), 403, "insufficient_scope", offers_answers=offers_answers)


def test_a_websocket_with_two_authorization_lines_is_refused(server, token, offers_answers):
    answer = refused(server, "/gate", token("ada"), token("ada"))
    check(answer, 400, "invalid_request", offers_answers=offers_answers)


@pytest.mark.parametrize("path", ["/who", *PRIVATE, *SCOPED, "/late", "/late/scoped"])
def test_a_websocket_knows_who_opened_it(server, token, path):
    with server.websocket(path, [token("ada", "read")]) as websocket:
        assert [ask(websocket)["user"] for _ in range(3)] == ["ada"] * 3


def test_an_open_websocket_knows_that_nobody_opened_it(server):
    with server.websocket("/who") as websocket:
        assert ask(websocket)["user"] is None


@pytest.mark.parametrize(
    ("path", "user", "end"),
    [
        ("/late", None, (4401, "unauthorized")),
        ("/late", "gone", (4401, "invalid_token")),
        ("/late/scoped", None, (4401, "unauthorized")),
        ("/late/scoped", "ada", (4403, "insufficient_scope")),
    ],
)
def test_an_accepted_websocket_is_closed_with_a_code_that_says_why(server, token, path, user, end):
    headers = [] if user is None else [token(user)]
    with server.websocket(path, headers) as websocket, pytest.raises(ConnectionClosed) as caught:
        websocket.recv(30)
    code, reason = end
    assert caught.value.rcvd.code == code
    assert caught.value.rcvd.reason == ("" if "reason of a close" in server.kind.lacks else reason)


def test_a_cookie_opens_a_websocket_for_pages_of_this_site_only(server, offers_answers):
    cookie = session(server)
    with server.websocket("/private", [cookie], origin=server.origin) as websocket:
        assert ask(websocket)["user"] == "ada"
    for path in "/who", "/private", "/gate":
        answer = refused(server, path, cookie, origin="https://evil.example")
        check(answer, 403, "cross_origin_request", offers_answers=offers_answers)


def test_a_login_while_accepting_sets_a_cookie_where_the_server_sends_headers(server):
    with server.websocket("/login") as websocket:
        assert ask(websocket)["user"] is None
        lines = websocket.response.headers.get_all("set-cookie")
    cookies = [line.partition(";")[0] for line in lines if line.startswith(f"{COOKIE}=")]
    assert len(cookies) == ("headers of an accept" not in server.kind.lacks)
    for cookie in cookies:
        with server.websocket("/private", [("Cookie", cookie)]) as websocket:
            assert ask(websocket)["user"] == "ada"


def test_refused_websockets_leave_the_server_alive_and_its_log_clean(server):
    size = len(server.log.read_text())
    with server.client() as client:
        before = client.get("/who").json()["pid"]
        for path in [*PRIVATE, *SCOPED] * 4:
            refused(server, path)
        assert client.get("/who").json()["pid"] == before
    assert "Traceback" not in server.log.read_text()[size:]


def test_many_open_websockets_are_never_taken_for_each_other(server, token):
    users = [None if i % 3 == 0 else f"user{i}" for i in range(30)]
    with ExitStack() as stack:
        websockets = [
            stack.enter_context(server.websocket("/who", [] if user is None else [token(user)])) for user in users
        ]
        for _ in range(3):
            assert [ask(websocket)["user"] for websocket in websockets] == users
