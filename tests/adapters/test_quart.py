"""The adapter for Quart: what is native to it and no other framework has."""

import asyncio

import pytest
from conformance.driver import bearer, cookie, http, websocket
from conformance.logins import Logins
from jinja2 import DictLoader
from quart import Blueprint, Quart, render_template, render_template_string, stream_template
from quart import websocket as quart_websocket

from asgi_login.quart import current_user, install

PAGE = "{% if current_user %}Hello, {{ current_user.name }}{% else %}Log in{% endif %}"
TEMPLATES = {
    "page.html": PAGE,
    "none.html": "{{ current_user is none }}",
    "macro.html": f"{{% macro greeting() %}}{PAGE}{{% endmacro %}}",
    "imports.html": '{% import "macro.html" as m %}{{ m.greeting() }}',
    "includes.html": '{% include "page.html" %}',
    "base.html": f"{{% block page %}}{{% endblock %}} {PAGE}",
    "extends.html": f'{{% extends "base.html" %}}{{% block page %}}{PAGE}{{% endblock %}}',
}


class Site(Quart):
    def create_global_jinja_loader(self):
        return DictLoader(TEMPLATES)


def make_app():
    app = Site(__name__)
    pages = Blueprint("pages", __name__, url_prefix="/blueprint")

    @app.get("/<name>")
    @pages.get("/<name>")
    async def page(name):
        return await render_template(name)

    @app.get("/string")
    async def string():
        return await render_template_string(PAGE)

    @app.get("/stream")
    async def stream():
        return await stream_template("imports.html")

    @app.get("/given")
    async def given():
        return await render_template("page.html", current_user={"name": "Grace"})

    @app.websocket("/ws")
    async def socket():
        await quart_websocket.accept()
        await quart_websocket.send(await render_template("imports.html"))

    app.register_blueprint(pages)
    return app


@pytest.fixture
def logins():
    return Logins()


def installed(logins, app=None):
    app = app or make_app()
    install(app, logins.manager)
    return app


def body(app, path, *headers):
    connection = asyncio.run(http(app, path, headers=headers))
    assert connection.status == 200, connection.error
    return connection.body.decode()


class TestTemplates:
    @pytest.mark.parametrize(
        "path",
        ["/page.html", "/blueprint/page.html", "/imports.html", "/includes.html", "/string", "/stream"],
    )
    def test_current_user_is_the_user_and_nobody_for_a_stranger(self, logins, path):
        app = installed(logins)
        for carry in (bearer, cookie):
            assert body(app, path, carry(logins.token())) == "Hello, ada"
            assert body(app, path, carry(logins.token("bob"))) == "Hello, bob"
        assert body(app, path) == "Log in"
        assert body(app, path, bearer("not-a-token")) == "Log in"

    def test_so_it_is_in_a_template_that_another_one_extends(self, logins):
        app = installed(logins)
        assert body(app, "/extends.html", bearer(logins.token())) == "Hello, ada Hello, ada"
        assert body(app, "/extends.html") == "Log in Log in"

    def test_a_stranger_is_none(self, logins):
        app = installed(logins)
        assert [body(app, "/none.html"), body(app, "/none.html", bearer(logins.token()))] == ["True", "False"]

    def test_so_it_is_in_a_websocket(self, logins):
        app = installed(logins)
        for headers, text in (([bearer(logins.token())], "Hello, ada"), ([], "Log in")):
            assert asyncio.run(websocket(app, "/ws", headers=headers)).texts == [text]

    @pytest.mark.parametrize("before", [True, False])
    def test_a_current_user_of_the_applications_own_stays(self, logins, before):
        app = make_app()
        if not before:
            installed(logins, app)

        @app.context_processor
        async def own():
            return {"current_user": {"name": "Grace"}}

        if before:
            installed(logins, app)
        assert body(app, "/page.html", bearer(logins.token())) == "Hello, Grace"

    def test_so_does_one_that_a_view_gives_to_the_template(self, logins):
        assert body(installed(logins), "/given", bearer(logins.token())) == "Hello, Grace"

    def test_so_does_a_global_one_of_the_environment(self, logins):
        app = installed(logins)
        app.jinja_env.globals["current_user"] = {"name": "Grace"}
        assert body(app, "/imports.html", bearer(logins.token())) == "Hello, Grace"

    def test_outside_of_a_request_a_template_renders_but_nobody_is_taken_for_a_stranger(self, logins):
        app = installed(logins)

        async def render(text):
            async with app.app_context():
                return await render_template_string(text)

        assert asyncio.run(render("a mail")) == "a mail"
        with pytest.raises(RuntimeError, match="no request is being handled"):
            asyncio.run(render(PAGE))

    def test_the_name_that_views_import_is_the_same_user(self, logins):
        app = installed(logins)

        @app.get("/same")
        async def same():
            return str(await render_template_string("{{ current_user.name }}") == current_user.name)

        assert body(app, "/same", bearer(logins.token())) == "True"
