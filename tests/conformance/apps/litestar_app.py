"""Litestar: route handlers with its plugin, or wrapped."""

from dataclasses import replace

from conformance.contract import PLAIN, PLEASE, Framework, LogInFirstError, NotYoursError, Site
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
from litestar import Litestar, MediaType, Request, Response, Router, WebSocket, get, route, websocket
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.response import Stream
from litestar.response.base import ASGIResponse

from asgi_login.litestar import LoginPlugin, guard


def respond(request, reply):
    """Make a response with these header lines."""
    rest = [one for one in reply.text_headers if one[0] != "content-type"]
    kind = dict(reply.headers).get(b"content-type", b"text/plain").decode()
    is_head = request.method == "HEAD"
    return ASGIResponse(
        body=b"" if is_head else reply.body,
        status_code=reply.status,
        headers=rest,
        media_type=kind,
        is_head_response=is_head,
    )


def handler(view):
    if view.is_sync:

        def page(request: Request) -> ASGIResponse:
            return respond(request, view.function(request.scope))
    else:

        async def page(request: Request) -> ASGIResponse:
            return respond(request, await view.function(request.scope))

    options = {"sync_to_thread": True} if view.is_sync else {}
    return route(view.path, http_method=list(view.methods), name=view.path, **options)(view.gate(page))


def guarded(view):
    """Return a router, of whose guards the handler that Litestar makes for OPTIONS has its share."""
    guards = [] if view.path == "/options/open" else [guard()]
    return Router("", route_handlers=[handler(replace(view, gate=lambda page: page))], guards=guards)


class Socket:
    """Litestar's websocket, which raises where the client has gone away."""

    def __init__(self, native):
        self.scope = native.scope
        self.native = native

    async def accept(self):
        await self.native.accept()

    async def receive(self):
        try:
            return await self.native.receive_text()
        except WebSocketDisconnect:
            raise HungUpError from None

    async def send(self, text):
        await self.native.send_text(text)

    async def close(self, code):
        await self.native.close(code)


def socket_handler(view):
    async def talk(socket: WebSocket) -> None:
        await view.function(Socket(socket))

    return websocket(view.path)(view.gate(talk))


@get("/stream")
async def streamed() -> Stream:
    return Stream(stream())


@get("/stream-midway")
async def streamed_midway() -> Stream:
    return Stream(stream_midway())


@get("/abort/{status:int}")
async def abort(request: Request) -> None:
    status = request.path_params["status"]
    assert status in ABORTS
    raise HTTPException(status_code=status, detail="aborted")


def answer_own(request: Request, problem: Exception) -> Response:
    return Response(PLEASE, status_code=418 if isinstance(problem, LogInFirstError) else 451)


def build(site: Site):
    @get("/background")
    async def background() -> Response:
        return Response(PLAIN, media_type=MediaType.TEXT, background=BackgroundTask(site.try_gate))

    pages, sockets = Pages(site), Sockets(site)
    handlers = [
        *(handler(view) for view in all_views(site)),
        *(guarded(view) for view in pages.automatic()),
        *(socket_handler(view) for view in sockets.views()),
        *(handler(replace(view, methods=(*view.methods, "HEAD"))) for view in pages.gated()),
        *(socket_handler(view) for view in sockets.gated()),
        streamed,
        streamed_midway,
        abort,
        background,
    ]
    is_native = site.mount == "native"
    plugin = LoginPlugin(
        site.managers, **site.settings, endpoints=site.endpoints, websocket_denial=site.websocket_denial
    )
    app = Litestar(
        handlers,
        plugins=[plugin] if is_native else [],
        middleware=[*([InAnotherTask] if site.in_another_task else []), *([Gated] if is_native else [])],
        exception_handlers={LogInFirstError: answer_own, NotYoursError: answer_own},
        openapi_config=None,
        logging_config=None,
    )
    # Its middleware runs where it has a route, so a Gate inside of the plugin must be one of its own.
    app = EnoughThreads(app if is_native else Gated(app))
    return site.wrap(app) if site.mount == "wrapped" else app


DIFFERS = {
    "The framework answers an exception with 500 itself, and hides it from outer middleware": (
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /fresh",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /fresh-sync",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /login",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /login-sync",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /read",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /read-sync",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /read-write",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /task-group",
        "test_a_views_own_exception_passes_through headers0-/raises",
        "test_a_views_own_exception_passes_through headers0-/raises-sync",
        "test_a_views_own_exception_passes_through headers1-/raises",
        "test_a_views_own_exception_passes_through headers1-/raises-sync",
        "test_a_views_own_exception_passes_through headers2-/raises",
        "test_a_views_own_exception_passes_through headers2-/raises-sync",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /admin/help-bearer",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /admin/help-cookie",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /admin/page-bearer",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /admin/page-cookie",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /login-bearer",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /login-cookie",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /public-bearer",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /public-cookie",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /public-sync-bearer",
        "native:test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity /public-sync-cookie",
        "native:test_a_loader_that_breaks_is_not_passed_over_for_the_next_manager",
        "test_a_manager_that_nobody_knows_is_a_mistake_and_no_refusal",
        "native:test_a_missing_loader_is_a_mistake_and_no_anonymity",
        "test_an_exception_of_its_own_that_nobody_handles_stays_a_500",
        "test_both_leave_a_failure_alone",
        "test_another_exception_after_a_refusal_stays_what_it_is /catches-and-fails",
        "test_another_exception_after_a_refusal_stays_what_it_is /catches-and-fails-sync",
    ),
    "The framework sends `more_body` and we omit it; headers and body are the same": (
        "native:test_the_whole_answer_is_that_of_a_bare_application /fresh",
        "native:test_the_whole_answer_is_that_of_a_bare_application /fresh-sync",
        "native:test_the_whole_answer_is_that_of_a_bare_application /login",
        "native:test_the_whole_answer_is_that_of_a_bare_application /login-sync",
        "native:test_the_whole_answer_is_that_of_a_bare_application /read",
        "native:test_the_whole_answer_is_that_of_a_bare_application /read-sync",
        "native:test_the_whole_answer_is_that_of_a_bare_application /read-write",
    ),
    "A direct call of require() leaves no mark, and the framework answers or closes before we see the exception": (
        "wrapped:test_require_by_hand_is_answered_where_the_error_is_known /require-answer0",
        "wrapped:test_require_by_hand_is_answered_where_the_error_is_known /require-fresh-answer2",
        "wrapped:test_require_by_hand_is_answered_where_the_error_is_known /require-read-answer1",
        "wrapped:test_it_is_closed_with_4401 headers0-extensions0-/ws/require",
        "wrapped:test_it_is_closed_with_4401 headers1-extensions1-/ws/require",
        "wrapped:test_it_is_closed_with_4401 headers2-extensions2-/ws/require",
        "wrapped:test_it_is_closed_with_4401 headers3-extensions3-/ws/require",
        "wrapped:test_a_token_that_expires_meanwhile_ends_the_conversation bearer-/ws/require",
        "wrapped:test_a_token_that_expires_meanwhile_ends_the_conversation cookie-/ws/require",
    ),
    "Middleware inside of the framework runs for existing routes only; any other path gets its 404 first": (
        "native:test_a_cookie_credential_adds_vary_and_private_where_nothing_is_said_of_caching False-/nowhere",
        "native:test_a_cookie_credential_adds_vary_and_private_where_nothing_is_said_of_caching True-/nowhere",
        "native:test_a_path_with_dots_is_not_skipped",
        "native:test_exempt_paths_are_whole_segments /admin/Help",
        "native:test_exempt_paths_are_whole_segments /admin/help/../page",
        "native:test_exempt_paths_are_whole_segments /admin/help/./more",
    ),
    "The framework looks for a host in the headers before any middleware, which uses up a one-shot iterator": (
        "native:test_headers_may_be_a_one_shot_iterator",
        "native:test_an_absolute_login_page_is_kept_and_host_is_not_read",
        "native:test_what_servers_leave_out_may_be_missing",
    ),
    "The framework does not support lifespan state": ("test_state_that_is_the_one_of_the_lifespan_is_copied_first",),
    "The framework refuses an unknown scope type with its own exception, with or without us": (
        "test_another_kind_of_scope_passes_untouched",
    ),
    "The framework closes the websocket after an exception itself, and hides the exception from outer middleware": (
        "test_its_own_exception_passes_through /ws/catches-and-fails",
        "test_its_own_exception_passes_through /ws/raises",
        "test_its_own_exception_passes_through_after_the_accept",
        "native:test_a_loader_that_breaks_is_nobodys_anonymity bearer",
        "native:test_a_loader_that_breaks_is_nobodys_anonymity cookie",
        "native:test_a_function_that_breaks_at_a_websocket_is_nobodys_anonymity",
    ),
    "The framework calls exception handlers for HTTP only": (
        "test_the_applications_exceptions_are_raised_in_place_of_ours",
    ),
    "Only the adapters of Starlette, FastAPI and Litestar have websocket_denial": (
        "wrapped:test_a_websocket_is_refused_in_the_applications_own_words",
    ),
}

FRAMEWORK = Framework(name="litestar", build=build, trace="path_template", differs=DIFFERS)
