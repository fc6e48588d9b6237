"""The manager as a dependency of FastAPI's: of views, of websockets, and next to other managers."""

import json
import re
from typing import Annotated

import anyio
import pytest
from adapters.fastapi.application import (
    COOKIE_NAME,
    application,
    application_of_two,
    make_logins,
    mounted,
    with_cookie,
    with_header,
)
from conformance.driver import DENIAL, assert_denied, bearer, cookie, websocket
from conformance.logins import OTHER_SECRET, SECRET, DatabaseDownError, User
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response, Security
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from store_browser import Down

from asgi_login import AuthError, MemoryStore, Refresh
from asgi_login.fastapi import LoginManager, install


class TestRequirements:
    @pytest.mark.parametrize("carry", [with_header, with_cookie])
    @pytest.mark.parametrize("middleware", [True, False])
    def test_a_check_decides_about_users_only(self, carry, middleware):
        logins = make_logins()
        app = FastAPI()
        if middleware:
            install(app, logins.manager)

        async def is_bob(auth):
            return auth.user.name == "bob"

        @app.get("/bobs")
        async def bobs(user: Annotated[User, Depends(logins.manager.requires(is_bob))]):
            return user.name

        client = TestClient(app)
        assert client.get("/bobs", headers=carry(logins.token("bob"))).json() == "bob"
        refused = client.get("/bobs", headers=carry(logins.token("ada")))
        assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
        assert client.get("/bobs").status_code == 401
        assert client.get("/openapi.json").json()["paths"]["/bobs"]["get"]["security"]

    def test_what_is_no_check_is_told_when_the_route_is_declared(self):
        with pytest.raises(TypeError, match="a check is a function of the Auth"):
            make_logins().manager.requires("editor")


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

    @pytest.mark.parametrize("weaker_first", [True, False])
    def test_what_fastapi_keeps_of_a_weaker_dependency_does_not_answer_for_a_stronger_one(
        self, how, logins, weaker_first
    ):
        app = FastAPI()
        weak, strong = Depends(logins.manager), Security(logins.manager, scopes=["read"])
        first, second = (weak, strong) if weaker_first else (strong, weak)

        @app.get("/")
        async def view(one: Annotated[User, first], other: Annotated[User, second]):
            return [one.name, other.name]

        client = TestClient(mounted(app, how, logins))
        assert client.get("/", headers=with_header(logins.token())).status_code == 403
        assert client.get("/", headers=with_header(logins.token("ada", "read"))).json() == ["ada", "ada"]

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

    @pytest.mark.parametrize("how", ["bare", "installed", "wrapped"])
    def test_users_of_one_are_nobody_to_the_other(self, both, how):
        web, api = both
        client = TestClient(mounted(application_of_two(web, api), how, web, api))
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
        app = application_of_two(web, api)
        install(app, web.manager)
        client = TestClient(app)
        assert client.get("/api", headers=with_header(api.token())).json() == "ada"
        assert client.get("/web", headers=with_header(api.token())).status_code == 401
        assert client.get("/api").headers["www-authenticate"] == 'Bearer realm="api"'
        assert (web.loads, api.loads) == ([], ["ada"])


class TestManagersOfOneKey:
    """Two managers that nobody put into one list must not open each other's pages."""

    @staticmethod
    def app_of(web, admin):
        app = FastAPI()

        @app.get("/web")
        async def web_page(user: Annotated[User, Depends(web.manager)]):
            return user.name

        @app.get("/admin")
        async def admin_page(user: Annotated[User, Depends(admin.manager)]):
            return user.name

        return app

    def test_the_second_of_two_dependencies_says_so_at_its_first_request(self):
        web, admin = make_logins(name="web"), make_logins(name="admin")
        client = TestClient(self.app_of(web, admin), "https://testserver")
        headers = with_header(web.token("ada"))
        assert client.get("/web", headers=headers).status_code == 200
        for _ in range(2):
            with pytest.raises(RuntimeError, match="'web' and 'admin' share a key"):
                client.get("/admin", headers=headers)

    def test_a_dependency_that_the_middleware_does_not_know_says_so(self):
        web, admin = make_logins(name="web"), make_logins(name="admin")
        app = self.app_of(web, admin)
        install(app, web.manager)
        client = TestClient(app, "https://testserver")
        with pytest.raises(RuntimeError, match="'web' and 'admin' share a key"):
            client.get("/admin", headers=with_header(web.token("ada")))

    def test_a_manager_of_the_same_name_is_not_taken_for_the_one_in_the_middleware(self):
        web, other = make_logins(), make_logins(OTHER_SECRET)
        app = self.app_of(web, other)
        install(app, web.manager)
        client = TestClient(app, "https://testserver")
        assert client.get("/web", headers=with_header(web.token("ada"))).json() == "ada"
        assert client.get("/admin", headers=with_header(web.token("ada"))).status_code == 401
        assert client.get("/admin", headers=with_header(other.token("bob"))).json() == "bob"


class TestStoreThatIsDown:
    @pytest.mark.parametrize("installed", [False, True])
    @pytest.mark.parametrize("path", ["/me", "/maybe"])
    def test_nobody_is_taken_for_a_stranger_because_the_store_does_not_answer(self, installed, path):
        store = Down()
        logins = make_logins(store=store)
        app = FastAPI()

        @app.get("/me")
        async def me(user: Annotated[User, Depends(logins.manager)]):
            return user.name

        @app.get("/maybe")
        async def maybe(user: Annotated[User | None, Depends(logins.manager.optional)]):
            return user and user.name

        if installed:
            install(app, logins.manager)

        store.is_down = True
        response = TestClient(app, "https://testserver").get(path, headers=with_header(logins.token("ada")))
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")


def test_without_the_middleware_a_remember_token_is_checked_and_stays_because_no_cookie_is_written():
    logins = make_logins(store=MemoryStore())
    bare, installed = application(logins), application(logins)

    @installed.post("/login")
    async def log_in(request: Request):
        logins.manager.login_user(request, "ada", remember=True)

    install(installed, logins.manager)
    browser = TestClient(installed, "https://testserver")
    browser.post("/login", headers={"origin": "https://testserver"})
    name = logins.manager.config.remember_cookie.cookie_name
    first = {"cookie": f"{name}={browser.cookies[name]}"}
    for _ in range(3):
        response = TestClient(bare).get("/me", headers=first)
        assert (response.status_code, response.headers.get("set-cookie")) == (200, None)
        logins.clock.tick(60)
    second = TestClient(installed).get("/me", headers=first)
    assert second.status_code == 200
    assert name in second.headers["set-cookie"]
    logins.clock.tick(60)
    assert TestClient(bare).get("/me", headers=first).status_code == 401


def test_the_manager_takes_refresh_tokens_as_the_core_does():
    logins = make_logins(store=MemoryStore(), refresh=Refresh())
    pair = anyio.run(logins.manager.issue_tokens, "ada")
    client = TestClient(application(logins))
    assert client.get("/me", headers=with_header(pair.access_token)).status_code == 200
    for carry in (with_header, with_cookie):
        assert client.get("/me", headers=carry(pair.refresh_token)).status_code == 401
