"""FastAPI: path operations behind the decorators, with their parameters injected."""

from __future__ import annotations

from typing import Annotated

from conformance import views
from conformance.apps.starlette_app import (
    CANNOT,
    DIFFERS,
    OWN_HANDLERS,
    below,
    endpoint,
    lifespan,
    pass_through,
    socket_endpoint,
)
from conformance.contract import (
    PLAIN,
    Framework,
    Site,
    report,
)
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

from asgi_login import (
    fresh_login_required,
    login_required,
    requires,
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
        app.get("/editors")(requires(views.is_editor)(self.shown))
        app.get("/editors-sync")(requires(views.is_editor)(self.shown_sync))
        app.get("/editors/asked")(requires(views.asked_editor)(self.shown))
        app.get("/read-write")(requires_scopes("read", "write")(self.shown))
        app.api_route("/options/own", methods=["GET", "OPTIONS"])(login_required(self.shown))
        app.get("/options/automatic")(login_required(self.shown))
        app.get("/options/open")(self.shown)
        app.get("/web")(login_required(manager="web")(self.shown))
        app.get("/web/fresh")(fresh_login_required(manager="web")(self.shown))
        app.get("/web/read")(requires_scopes("read", manager="web")(self.shown))
        app.get("/meet")(self.meet)
        app.get("/meet-sync")(self.meet_sync)
        app.get("/keep-context")(self.keep_context)
        shared = (*views.Pages(self.site).logins(), *views.Answers().views(), *views.Failures().views())
        for view in shared:
            app.api_route(view.path, methods=view.methods)(endpoint(view))

    def gated(self):
        admin, bank = FastAPI(openapi_url=None), FastAPI(openapi_url=None)
        for path in ("/page", "/help", "/help/more", "/helpdesk"):
            admin.api_route(path, methods=["GET", "POST", "OPTIONS"])(self.shown)
        for view in below("/admin", views.Sockets(self.site).gated()):
            admin.websocket(view.path)(socket_endpoint(view))
        bank.get("/page")(self.shown)
        return views.gates(admin, bank)


class Own:
    """What FastAPI has words of its own for."""

    def __init__(self, site):
        self.site = site

    async def stream(self):
        return StreamingResponse(views.stream())

    async def stream_midway(self):
        return StreamingResponse(views.stream_midway())

    async def background(self, tasks: BackgroundTasks):
        tasks.add_task(self.site.try_gate)
        return Response(PLAIN)

    async def abort(self, status: int):
        raise HTTPException(status, "aborted")

    def add_to(self, app):
        app.get("/stream")(self.stream)
        app.get("/stream-midway")(self.stream_midway)
        app.get("/background")(self.background)
        app.get("/abort/{status}")(self.abort)


def build(site: Site):
    app = FastAPI(openapi_url=None, exception_handlers=OWN_HANDLERS, lifespan=lifespan)
    pages = Pages(site)
    for part in (pages, Own(site)):
        part.add_to(app)
    for view in views.Sockets(site).views():
        app.websocket(view.path)(socket_endpoint(view))
    for path, gate in pages.gated().items():
        app.mount(path, gate)
    if site.in_another_task:
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_through)
    if site.mount == "native":
        install(app, site.managers, **site.settings, endpoints=site.endpoints, websocket_denial=site.websocket_denial)
    return site.wrap(app) if site.mount == "wrapped" else app


FRAMEWORK = Framework(name="fastapi", build=build, trace="route", cannot=CANNOT, differs=DIFFERS)
