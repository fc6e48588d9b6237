"""The bare applications: a handler that reads a user whom a two-line middleware has set, or on FastAPI reads nobody."""

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks.drive import ASGIApp

USER = "ada"
RAW = "plain ASGI"


class ReadyUser:
    """Two lines that put a user where the handlers look for one: what remains is the framework's own cost."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["user"] = scope["user"] = USER
        await self.app(scope, receive, send)


class Served:
    """Lets an application receive what it does from a server: one body, and then nothing more. Quart reads on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        messages = [await receive()]

        async def receive_once() -> Any:
            return messages.pop() if messages else await asyncio.get_running_loop().create_future()

        await self.app(scope, receive_once, send)


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Answer 200 to a user and 401 to nobody, without any framework."""
    status = 401 if scope["state"]["user"] is None else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"x"})


def bare_applications() -> dict[str, ASGIApp]:
    """Return the bare application of each framework that is installed, by its name."""
    apps = {RAW: ReadyUser(page)}
    for name, make in {"Starlette": starlette, "FastAPI": fastapi, "Litestar": litestar, "Quart": quart}.items():
        try:
            apps[name] = ReadyUser(make())
        except ModuleNotFoundError:
            continue
    return apps


def starlette() -> Any:
    """Return a Starlette application whose page reads `request.state.user`."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def home(request):
        user = request.state.user
        return PlainTextResponse("x", status_code=401 if user is None else 200)

    return Starlette(routes=[Route("/", home)])


def fastapi() -> Any:
    """Return a FastAPI application whose page has no parameter, like one that asks `current_auth()`.

    With `request` as a parameter, which FastAPI solves anew each time, what that takes would be subtracted from a login
    that does without it.
    """
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI()

    @app.get("/")
    async def home():
        return PlainTextResponse("x")

    return app


def litestar() -> Any:
    """Return a Litestar application whose page reads `request.user`."""
    from litestar import Litestar

    # Its default would turn logging on, for everybody in this process.
    return Litestar([litestar_page()], logging_config=None)


def litestar_page(decorate: Callable[[Any], Any] = lambda view: view, **settings: Any) -> Any:
    """Return the page itself, for applications with logins; `settings` are those of Litestar's `get`."""
    from litestar import Request, get

    @get("/", media_type="text/plain", **settings)
    @decorate
    async def home(request: Request[Any, Any, Any]) -> str:
        return str(request.user)

    return home


def quart() -> Any:
    """Return a Quart application whose page reads the user out of the scope."""
    from quart import Quart, request

    app = Quart("benchmarks")

    @app.get("/")
    async def home():
        return str(request.scope["state"]["user"])

    return Served(app)
