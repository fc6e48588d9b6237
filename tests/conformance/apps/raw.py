"""A bare ASGI callable: no framework, and so nobody but the middleware knows AuthError."""

import anyio
import anyio.lowlevel
from conformance import views
from conformance.contract import (
    PLAIN,
    PLEASE,
    Framework,
    LogInFirstError,
    NotYoursError,
    Site,
)


async def respond(send, body, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def handler(view):
    """Put a callable of the scope and `send` around a view."""
    if view.is_sync:
        page = view.gate(view.function)

        async def shown(scope, send):
            reply = await anyio.to_thread.run_sync(page, scope)
            await respond(send, reply.body, reply.status, reply.headers)

        return shown

    async def shown(scope, send):
        reply = await view.function(scope)
        await respond(send, reply.body, reply.status, reply.headers)

    return view.gate(shown)


class Own:
    """What takes more than one reply."""

    def __init__(self, site):
        self.site = site

    async def chunks(self, send, chunks):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def stream(self, scope, send):
        await self.chunks(send, views.stream())

    async def stream_midway(self, scope, send):
        await self.chunks(send, views.stream_midway())

    async def background(self, scope, send):
        await respond(send, PLAIN)
        await self.site.try_gate()

    async def abort(self, scope, send):
        await respond(send, b"aborted", int(scope["path"].rpartition("/")[2]))

    def views(self):
        return {
            "/stream": self.stream,
            "/stream-midway": self.stream_midway,
            "/background": self.background,
            **{f"/abort/{status}": self.abort for status in views.ABORTS},
        }


class Socket:
    """The two ends of a websocket."""

    def __init__(self, scope, receive, send):
        self.scope = scope
        self._receive = receive
        self._send = send

    async def accept(self):
        assert (await self._receive())["type"] == "websocket.connect"
        await self._send({"type": "websocket.accept"})

    async def receive(self):
        message = await self._receive()
        if message["type"] != "websocket.receive":
            raise views.HungUpError
        return message["text"]

    async def send(self, text):
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code):
        await self._send({"type": "websocket.close", "code": code})


def socket_handler(view):
    async def talk(scope, receive, send):
        await view.function(Socket(scope, receive, send))

    return view.gate(talk)


class Application:
    """Finds the view, and answers the exceptions that it has asked for."""

    def __init__(self, site):
        self.site = site
        self.http = {view.path: handler(view) for view in views.all_views(site)} | Own(site).views()
        self.behind = {view.path: handler(view) for view in views.Pages(site).gated()}
        sockets = views.Sockets(site)
        self.websockets = {view.path: socket_handler(view) for view in (*sockets.views(), *sockets.gated())}
        self.gates = views.gates(self.behind_a_gate, self.behind_a_gate)

    async def behind_a_gate(self, scope, receive, send):
        if scope["type"] == "websocket":
            await self.websockets[scope["path"]](scope, receive, send)
        else:
            await self.behind[scope["path"]](scope, send)

    async def find(self, scope, receive, send):
        scope["route"] = path = scope["path"]
        if gate := self.gates.get(views.first_segment(path)):
            await gate(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.websockets[path](scope, receive, send)
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
    return app if site.mount == "bare" else site.wrap(app)


DIFFERS = {
    "Only the adapters of Starlette, FastAPI and Litestar have websocket_denial": (
        "test_a_websocket_is_refused_in_the_applications_own_words",
    ),
    "There is no framework that could answer OPTIONS": (
        "test_an_answer_to_options_that_the_framework_makes_is_that_of_a_view_without_a_gate",
    ),
}

FRAMEWORK = Framework(name="raw", build=build, mounts=("wrapped",), trace="route", differs=DIFFERS, communicated=True)
