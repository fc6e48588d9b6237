"""Django: asynchronous and plain views behind its ASGI handler; it has no `install`, and no websockets."""

import io

import django
from conformance.contract import PLEASE, Framework, LogInFirstError, NotYoursError, Site
from conformance.differences import ANSWERS_500_ITSELF
from conformance.views import ABORTS, Gated, Pages, all_views, stream, stream_midway
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIHandler
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views import View as DjangoView

if not settings.configured:
    settings.configure(
        SECRET_KEY="a secret of tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="",
        MIDDLEWARE=["conformance.apps.django_app.OwnExceptions"],
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup(set_prefix=False)


class OwnExceptions:
    """Speaks for the application where a gate has raised what it asked for."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response):
        self.get_response = get_response
        from asgiref.sync import markcoroutinefunction  # noqa: PLC0415 - Django brings it

        markcoroutinefunction(self)

    async def __call__(self, request):
        return await self.get_response(request)

    def process_exception(self, request, problem):
        if isinstance(problem, (LogInFirstError, NotYoursError)):
            return HttpResponse(PLEASE, status=418 if isinstance(problem, LogInFirstError) else 451)
        return None


def respond(reply):
    response = HttpResponse(reply.body, status=reply.status)
    for name, value in reply.text_headers:
        if name == "set-cookie":
            response.cookies.load(value)
        else:
            response[name] = value
    return response


def handler(view):
    if view.is_sync:

        def page(request):
            return respond(view.function(request.scope))
    else:

        async def page(request):
            return respond(await view.function(request.scope))

    return view.gate(page)


def class_based_view(view):
    class Page(DjangoView):
        async def get(self, request):
            return respond(await view.function(request.scope))

    return view.gate(Page.as_view())


async def streamed(request):
    return StreamingHttpResponse(stream())


async def streamed_midway(request):
    return StreamingHttpResponse(stream_midway())


async def abort(request, status):
    assert status in ABORTS
    if status == 404:
        raise Http404
    if status == 403:
        raise PermissionDenied
    return HttpResponse(b"aborted", status=status)


class Urls:
    """One application's URLs: the settings are the process's, and tests make more than one application."""

    def __init__(self, site):
        views = (*all_views(site), *Pages(site).gated())
        self.urlpatterns = [
            *(path(view.path[1:], handler(view)) for view in views),
            *(path(view.path[1:], class_based_view(view)) for view in Pages(site).automatic()),
            path("stream", streamed),
            path("stream-midway", streamed_midway),
            path("abort/<int:status>", abort),
        ]


class Application(ASGIHandler):
    """What `get_asgi_application` returns, with URLs of its own."""

    def __init__(self, site):
        super().__init__()
        self.urls = Urls(site)

    async def read_body(self, receive):
        # Django leaves some of its temporary files to the garbage collector, and a test is failed for it.
        with await super().read_body(receive) as spooled:
            return io.BytesIO(spooled.read())

    def create_request(self, scope, body_file):
        request, problem = super().create_request(scope, body_file)
        if request is not None:
            request.urlconf = self.urls
        return request, problem


class LowerCase:
    """Writes the names of headers in lower case, as servers do: Django sends Content-Type and Vary."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_in_lower_case(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [(name.lower(), value) for name, value in message["headers"]]}
            await send(message)

        await self.app(scope, receive, send_in_lower_case)


def build(site: Site):
    app = Gated(Application(site))
    return LowerCase(app if site.mount == "bare" else site.wrap(app))


DIFFERS = {
    **ANSWERS_500_ITSELF,
    "A direct call of require() leaves no mark, and the framework answers or closes before we see the exception": (
        "test_require_by_hand_is_answered_where_the_error_is_known /require-answer0",
        "test_require_by_hand_is_answered_where_the_error_is_known /require-read-answer1",
        "test_require_by_hand_is_answered_where_the_error_is_known /require-fresh-answer2",
    ),
    "The framework has no background tasks that belong to a response": (
        "test_a_gate_in_a_background_task_is_a_mistake_and_no_refusal headers0",
        "test_a_gate_in_a_background_task_is_a_mistake_and_no_refusal headers1",
    ),
    "The framework refuses the lifespan protocol, so there is no lifespan state": (
        "test_state_that_is_the_one_of_the_lifespan_is_copied_first",
    ),
    "The framework refuses an unknown scope type with its own exception, with or without us": (
        "test_another_kind_of_scope_passes_untouched",
    ),
    "The framework reads the request before any view, but Gate answers before that": (
        "test_receive_is_not_called_by_us /admin/page",
    ),
    "The framework sends its 500 after its except block, so a failure after a caught refusal looks like the refusal": (
        "test_a_view_that_breaks_after_a_refusal_that_it_caught_is_a_500 /catches-and-fails",
        "test_a_view_that_breaks_after_a_refusal_that_it_caught_is_a_500 /catches-and-fails-sync",
    ),
}

FRAMEWORK = Framework(
    name="django",
    build=build,
    backends=("asyncio",),
    mounts=("wrapped",),
    trace="route",
    differs=DIFFERS,
    no_websockets="Django's ASGI handler refuses every scope type except http",
)
