"""BlackSheep: handlers whose parameters it binds, and no `install`."""

import asyncio

from blacksheep import Application, Content, HTTPException, Request, Response, StreamedContent, WebSocket
from blacksheep.server.routing import Router
from blacksheep.server.websocket import WebSocketDisconnectError
from conformance.contract import PLEASE, Framework, LogInFirstError, NotYoursError, Site
from conformance.differences import ANSWERS_500_ITSELF, NO_MARK_OF_REQUIRE
from conformance.views import (
    ABORTS,
    EnoughThreads,
    Gated,
    HungUpError,
    InAnotherTask,
    Pages,
    Sockets,
    all_views,
    stream,
    stream_midway,
)


def respond(reply):
    headers = dict(reply.headers)
    kind = headers.pop(b"content-type", b"text/plain")
    rest = [(name, value) for name, value in reply.headers if name != b"content-type"]
    return Response(reply.status, rest, Content(kind, reply.body))


def handler(view):
    if view.path == "/meet-sync":

        async def page(request: Request):
            # BlackSheep runs plain handlers on the event loop, where none can wait for another.
            return respond(await asyncio.to_thread(view.function, request.scope))
    elif view.is_sync:

        def page(request: Request):
            return respond(view.function(request.scope))
    else:

        async def page(request: Request):
            return respond(await view.function(request.scope))

    return view.gate(page)


class Socket:
    """BlackSheep's websocket, which raises where the client has gone away."""

    def __init__(self, websocket):
        self.scope = websocket.scope
        self.websocket = websocket

    async def accept(self):
        await self.websocket.accept()

    async def receive(self):
        try:
            return await self.websocket.receive_text()
        except WebSocketDisconnectError:
            raise HungUpError from None

    async def send(self, text):
        await self.websocket.send_text(text)

    async def close(self, code):
        await self.websocket.close(code)


def socket_handler(view):
    async def talk(websocket: WebSocket):
        await view.function(Socket(websocket))

    return view.gate(talk)


async def streamed():
    return Response(200, content=StreamedContent(b"text/plain", stream))


async def streamed_midway():
    return Response(200, content=StreamedContent(b"text/plain", stream_midway))


async def abort(status: int):
    assert status in ABORTS
    raise HTTPException(status, "aborted")


async def answer_own(app, request, problem):
    if isinstance(request, WebSocket):
        await request.close(4999)
        return None
    return respond_with(418 if isinstance(problem, LogInFirstError) else 451)


def respond_with(status):
    return Response(status, content=Content(b"text/plain", PLEASE))


class Started:
    """Starts an application at its first connection; each lifespan gets one of its own: a start wraps handlers anew."""

    def __init__(self, make):
        self.make = make
        self.app = make()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.make()(scope, receive, send)
            return
        if not self.app.started:
            await self.app.start()
        await self.app(scope, receive, send)


def application(site: Site):
    app = Application(router=Router())
    for view in (*all_views(site), *Pages(site).automatic(), *Pages(site).gated()):
        for method in view.methods:
            app.router.add(method, view.path, handler(view))
    for view in (*Sockets(site).views(), *Sockets(site).gated()):
        app.router.add_ws(view.path, socket_handler(view))
    app.router.add_get("/stream", streamed)
    app.router.add_get("/stream-midway", streamed_midway)
    app.router.add_get("/abort/{int:status}", abort)
    app.exceptions_handlers[LogInFirstError] = answer_own
    app.exceptions_handlers[NotYoursError] = answer_own
    return app


def build(site: Site):
    started = Started(lambda: application(site))
    wrapped = EnoughThreads(Gated(InAnotherTask(started) if site.in_another_task else started))
    return wrapped if site.mount == "bare" else site.wrap(wrapped)


DIFFERS = {
    **ANSWERS_500_ITSELF,
    **NO_MARK_OF_REQUIRE,
    "The framework has no background tasks that belong to a response": (
        "test_a_gate_in_a_background_task_is_a_mistake_and_no_refusal headers0",
        "test_a_gate_in_a_background_task_is_a_mistake_and_no_refusal headers1",
    ),
    "The framework does not support lifespan state": ("test_state_that_is_the_one_of_the_lifespan_is_copied_first",),
    "The framework refuses an unknown scope type with its own exception, with or without us": (
        "test_another_kind_of_scope_passes_untouched",
    ),
    "The framework sends its 500 after its except block, so a failure after a caught refusal looks like the refusal": (
        "test_a_view_that_breaks_after_a_refusal_that_it_caught_is_a_500 /catches-and-fails",
        "test_a_view_that_breaks_after_a_refusal_that_it_caught_is_a_500 /catches-and-fails-sync",
    ),
    "Only the adapters of Starlette, FastAPI and Litestar have websocket_denial": (
        "test_a_websocket_is_refused_in_the_applications_own_words",
    ),
    "The framework calls exception handlers for HTTP only": (
        "test_the_applications_exceptions_are_raised_in_place_of_ours",
    ),
    "The framework closes the websocket after an exception itself, and hides the exception from outer middleware": (
        "test_its_own_exception_passes_through /ws/raises",
        "test_its_own_exception_passes_through /ws/catches-and-fails",
        "test_its_own_exception_passes_through_after_the_accept",
    ),
}

FRAMEWORK = Framework(
    name="blacksheep", build=build, backends=("asyncio",), mounts=("wrapped",), trace="route", differs=DIFFERS
)
