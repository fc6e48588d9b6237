"""Starlette, with plain and asynchronous endpoints."""

from contextlib import asynccontextmanager
from dataclasses import replace

from conformance import views
from conformance.contract import (
    PLAIN,
    PLEASE,
    Framework,
    LogInFirstError,
    NotYoursError,
    Site,
)
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from asgi_login.starlette import install

CANNOT = {
    "answer for require() when wrapped": "its own 500 is out before the exception, and require() leaves no mark",
    "break off what runs in another task": "BaseHTTPMiddleware ends the body before it raises",
}
DIFFERS = {
    "Only the adapters of Starlette, FastAPI and Litestar have websocket_denial": (
        "wrapped:test_a_websocket_is_refused_in_the_applications_own_words",
    ),
}


def raw_response(body, headers, status=200):
    """Make a response with exactly these header lines."""
    response = Response(body, status)
    response.raw_headers[:] = headers
    return response


def endpoint(view):
    """Put an endpoint around a view that has no framework."""
    if view.is_sync:

        def page(request: Request):
            reply = view.function(request.scope)
            return raw_response(reply.body, reply.headers, reply.status)
    else:

        async def page(request: Request):
            reply = await view.function(request.scope)
            return raw_response(reply.body, reply.headers, reply.status)

    return view.gate(page)


class Own:
    """What Starlette has words of its own for."""

    def __init__(self, site):
        self.site = site

    async def stream(self, request):
        return StreamingResponse(views.stream())

    async def stream_midway(self, request):
        return StreamingResponse(views.stream_midway())

    async def background(self, request):
        return Response(PLAIN, background=BackgroundTask(self.site.try_gate))

    async def abort(self, request):
        raise HTTPException(request.path_params["status"], "aborted")

    def routes(self):
        return [
            Route("/stream", self.stream),
            Route("/stream-midway", self.stream_midway),
            Route("/background", self.background),
            Route("/abort/{status:int}", self.abort),
        ]


def below(path, all_views):
    """Return the views below a path, for an application that is mounted there."""
    return [replace(view, path=view.path.removeprefix(path)) for view in all_views if view.path.startswith(path)]


def mounted(path, site):
    """Return an application for what is behind the gate of a path."""
    pages = below(path, views.Pages(site).gated())
    sockets = below(path, views.Sockets(site).gated())
    return Starlette(routes=[*map(route, pages), *map(websocket_route, sockets)])


def route(view):
    return Route(view.path, endpoint(view), methods=view.methods)


def class_based_route(view):
    """Return a route to a class, which itself decides what it does with each method."""

    async def page(self, request):
        return await endpoint(replace(view, gate=lambda page: page))(request)

    return Route(view.path, type("Page", (HTTPEndpoint,), {"get": view.gate(page)}))


def websocket_route(view):
    return WebSocketRoute(view.path, socket_endpoint(view))


class Socket:
    """Starlette's websocket, which raises where the client has gone away; FastAPI's is the same."""

    def __init__(self, websocket):
        self.scope = websocket.scope
        self.websocket = websocket

    async def accept(self):
        await self.websocket.accept()

    async def receive(self):
        try:
            return await self.websocket.receive_text()
        except WebSocketDisconnect:
            raise views.HungUpError from None

    async def send(self, text):
        await self.websocket.send_text(text)

    async def close(self, code):
        await self.websocket.close(code)


def socket_endpoint(view):
    async def talk(websocket: WebSocket):
        await view.function(Socket(websocket))

    return view.gate(talk)


async def answer_own_exception(connection, problem):
    """Speak for the application where a gate has raised what it asked for."""
    if isinstance(connection, WebSocket):
        await connection.close(4999)
        return None
    return Response(PLEASE, 418 if isinstance(problem, LogInFirstError) else 451)


OWN_HANDLERS = {LogInFirstError: answer_own_exception, NotYoursError: answer_own_exception}


async def pass_through(request, call_next):
    """Do nothing, but in such a way that the rest runs in a task of its own."""
    return await call_next(request)


@asynccontextmanager
async def lifespan(app):
    yield {"pool": "shared"}


def build(site: Site):
    pages = [*map(route, views.all_views(site)), *map(class_based_route, views.Pages(site).automatic())]
    sockets = map(websocket_route, views.Sockets(site).views())
    gates = views.gates(mounted("/admin", site), mounted("/bank", site))
    mounts = [Mount(path, app=gate) for path, gate in gates.items()]
    routes = [*pages, *Own(site).routes(), *sockets, *mounts]
    app = Starlette(routes=routes, exception_handlers=OWN_HANDLERS, lifespan=lifespan)
    if site.in_another_task:
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_through)
    if site.mount == "native":
        install(app, site.managers, **site.settings, endpoints=site.endpoints, websocket_denial=site.websocket_denial)
    return site.wrap(app) if site.mount == "wrapped" else app


FRAMEWORK = Framework(name="starlette", build=build, trace="endpoint", cannot=CANNOT, differs=DIFFERS)
