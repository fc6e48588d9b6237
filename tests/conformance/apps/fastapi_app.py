"""FastAPI: path operations behind the decorators, with their parameters injected."""

from __future__ import annotations

from typing import Annotated

import anyio
import anyio.lowlevel
from conformance import views
from conformance.apps.starlette_app import (
    CANNOT,
    DIFFERS,
    OWN_HANDLERS,
    Sockets,
    chunks,
    lifespan,
    pass_through,
    raw_response,
    shared,
)
from conformance.contract import (
    CAUGHT,
    COOKIE_LINES,
    OWN_HEADERS,
    PLAIN,
    PLAIN_HEADERS,
    Framework,
    OwnError,
    Site,
    members_only,
    own_body,
    readers_only,
    report,
)
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

from asgi_login import (
    AuthError,
    AuthMiddleware,
    Gate,
    fresh_login_required,
    get_auth,
    login_required,
    requires_scopes,
)
from asgi_login.fastapi import install


def scope_of(request: Request):
    return request.scope


# The pages get their scope through a dependency, and name it by an annotation that is a string at run time.
PageScope = Annotated[dict, Depends(scope_of)]


class Pages:
    """What shows the user."""

    def __init__(self, site):
        self.site = site

    async def shown(self, scope: PageScope):
        self.site.visit(scope)
        return Response(report(scope), media_type="application/json")

    def shown_sync(self, scope: PageScope):
        self.site.visit(scope)
        return Response(report(scope), media_type="application/json")

    async def meet(self, scope: PageScope):
        await self.site.meet()
        return Response(report(scope))

    def meet_sync(self, scope: PageScope):
        self.site.meet_sync()
        return Response(report(scope))

    async def keep_context(self):
        self.site.keep_context()
        return Response(PLAIN)

    def add_to(self, app):
        app.api_route("/public", methods=["GET", "HEAD", "POST", "OPTIONS"])(self.shown)
        app.get("/public-sync")(self.shown_sync)
        app.get("/static/page")(self.shown)
        app.get("/staticadmin")(self.shown)
        app.api_route("/login", methods=["GET", "POST"])(login_required(self.shown))
        app.get("/login-sync")(login_required(self.shown_sync))
        app.get("/fresh")(fresh_login_required(self.shown))
        app.get("/fresh-sync")(fresh_login_required(self.shown_sync))
        app.api_route("/read", methods=["GET", "HEAD"])(requires_scopes("read")(self.shown))
        app.get("/read-sync")(requires_scopes("read")(self.shown_sync))
        app.get("/read-write")(requires_scopes("read", "write")(self.shown))
        app.get("/web")(login_required(manager="web")(self.shown))
        app.get("/web/fresh")(fresh_login_required(manager="web")(self.shown))
        app.get("/web/read")(requires_scopes("read", manager="web")(self.shown))
        app.get("/meet")(self.meet)
        app.get("/meet-sync")(self.meet_sync)
        app.get("/keep-context")(self.keep_context)
        for view in views.Pages(self.site).logins():
            app.post(view.path)(shared(view))

    def admin(self):
        sub_application = FastAPI(openapi_url=None)
        for path in ("/page", "/help", "/help/more", "/helpdesk"):
            sub_application.api_route(path, methods=["GET", "POST", "OPTIONS"])(self.shown)
        sockets = Sockets(self.site)
        sub_application.websocket("/ws")(sockets.echo)
        sub_application.websocket("/ws/after-accept")(sockets.after_accept_read)
        return Gate(sub_application, scopes=["admin"], exempt=["/admin/help"])


class Answers:
    """What the application says by itself."""

    def __init__(self, site):
        self.site = site

    async def plain(self):
        return raw_response(PLAIN, PLAIN_HEADERS)

    async def vary(self, scope: PageScope):
        return raw_response(PLAIN, [(b"vary", scope["query_string"])])

    async def cookies(self):
        return raw_response(PLAIN, COOKIE_LINES)

    async def stream(self):
        return StreamingResponse(chunks(anyio.lowlevel.checkpoint))

    async def stream_midway(self):
        return StreamingResponse(chunks(members_only))

    async def background(self, tasks: BackgroundTasks):
        tasks.add_task(self.site.try_gate)
        return Response(PLAIN)

    async def own(self, status: int):
        return raw_response(own_body(status), OWN_HEADERS, status)

    async def abort(self, status: int):
        raise HTTPException(status, "aborted")

    def add_to(self, app):
        app.get("/plain")(self.plain)
        app.get("/vary")(self.vary)
        app.get("/cookies")(self.cookies)
        app.get("/stream")(self.stream)
        app.get("/stream-midway")(self.stream_midway)
        app.get("/background")(self.background)
        app.get("/own/{status}")(self.own)
        app.get("/abort/{status}")(self.abort)


class Failures:
    """What goes on after a refusal, or fails by itself."""

    async def catches(self):
        return await self.answer_with(418)

    async def catches_unavailable(self):
        return await self.answer_with(503)

    async def answer_with(self, status):
        try:
            await members_only()
        except AuthError:
            return Response(CAUGHT, status)
        return Response(PLAIN)

    async def catches_and_fails(self):
        try:
            await members_only()
        except AuthError:
            raise OwnError from None
        return Response(PLAIN)

    def catches_and_fails_sync(self):
        try:
            readers_only()
        except AuthError as error:
            raise OwnError from error
        return Response(PLAIN)

    async def raises(self):
        raise OwnError

    def raises_sync(self):
        raise OwnError

    async def require(self, request: Request):
        get_auth(request).require()
        return Response(report(request.scope))

    async def require_read(self, request: Request):
        get_auth(request).require("read")
        return Response(report(request.scope))

    async def require_fresh(self, request: Request):
        get_auth(request).require(fresh=True)
        return Response(report(request.scope))

    async def task_group(self, scope: PageScope):
        async with anyio.create_task_group() as group:
            group.start_soon(members_only)
        return Response(report(scope))

    async def task_group_crowd(self, scope: PageScope):
        async with anyio.create_task_group() as group:
            group.start_soon(members_only)
            group.start_soon(members_only)
        return Response(report(scope))

    def add_to(self, app):
        app.get("/catches")(self.catches)
        app.get("/catches-unavailable")(self.catches_unavailable)
        app.get("/catches-and-fails")(self.catches_and_fails)
        app.get("/catches-and-fails-sync")(self.catches_and_fails_sync)
        app.get("/raises")(self.raises)
        app.get("/raises-sync")(self.raises_sync)
        app.get("/require")(self.require)
        app.get("/require-read")(self.require_read)
        app.get("/require-fresh")(self.require_fresh)
        app.get("/task-group")(self.task_group)
        app.get("/task-group-crowd")(self.task_group_crowd)


def build(site: Site):
    app = FastAPI(openapi_url=None, exception_handlers=OWN_HANDLERS, lifespan=lifespan)
    pages = Pages(site)
    for part in (pages, Answers(site), Failures()):
        part.add_to(app)
    for path, endpoint in Sockets(site).endpoints().items():
        app.websocket(path)(endpoint)
    app.mount("/admin", pages.admin())
    if site.in_another_task:
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_through)
    if site.mount == "native":
        install(app, site.managers, skip=site.skip, websocket_denial=site.websocket_denial)
    return AuthMiddleware(app, site.managers, skip=site.skip) if site.mount == "wrapped" else app


FRAMEWORK = Framework(name="fastapi", build=build, trace="route", cannot=CANNOT, differs=DIFFERS)
