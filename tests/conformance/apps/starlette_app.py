"""Starlette, with plain and asynchronous endpoints."""

from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
from conformance import views
from conformance.contract import (
    CAUGHT,
    CHUNKS,
    COOKIE_LINES,
    OWN_HEADERS,
    PLAIN,
    PLAIN_HEADERS,
    PLEASE,
    Framework,
    LogInFirstError,
    NotYoursError,
    OwnError,
    Site,
    members_only,
    own_body,
    readers_only,
    report,
    whoami,
)
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from asgi_login import (
    AuthError,
    AuthMiddleware,
    Gate,
    fresh_login_required,
    get_auth,
    login_required,
    requires_scopes,
)
from asgi_login.starlette import install

CANNOT = {
    "answer for require() when wrapped": "its own 500 is out before the exception, and require() leaves no mark",
    "break off what runs in another task": "BaseHTTPMiddleware ends the body before it raises",
}
DIFFERS = {
    "websocket_denial is for the adapters of Starlette, FastAPI and Litestar": (
        "wrapped:test_a_websocket_is_refused_in_the_applications_own_words",
    ),
}


def raw_response(body, headers, status=200):
    """Make a response with exactly these header lines."""
    response = Response(body, status)
    response.raw_headers[:] = headers
    return response


async def chunks(before_second):
    yield CHUNKS[0]
    await before_second()
    for chunk in CHUNKS[1:]:
        yield chunk


def shared(view):
    """Put an endpoint around a view that has no framework."""
    if view.is_sync:

        def endpoint(request: Request):
            reply = view.function(request.scope)
            return Response(reply.body, reply.status)
    else:

        async def endpoint(request: Request):
            reply = await view.function(request.scope)
            return Response(reply.body, reply.status)

    return endpoint


class Pages:
    """What shows the user."""

    def __init__(self, site):
        self.site = site

    async def shown(self, request):
        self.site.visit(request.scope)
        return Response(report(request.scope), media_type="application/json")

    def shown_sync(self, request):
        self.site.visit(request.scope)
        return Response(report(request.scope), media_type="application/json")

    async def meet(self, request):
        await self.site.meet()
        return Response(report(request.scope))

    def meet_sync(self, request):
        self.site.meet_sync()
        return Response(report(request.scope))

    async def keep_context(self, request):
        self.site.keep_context()
        return Response(PLAIN)

    def routes(self):
        return [
            Route("/public", self.shown, methods=["GET", "POST", "OPTIONS"]),
            Route("/public-sync", self.shown_sync),
            Route("/static/page", self.shown),
            Route("/staticadmin", self.shown),
            Route("/login", login_required(self.shown), methods=["GET", "POST"]),
            Route("/login-sync", login_required(self.shown_sync)),
            Route("/fresh", fresh_login_required(self.shown)),
            Route("/fresh-sync", fresh_login_required(self.shown_sync)),
            Route("/read", requires_scopes("read")(self.shown)),
            Route("/read-sync", requires_scopes("read")(self.shown_sync)),
            Route("/read-write", requires_scopes("read", "write")(self.shown)),
            Route("/web", login_required(manager="web")(self.shown)),
            Route("/web/fresh", fresh_login_required(manager="web")(self.shown)),
            Route("/web/read", requires_scopes("read", manager="web")(self.shown)),
            Route("/meet", self.meet),
            Route("/meet-sync", self.meet_sync),
            Route("/keep-context", self.keep_context),
            *(Route(view.path, shared(view), methods=view.methods) for view in views.Pages(self.site).logins()),
        ]

    def admin(self):
        pages = [
            Route(path, self.shown, methods=["GET", "POST", "OPTIONS"])
            for path in ("/page", "/help", "/help/more", "/helpdesk")
        ]
        sockets = Sockets(self.site)
        websockets = [
            WebSocketRoute("/ws", sockets.echo),
            WebSocketRoute("/ws/after-accept", sockets.after_accept_read),
        ]
        sub_application = Starlette(routes=[*pages, *websockets])
        return Mount("/admin", app=Gate(sub_application, scopes=["admin"], exempt=["/admin/help"]))


class Answers:
    """What the application says by itself."""

    def __init__(self, site):
        self.site = site

    async def plain(self, request):
        return raw_response(PLAIN, PLAIN_HEADERS)

    async def vary(self, request):
        return raw_response(PLAIN, [(b"vary", request.scope["query_string"])])

    async def cookies(self, request):
        return raw_response(PLAIN, COOKIE_LINES)

    async def stream(self, request):
        return StreamingResponse(chunks(anyio.lowlevel.checkpoint))

    async def stream_midway(self, request):
        return StreamingResponse(chunks(members_only))

    async def background(self, request):
        return Response(PLAIN, background=BackgroundTask(self.site.try_gate))

    async def own(self, request):
        status = request.path_params["status"]
        return raw_response(own_body(status), OWN_HEADERS, status)

    async def abort(self, request):
        raise HTTPException(request.path_params["status"], "aborted")

    def routes(self):
        return [
            Route("/plain", self.plain),
            Route("/vary", self.vary),
            Route("/cookies", self.cookies),
            Route("/stream", self.stream),
            Route("/stream-midway", self.stream_midway),
            Route("/background", self.background),
            Route("/own/{status:int}", self.own),
            Route("/abort/{status:int}", self.abort),
        ]


class Failures:
    """What goes on after a refusal, or fails by itself."""

    async def catches(self, request):
        return await self.answer_with(418)

    async def catches_unavailable(self, request):
        return await self.answer_with(503)

    async def answer_with(self, status):
        try:
            await members_only()
        except AuthError:
            return Response(CAUGHT, status)
        return Response(PLAIN)

    async def catches_and_fails(self, request):
        try:
            await members_only()
        except AuthError:
            raise OwnError from None
        return Response(PLAIN)

    def catches_and_fails_sync(self, request):
        try:
            readers_only()
        except AuthError as error:
            raise OwnError from error
        return Response(PLAIN)

    async def raises(self, request):
        raise OwnError

    def raises_sync(self, request):
        raise OwnError

    async def require(self, request):
        get_auth(request).require()
        return Response(report(request.scope))

    async def require_read(self, request):
        get_auth(request).require("read")
        return Response(report(request.scope))

    async def require_fresh(self, request):
        get_auth(request).require(fresh=True)
        return Response(report(request.scope))

    async def task_group(self, request):
        async with anyio.create_task_group() as group:
            group.start_soon(members_only)
        return Response(report(request.scope))

    async def task_group_crowd(self, request):
        async with anyio.create_task_group() as group:
            group.start_soon(members_only)
            group.start_soon(members_only)
        return Response(report(request.scope))

    def routes(self):
        return [
            Route("/catches", self.catches),
            Route("/catches-unavailable", self.catches_unavailable),
            Route("/catches-and-fails", self.catches_and_fails),
            Route("/catches-and-fails-sync", self.catches_and_fails_sync),
            Route("/raises", self.raises),
            Route("/raises-sync", self.raises_sync),
            Route("/require", self.require),
            Route("/require-read", self.require_read),
            Route("/require-fresh", self.require_fresh),
            Route("/task-group", self.task_group),
            Route("/task-group-crowd", self.task_group_crowd),
        ]


class Sockets:
    """Websockets; FastAPI's are the same."""

    def __init__(self, site):
        self.site = site

    async def answer_texts(self, websocket, gate=None):
        try:
            while True:
                text = await websocket.receive_text()
                if gate is not None:
                    await gate()
                await websocket.send_text(whoami(websocket.scope, text))
        except WebSocketDisconnect:
            pass

    async def echo(self, websocket: WebSocket):
        self.site.visit(websocket.scope)
        await websocket.accept()
        await self.answer_texts(websocket)

    async def after_accept(self, websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text("hello")
        await self.answer_texts(websocket, members_only)

    async def after_accept_read(self, websocket: WebSocket):
        async def gate():
            readers_only()

        await websocket.accept()
        await websocket.send_text("hello")
        await self.answer_texts(websocket, gate)

    async def require(self, websocket: WebSocket):
        async def by_hand():
            get_auth(websocket).require()

        await websocket.accept()
        await self.answer_texts(websocket, by_hand)

    async def own_close(self, websocket: WebSocket):
        await websocket.close(4000)

    async def catches(self, websocket: WebSocket):
        try:
            await members_only()
        except AuthError:
            await websocket.accept()
            await websocket.send_text("please log in")
            await websocket.close(4000)

    async def catches_and_fails(self, websocket: WebSocket):
        try:
            await members_only()
        except AuthError:
            raise OwnError from None

    async def raises(self, websocket: WebSocket):
        raise OwnError

    async def raises_after_accept(self, websocket: WebSocket):
        await websocket.accept()
        raise OwnError

    def endpoints(self):
        return {
            "/ws/echo": self.echo,
            "/ws/login": login_required(self.echo),
            "/ws/read": requires_scopes("read")(self.echo),
            "/ws/after-accept": self.after_accept,
            "/ws/after-accept-read": self.after_accept_read,
            "/ws/require": self.require,
            "/ws/own-close": self.own_close,
            "/ws/catches": self.catches,
            "/ws/catches-and-fails": self.catches_and_fails,
            "/ws/raises": self.raises,
            "/ws/raises-after-accept": self.raises_after_accept,
        }


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
    pages = Pages(site)
    websockets = [WebSocketRoute(path, endpoint) for path, endpoint in Sockets(site).endpoints().items()]
    routes = [*pages.routes(), *Answers(site).routes(), *Failures().routes(), *websockets, pages.admin()]
    app = Starlette(routes=routes, exception_handlers=OWN_HANDLERS, lifespan=lifespan)
    if site.in_another_task:
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_through)
    if site.mount == "native":
        install(app, site.managers, skip=site.skip, websocket_denial=site.websocket_denial)
    return AuthMiddleware(app, site.managers, skip=site.skip) if site.mount == "wrapped" else app


FRAMEWORK = Framework(name="starlette", build=build, trace="endpoint", cannot=CANNOT, differs=DIFFERS)
