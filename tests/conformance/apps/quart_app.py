"""Quart: views without parameters, that reach the request through its own context."""

from conformance.contract import PLAIN, PLEASE, Framework, LogInFirstError, NotYoursError, Site
from conformance.differences import ANSWERS_500_ITSELF
from conformance.views import ABORTS, EnoughThreads, Gated, Pages, Sockets, all_views, stream, stream_midway
from quart import Quart, Response, abort, has_websocket_context, request, websocket
from quart.views import MethodView

from asgi_login.quart import install


def respond(reply):
    response = Response(reply.body, reply.status)
    for name, value in reply.text_headers:
        if name != "set-cookie":
            response.headers.pop(name, None)
        response.headers.add(name, value)
    return response


def handler(view):
    if view.is_sync:

        def page():
            return respond(view.function(request.scope))
    else:

        async def page():
            return respond(await view.function(request.scope))

    return view.gate(page)


def class_based_view(view):
    class Page(MethodView):
        decorators = (view.gate,)

        async def get(self):
            return respond(await view.function(request.scope))

    return Page.as_view(view.name)


class Socket:
    """Quart's websocket of the current context."""

    @property
    def scope(self):
        return websocket.scope

    async def accept(self):
        await websocket.accept()

    async def receive(self):
        return await websocket.receive()

    async def send(self, text):
        await websocket.send(text)

    async def close(self, code):
        await websocket.close(code)


def socket_handler(view):
    async def talk():
        await view.function(Socket())

    return view.gate(talk)


def add_own(app, site):
    @app.get("/stream")
    async def streamed():
        return stream()

    @app.get("/stream-midway")
    async def streamed_midway():
        return stream_midway()

    @app.get("/background")
    async def background():
        app.add_background_task(site.try_gate)
        return PLAIN

    @app.get("/abort/<int:status>")
    async def aborted(status):
        assert status in ABORTS
        abort(status)

    @app.errorhandler(LogInFirstError)
    @app.errorhandler(NotYoursError)
    async def answer_own(problem):
        if has_websocket_context():
            await websocket.close(4999)
            return None
        return Response(PLEASE, 418 if isinstance(problem, LogInFirstError) else 451)


def build(site: Site):
    app = Quart(__name__)
    for view in (*all_views(site), *Pages(site).gated()):
        app.add_url_rule(view.path, view.path, handler(view), methods=view.methods, provide_automatic_options=False)
    for view in Pages(site).automatic():
        app.add_url_rule(view.path, view_func=class_based_view(view))
    for view in (*Sockets(site).views(), *Sockets(site).gated()):
        app.add_websocket(view.path, view.path, socket_handler(view))
    add_own(app, site)
    app.asgi_app = EnoughThreads(Gated(app.asgi_app))
    if site.mount == "native":
        install(app, site.managers, **site.settings, endpoints=site.endpoints)
    return site.wrap(app) if site.mount == "wrapped" else app


DIFFERS = {
    **ANSWERS_500_ITSELF,
    "The framework sends the body in two messages; the bytes are the same": (
        "native:test_the_whole_answer_is_that_of_a_bare_application /login",
        "native:test_the_whole_answer_is_that_of_a_bare_application /login-sync",
        "native:test_the_whole_answer_is_that_of_a_bare_application /fresh",
        "native:test_the_whole_answer_is_that_of_a_bare_application /fresh-sync",
        "native:test_the_whole_answer_is_that_of_a_bare_application /read",
        "native:test_the_whole_answer_is_that_of_a_bare_application /read-sync",
        "native:test_the_whole_answer_is_that_of_a_bare_application /read-write",
        "native:test_the_whole_answer_is_that_of_a_bare_application /ws/login",
        "native:test_the_whole_answer_is_that_of_a_bare_application /ws/read",
        "native:test_the_answer_is_that_of_http_where_the_server_offers_it headers0-/ws/login",
        "native:test_the_answer_is_that_of_http_where_the_server_offers_it headers0-/ws/read",
        "native:test_the_answer_is_that_of_http_where_the_server_offers_it headers1-/ws/login",
        "native:test_the_answer_is_that_of_http_where_the_server_offers_it headers1-/ws/read",
        "native:test_the_answer_is_that_of_http_where_the_server_offers_it headers2-/ws/login",
        "native:test_the_answer_is_that_of_http_where_the_server_offers_it headers2-/ws/read",
        "native:test_the_answer_is_that_of_http_where_the_server_offers_it headers3-/ws/login",
        "native:test_the_answer_is_that_of_http_where_the_server_offers_it headers3-/ws/read",
        "native:test_of_nested_middlewares_the_inner_one_decides /ws/login",
        "native:test_of_nested_middlewares_the_inner_one_decides /ws/read",
    ),
    "A direct call of require() leaves no mark, and the framework answers or closes before we see the exception": (
        "wrapped:test_require_by_hand_is_answered_where_the_error_is_known /require-answer0",
        "wrapped:test_require_by_hand_is_answered_where_the_error_is_known /require-read-answer1",
        "wrapped:test_require_by_hand_is_answered_where_the_error_is_known /require-fresh-answer2",
        "wrapped:test_it_is_closed_with_4401 headers0-extensions0-/ws/require",
        "wrapped:test_it_is_closed_with_4401 headers1-extensions1-/ws/require",
        "wrapped:test_it_is_closed_with_4401 headers2-extensions2-/ws/require",
        "wrapped:test_it_is_closed_with_4401 headers3-extensions3-/ws/require",
        "wrapped:test_a_token_that_expires_meanwhile_ends_the_conversation bearer-/ws/require",
        "wrapped:test_a_token_that_expires_meanwhile_ends_the_conversation cookie-/ws/require",
    ),
    "The framework starts background tasks while it still handles the request": (
        "test_a_gate_in_a_background_task_is_a_mistake_and_no_refusal headers0",
        "test_a_gate_in_a_background_task_is_a_mistake_and_no_refusal headers1",
    ),
    "The framework does not support lifespan state": ("test_state_that_is_the_one_of_the_lifespan_is_copied_first",),
    "The framework refuses an unknown scope type with its own exception, with or without us": (
        "test_another_kind_of_scope_passes_untouched",
    ),
    "The framework needs a scheme in the scope": (
        "test_keys_that_servers_leave_out_may_be_missing",
        "test_what_servers_leave_out_may_be_missing",
    ),
    "The framework reads the request before any view, but Gate answers before that": (
        "test_receive_is_not_called_by_us /admin/page",
    ),
    "The framework sends its 500 after its except block, so a failure after a caught refusal looks like the refusal": (
        "wrapped:test_a_view_that_breaks_after_a_refusal_that_it_caught_is_a_500 /catches-and-fails",
        "wrapped:test_a_view_that_breaks_after_a_refusal_that_it_caught_is_a_500 /catches-and-fails-sync",
    ),
    "Only the adapters of Starlette, FastAPI and Litestar have websocket_denial": (
        "test_a_websocket_is_refused_in_the_applications_own_words",
    ),
    "The framework closes the websocket after an exception itself, and hides the exception from outer middleware": (
        "test_its_own_exception_passes_through /ws/raises",
        "test_its_own_exception_passes_through /ws/catches-and-fails",
        "test_its_own_exception_passes_through_after_the_accept",
    ),
}

FRAMEWORK = Framework(name="quart", build=build, backends=("asyncio",), trace="route", differs=DIFFERS)
