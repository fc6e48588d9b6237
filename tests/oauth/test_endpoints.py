"""Endpoints: what they answer, and what they leave to the application."""

from helpers import hello, parts, request, websocket
from oauth.posting import issuing, pair_of, post, refresh

from asgi_login import AuthMiddleware
from asgi_login.oauth import Endpoints, TokenEndpoint


def site(manager, *endpoints):
    return Endpoints(AuthMiddleware(hello, manager), *(endpoints or [TokenEndpoint(manager)]))


def test_a_refresh_token_brings_the_next_pair():
    manager = issuing()
    app, first = site(manager), pair_of(manager, scopes=["read"])
    answer = refresh(app, first.refresh_token)
    assert answer.status == 200
    second = answer.json()
    assert parts(second["refresh_token"])[1]["gen"] == 2
    assert refresh(app, second["refresh_token"]).status == 200


def test_everything_else_is_the_applications():
    app = site(issuing())
    assert request(app, path="/auth/token/").body == b"None"
    assert request(app, path="/").body == b"None"
    assert websocket(app, "/auth/token")[0]["type"] == "websocket.accept"
    assert post(app, {}).json()["error"] == "invalid_request"
