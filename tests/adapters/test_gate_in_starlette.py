"""A Gate where Starlette and FastAPI have something to ask of it: in a mount, and among the middleware."""

import pytest
from conformance.driver import bearer, http
from conformance.logins import Logins
from fastapi import FastAPI
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, NoMatchFound, Route, Router

from asgi_login import AuthMiddleware, Gate
from asgi_login.fastapi import install as install_fastapi
from asgi_login.quart import install as install_quart
from asgi_login.starlette import install

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    # Quart runs on asyncio only.
    return "asyncio"


@pytest.fixture
def logins():
    return Logins()


async def page(request):
    return PlainTextResponse(str(request.url_for("admin:users", name="ada")))


def make_fastapi():
    app = FastAPI()
    app.get("/users/{name}", name="users")(page)
    return app


def routes():
    return [Route("/users/{name}", page, name="users")]


INNER = pytest.mark.parametrize("make", [lambda: Starlette(routes=routes()), lambda: Router(routes()), make_fastapi])


class TestUrlFor:
    @INNER
    @pytest.mark.parametrize("wrap", [Gate, lambda app: Gate(Gate(app))], ids=["Gate", "Gate in Gate"])
    def test_it_finds_what_is_behind_the_gate_of_a_mount(self, logins, make, wrap):
        app = Starlette(routes=[Mount("/admin", app=wrap(make()), name="admin")])
        assert app.url_path_for("admin:users", name="ada") == "/admin/users/ada"
        assert app.url_path_for("admin", path="/x") == "/admin/x"
        with pytest.raises(NoMatchFound):
            app.url_path_for("admin:nobody")

    @INNER
    def test_it_finds_what_is_inside_of_a_mounted_middleware(self, logins, make):
        app = Starlette(routes=[Mount("/admin", app=AuthMiddleware(Gate(make()), logins.manager), name="admin")])
        assert app.url_path_for("admin:users", name="ada") == "/admin/users/ada"

    def test_it_finds_what_is_behind_the_gate_of_a_host(self):
        app = Starlette(routes=[Host("admin.example", app=Gate(Starlette(routes=routes())), name="admin")])
        assert app.url_path_for("admin:users", name="ada") == "/users/ada"

    def test_a_gate_around_a_whole_application_finds_its_routes(self):
        gate = Gate(Starlette(routes=routes()))
        assert gate.url_path_for("users", name="ada") == "/users/ada"
        assert [route.name for route in gate.routes] == ["users"]

    def test_an_application_without_routes_has_none_behind_a_gate_either(self):
        async def bare(scope, receive, send): ...

        gate = Gate(bare)
        assert not hasattr(gate, "routes")
        assert not hasattr(gate, "url_path_for")
        app = Starlette(routes=[Mount("/admin", app=gate, name="admin")])
        with pytest.raises(NoMatchFound):
            app.url_path_for("admin:users")

    async def test_a_view_behind_the_gate_finds_its_neighbours(self, logins):
        app = Starlette(routes=[Mount("/admin", app=Gate(Starlette(routes=routes())), name="admin")])
        install(app, logins.manager)
        connection = await http(app, "/admin/users/bob", headers=[bearer(logins.token())])
        assert connection.body == b"https://site.example/admin/users/ada"


ORDER = r"lies outside of AuthMiddleware.* before install\(app, manager\)"


class TestOrder:
    @pytest.mark.parametrize(("make", "install"), [(Starlette, install), (FastAPI, install_fastapi)])
    async def test_a_gate_that_is_added_after_install_says_that_the_order_is_wrong(self, logins, make, install):
        app = make()
        install(app, logins.manager)
        app.add_middleware(Gate)
        app.add_middleware(CORSMiddleware)
        with pytest.raises(RuntimeError, match=ORDER):
            raise (await http(app, "/")).error

    async def test_so_does_one_with_other_middleware_in_between(self, logins):
        app = Starlette()
        install(app, logins.manager)
        app.add_middleware(CORSMiddleware)
        app.add_middleware(Gate)
        with pytest.raises(RuntimeError, match=ORDER):
            raise (await http(app, "/")).error

    @pytest.mark.parametrize(("make", "install"), [(Starlette, install), (lambda: Quart("app"), install_quart)])
    async def test_so_does_one_around_an_application_with_an_installation(self, logins, make, install):
        app = make()
        install(app, logins.manager)
        # The first time Starlette has not put its middleware together yet.
        await http(Gate(app, exempt=["/open"]), "/open")
        with pytest.raises(RuntimeError, match=ORDER):
            raise (await http(Gate(app), "/")).error

    async def test_without_any_middleware_it_says_that_this_is_missing(self):
        for app in (Starlette(middleware=[Middleware(Gate)]), Quart("app"), Gate(Gate(Starlette()))):
            error = (await http(Gate(app), "/")).error
            assert "did not pass through AuthMiddleware" in str(error)
            assert "outside" not in str(error)

    async def test_a_gate_that_is_added_before_install_keeps_out(self, logins):
        app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("ok"))])
        app.add_middleware(Gate)
        install(app, logins.manager)
        assert (await http(app, "/")).status == 401
        assert (await http(app, "/", headers=[bearer(logins.token())])).body == b"ok"
