"""Frameworks without an adapter, and the handler of one line that keeps a refusal out of their logs."""

import logging

import anyio
import falcon.asgi
import httpx
import pytest
from blacksheep import Application, Response
from blacksheep.server.routing import Router
from helpers import make_manager, open_websocket, websocket_scope

from asgi_login import AuthError, AuthMiddleware, get_auth, login_required, requires_scopes
from asgi_login.testing import logged_in


async def give_back(request, response, error, params, ws=None):
    raise error


async def keep_quiet(app, request, error):
    return Response(500)


class Gated:
    @login_required
    async def on_get(self, request, response):
        response.text = "hello"

    @login_required
    async def on_websocket(self, request, websocket):
        await websocket.accept()


class Scoped:
    @requires_scopes("admin")
    async def on_get(self, request, response):
        response.text = "hello"


class ByHand:
    async def on_get(self, request, response):
        get_auth(request.scope).require("admin")


class Fails:
    async def on_get(self, request, response):
        raise ZeroDivisionError


def falcon_app(*, handled):
    app = falcon.asgi.App()
    for path, resource in {"/gated": Gated(), "/scoped": Scoped(), "/by-hand": ByHand(), "/fails": Fails()}.items():
        app.add_route(path, resource)
    if handled:
        app.add_error_handler(AuthError, give_back)
    return app


def blacksheep_app(*, handled):
    app = Application(router=Router())

    @app.router.get("/gated")
    @login_required
    async def gated():
        return "hello"

    @app.router.get("/scoped")
    @requires_scopes("admin")
    async def scoped():
        return "hello"

    @app.router.get("/fails")
    async def fails():
        raise ZeroDivisionError

    if handled:
        app.exceptions_handlers[AuthError] = keep_quiet

    async def started(scope, receive, send):
        if not app.started:
            await app.start()
        await app(scope, receive, send)

    return started


MANAGER = make_manager(redirect_to="/login")
REFUSALS = [
    ("/gated", {}, 401, 'Bearer realm="api"'),
    ("/gated", {"Authorization": "Bearer a.b.c"}, 401, 'error="invalid_token"'),
    ("/scoped", dict(logged_in(MANAGER, "ada").headers), 403, 'scope="admin"'),
]


def ask(app, path, headers):
    async def request():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://shop.example") as client:
            return await client.get(path, headers=headers)

    return anyio.run(request)


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("make", [falcon_app, blacksheep_app])
class TestHandler:
    @pytest.mark.parametrize("refusal", REFUSALS)
    def test_a_refusal_gets_the_same_answer_and_logs_no_unhandled_exception(self, make, refusal, caplog):
        path, headers, status, challenge = refusal
        without = ask(AuthMiddleware(make(handled=False), MANAGER), path, headers)
        assert errors(caplog), "the framework has begun to keep quiet by itself"
        caplog.clear()
        answer = ask(AuthMiddleware(make(handled=True), MANAGER), path, headers)
        assert errors(caplog) == []
        assert (answer.status_code, answer.content) == (status, without.content)
        assert challenge in answer.headers["www-authenticate"]
        assert answer.headers["www-authenticate"] == without.headers["www-authenticate"]

    def test_a_browser_is_still_sent_to_the_login_page(self, make, caplog):
        answer = ask(AuthMiddleware(make(handled=True), MANAGER), "/gated", {"Accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fgated")
        assert errors(caplog) == []

    def test_a_failure_of_the_applications_own_is_still_logged(self, make, caplog):
        answer = ask(AuthMiddleware(make(handled=True), MANAGER), "/fails", {})
        assert answer.status_code == 500
        assert "ZeroDivisionError" in caplog.text


def test_what_falcon_gives_back_is_answered_after_require_and_on_websockets_too(caplog):
    app = AuthMiddleware(falcon_app(handled=True), MANAGER)
    answer = ask(app, "/by-hand", dict(logged_in(MANAGER, "ada").headers))
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    messages = anyio.run(open_websocket, app, websocket_scope("/gated"))
    assert [(one["type"], one.get("code")) for one in messages] == [("websocket.close", 1008)]
    assert errors(caplog) == []
