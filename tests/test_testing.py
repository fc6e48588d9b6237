"""`asgi_login.testing`: what a test client sends to be a certain user."""

import asyncio
import time

import fastapi.testclient
import litestar
import litestar.testing
import pytest
import quart
import starlette.testclient
from fastapi import FastAPI, WebSocket
from helpers import make_manager, protected, request
from litestar import Litestar
from quart import Quart, websocket
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

import asgi_login.fastapi
import asgi_login.quart
import asgi_login.starlette
from asgi_login import BearerTransport, CookieTransport, HeaderTransport, login_required
from asgi_login.litestar import LoginPlugin, guard
from asgi_login.testing import logged_in

GATEWAY = HeaderTransport("X-Forwarded-Access-Token", name="gateway", ambient=True)


class TestLoggedIn:
    @pytest.mark.parametrize(
        ("transport", "name"),
        [
            (BearerTransport(), "Authorization"),
            (CookieTransport(), "Cookie"),
            (GATEWAY, "X-Forwarded-Access-Token"),
        ],
        ids=["bearer", "cookie", "header"],
    )
    def test_its_headers_are_those_of_the_managers_first_transport(self, transport, name):
        manager = make_manager(transports=[transport])
        credentials = logged_in(manager, "ada")
        assert list(credentials.headers) == [name]
        lines = [(key.lower().encode(), value.encode()) for key, value in credentials.headers.items()]
        assert request(protected(manager), headers=lines).status == 200
        assert bool(credentials.cookies) is (name == "Cookie")

    def test_another_transport_is_chosen_by_its_name(self):
        manager = make_manager(transports=[BearerTransport(), GATEWAY])
        assert list(logged_in(manager, "ada", transport="gateway").headers) == ["X-Forwarded-Access-Token"]

    def test_a_transport_that_the_manager_does_not_have_is_named(self):
        with pytest.raises(ValueError, match="this manager has bearer, asked for: gateway"):
            logged_in(make_manager(transports=[BearerTransport()]), "ada", transport="gateway")


MANAGER = make_manager(clock=time.time)


def with_starlette():
    async def login(request):
        MANAGER.login_user(request, "ada")
        return PlainTextResponse("welcome")

    @login_required
    async def news(websocket):
        await websocket.accept()
        await websocket.send_text(f"news for {websocket.user}")

    app = Starlette(routes=[Route("/login", login, methods=["POST"]), WebSocketRoute("/news", news)])
    asgi_login.starlette.install(app, MANAGER)
    return starlette.testclient.TestClient(app, base_url="https://testserver")


def with_fastapi():
    app = FastAPI()

    @app.post("/login")
    async def login(request: Request):
        MANAGER.login_user(request, "ada")

    @app.websocket("/news")
    @login_required
    async def news(socket: WebSocket):
        await socket.accept()
        await socket.send_text(f"news for {socket.user}")

    asgi_login.fastapi.install(app, MANAGER)
    return fastapi.testclient.TestClient(app, base_url="https://testserver")


def with_litestar():
    @litestar.post("/login")
    async def login(request: litestar.Request) -> None:
        MANAGER.login_user(request, "ada")

    @litestar.websocket("/news", guards=[guard()])
    async def news(socket: litestar.WebSocket) -> None:
        await socket.accept()
        await socket.send_text(f"news for {socket.user}")

    app = Litestar([login, news], plugins=[LoginPlugin(MANAGER)], openapi_config=None, logging_config=None)
    return litestar.testing.TestClient(app, base_url="https://testserver.local")


class TestWebSocket:
    @pytest.mark.parametrize("make", [with_starlette, with_fastapi, with_litestar])
    def test_a_websocket_with_the_scheme_wss_brings_the_secure_cookie_of_a_login(self, make):
        with make() as client:
            client.post("/login")
            url = client.base_url.copy_with(scheme="wss").join("/news")
            with client.websocket_connect(str(url)) as socket:
                assert socket.receive_text() == "news for ada"

    @pytest.mark.parametrize("make", [with_starlette, with_fastapi, with_litestar])
    def test_what_logged_in_returns_works_for_a_websocket_of_any_scheme(self, make):
        with make() as client:
            with client.websocket_connect("/news", headers=dict(logged_in(MANAGER, "ada").headers)) as socket:
                assert socket.receive_text() == "news for ada"
            client.cookies.update(logged_in(MANAGER, "ada", transport="cookie").cookies)
            with client.websocket_connect("/news") as socket:
                assert socket.receive_text() == "news for ada"

    def test_quarts_client_brings_the_cookie_of_a_login_over_https(self):
        app = Quart(__name__)
        asgi_login.quart.install(app, MANAGER)

        @app.post("/login")
        async def login():
            MANAGER.login_user(quart.request, "ada")
            return "welcome"

        @app.websocket("/news")
        @login_required
        async def news():
            await websocket.send(f"news for {asgi_login.quart.current_user}")

        async def read():
            client = app.test_client()
            await client.post("/login", scheme="https")
            async with client.websocket("/news") as socket:
                return await socket.receive()

        assert asyncio.run(read()) == "news for ada"
