import importlib
import json
import re
import sys
from datetime import timedelta
from typing import Annotated

import pytest
from conformance.driver import DENIAL, assert_denied, bearer, cookie, http, websocket
from conformance.logins import OTHER_SECRET, SECRET, Clock, DatabaseDownError, Logins, User
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Request, Response, Security, WebSocket
from fastapi.openapi.models import OpenAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.testclient import WebSocketDenialResponse

import asgi_login
from asgi_login import (
    AuthError,
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Key,
    Sessions,
    fresh_login_required,
    login_required,
    requires_scopes,
)
from asgi_login.fastapi import InvalidCredentialsException, LoginManager, install

COOKIE_NAME = "access-token"


def make_logins(secret=SECRET, **settings):
    if "transports" not in settings:
        settings.setdefault("use_cookie", True)
    return _FastAPILogins(secret, **settings)


class _FastAPILogins(Logins):
    """The same with FastAPI's manager, which makes its transports by itself."""

    def __init__(self, secret, *, clock=None, **settings):
        self.clock = clock or Clock()
        self.loads = []
        self.manager = LoginManager(secret, clock=self.clock, **settings)
        self.manager.user_loader(self._load)


@pytest.fixture
def logins():
    return make_logins()


def with_header(token):
    return dict([bearer(token)])


def with_cookie(token):
    return dict([cookie(token, COOKIE_NAME)])


def mounted(app, how, *logins):
    """Give an application its logins, in one of the ways there are."""
    managers = [one.manager for one in logins]
    if how == "attached":
        assert len(managers) == 1
        managers[0].attach_middleware(app)
    elif how == "installed":
        install(app, managers)
    elif how == "wrapped":
        return AuthMiddleware(app, managers)
    return app


EVERY_WAY = ["bare", "attached", "installed", "wrapped"]


@pytest.fixture(params=EVERY_WAY)
def how(request):
    return request.param


def application(logins):
    """Return an application whose views depend on the manager in every way."""
    app = FastAPI()
    add_views(app, logins.manager)
    add_writing_views(app, logins.manager)
    add_websockets(app, logins.manager)
    return app


def add_views(app, manager):
    @app.get("/me")
    async def me(user: Annotated[User, Depends(manager)]):
        return user.name

    @app.get("/me-sync")
    def me_sync(user: Annotated[User, Depends(manager)]):
        return user.name

    @app.get("/read")
    async def read(user: Annotated[User, Security(manager, scopes=["read"])]):
        return user.name

    @app.get("/optional")
    async def optional(user: Annotated[User | None, Depends(manager.optional)]):
        return user and user.name

    @app.get("/optional-read")
    async def optional_read(user: Annotated[User | None, Security(manager.optional, scopes=["read"])]):
        return user and user.name

    @app.get("/all")
    async def everything(
        one: Annotated[User, Depends(manager)],
        two: Annotated[User, Security(manager, scopes=["read"])],
        three: Annotated[User | None, Depends(manager.optional)],
        four: Annotated[User | None, Security(manager.optional, scopes=["write"])],
    ):
        return [user and user.name for user in (one, two, three, four)]


def add_writing_views(app, manager):
    @app.post("/write")
    async def write(user: Annotated[User, Depends(manager)]):
        return user.name

    @app.post("/write-optional")
    async def write_optional(user: Annotated[User | None, Depends(manager.optional)]):
        return user and user.name


def add_websockets(app, manager):
    async def say(websocket, text):
        await websocket.accept()
        await websocket.send_text(text)
        await websocket.close()

    @app.websocket("/ws")
    async def talk(websocket: WebSocket, user: Annotated[User, Depends(manager)]):
        await say(websocket, user.name)

    @app.websocket("/ws-read")
    async def talk_of_reading(websocket: WebSocket, user: Annotated[User, Security(manager, scopes=["read"])]):
        await say(websocket, user.name)

    @app.websocket("/ws-optional")
    async def talk_to_anybody(websocket: WebSocket, user: Annotated[User | None, Depends(manager.optional)]):
        await say(websocket, user.name if user else "nobody")


@pytest.fixture
def client(how, logins):
    return TestClient(mounted(application(logins), how, logins), "https://testserver", follow_redirects=False)


class TestDependencies:
    @pytest.mark.parametrize("path", ["/me", "/me-sync", "/optional"])
    @pytest.mark.parametrize("carry", [with_header, with_cookie])
    def test_a_user_is_injected(self, client, logins, path, carry):
        response = client.get(path, headers=carry(logins.token()))
        assert (response.status_code, response.json()) == (200, "ada")
        assert logins.loads == ["ada"]

    @pytest.mark.parametrize("path", ["/me", "/me-sync", "/read", "/all"])
    def test_nobody_is_asked_to_log_in(self, client, path):
        response = client.get(path)
        assert response.status_code == 401
        assert response.json() == {"error": "unauthorized", "error_description": "Authentication is required"}
        assert response.headers["www-authenticate"] == 'Bearer realm="api"'
        assert response.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize("path", ["/me", "/read"])
    @pytest.mark.parametrize("carry", [with_header, with_cookie])
    def test_a_bad_token_is_refused(self, client, logins, path, carry):
        for token in ("not-a-token", logins.token("gone", "read")):
            response = client.get(path, headers=carry(token))
            assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
            assert 'error="invalid_token"' in response.headers["www-authenticate"]

    def test_an_expired_token_is_refused(self, client, logins):
        token = logins.token()
        logins.clock.tick(15 * 60)
        response = client.get("/me", headers=with_header(token))
        assert (response.status_code, response.json()["error_description"]) == (401, "The token has expired")

    def test_two_authorization_lines_are_a_bad_request(self, client, logins):
        line = ("Authorization", f"Bearer {logins.token()}")
        assert client.get("/me", headers=[line, line]).status_code == 400

    def test_a_missing_scope_is_forbidden(self, client, logins):
        for granted in ((), ("write",), ("reader", "rea")):
            response = client.get("/read", headers=with_header(logins.token("ada", *granted)))
            assert (response.status_code, response.json()["error"]) == (403, "insufficient_scope")
            assert response.headers["www-authenticate"].endswith('scope="read"')
        assert client.get("/read", headers=with_header(logins.token("ada", "read"))).json() == "ada"

    def test_optional_gives_nobody_where_there_is_none(self, client, logins):
        assert client.get("/optional").json() is None
        assert client.get("/optional", headers=with_header("not-a-token")).json() is None
        assert client.get("/optional-read", headers=with_header(logins.token())).json() is None
        assert client.get("/optional-read", headers=with_header(logins.token("ada", "read"))).json() == "ada"

    @pytest.mark.parametrize("path", ["/me", "/optional", "/optional-read"])
    def test_a_loader_that_breaks_is_nobodys_anonymity(self, client, logins, path):
        with pytest.raises(DatabaseDownError):
            client.get(path, headers=with_header(logins.token("broken", "read")))

    def test_everything_at_once_verifies_and_loads_once(self, client, logins):
        assert client.get("/all", headers=with_header(logins.token("ada", "read"))).json() == [
            "ada",
            "ada",
            "ada",
            None,
        ]
        assert logins.loads == ["ada"]

    def test_a_missing_loader_is_a_mistake(self, how):
        logins = make_logins()
        token = logins.token()
        logins.manager = LoginManager(SECRET, clock=logins.clock, use_cookie=True)
        client = TestClient(mounted(application(logins), how, logins))
        assert client.get("/optional").json() is None
        with pytest.raises(RuntimeError, match="user_loader"):
            client.get("/optional", headers=with_header(token))

    @pytest.mark.parametrize("path", ["/write", "/write-optional"])
    @pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
    def test_another_site_does_not_act_for_the_cookies_user(self, client, logins, path, headers):
        response = client.post(path, headers={**headers, **with_cookie(logins.token())})
        assert (response.status_code, response.json()["error"]) == (403, "cross_origin_request")
        assert logins.loads == []
        own = {"Origin": "https://testserver", **with_cookie(logins.token())}
        assert client.post(path, headers=own).json() == "ada"
        assert client.post(path, headers={**headers, **with_header(logins.token())}).json() == "ada"

    def test_a_header_comes_before_a_cookie(self, client, logins):
        headers = {**with_header(logins.token("ada")), **with_cookie(logins.token("bob"))}
        assert client.get("/me", headers=headers).json() == "ada"
        headers.update(with_header("not-a-token"))
        assert client.get("/me", headers=headers).status_code == 401

    def test_scopes_add_up_along_the_dependencies(self, how, logins):
        app = FastAPI()
        manager = logins.manager

        def reader(user: Annotated[User, Security(manager, scopes=["read"])]):
            return user.name

        @app.get("/")
        async def view(user: Annotated[str, Security(reader, scopes=["write"])]):
            return user

        client = TestClient(mounted(app, how, logins))
        for granted in ((), ("read",), ("write",)):
            response = client.get("/", headers=with_header(logins.token("ada", *granted)))
            assert response.status_code == 403
            assert set(re.search(r'scope="(.*)"', response.headers["www-authenticate"])[1].split()) == {"read", "write"}
        assert client.get("/", headers=with_header(logins.token("ada", "read", "write"))).json() == "ada"

    def test_a_router_and_a_whole_application_can_depend_on_it(self, how, logins):
        router = APIRouter(dependencies=[Depends(logins.manager)])
        ran = []

        @router.get("/in-router")
        async def view():
            ran.append("view")

        app = FastAPI(dependencies=[Security(logins.manager, scopes=["read"])])
        app.include_router(router)
        client = TestClient(mounted(app, how, logins))
        assert client.get("/in-router").status_code == 401
        assert client.get("/in-router", headers=with_header(logins.token())).status_code == 403
        assert ran == []
        assert client.get("/in-router", headers=with_header(logins.token("ada", "read"))).status_code == 200

    def test_a_mounted_application_depends_on_it_too(self, how, logins):
        app = FastAPI()
        app.mount("/sub", application(logins))
        client = TestClient(mounted(app, how, logins))
        assert client.get("/sub/me").status_code == 401
        assert client.get("/sub/me").json()["error"] == "unauthorized"
        assert client.get("/sub/me", headers=with_header(logins.token())).json() == "ada"

    def test_overrides_take_its_place(self, how, logins):
        app = application(logins)
        app.dependency_overrides[logins.manager] = lambda: User("somebody")
        app.dependency_overrides[logins.manager.optional] = lambda: None
        client = TestClient(mounted(app, how, logins))
        assert client.get("/me").json() == "somebody"
        assert client.get("/read").json() == "somebody"
        assert client.get("/optional").json() is None
        app.dependency_overrides.clear()
        assert client.get("/me").status_code == 401

    def test_a_handler_of_the_application_for_our_errors_has_the_last_word(self, how, logins):
        app = application(logins)
        mounted_app = mounted(app, how, logins)

        @app.exception_handler(AuthError)
        async def own(request, problem):
            return Response(f"own {problem.error}", problem.status)

        client = TestClient(mounted_app)
        assert client.get("/me").text == "own unauthorized"
        assert client.get("/read", headers=with_header(logins.token())).text == "own insufficient_scope"

    @pytest.mark.parametrize("kind", ["class", "instance", "http instance"])
    def test_exceptions_of_the_application_are_raised_in_place_of_ours(self, how, kind):
        class LogInError(Exception):
            pass

        class ScopeError(Exception):
            pass

        exceptions = {
            "class": (LogInError, ScopeError),
            "instance": (LogInError("a"), ScopeError("b")),
            "http instance": (
                HTTPException(302, headers={"Location": "/login"}),
                HTTPException(451, {"why": "scope"}),
            ),
        }[kind]
        logins = make_logins(not_authenticated_exception=exceptions[0], out_of_scope_exception=exceptions[1])
        app = application(logins)

        @app.exception_handler(LogInError)
        async def log_in(request, problem):
            return Response(status_code=302, headers={"Location": "/login"})

        @app.exception_handler(ScopeError)
        async def forbid(request, problem):
            return Response(json.dumps({"detail": {"why": "scope"}}), 451)

        client = TestClient(mounted(app, how, logins), follow_redirects=False)
        for headers in ({}, with_header("not-a-token"), with_header(logins.token("gone"))):
            response = client.get("/me", headers=headers)
            assert (response.status_code, response.headers["location"]) == (302, "/login")
        for _ in range(2):
            response = client.get("/read", headers=with_header(logins.token()))
            assert (response.status_code, response.json()) == (451, {"detail": {"why": "scope"}})
        assert client.get("/optional").json() is None

    def test_a_browser_is_sent_to_the_login_page(self, how):
        logins = make_logins(redirect_to="/login")
        client = TestClient(mounted(application(logins), how, logins), follow_redirects=False)
        response = client.get("/me?a=1", headers={"Accept": "text/html"})
        assert (response.status_code, response.headers["location"]) == (303, "/login?next=%2Fme%3Fa%3D1")
        assert client.get("/me").status_code == 401

    def test_the_name_of_a_route_will_do_for_the_login_page(self):
        logins = make_logins(redirect_to="log_in")
        app = application(logins)

        @app.get("/sign/in")
        async def log_in():
            pass

        install(app, logins.manager)
        with TestClient(app, follow_redirects=False) as client:
            response = client.get("/me", headers={"Accept": "text/html"})
        assert (response.status_code, response.headers["location"]) == (303, "/sign/in?next=%2Fme")

    def test_state_has_the_user_where_there_is_a_middleware(self, logins):
        app = FastAPI()

        @app.get("/")
        async def view(request: Request):
            return [request.state.user and request.state.user.name, request.user.is_authenticated, request.auth.scopes]

        class WithFlag(User):
            is_authenticated = True

        logins.manager.user_loader(WithFlag)
        install(app, logins.manager)
        client = TestClient(app)
        assert client.get("/").json() == [None, False, []]
        assert client.get("/", headers=with_header(logins.token("ada", "a"))).json() == [
            "ada",
            True,
            ["authenticated", "a"],
        ]


class TestWebSockets:
    def test_a_user_is_injected(self, client, logins):
        for path in ("/ws", "/ws-read", "/ws-optional"):
            for carry in (with_header, with_cookie):
                with client.websocket_connect(path, headers=carry(logins.token("ada", "read"))) as session:
                    assert session.receive_text() == "ada"
        with client.websocket_connect("/ws-optional") as session:
            assert session.receive_text() == "nobody"

    @pytest.mark.parametrize(
        ("path", "token", "status"),
        [("/ws", None, 401), ("/ws", "not-a-token", 401), ("/ws-read", (), 403), ("/ws-read", None, 401)],
    )
    def test_a_refusal_is_that_of_http(self, client, logins, path, token, status):
        token = logins.token("ada", *token) if isinstance(token, tuple) else token
        headers = with_header(token) if token else {}
        assert_denied(client.app, path, headers)
        with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect(path, headers=headers):
            pass
        same = client.get({"/ws": "/me", "/ws-read": "/read"}[path], headers=headers)
        assert denial.value.status_code == same.status_code == status
        assert denial.value.json() == same.json()
        assert denial.value.headers["www-authenticate"] == same.headers["www-authenticate"]

    @pytest.mark.anyio
    async def test_nothing_is_sent_before_the_connect(self, how, logins):
        app = mounted(application(logins), how, logins)
        for path in ("/ws", "/ws-read"):
            connection = await websocket(app, path)
            assert [one["type"] for one in connection.messages] == ["websocket.close"]
            assert (connection.close_code, connection.error) == (1008, None)
            connection = await websocket(app, path, extensions=DENIAL)
            assert (connection.status, connection.error) == (401, None)

    @pytest.mark.anyio
    async def test_a_page_of_another_site_does_not_speak_for_the_cookies_user(self, how, logins):
        app = mounted(application(logins), how, logins)
        for path in ("/ws", "/ws-optional"):
            headers = [cookie(logins.token(), COOKIE_NAME), ("origin", "https://evil.example")]
            connection = await websocket(app, path, headers=headers, extensions=DENIAL)
            assert (connection.status, connection.json["error"]) == (403, "cross_origin_request")
            headers[1] = ("origin", "https://site.example")
            assert (await websocket(app, path, headers=headers)).texts == ["ada"]
        assert logins.loads == ["ada", "ada"]

    @pytest.mark.anyio
    async def test_a_loader_that_breaks_is_nobodys_anonymity(self, how, logins):
        app = mounted(application(logins), how, logins)
        for path in ("/ws", "/ws-optional"):
            connection = await websocket(app, path, headers=[bearer(logins.token("broken"))])
            assert isinstance(connection.error, DatabaseDownError)
            assert not connection.is_accepted


class TestSeveralManagers:
    @pytest.fixture
    def both(self):
        web = make_logins(token_url="/web/token", name="web", realm="web", cookie_name="web-token")
        api = make_logins(OTHER_SECRET, token_url="/api/token", name="api", realm="api", use_cookie=False)
        return web, api

    def app(self, web, api):
        app = FastAPI()

        @app.get("/web")
        async def of_web(user: Annotated[User, Depends(web.manager)]):
            return user.name

        @app.get("/api")
        async def of_api(user: Annotated[User, Depends(api.manager)]):
            return user.name

        @app.get("/both")
        async def of_both(
            one: Annotated[User | None, Depends(web.manager.optional)],
            other: Annotated[User | None, Depends(api.manager.optional)],
        ):
            return [user and user.name for user in (one, other)]

        return app

    @pytest.mark.parametrize("how", ["bare", "installed", "wrapped"])
    def test_users_of_one_are_nobody_to_the_other(self, both, how):
        web, api = both
        client = TestClient(mounted(self.app(web, api), how, web, api))
        for logins, own, other in ((web, "/web", "/api"), (api, "/api", "/web")):
            headers = with_header(logins.token())
            assert client.get(own, headers=headers).json() == "ada"
            response = client.get(other, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith(f'Bearer realm="{other[1:]}"')
        assert client.get("/both", headers=with_header(api.token())).json() == [None, "ada"]
        assert client.get("/both", headers=dict([cookie(web.token(), "web-token")])).json() == ["ada", None]

    def test_a_manager_that_is_not_in_the_middleware_does_it_all_by_itself(self, both):
        web, api = both
        app = self.app(web, api)
        install(app, web.manager)
        client = TestClient(app)
        assert client.get("/api", headers=with_header(api.token())).json() == "ada"
        assert client.get("/web", headers=with_header(api.token())).status_code == 401
        assert client.get("/api").headers["www-authenticate"] == 'Bearer realm="api"'
        assert (web.loads, api.loads) == ([], ["ada"])


class Item(BaseModel):
    name: str
    price: float = 1.0


MANAGED = make_logins(scopes={"read": "Read items", "write": "Write items"})
CurrentUser = Annotated[User, Depends(MANAGED.manager)]
Reader = Annotated[User, Security(MANAGED.manager, scopes=["read"])]
Anybody = Annotated[User | None, Depends(MANAGED.manager.optional)]


def answer(request: Request) -> int:
    return len(request.url.path)


class TestViews:
    @pytest.fixture
    def client(self):
        MANAGED.forget()
        app = FastAPI()

        @app.get("/annotated/{number}")
        async def annotated(number: int, user: CurrentUser, anybody: Anybody, q: str = "none") -> dict:
            return {"number": number, "user": user.name, "anybody": anybody.name, "q": q}

        # What `from __future__ import annotations` makes of annotations.
        @app.get("/strings/{number}")
        @login_required
        async def strings(number: "int", user: "CurrentUser", reader: "Reader", q: "str" = "none") -> "dict":
            return {"number": number, "user": user.name, "reader": reader.name, "q": q}

        @app.get("/reader")
        def reader(user: Reader) -> str:
            return user.name

        @app.post("/items/{number}")
        @login_required
        async def make(
            number: int,
            item: Item,
            length: Annotated[int, Depends(answer)],
            q: str | None = None,
            *,
            loud: bool = False,
        ) -> dict:
            return {"number": number, "item": item, "length": length, "q": q, "loud": loud}

        @app.post("/items-sync/{number}")
        @requires_scopes("write")
        def make_sync(
            number: int, item: Annotated[Item, Body(embed=True)], length: Annotated[int, Depends(answer)]
        ) -> dict:
            return {"number": number, "item": item, "length": length}

        @app.post("/plain/{number}")
        def not_gated(
            number: int, item: Annotated[Item, Body(embed=True)], length: Annotated[int, Depends(answer)]
        ) -> dict:
            return {}

        @app.get("/fresh")
        @fresh_login_required
        async def fresh(user: CurrentUser) -> str:
            return user.name

        install(app, MANAGED.manager)
        return TestClient(app)

    def test_annotated_dependencies_are_understood(self, client):
        response = client.get("/annotated/7?q=x", headers=with_header(MANAGED.token()))
        assert response.json() == {"number": 7, "user": "ada", "anybody": "ada", "q": "x"}
        assert client.get("/annotated/7").status_code == 401
        assert client.get("/reader", headers=with_header(MANAGED.token("ada", "read"))).json() == "ada"
        assert client.get("/reader", headers=with_header(MANAGED.token())).status_code == 403

    def test_annotations_that_are_strings_are_understood_behind_a_decorator(self, client):
        response = client.get("/strings/7?q=x", headers=with_header(MANAGED.token("ada", "read")))
        assert response.json() == {"number": 7, "user": "ada", "reader": "ada", "q": "x"}
        assert client.get("/strings/7", headers=with_header(MANAGED.token())).status_code == 403
        assert client.get("/strings/7").status_code == 401

    def test_an_asynchronous_view_behind_a_decorator_gets_its_parameters(self, client):
        headers = with_header(MANAGED.token())
        response = client.post("/items/3?q=x&loud=true", json={"name": "cup"}, headers=headers)
        assert response.json() == {
            "number": 3,
            "item": {"name": "cup", "price": 1.0},
            "length": len("/items/3"),
            "q": "x",
            "loud": True,
        }
        assert client.post("/items/3", json={"name": "cup"}).status_code == 401

    def test_a_plain_view_behind_a_decorator_gets_its_parameters(self, client):
        headers = with_header(MANAGED.token("ada", "write"))
        response = client.post("/items-sync/3", json={"item": {"name": "cup", "price": 2}}, headers=headers)
        assert response.json() == {"number": 3, "item": {"name": "cup", "price": 2.0}, "length": len("/items-sync/3")}
        assert client.post("/items-sync/3", json={"item": {"name": "cup"}}).status_code == 401
        headers = with_header(MANAGED.token())
        assert client.post("/items-sync/3", json={"item": {"name": "cup"}}, headers=headers).status_code == 403

    def test_what_is_wrong_with_parameters_is_still_told(self, client):
        response = client.post("/items-sync/x", json={}, headers=with_header(MANAGED.token("ada", "write")))
        assert response.status_code == 422
        assert {tuple(one["loc"]) for one in response.json()["detail"]} == {("path", "number"), ("body", "item")}

    def test_decorator_and_dependency_work_together(self, client):
        assert client.get("/fresh", headers=with_header(MANAGED.fresh_token())).json() == "ada"
        response = client.get("/fresh", headers=with_header(MANAGED.token()))
        assert (response.status_code, response.json()["error"]) == (401, "insufficient_user_authentication")
        assert MANAGED.loads == ["ada", "ada"]

    def test_a_decorator_changes_nothing_about_the_operation_in_openapi(self, client):
        paths = client.get("/openapi.json").json()["paths"]
        gated, plain = paths["/items-sync/{number}"]["post"], paths["/plain/{number}"]["post"]
        assert gated["parameters"] == plain["parameters"]
        assert set(gated["requestBody"]["content"]) == set(plain["requestBody"]["content"])
        assert "422" in gated["responses"]


class TestOpenAPI:
    def schema(self, app):
        schema = TestClient(app).get("/openapi.json").json()
        check_openapi(schema)
        return schema

    def test_the_header_is_an_oauth2_password_flow_and_the_cookie_an_api_key(self, how):
        logins = make_logins(token_url="/auth/token", scopes={"read": "Read items", "write": "Write items"})
        app = application(logins)
        mounted(app, how, logins)
        schema = self.schema(app)
        schemes = schema["components"]["securitySchemes"]
        assert len(schemes) == 2
        by_type = {scheme["type"]: (name, scheme) for name, scheme in schemes.items()}
        oauth2, key = by_type["oauth2"], by_type["apiKey"]
        assert oauth2[1]["flows"] == {
            "password": {"tokenUrl": "/auth/token", "scopes": {"read": "Read items", "write": "Write items"}}
        }
        assert {name: key[1][name] for name in ("in", "name")} == {"in": "cookie", "name": COOKIE_NAME}
        # Each requirement stands alone: one of them is enough.
        required = schema["paths"]["/read"]["get"]["security"]
        assert sorted(map(list, required)) == sorted([[oauth2[0]], [key[0]]])
        assert {oauth2[0]: ["read"]} in required
        assert {oauth2[0]: []} in schema["paths"]["/me"]["get"]["security"]

    @pytest.mark.parametrize(
        ("settings", "types"),
        [
            ({"use_cookie": False}, ["oauth2"]),
            ({"use_cookie": True, "use_header": False}, ["apiKey"]),
            ({"use_cookie": True}, ["apiKey", "oauth2"]),
            ({"transports": [CookieTransport(), CookieTransport("__Host-other", name="other")]}, ["apiKey", "apiKey"]),
        ],
    )
    def test_only_what_is_read_is_listed(self, settings, types):
        schema = self.schema(application(make_logins(**settings)))
        assert sorted(one["type"] for one in schema["components"]["securitySchemes"].values()) == types

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"name": "web"}, {"name": "api"}),
            ({"name": "web", "token_url": "/same"}, {"name": "api", "token_url": "/same"}),
            ({"name": "a", "token_url": "/b/c"}, {"name": "a-b", "token_url": "/c"}),
            ({"name": "a", "token_url": "/b.c"}, {"name": "a", "token_url": "/b/c"}),
            ({"name": "a", "token_url": "/x"}, {"name": "a", "token_url": "/y"}),
        ],
    )
    def test_two_managers_never_collide(self, one, other):
        first = make_logins(SECRET, use_cookie=False, **one)
        second = make_logins(OTHER_SECRET, use_cookie=False, **other)
        app = TestSeveralManagers.app(None, first, second)
        schema = self.schema(app)
        schemes = schema["components"]["securitySchemes"]
        assert len(schemes) == 2, schemes
        flows = []
        for path, logins in (("/web", first), ("/api", second)):
            [requirement] = schema["paths"][path]["get"]["security"]
            flow = schemes[next(iter(requirement))]["flows"]["password"]
            assert flow == {"tokenUrl": logins.manager.token_url, "scopes": dict(logins.manager.config.scopes)}
            flows.append(next(iter(requirement)))
        assert flows[0] != flows[1]

    @pytest.mark.parametrize(
        ("token_url", "cookie_name"),
        [("/auth/token", "auth-token"), ("/auth/token", "auth.token"), ("token", "token"), ("/", "-")],
    )
    def test_the_header_and_the_cookie_of_one_manager_never_collide(self, token_url, cookie_name):
        app = application(make_logins(token_url=token_url, cookie_name=cookie_name))
        schemes = self.schema(app)["components"]["securitySchemes"].values()
        assert sorted(scheme["type"] for scheme in schemes) == ["apiKey", "oauth2"]

    @pytest.mark.parametrize("how", ["attached", "installed"])
    def test_401_and_403_are_listed_for_what_is_behind_a_manager(self, how, logins):
        app = application(logins)

        @app.get("/open")
        async def open_to_all():
            pass

        @app.get("/own", responses={401: {"description": "Own words"}})
        async def own(user: Annotated[User, Depends(logins.manager)]):
            pass

        mounted(app, how, logins)
        paths = self.schema(app)["paths"]
        for path in ("/me", "/me-sync", "/read", "/all"):
            assert {"200", "401", "403"} <= set(paths[path]["get"]["responses"])
        assert {"401", "403"} <= set(paths["/write"]["post"]["responses"])
        assert {"401", "403"}.isdisjoint(paths["/open"]["get"]["responses"])
        assert paths["/own"]["get"]["responses"]["401"] == {"description": "Own words"}

    def test_it_is_the_same_at_every_call(self, logins):
        app = application(logins)
        install(app, logins.manager)
        assert app.openapi() == app.openapi()
        assert app.openapi() is app.openapi()
        check_openapi(app.openapi())

    def test_the_documentation_page_offers_the_login(self, logins):
        app = application(logins)
        install(app, logins.manager)
        client = TestClient(app)
        assert client.get("/docs").status_code == 200
        assert client.get("/openapi.json").status_code == 200

    def test_the_managers_do_not_show_up_as_parameters(self, logins):
        for path in self.schema(application(logins))["paths"].values():
            for operation in path.values():
                assert "parameters" not in operation
                assert "requestBody" not in operation


def check_openapi(schema):
    """Hold a document to the rules of OpenAPI 3.1 that a parser can check."""
    OpenAPI.model_validate(schema)
    assert schema["openapi"].startswith("3.1.")
    schemes = schema.get("components", {}).get("securitySchemes", {})
    for name, scheme in schemes.items():
        # OpenAPI 3.1, Components Object: keys of every component.
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name
        if scheme["type"] == "apiKey":
            assert scheme["in"] == "cookie"
            assert scheme["name"]
        else:
            assert scheme["type"] == "oauth2"
            assert set(scheme["flows"]["password"]) >= {"tokenUrl", "scopes"}
            assert all(isinstance(text, str) for text in scheme["flows"]["password"]["scopes"].values())
    for path in schema["paths"].values():
        for operation in path.values():
            for requirement in operation.get("security", ()):
                assert requirement.keys() <= schemes.keys()
                assert all(isinstance(scopes, list) for scopes in requirement.values())
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", status)
                assert response["description"]
    identifiers = [one["operationId"] for path in schema["paths"].values() for one in path.values()]
    assert len(set(identifiers)) == len(identifiers)


class TestManager:
    def test_the_arguments_stand_in_the_order_of_fastapi_login(self):
        class OwnError(Exception):
            pass

        manager = LoginManager(
            SECRET, "/token", "HS256", True, True, "own-cookie", OwnError, timedelta(minutes=1), {"a": "A"}, OwnError
        )
        assert (manager.token_url, manager.cookie_name) == ("/token", "own-cookie")
        assert (manager.not_authenticated_exception, manager.out_of_scope_exception) == (OwnError, OwnError)
        assert (manager.config.default_expiry, dict(manager.config.scopes)) == (timedelta(minutes=1), {"a": "A"})
        assert [transport.name for transport in manager.config.transports] == ["bearer", "cookie"]

    def test_it_is_a_manager_of_the_core(self):
        manager = LoginManager(
            [Key(SECRET), OTHER_SECRET],
            transports=[BearerTransport(), CookieTransport()],
            issuer="https://issuer.example",
            audience="orders",
            leeway=timedelta(seconds=1),
            sessions=Sessions(fresh_for=timedelta(minutes=1)),
            redirect_to="/login",
            name="web",
            realm="orders",
            token_cache_size=0,
            clock=Clock(),
        )
        assert isinstance(manager, asgi_login.LoginManager)
        assert manager.cookie_name == "__Host-access-token"
        assert LoginManager[User](SECRET).name == "default"

    @pytest.mark.parametrize("settings", [{"use_cookie": True}, {"use_header": False}])
    def test_transports_and_the_arguments_that_they_replace_are_refused_together(self, settings):
        with pytest.raises(ValueError, match="transports= replaces use_cookie= and use_header="):
            LoginManager(SECRET, transports=[BearerTransport()], **settings)

    def test_neither_header_nor_cookie_is_refused(self):
        with pytest.raises(ValueError, match="use_cookie and use_header are both False"):
            LoginManager(SECRET, use_header=False)

    def test_a_manager_without_a_cookie_has_no_name_for_it(self):
        with pytest.raises(ValueError, match="has no cookie"):
            _ = LoginManager(SECRET).cookie_name

    def test_arguments_of_older_releases_are_refused_with_what_to_write(self):
        with pytest.raises(TypeError, match=r"tokenUrl= is called token_url= now"):
            LoginManager(SECRET, tokenUrl="/token")
        manager = LoginManager(SECRET)
        with pytest.raises(TypeError, match=r"expires_delta= is called expires= now"):
            manager.create_access_token(data={"sub": "ada"}, expires_delta=timedelta(minutes=1))
        with pytest.raises(TypeError, match="lifetime"):
            manager.create_access_token(data={"sub": "ada"}, lifetime=timedelta(minutes=1))
        for name in ("not_authenticated_exception", "out_of_scope_exception"):
            with pytest.raises(AttributeError, match=rf"pass {name}= to LoginManager\(\.\.\.\)"):
                setattr(manager, name, ValueError)
            assert getattr(manager, name) is None
        with pytest.raises(TypeError):
            LoginManager(SECRET, unheard_of=1)

    def test_scopes_of_none_are_none(self):
        logins = make_logins()
        token = logins.manager.create_access_token(data={"sub": "ada"}, scopes=None)
        app = application(logins)
        assert TestClient(app).get("/read", headers=with_header(token)).status_code == 403

    def test_the_cookie_is_set_and_deleted_on_fastapis_responses(self, logins):
        app = application(logins)

        @app.post("/in")
        async def log_in(response: Response):
            logins.manager.set_cookie(response, logins.token())
            return "in"

        @app.post("/out")
        async def log_out(response: Response):
            logins.manager.delete_cookie(response)
            return "out"

        browser = TestClient(app, "https://testserver")
        line = browser.post("/in").headers["set-cookie"]
        assert line.startswith(f"{COOKIE_NAME}=")
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        assert browser.get("/me").json() == "ada"
        browser.post("/out")
        assert browser.get("/me").status_code == 401

    def test_credentials_that_are_wrong_have_an_exception(self):
        app = FastAPI()

        @app.post("/class")
        async def raise_class():
            raise InvalidCredentialsException

        @app.post("/instance")
        async def raise_instance():
            raise InvalidCredentialsException("Try again")

        client = TestClient(app)
        for path, detail in (("/class", "Invalid credentials"), ("/instance", "Try again")):
            response = client.post(path)
            assert (response.status_code, response.json()) == (401, {"detail": detail})
            assert response.headers["www-authenticate"].startswith("Bearer realm=")
        assert issubclass(InvalidCredentialsException, HTTPException)

    def test_it_can_stand_in_for_our_401(self, how):
        logins = make_logins(not_authenticated_exception=InvalidCredentialsException)
        response = TestClient(mounted(application(logins), how, logins)).get("/me")
        assert (response.status_code, response.json()) == (401, {"detail": "Invalid credentials"})

    @pytest.mark.anyio
    async def test_a_dependency_writes_no_state_that_servers_share(self, logins):
        shared = {"pool": "shared"}
        connection = await http(application(logins), "/me", headers=[bearer(logins.token())], state=shared)
        assert connection.json == "ada"
        assert shared == {"pool": "shared"}


def test_without_fastapi_the_adapter_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "asgi_login.fastapi")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ImportError, match=r"needs FastAPI .*: pip install fastapi"):
        importlib.import_module("asgi_login.fastapi")
