"""OPTIONS behind a gate: what a framework answers by itself passes, and what the application has written does not."""

import asyncio
from functools import wraps

import pytest
from conformance.apps.django_app import Application, LowerCase
from conformance.contract import Site
from conformance.driver import bearer, http
from conformance.logins import Logins
from django.http import HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from litestar import Controller, Litestar, get, route
from litestar.testing import TestClient
from quart import Blueprint, Quart

from asgi_login import AuthMiddleware, fresh_login_required, login_required, requires_scopes
from asgi_login.litestar import LoginPlugin, guard
from asgi_login.quart import install

RAN = []


def of_ones_own(view):
    """Stand for a decorator of the application, which copies what functools.wraps copies."""

    @wraps(view)
    def decorated(*args, **kwargs):
        RAN.append("a decorator")
        return view(*args, **kwargs)

    return decorated


class Page(View):
    def get(self, request):
        return HttpResponse("a page")


class AsyncPage(View):
    async def get(self, request):
        return HttpResponse("a page")


@method_decorator(login_required, name="dispatch")
class Decorated(Page):
    pass


@method_decorator([login_required, requires_scopes("read")], name="dispatch")
class DecoratedTwice(AsyncPage):
    pass


class OwnOptions(Page):
    def options(self, request):
        RAN.append("options")
        return HttpResponse("secret")


class OwnDispatch(Page):
    def dispatch(self, request):
        RAN.append("dispatch")
        return super().dispatch(request)


class OwnSetup(Page):
    def setup(self, request):
        RAN.append("setup")
        super().setup(request)


@method_decorator(login_required, name="dispatch")
@method_decorator(of_ones_own, name="dispatch")
class DecoratedByOthers(Page):
    pass


@login_required
def function(request):
    RAN.append("a function")
    return HttpResponse("secret")


class SetsOptions(Page):
    def setup(self, request):
        super().setup(request)
        self.options = lambda request: RAN.append("options") or HttpResponse("secret")


def own_dispatch(request):
    RAN.append("dispatch")
    return HttpResponse("secret")


AUTOMATIC = {
    "as_view": login_required(Page.as_view()),
    "as_view, async": login_required(AsyncPage.as_view()),
    "as_view, twice": login_required(requires_scopes("read")(Page.as_view())),
    "as_view, fresh": fresh_login_required(Page.as_view()),
    "dispatch": Decorated.as_view(),
    "dispatch, twice": DecoratedTwice.as_view(),
}
OWN = {
    "options": login_required(OwnOptions.as_view()),
    "dispatch": login_required(OwnDispatch.as_view()),
    "setup": login_required(OwnSetup.as_view()),
    "a decorator": login_required(of_ones_own(Page.as_view())),
    "a decorator of dispatch": DecoratedByOthers.as_view(),
    "a function": function,
    "options of the instance": method_decorator(login_required, name="dispatch")(SetsOptions).as_view(),
    "dispatch that as_view was given": login_required(Page.as_view(dispatch=own_dispatch)),
}


def django(view, *, method="OPTIONS", headers=()):
    logins = Logins()
    app = Application(Site([logins.manager], "wrapped"))
    app.urls.urlpatterns = [path("page", view)]
    return asyncio.run(http(AuthMiddleware(LowerCase(app), logins.manager), "/page", method=method, headers=headers))


class TestDjango:
    @pytest.mark.parametrize("form", AUTOMATIC)
    def test_a_class_based_view_lists_its_methods_to_everybody(self, form):
        for headers in ([], [bearer("not-a-token")]):
            answer = django(AUTOMATIC[form], headers=headers)
            assert (answer.status, answer.body, answer.header("allow")) == (200, b"", ["GET, HEAD, OPTIONS"])

    @pytest.mark.parametrize("form", AUTOMATIC)
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "TRACE"])
    def test_its_other_methods_stay_behind_the_gate(self, form, method):
        assert django(AUTOMATIC[form], method=method).status == 401

    @pytest.mark.parametrize("form", OWN)
    def test_code_of_the_applications_own_does_not_run_for_a_stranger(self, form):
        RAN.clear()
        assert django(OWN[form]).status == 401
        assert RAN == []


class TestLitestar:
    @pytest.mark.parametrize("layer", ["application", "controller"])
    def test_the_handler_that_litestar_makes_lists_the_methods_to_everybody(self, layer):
        class Pages(Controller):
            path = "/page"
            guards = (guard("read"),) if layer == "controller" else ()

            @get()
            async def page(self) -> str:
                return "a page"

        guards = [guard()] if layer == "application" else []
        app = Litestar(
            [Pages], guards=guards, plugins=[LoginPlugin(Logins().manager)], openapi_config=None, logging_config=None
        )
        with TestClient(app) as client:
            answer = client.options("/page")
            assert client.get("/page").status_code == 401
            assert (answer.status_code, answer.content, answer.headers["allow"]) == (204, b"", "GET, OPTIONS")

    def test_a_handler_of_ones_own_for_options_stays_behind_its_guards(self):
        @route("/page", http_method=["GET", "OPTIONS"])
        async def page() -> str:
            RAN.append("a handler")
            return "secret"

        plugins = [LoginPlugin(Logins().manager)]
        app = Litestar([page], guards=[guard()], plugins=plugins, openapi_config=None, logging_config=None)
        RAN.clear()
        with TestClient(app) as client:
            assert client.options("/page").status_code == 401
        assert RAN == []


class TestQuart:
    @pytest.fixture
    def app(self):
        app, pages = Quart(__name__), Blueprint("pages", __name__)

        @pages.before_request
        @login_required
        async def gate():
            """Keep everybody out who is not logged in."""

        @pages.get("/page")
        async def page():
            return "a page"

        @pages.route("/own", methods=["GET", "OPTIONS"])
        async def own():
            RAN.append("a view")
            return "secret"

        app.register_blueprint(pages)
        install(app, Logins().manager)
        return app

    def test_a_gate_before_each_request_of_a_blueprint_lets_quart_list_the_methods(self, app):
        async def ask():
            client = app.test_client()
            answer = await client.options("/page")
            return answer.status_code, await answer.get_data(), sorted(answer.allow), await client.get("/page")

        status, body, allowed, page = asyncio.run(ask())
        assert (status, body, allowed) == (200, b"", ["GET", "HEAD", "OPTIONS"])
        assert page.status_code == 401

    def test_a_view_of_ones_own_for_options_stays_behind_it(self, app):
        RAN.clear()
        assert asyncio.run(app.test_client().options("/own")).status_code == 401
        assert RAN == []

    def test_a_path_that_does_not_exist_stays_a_404(self, app):
        assert asyncio.run(app.test_client().options("/nowhere")).status_code == 404
