"""Falcon: resources with responders, and no `install`."""

from types import SimpleNamespace

import falcon
import falcon.asgi
from conformance.contract import PLAIN, PLEASE, Framework, LogInFirstError, NotYoursError, Site
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


def fill(response, reply):
    response.data = reply.body
    response.status = reply.status
    for name, value in reply.text_headers:
        if name == "set-cookie":
            response.append_header(name, value)
        else:
            response.set_header(name, value)


def handler(view):
    if view.is_sync:
        page = view.gate(view.function)

        async def respond(request, response):
            fill(response, await falcon.sync_to_async(page, request.scope))

        return respond

    async def respond(request, response):
        fill(response, await view.function(request.scope))

    return view.gate(respond)


class Socket:
    """Falcon's websocket, which raises where the client has gone away."""

    def __init__(self, request, websocket):
        self.scope = request.scope
        self.websocket = websocket

    async def accept(self):
        await self.websocket.accept()

    async def receive(self):
        try:
            return await self.websocket.receive_text()
        except falcon.WebSocketDisconnected:
            raise HungUpError from None

    async def send(self, text):
        await self.websocket.send_text(text)

    async def close(self, code):
        await self.websocket.close(code)


def socket_handler(view):
    async def talk(request, websocket):
        await view.function(Socket(request, websocket))

    return view.gate(talk)


def resource(view):
    return SimpleNamespace(**{f"on_{method.lower()}": handler(view) for method in view.methods})


class Own:
    """What Falcon has words of its own for."""

    def __init__(self, site):
        self.site = site

    async def on_get_stream(self, request, response):
        response.stream = stream()

    async def on_get_midway(self, request, response):
        response.stream = stream_midway()

    async def on_get_background(self, request, response):
        response.data = PLAIN
        response.schedule(self.site.try_gate)

    async def on_get_abort(self, request, response, status):
        assert status in ABORTS
        raise falcon.HTTPError(status)


async def answer_own(request, response, problem, params, ws=None):
    if ws is not None:
        await ws.close(4999)
        return
    response.status = 418 if isinstance(problem, LogInFirstError) else 451
    response.data = PLEASE


class Lifespan:
    """Shares a pool with every request."""

    async def process_startup(self, scope, event):
        scope.get("state", {})["pool"] = "shared"


def build(site: Site):
    app = falcon.asgi.App(middleware=[Lifespan()])
    for view in (*all_views(site), *Pages(site).automatic(), *Pages(site).gated()):
        app.add_route(view.path, resource(view))
    for view in (*Sockets(site).views(), *Sockets(site).gated()):
        app.add_route(view.path, SimpleNamespace(on_websocket=socket_handler(view)))
    own = Own(site)
    app.add_route("/stream", own, suffix="stream")
    app.add_route("/stream-midway", own, suffix="midway")
    app.add_route("/background", own, suffix="background")
    app.add_route("/abort/{status:int}", own, suffix="abort")
    app.add_error_handler((LogInFirstError, NotYoursError), answer_own)
    app = EnoughThreads(Gated(InAnotherTask(app) if site.in_another_task else app))
    return app if site.mount == "bare" else site.wrap(app)


DIFFERS = {
    "falcon.sync_to_async loses the context in which the gate of a plain function finds the request": (
        "test_a_request_without_a_credential_is_explicitly_anonymous /public-sync",
        "test_a_good_token_gives_the_user_to_scope_and_context /public-sync-bearer",
        "test_a_good_token_gives_the_user_to_scope_and_context /public-sync-cookie",
        "test_a_good_token_gives_the_user_to_scope_and_context /login-sync-bearer",
        "test_a_good_token_gives_the_user_to_scope_and_context /login-sync-cookie",
        "test_without_a_credential_the_challenge_has_no_error_code /login-sync",
        "test_without_a_credential_the_challenge_has_no_error_code /fresh-sync",
        "test_without_a_credential_the_challenge_has_no_error_code /read-sync",
        "test_a_bad_token_is_answered_by_the_gate /login-sync",
        "test_a_bad_token_is_answered_by_the_gate /fresh-sync",
        "test_a_bad_token_is_answered_by_the_gate /read-sync",
        "test_an_expired_token_is_told_so /login-sync",
        "test_an_expired_token_is_told_so /fresh-sync",
        "test_an_expired_token_is_told_so /read-sync",
        "test_a_missing_scope_is_forbidden_and_all_needed_are_named /read-sync-granted1-required1",
        "test_a_token_with_every_scope_passes /read-sync",
        "test_a_check_of_the_applications_decides_about_users_only /editors-sync",
        "test_a_login_that_is_not_fresh_is_asked_to_log_in_again None-/fresh-sync",
        "test_a_login_that_is_not_fresh_is_asked_to_log_in_again 601-/fresh-sync",
        "test_a_fresh_login_passes bearer-0-/fresh-sync",
        "test_a_fresh_login_passes bearer-600-/fresh-sync",
        "test_a_fresh_login_passes cookie-0-/fresh-sync",
        "test_a_fresh_login_passes cookie-600-/fresh-sync",
        "test_gates_answer_where_a_middleware_runs_the_views_in_another_task /login-sync",
        "test_gates_answer_where_a_middleware_runs_the_views_in_another_task /fresh-sync",
        "test_gates_answer_where_a_middleware_runs_the_views_in_another_task /read-sync",
        "test_the_whole_answer_is_that_of_a_bare_application /login-sync",
        "test_the_whole_answer_is_that_of_a_bare_application /fresh-sync",
        "test_the_whole_answer_is_that_of_a_bare_application /read-sync",
        "test_a_browser_that_navigates_is_sent_to_log_in /login-sync",
        "test_its_exceptions_are_raised_in_place_of_ours headers0-False",
        "test_its_exceptions_are_raised_in_place_of_ours headers0-True",
        "test_its_exceptions_are_raised_in_place_of_ours headers1-False",
        "test_its_exceptions_are_raised_in_place_of_ours headers1-True",
        "test_its_exceptions_are_raised_in_place_of_ours headers2-False",
        "test_its_exceptions_are_raised_in_place_of_ours headers2-True",
        "test_a_refused_cookie_varies_too /login-sync",
        "test_a_refused_cookie_varies_too /fresh-sync",
        "test_a_refused_cookie_varies_too /read-sync",
        "test_a_refusal_without_a_cookie_credential_does_not_vary headers0-/read-sync",
        "test_a_refusal_without_a_cookie_credential_does_not_vary headers1-/read-sync",
        "test_a_refusal_without_a_cookie_credential_does_not_vary headers2-/read-sync",
        "test_a_refusal_is_answered_once",
        "test_requests_at_the_same_time_never_see_each_others_identity /meet-sync",
        "test_a_login_is_fresh_until_its_time_is_over_and_again_when_confirmed async-/fresh-sync",
        "test_a_login_is_fresh_until_its_time_is_over_and_again_when_confirmed plain-/fresh-sync",
        "test_a_browser_that_navigates_is_sent_to_confirm_the_login_and_an_api_client_is_told_so /fresh-sync",
    ),
    **ANSWERS_500_ITSELF,
    **NO_MARK_OF_REQUIRE,
    "The framework refuses an unknown scope type with its own exception, with or without us": (
        "test_another_kind_of_scope_passes_untouched",
    ),
    "The framework reads the request before any view, but Gate answers before that": (
        "test_receive_is_not_called_by_us /admin/page",
    ),
    "The framework sends its 500 after its except block, so a failure after a caught refusal looks like the refusal": (
        "test_a_view_that_breaks_after_a_refusal_that_it_caught_is_a_500 /catches-and-fails",
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

FRAMEWORK = Framework(
    name="falcon", build=build, backends=("asyncio",), mounts=("wrapped",), trace="route", differs=DIFFERS
)
