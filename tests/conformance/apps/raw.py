"""A bare ASGI callable: no framework, and so nobody but the middleware knows AuthError."""

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

from asgi_login import (
    AuthError,
    AuthMiddleware,
    Gate,
    fresh_login_required,
    get_auth,
    login_required,
    requires_scopes,
)


async def respond(send, body, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


class Pages:
    """What shows the user."""

    def __init__(self, site):
        self.site = site

    async def shown(self, scope, send):
        self.site.visit(scope)
        await respond(send, report(scope), headers=[(b"content-type", b"application/json")])

    def in_thread(self, gate):
        @gate
        def page(scope):
            self.site.visit(scope)
            return report(scope)

        async def shown(scope, send):
            await respond(send, await anyio.to_thread.run_sync(page, scope))

        return shown

    async def meet(self, scope, send):
        await self.site.meet()
        await self.shown(scope, send)

    async def meet_sync(self, scope, send):
        await anyio.to_thread.run_sync(self.site.meet_sync)
        await self.shown(scope, send)

    def shared(self, view):
        async def shown(scope, send):
            if view.is_sync:
                reply = await anyio.to_thread.run_sync(view.function, scope)
            else:
                reply = await view.function(scope)
            await respond(send, reply.body, reply.status, reply.headers)

        return shown

    async def keep_context(self, scope, send):
        self.site.keep_context()
        await respond(send, PLAIN)

    def views(self):
        return {
            "/public": self.shown,
            "/public-sync": self.shown,
            "/static/page": self.shown,
            "/staticadmin": self.shown,
            "/login": login_required(self.shown),
            "/login-sync": self.in_thread(login_required),
            "/fresh": fresh_login_required(self.shown),
            "/fresh-sync": self.in_thread(fresh_login_required),
            "/read": requires_scopes("read")(self.shown),
            "/read-sync": self.in_thread(requires_scopes("read")),
            "/read-write": requires_scopes("read", "write")(self.shown),
            "/web": login_required(manager="web")(self.shown),
            "/web/fresh": fresh_login_required(manager="web")(self.shown),
            "/web/read": requires_scopes("read", manager="web")(self.shown),
            "/meet": self.meet,
            "/meet-sync": self.meet_sync,
            "/keep-context": self.keep_context,
            **{view.path: self.shared(view) for view in views.Pages(self.site).logins()},
        }


class Answers:
    """What the application says by itself."""

    def __init__(self, site):
        self.site = site

    async def plain(self, scope, send):
        await respond(send, PLAIN, headers=PLAIN_HEADERS)

    async def vary(self, scope, send):
        await respond(send, PLAIN, headers=[(b"vary", scope["query_string"])])

    async def cookies(self, scope, send):
        await respond(send, PLAIN, headers=COOKIE_LINES)

    async def chunks(self, send, before_second):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": CHUNKS[0], "more_body": True})
        await before_second()
        for chunk in CHUNKS[1:]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def stream(self, scope, send):
        await self.chunks(send, anyio.lowlevel.checkpoint)

    async def stream_midway(self, scope, send):
        await self.chunks(send, members_only)

    async def background(self, scope, send):
        await respond(send, PLAIN)
        await self.site.try_gate()

    async def own(self, scope, send):
        status = int(scope["path"].rpartition("/")[2])
        await respond(send, own_body(status), status, OWN_HEADERS)

    async def abort(self, scope, send):
        await respond(send, b"aborted", int(scope["path"].rpartition("/")[2]))

    def views(self):
        return {
            "/plain": self.plain,
            "/vary": self.vary,
            "/cookies": self.cookies,
            "/stream": self.stream,
            "/stream-midway": self.stream_midway,
            "/background": self.background,
            "/own": self.own,
            "/abort": self.abort,
        }


class Failures:
    """What goes on after a refusal, or fails by itself."""

    async def catches(self, scope, send):
        await self.answer_with(send, 418)

    async def catches_unavailable(self, scope, send):
        await self.answer_with(send, 503)

    async def answer_with(self, send, status):
        try:
            await members_only()
        except AuthError:
            await respond(send, CAUGHT, status)
        else:
            await respond(send, PLAIN)

    async def catches_and_fails(self, scope, send):
        try:
            await members_only()
        except AuthError:
            raise OwnError from None
        await respond(send, PLAIN)

    async def catches_and_fails_sync(self, scope, send):
        try:
            await anyio.to_thread.run_sync(readers_only)
        except AuthError as error:
            raise OwnError from error
        await respond(send, PLAIN)

    async def raises(self, scope, send):
        raise OwnError

    async def raises_sync(self, scope, send):
        def fail():
            raise OwnError

        await anyio.to_thread.run_sync(fail)

    async def require(self, scope, send):
        get_auth(scope).require()
        await respond(send, report(scope))

    async def require_read(self, scope, send):
        get_auth(scope).require("read")
        await respond(send, report(scope))

    async def require_fresh(self, scope, send):
        get_auth(scope).require(fresh=True)
        await respond(send, report(scope))

    async def task_group(self, scope, send):
        async with anyio.create_task_group() as group:
            group.start_soon(members_only)
        await respond(send, report(scope))

    async def task_group_crowd(self, scope, send):
        async with anyio.create_task_group() as group:
            group.start_soon(members_only)
            group.start_soon(members_only)
        await respond(send, report(scope))

    def views(self):
        return {
            "/catches": self.catches,
            "/catches-unavailable": self.catches_unavailable,
            "/catches-and-fails": self.catches_and_fails,
            "/catches-and-fails-sync": self.catches_and_fails_sync,
            "/raises": self.raises,
            "/raises-sync": self.raises_sync,
            "/require": self.require,
            "/require-read": self.require_read,
            "/require-fresh": self.require_fresh,
            "/task-group": self.task_group,
            "/task-group-crowd": self.task_group_crowd,
        }


class Sockets:
    """Websockets."""

    def __init__(self, site):
        self.site = site

    async def accept(self, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})

    async def answer_texts(self, scope, receive, send, gate=None):
        while (message := await receive())["type"] == "websocket.receive":
            if gate is not None:
                await gate()
            await send({"type": "websocket.send", "text": whoami(scope, message["text"])})

    async def echo(self, scope, receive, send):
        self.site.visit(scope)
        await self.accept(receive, send)
        await self.answer_texts(scope, receive, send)

    async def after_accept(self, scope, receive, send):
        await self.accept(receive, send)
        await send({"type": "websocket.send", "text": "hello"})
        await self.answer_texts(scope, receive, send, members_only)

    async def after_accept_read(self, scope, receive, send):
        async def gate():
            readers_only()

        await self.accept(receive, send)
        await send({"type": "websocket.send", "text": "hello"})
        await self.answer_texts(scope, receive, send, gate)

    async def require(self, scope, receive, send):
        async def by_hand():
            get_auth(scope).require()

        await self.accept(receive, send)
        await self.answer_texts(scope, receive, send, by_hand)

    async def own_close(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.close", "code": 4000})

    async def catches(self, scope, receive, send):
        try:
            await members_only()
        except AuthError:
            await self.accept(receive, send)
            await send({"type": "websocket.send", "text": "please log in"})
            await send({"type": "websocket.close", "code": 4000})

    async def catches_and_fails(self, scope, receive, send):
        try:
            await members_only()
        except AuthError:
            raise OwnError from None

    async def raises(self, scope, receive, send):
        raise OwnError

    async def raises_after_accept(self, scope, receive, send):
        await self.accept(receive, send)
        raise OwnError

    def views(self):
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


class Application:
    """Finds the view, and answers the exceptions that it has asked for."""

    def __init__(self, site):
        self.site = site
        self.pages = Pages(site)
        self.sockets = Sockets(site)
        self.http = {**self.pages.views(), **Answers(site).views(), **Failures().views()}
        self.websockets = self.sockets.views()
        self.admin = Gate(self.behind_the_gate, scopes=["admin"], exempt=["/admin/help"])

    async def behind_the_gate(self, scope, receive, send):
        if scope["type"] == "websocket":
            sockets = {"/admin/ws": self.sockets.echo, "/admin/ws/after-accept": self.sockets.after_accept_read}
            await sockets[scope["path"]](scope, receive, send)
        else:
            await self.pages.shown(scope, send)

    async def find(self, scope, receive, send):
        scope["route"] = path = scope["path"]
        if path.startswith("/admin/"):
            await self.admin(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.websockets[path](scope, receive, send)
        elif path.startswith(("/own/", "/abort/")):
            await self.http[path.rpartition("/")[0]](scope, send)
        elif path in self.http:
            await self.http[path](scope, send)
        else:
            await respond(send, b"no such page", 404)

    async def answer_own(self, scope, receive, send):
        try:
            await self.find(scope, receive, send)
        except (LogInFirstError, NotYoursError) as problem:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 4999})
            else:
                await respond(send, PLEASE, 418 if isinstance(problem, LogInFirstError) else 451)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
        elif self.site.in_another_task:
            async with anyio.create_task_group() as group:
                group.start_soon(self.answer_own, scope, receive, send)
        else:
            await self.answer_own(scope, receive, send)


async def lifespan(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    scope.get("state", {})["pool"] = "shared"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    await send({"type": "lifespan.shutdown.complete"})


def build(site: Site):
    app = Application(site)
    return app if site.mount == "bare" else AuthMiddleware(app, site.managers, skip=site.skip)


DIFFERS = {
    "websocket_denial is for the adapters of Starlette, FastAPI and Litestar": (
        "test_a_websocket_is_refused_in_the_applications_own_words",
    ),
}

FRAMEWORK = Framework(name="raw", build=build, mounts=("wrapped",), trace="route", differs=DIFFERS)
