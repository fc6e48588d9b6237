"""The JSON body of a refusal, as the application's clients expect it."""

import json

import pytest
from helpers import bearer, cookie, hs256, make_manager, protected, request, websocket

from asgi_login import AuthError, AuthMiddleware, Gate, InvalidToken, NotAuthenticated, get_auth, login_required

BAD = hs256(secret="x" * 32)


def detail(error):
    return {"detail": error.description, "code": error.error}


UNAUTHORIZED = {"detail": "Authentication is required", "code": "unauthorized"}


async def broken(scope, receive, send):
    """Answer 500 for an exception that it does not know, as most frameworks do."""
    try:
        await login_required(broken)(scope, receive, send)
    except AuthError:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body"})


async def require(scope, receive, send):
    get_auth(scope).require()


async def own_error(scope, receive, send):
    raise NotAuthenticated("the application's")


@pytest.fixture
def manager():
    return make_manager(error_body=detail)


@pytest.mark.parametrize("view", [login_required(broken), broken, require, own_error])
def test_every_answer_of_the_middleware_has_the_body(manager, view):
    assert request(AuthMiddleware(view, manager)).json() == UNAUTHORIZED


def test_every_answer_of_a_gate_has_the_body_and_the_usual_status_and_headers(manager):
    for gate, lines in [
        ({}, []),
        ({}, [bearer(BAD)]),
        ({}, [(b"authorization", b"Bearer")]),
        ({"scopes": ["a"]}, [bearer(hs256())]),
        ({"fresh": True}, [bearer(hs256())]),
    ]:
        answer, usual = (request(protected(one, **gate), headers=lines) for one in (manager, make_manager()))
        assert answer.json() == {"detail": usual.json()["error_description"], "code": usual.json()["error"]}
        assert answer.status == usual.status
        assert int(answer.header("content-length")) == len(answer.body)
        same = [[line for line in one.headers if line[0] != b"content-length"] for one in (answer, usual)]
        assert same[0] == same[1]


def test_a_head_request_gets_the_length_of_the_body_without_it(manager):
    get, head = (request(protected(manager), method) for method in ("GET", "HEAD"))
    assert (head.headers, head.body) == (get.headers, b"")


def test_a_cross_origin_request_has_the_body(manager):
    lines = [cookie(hs256()), (b"origin", b"https://evil.example"), (b"host", b"example.com")]
    answer = request(AuthMiddleware(require, manager), "POST", headers=lines)
    assert answer.json()["code"] == "cross_origin_request"


def test_a_denied_websocket_has_the_body(manager):
    _, body = websocket(protected(manager), extensions={"websocket.http.response": {}})
    assert json.loads(body["body"]) == UNAUTHORIZED


def test_the_body_is_that_of_the_manager_whose_gate_it_is():
    web = make_manager(error_body=detail, name="web", issuer="web")
    api = make_manager(name="api", issuer="api")
    for name, members in [("web", {"detail", "code"}), ("api", {"error", "error_description"})]:
        app = AuthMiddleware(Gate(require, manager=name), [web, api])
        assert request(app).json().keys() == members


def test_an_error_of_the_applications_keeps_what_it_says_and_is_not_written_into(manager):
    error = InvalidToken("the application's", expired=True)
    error.realm = "own"

    async def app(scope, receive, send):
        raise error.with_traceback(None)

    answer = request(AuthMiddleware(app, manager))
    assert answer.json() == {"detail": "The token has expired", "code": "invalid_token"}
    assert answer.header("www-authenticate").startswith('Bearer realm="own"')
    assert error.error_body is None


def test_the_body_is_there_for_a_handler_of_the_applications():
    assert NotAuthenticated().body == {"error": "unauthorized", "error_description": "Authentication is required"}
    assert make_manager(error_body=detail).config.complete(NotAuthenticated()).body == UNAUTHORIZED


async def asynchronous(error):
    return {}


@pytest.mark.parametrize("bad", ["detail", {"detail": ""}, 5, asynchronous])
def test_what_is_no_plain_function_is_refused_at_construction(bad):
    with pytest.raises(TypeError, match="error_body is a plain function"):
        make_manager(error_body=bad)


@pytest.mark.parametrize("body", [None, "text", ["list"], {"when": object()}])
def test_a_body_that_is_no_json_object_is_a_failure_of_the_applications(body):
    with pytest.raises(TypeError):
        request(protected(make_manager(error_body=lambda _: body)))
