"""A handler for AuthError that the application has itself stays, in every framework and in either order."""

import asyncio
from typing import Annotated

import litestar
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from helpers import OTHER_SECRET, SECRET, make_manager
from litestar import Litestar
from litestar.testing import TestClient as LitestarClient
from quart import Quart
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import asgi_login.fastapi
import asgi_login.quart
import asgi_login.starlette
from asgi_login import AuthError, login_required
from asgi_login.litestar import LoginPlugin

BEFORE_AND_AFTER = pytest.mark.parametrize("order", ["before", "after"])


async def own(request, error):
    return PlainTextResponse(f"own {error.status}", 418)


class TestOwnHandler:
    def starlette(self, order):
        @login_required
        async def view(request):
            return PlainTextResponse("in")

        app = Starlette(routes=[Route("/", view)], exception_handlers={AuthError: own} if order == "before" else {})
        asgi_login.starlette.install(app, make_manager())
        if order == "after":
            app.add_exception_handler(AuthError, own)
        return TestClient(app).get("/")

    def fastapi(self, order):
        manager = asgi_login.fastapi.LoginManager(SECRET)
        app = FastAPI(exception_handlers={AuthError: own} if order == "before" else {})
        asgi_login.fastapi.install(app, manager)
        if order == "after":
            app.exception_handler(AuthError)(own)

        @app.get("/")
        async def view(user: Annotated[str, Depends(manager)]):
            return user

        return TestClient(app).get("/")

    @BEFORE_AND_AFTER
    @pytest.mark.parametrize("framework", ["starlette", "fastapi"])
    def test_of_starlette_and_fastapi_stays(self, framework, order):
        response = getattr(self, framework)(order)
        assert (response.status_code, response.text) == (418, "own 401")

    def test_of_fastapi_stays_without_an_install(self):
        manager = asgi_login.fastapi.LoginManager(SECRET)
        app = FastAPI(exception_handlers={AuthError: own})

        @app.get("/")
        async def view(user: Annotated[str, Depends(manager)]):
            return user

        assert TestClient(app).get("/").text == "own 401"

    @BEFORE_AND_AFTER
    def test_of_quart_stays(self, order):
        app = Quart("app")
        if order == "after":
            asgi_login.quart.install(app, make_manager())

        @app.errorhandler(AuthError)
        async def mine(error):
            return f"own {error.status}", 418

        if order == "before":
            asgi_login.quart.install(app, make_manager())

        @app.get("/")
        @login_required
        async def view():
            return "in"

        async def visit():
            response = await app.test_client().get("/")
            return response.status_code, await response.get_data(as_text=True)

        assert asyncio.run(visit()) == (418, "own 401")
        with pytest.raises(ValueError, match=r"install\(app, \[web, api\]\)"):
            asgi_login.quart.install(app, make_manager(OTHER_SECRET, name="api"))

    def test_of_quart_does_not_hide_a_second_install_behind_other_middleware(self):
        app = Quart("app")
        asgi_login.quart.install(app, make_manager())
        inner = app.asgi_app

        async def outer(scope, receive, send):
            await inner(scope, receive, send)

        app.asgi_app = outer
        with pytest.raises(ValueError, match=r"install\(app, \[web, api\]\)"):
            asgi_login.quart.install(app, make_manager(OTHER_SECRET, name="api"))

    def test_of_litestar_stays(self):
        @litestar.get("/", sync_to_thread=False)
        @login_required
        def view() -> str:
            return "in"

        def mine(request: litestar.Request, error: AuthError) -> litestar.Response:
            return litestar.Response(f"own {error.status}", status_code=418, media_type="text/plain")

        app = Litestar([view], plugins=[LoginPlugin(make_manager())], exception_handlers={AuthError: mine})
        with LitestarClient(app) as client:
            response = client.get("/")
        assert (response.status_code, response.text) == (418, "own 401")
