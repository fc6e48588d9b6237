import importlib
import sys

import pytest
from conformance.driver import DENIAL, assert_denied, bearer, cookie, websocket
from conformance.logins import DatabaseDownError, Logins
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, UnauthenticatedUser, requires
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Mount, NoMatchFound, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from asgi_login import (
    AuthError,
    AuthMiddleware,
    CookieTransport,
    NotAuthenticated,
    fresh_login_required,
    get_auth,
    login_required,
    requires_scopes,
)
from asgi_login.starlette import install


@pytest.fixture
def logins():
    return Logins()


@pytest.fixture(params=["asyncio", "trio"])
def backend(request):
    return request.param


def headers_of(carry, token):
    return dict([carry(token)])


async def who(request):
    user = request.user
    return JSONResponse(
        {
            "user": user.name if user.is_authenticated else None,
            "scopes": request.auth.scopes,
            "state": request.state.user.name if request.state.user else None,
        }
    )


class User:
    """A user in the style of Starlette's own."""

    is_authenticated = True

    def __init__(self, name):
        self.name = self.display_name = name


@pytest.fixture
def native(logins):
    """Logins whose users are such as Starlette expects."""

    @logins.manager.user_loader
    def load(sub):
        return User(sub)

    return logins


def client_of(routes, logins, *, mount="native", backend="asyncio", **settings):
    """Return Starlette's own client of an application with these routes."""
    app = Starlette(routes=routes, **settings)
    if mount == "native":
        install(app, logins.manager)
    else:
        app = AuthMiddleware(app, logins.manager)
    return TestClient(app, "https://testserver", backend=backend, follow_redirects=False)


class TestRequestUser:
    def test_an_anonymous_request_has_starlettes_unauthenticated_user(self, native, backend):
        seen = []

        async def view(request):
            seen.append((request.user, request.auth, request.user.is_authenticated, request.user.display_name))
            return PlainTextResponse("ok")

        client_of([Route("/", view)], native, backend=backend).get("/")
        [(user, auth, is_authenticated, display_name)] = seen
        assert isinstance(user, UnauthenticatedUser)
        assert isinstance(auth, AuthCredentials)
        assert (is_authenticated, display_name, auth.scopes) == (False, "", [])

    @pytest.mark.parametrize("carry", [bearer, cookie])
    def test_a_user_and_the_scopes_are_where_starlette_has_them(self, native, backend, carry):
        client = client_of([Route("/", who)], native, backend=backend)
        page = client.get("/", headers=headers_of(carry, native.token("ada", "b", "a"))).json()
        assert page == {"user": "ada", "scopes": ["authenticated", "a", "b"], "state": "ada"}
        assert client.get("/").json() == {"user": None, "scopes": [], "state": None}

    def test_a_bad_token_is_as_good_as_none(self, native):
        page = client_of([Route("/", who)], native).get("/", headers=headers_of(bearer, "not-a-token")).json()
        assert page == {"user": None, "scopes": [], "state": None}

    def test_a_mounted_application_has_them_too(self, native):
        client = client_of([Mount("/sub", app=Starlette(routes=[Route("/", who)]))], native)
        assert client.get("/sub/", headers=headers_of(bearer, native.token())).json()["user"] == "ada"

    def test_a_websocket_has_them_too(self, native, backend):
        async def endpoint(websocket):
            await websocket.accept()
            await websocket.send_json([websocket.user.display_name, websocket.auth.scopes])
            await websocket.close()

        client = client_of([WebSocketRoute("/", endpoint)], native, backend=backend)
        with client.websocket_connect("/", headers=headers_of(bearer, native.token("ada", "a"))) as session:
            assert session.receive_json() == ["ada", ["authenticated", "a"]]
        with client.websocket_connect("/") as session:
            assert session.receive_json() == ["", []]

    def test_wrapped_from_outside_they_are_left_alone(self, native):
        async def view(request):
            return JSONResponse([key in request.scope for key in ("user", "auth")])

        client = client_of([Route("/", view)], native, mount="wrapped")
        assert client.get("/", headers=headers_of(bearer, native.token())).json() == [False, False]


class TestStarlettesOwnRequires:
    ROUTES = (
        Route("/any", requires("authenticated")(who)),
        Route("/read", requires(["authenticated", "read"])(who)),
        Route("/hidden", requires("read", status_code=404)(who)),
        Route("/sent", requires("authenticated", redirect="home")(who)),
        Route("/home", who, name="home"),
    )

    @pytest.mark.parametrize(
        ("path", "token", "status"),
        [
            ("/any", None, 403),
            ("/any", (), 200),
            ("/read", (), 403),
            ("/read", ("write",), 403),
            ("/read", ("read",), 200),
            ("/hidden", (), 404),
            ("/hidden", ("read",), 200),
            ("/sent", None, 303),
            ("/sent", (), 200),
        ],
    )
    def test_it_works_as_written(self, native, path, token, status):
        client = client_of(self.ROUTES, native)
        headers = {} if token is None else headers_of(bearer, native.token("ada", *token))
        assert client.get(path, headers=headers).status_code == status

    def test_nobody_is_authenticated_by_a_scope_of_that_name_alone(self, native):
        client = client_of(self.ROUTES, native)
        token = native.token("ada", "authenticated")
        native.clock.tick(15 * 60)
        assert client.get("/any", headers=headers_of(bearer, token)).status_code == 403


class TestViews:
    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    def test_methods_of_an_endpoint_class_are_gated_one_by_one(self, logins, mount, backend):
        class Orders(HTTPEndpoint):
            async def get(self, request):
                return PlainTextResponse("list")

            @login_required
            async def post(self, request):
                return PlainTextResponse("made")

            @requires_scopes("orders:delete")
            def delete(self, request):
                return PlainTextResponse("gone")

        client = client_of([Route("/", Orders)], logins, mount=mount, backend=backend)
        assert client.get("/").text == "list"
        assert client.post("/").status_code == 401
        assert client.post("/", headers=headers_of(bearer, logins.token())).text == "made"
        assert client.delete("/", headers=headers_of(bearer, logins.token())).status_code == 403
        assert client.delete("/", headers=headers_of(bearer, logins.token("ada", "orders:delete"))).text == "gone"

    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    def test_debug_pages_do_not_stand_in_for_a_refusal(self, logins, mount):
        @login_required
        async def view(request):
            return PlainTextResponse("ok")

        response = client_of([Route("/", view)], logins, mount=mount, debug=True).get("/")
        assert (response.status_code, response.json()["error"]) == (401, "unauthorized")

    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    @pytest.mark.parametrize("key", [500, Exception])
    def test_a_page_for_500_does_not_stand_in_for_a_refusal(self, logins, mount, key):
        @login_required
        async def view(request):
            return PlainTextResponse("ok")

        def sorry(request, problem):
            return PlainTextResponse("sorry", 500)

        response = client_of([Route("/", view)], logins, mount=mount, exception_handlers={key: sorry}).get("/")
        assert (response.status_code, response.json()["error"]) == (401, "unauthorized")

    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    @pytest.mark.parametrize("error", [AuthError, NotAuthenticated])
    def test_a_handler_of_the_application_for_our_errors_has_the_last_word(self, logins, mount, error):
        @login_required
        async def view(request):
            return PlainTextResponse("ok")

        async def own(request, problem):
            return PlainTextResponse(f"own {problem.status} {problem.error}", 418)

        app = Starlette(routes=[Route("/", view)])
        if mount == "native":
            install(app, logins.manager)
        app.add_exception_handler(error, own)
        response = TestClient(app if mount == "native" else AuthMiddleware(app, logins.manager)).get("/")
        assert (response.status_code, response.text) == (418, "own 401 unauthorized")

    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    def test_an_http_exception_in_place_of_a_refusal_is_the_applications(self, logins, mount):
        @login_required
        async def members_only():
            pass

        async def view(request):
            try:
                await members_only()
            except AuthError as error:
                raise HTTPException(503, "busy") from error

        response = client_of([Route("/", view)], logins, mount=mount).get("/")
        assert (response.status_code, response.text) == (503, "busy")

    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    def test_a_loader_that_breaks_reaches_the_server(self, logins, mount):
        client = client_of([Route("/", who)], logins, mount=mount)
        with pytest.raises(DatabaseDownError):
            client.get("/", headers=headers_of(bearer, logins.token("broken")))

    def test_skipped_paths_are_anonymous(self, native):
        app = Starlette(routes=[Route("/static/page", who), Route("/page", who)])
        install(app, native.manager, skip=["/static"])
        client = TestClient(app, headers=headers_of(bearer, native.token()))
        assert client.get("/static/page").json() == {"user": None, "scopes": [], "state": None}
        assert client.get("/page").json()["user"] == "ada"


class TestMiddlewareAround:
    def test_what_is_added_later_lies_outside_where_cors_belongs(self, logins):
        @login_required
        async def view(request):
            return PlainTextResponse("ok")

        app = Starlette(routes=[Route("/", view)])
        install(app, logins.manager)
        app.add_middleware(CORSMiddleware, allow_origins=["https://app.example"], allow_headers=["authorization"])
        client = TestClient(app)
        headers = {"Origin": "https://app.example"}
        refused = client.get("/", headers=headers)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://app.example")
        headers["Access-Control-Request-Method"] = "GET"
        assert client.options("/", headers=headers).status_code == 200

    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    def test_middleware_outside_reads_user_and_route_afterwards(self, native, mount):
        log = []

        class Log:
            def __init__(self, app):
                self.app = app

            async def __call__(self, scope, receive, send):
                await self.app(scope, receive, send)
                log.append((scope["state"]["user"].name, scope["endpoint"]))

        app = Starlette(routes=[Route("/", plain_page)])
        if mount == "native":
            install(app, native.manager)
            app.add_middleware(Log)
        else:
            app = Log(AuthMiddleware(app, native.manager))
        TestClient(app).get("/", headers=headers_of(bearer, native.token()))
        assert log == [("ada", plain_page)]

    def test_function_middleware_outside_and_inside_reads_the_user(self, native, backend):
        seen = []

        async def inside(request, call_next):
            seen.append(request.state.user.name)
            return await call_next(request)

        async def outside(request, call_next):
            response = await call_next(request)
            seen.append(request.state.user.name)
            return response

        app = Starlette(routes=[Route("/", who)])
        app.add_middleware(BaseHTTPMiddleware, dispatch=inside)
        install(app, native.manager)
        app.add_middleware(BaseHTTPMiddleware, dispatch=outside)
        TestClient(app, backend=backend).get("/", headers=headers_of(bearer, native.token()))
        assert seen == ["ada", "ada"]


async def plain_page(request):
    return PlainTextResponse("ok")


class TestLoginPage:
    def routes(self):
        @login_required
        async def secret(request):
            return PlainTextResponse("secret")

        return [
            Route("/secret", secret),
            Route("/sign/in", plain_page, name="login"),
            Route("/users/{name}/login", plain_page, name="of-a-user"),
            Mount("/account", routes=[Route("/enter", plain_page, name="enter")], name="account"),
        ]

    def app(self, name, **settings):
        app = Starlette(routes=self.routes(), **settings)
        install(app, Logins(redirect_to=name).manager)
        return app

    @pytest.mark.parametrize(
        ("name", "page"),
        [("login", "/sign/in"), ("account:enter", "/account/enter"), ("/elsewhere", "/elsewhere")],
    )
    def test_the_name_of_a_route_is_as_good_as_its_path(self, name, page, backend):
        with TestClient(self.app(name), backend=backend, follow_redirects=False) as client:
            response = client.get("/secret?a=1", headers={"Accept": "text/html"})
        assert (response.status_code, response.headers["location"]) == (303, f"{page}?next=%2Fsecret%3Fa%3D1")

    def test_other_clients_get_the_401(self):
        with TestClient(self.app("login"), follow_redirects=False) as client:
            assert client.get("/secret").status_code == 401

    @pytest.mark.parametrize("name", ["signin", "of-a-user"])
    def test_a_name_that_no_route_has_fails_at_the_start(self, name):
        with pytest.raises(NoMatchFound, match=name), TestClient(self.app(name)):
            pass

    def test_without_install_the_name_of_a_route_is_refused_with_what_to_do(self):
        app = Starlette(routes=self.routes())
        with pytest.raises(ValueError, match=r"'login' is the name of a route.*use their install\(\)"):
            AuthMiddleware(app, Logins(redirect_to="login").manager)

    def test_the_login_page_itself_is_not_sent_to_itself(self):
        @login_required
        async def odd(request):
            return PlainTextResponse("ok")

        app = Starlette(routes=[Route("/login", odd, name="login")])
        install(app, Logins(redirect_to="login").manager)
        assert TestClient(app, follow_redirects=False).get("/login", headers={"Accept": "text/html"}).status_code == 401


class TestWebSockets:
    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    def test_a_gate_before_the_accept_denies_like_http(self, logins, mount, backend):
        @requires_scopes("chat")
        async def endpoint(websocket):
            await websocket.accept()
            await websocket.send_text(get_auth(websocket).user.name)
            await websocket.close()

        client = client_of([WebSocketRoute("/", endpoint)], logins, mount=mount, backend=backend)
        for headers, status, code in (
            ({}, 401, "unauthorized"),
            (headers_of(bearer, "not-a-token"), 401, "invalid_token"),
            (headers_of(bearer, logins.token()), 403, "insufficient_scope"),
        ):
            assert_denied(client.app, "/", headers)
            with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect("/", headers=headers):
                pass
            assert (denial.value.status_code, denial.value.json()["error"]) == (status, code)
            assert denial.value.headers["www-authenticate"].startswith('Bearer realm="api"')
        with client.websocket_connect("/", headers=headers_of(bearer, logins.token("ada", "chat"))) as session:
            assert session.receive_text() == "ada"

    @pytest.mark.anyio
    @pytest.mark.parametrize("mount", ["native", "wrapped"])
    async def test_an_endpoint_class_is_gated_message_by_message(self, logins, mount):
        class Chat(WebSocketEndpoint):
            encoding = "text"

            @login_required
            async def on_connect(self, websocket):
                await websocket.accept()

            @fresh_login_required
            async def on_receive(self, websocket, data):
                await websocket.send_text(data)

        async def script():
            yield "one"
            logins.clock.tick(10 * 60 + 1)
            yield "two"

        app = client_of([WebSocketRoute("/", Chat)], logins, mount=mount).app
        refused = await websocket(app, "/", extensions=DENIAL)
        assert (refused.status, refused.is_accepted) == (401, False)
        connection = await websocket(app, "/", headers=[bearer(logins.fresh_token())], script=script())
        assert (connection.texts, connection.close_code, connection.error) == (["one"], 4401, None)


class TestCookies:
    def test_a_browser_logs_in_and_out(self, logins):
        async def log_in(request):
            response = RedirectResponse("/", 303)
            logins.manager.set_cookie(response, logins.token())
            return response

        async def log_out(request):
            response = RedirectResponse("/", 303)
            logins.manager.delete_cookie(response)
            return response

        @login_required
        async def home(request):
            return PlainTextResponse(request.state.user.name)

        routes = [Route("/in", log_in, methods=["POST"]), Route("/out", log_out, methods=["POST"]), Route("/", home)]
        browser = client_of(routes, logins)
        assert browser.get("/").status_code == 401
        assert browser.post("/in").headers["location"] == "/"
        response = browser.get("/")
        assert (response.text, response.headers["vary"]) == ("ada", "Cookie")
        assert browser.post("/out", headers={"Origin": "https://evil.example"}).status_code == 403
        assert browser.get("/").status_code == 200
        assert browser.post("/out", headers={"Origin": "https://testserver"}).status_code == 303
        assert browser.get("/").status_code == 401

    def test_the_cookie_for_development_travels_over_plain_http(self):
        logins = Logins(transports=[CookieTransport.insecure_for_development()])

        async def log_in(request):
            response = PlainTextResponse("ok")
            logins.manager.set_cookie(response, logins.token())
            return response

        @login_required
        async def home(request):
            return PlainTextResponse(request.state.user.name)

        app = Starlette(routes=[Route("/in", log_in), Route("/", home)])
        install(app, logins.manager)
        browser = TestClient(app, "http://localhost:8000")
        browser.get("/in")
        assert browser.get("/").text == "ada"


def test_without_starlette_the_adapter_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "asgi_login.starlette")
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    with pytest.raises(ImportError, match=r"needs Starlette .*: pip install starlette"):
        importlib.import_module("asgi_login.starlette")


def test_the_core_imports_no_framework(monkeypatch):
    frameworks = {"starlette", "fastapi", "quart", "litestar", "django"}
    for name in [name for name in sys.modules if name.partition(".")[0] in {"asgi_login", *frameworks}]:
        monkeypatch.delitem(sys.modules, name)
    importlib.import_module("asgi_login")
    assert not frameworks & {name.partition(".")[0] for name in sys.modules}
