"""`Depends(manager.subject)`: the application loads its users itself, in the database session of the request."""

from typing import Annotated

import pytest
from adapters.fastapi.application import EVERY_WAY, mounted, with_header
from conformance.driver import bearer, cookie
from conformance.logins import SECRET, Clock
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response, Security, WebSocket
from fastapi.testclient import TestClient
from litestar.di import Provide
from litestar.params import Parameter

from asgi_login import BearerTransport, CookieTransport, LoginManager, login_required
from asgi_login import fastapi as adapter


class Detached(Exception):  # noqa: N818
    """What an ORM raises for an object of another session."""


class Session:
    """A database session that saves its own objects only, as those of ORMs do."""

    def __init__(self):
        self.mine = {}

    def get(self, name):
        if name in {"ada", "bob"}:
            return self.mine.setdefault(name, {"name": name, "is_active": name == "ada"})
        return None

    def add(self, account):
        if not any(one is account for one in self.mine.values()):
            raise Detached


class Logins:
    """A manager without a loader, as `mounted` takes it."""

    def __init__(self):
        self.manager = adapter.LoginManager(
            SECRET, clock=Clock(), transports=[BearerTransport(), CookieTransport()], scopes={"read": "Read"}
        )

    def token(self, sub="ada", *scopes):
        return self.manager.create_access_token(data={"sub": sub}, scopes=scopes)


def application(logins):
    manager, app = logins.manager, FastAPI()
    Subject = Annotated[str, Depends(manager.subject)]  # noqa: N806
    InSession = Annotated[Session, Depends(Session)]  # noqa: N806

    def current_account(sub: Subject, session: InSession):
        account = session.get(sub)
        if account is None:
            raise HTTPException(404, "no such account")
        if not account["is_active"]:
            raise HTTPException(400, "closed")
        return account

    @app.patch("/me")
    def rename(account: Annotated[dict, Depends(current_account)], session: InSession):
        session.add(account)
        return account["name"]

    @app.get("/read")
    async def read(sub: Annotated[str, Security(manager.subject, scopes=["read"])]):
        return sub

    @app.get("/public")
    async def public():
        return "public"

    @app.get("/user")
    async def user(user: Annotated[object, Depends(manager)]):
        return "reached"

    @app.get("/optional")
    async def optional(user: Annotated[object, Depends(manager.optional)]):
        return "reached" if user else "nobody"

    @app.websocket("/ws")
    async def talk(websocket: WebSocket, sub: Subject):
        await websocket.accept()
        await websocket.send_text(sub)
        await websocket.close()

    return app


@pytest.fixture(params=EVERY_WAY)
def how(request):
    return request.param


@pytest.fixture
def logins():
    return Logins()


@pytest.fixture
def client(logins, how):
    return TestClient(mounted(application(logins), how, logins), base_url="https://shop.example")


class TestWithoutALoader:
    def test_an_account_that_is_loaded_in_the_requests_session_can_be_saved_in_it(self, client, logins):
        response = client.patch("/me", headers=with_header(logins.token()))
        assert (response.status_code, response.json()) == (200, "ada")

    def test_the_application_says_who_does_not_exist(self, client, logins):
        assert client.patch("/me", headers=with_header(logins.token("bob"))).status_code == 400
        assert client.patch("/me", headers=with_header(logins.token("eve"))).status_code == 404

    def test_nobody_and_a_bad_token_are_refused_before_the_application_looks_for_anybody(self, client):
        assert client.patch("/me").json()["error"] == "unauthorized"
        response = client.patch("/me", headers=with_header("a.b.c"))
        assert (response.status_code, response.json()["error"]) == (401, "invalid_token")

    def test_scopes_are_required(self, client, logins):
        assert client.get("/read", headers=with_header(logins.token("ada", "read"))).json() == "ada"
        assert client.get("/read", headers=with_header(logins.token())).json()["error"] == "insufficient_scope"

    def test_another_site_is_refused(self, client, logins):
        headers = dict([cookie(logins.token())]) | {"Origin": "https://evil.example"}
        assert client.patch("/me", headers=headers).json()["error"] == "cross_origin_request"
        assert client.patch("/me", headers=headers | {"Origin": "https://shop.example"}).json() == "ada"

    def test_a_websocket_gets_the_subject(self, client, logins):
        with client.websocket_connect("/ws", headers=dict([bearer(logins.token())])) as websocket:
            assert websocket.receive_text() == "ada"

    @pytest.mark.parametrize("path", ["/user", "/optional"])
    def test_a_dependency_that_needs_the_user_is_a_clear_error(self, client, logins, path):
        with pytest.raises(RuntimeError, match="no user loader is registered"):
            client.get(path, headers=with_header(logins.token()))
        assert client.get(path).status_code == (401 if path == "/user" else 200)

    def test_a_public_page_is_shown(self, client, logins):
        assert client.get("/public", headers=with_header(logins.token())).status_code == 200

    def test_openapi_says_that_a_login_is_needed(self, client, logins, how):
        if how != "wrapped":
            paths = client.get("/openapi.json").json()["paths"]
            assert paths["/read"]["get"]["security"] == [
                {name: ["read"]} for name in client.get("/openapi.json").json()["components"]["securitySchemes"]
            ]


def test_the_subject_is_the_user_of_the_middleware_and_its_gates_where_no_loader_is_registered():
    logins = Logins()
    app = application(logins)
    adapter.install(app, logins.manager)

    @app.get("/gated")
    @login_required
    async def gated(request: Request):
        return request.state.user

    @app.post("/in")
    async def log_in(request: Request):
        logins.manager.login_user(request, "ada")
        return Response()

    client = TestClient(app, base_url="https://shop.example")
    assert client.get("/gated").status_code == 401
    client.post("/in")
    assert client.get("/gated").json() == "ada"
    assert client.patch("/me").json() == "ada"


def test_without_a_subject_a_missing_loader_stays_a_clear_error_under_the_middleware():
    logins, app = Logins(), FastAPI()
    adapter.install(app, logins.manager)
    with pytest.raises(RuntimeError, match="no user loader is registered"):
        TestClient(app).get("/", headers=with_header(logins.token()))


@pytest.mark.parametrize("before", [True, False])
def test_a_loader_that_is_registered_runs_and_its_user_must_exist(how, before):
    logins = Logins()
    if not before:
        app = application(logins)
    logins.manager.user_loader({"ada": object()}.get)
    if before:
        app = application(logins)
    client = TestClient(mounted(app, how, logins))
    assert client.patch("/me", headers=with_header(logins.token())).json() == "ada"
    assert client.patch("/me", headers=with_header(logins.token("bob"))).json()["error"] == "invalid_token"
    assert client.get("/user", headers=with_header(logins.token())).json() == "reached"


def by_default(sub, session=Depends(Session)):  # noqa: B008 - what is refused
    return sub


def annotated(sub, session: Annotated[Session, Depends(Session)]):
    return sub


def annotated_with_a_default(sub, *, session: Annotated[Session | None, Depends(Session)] = None):
    return sub


def by_header(sub, tenant=Header()):  # noqa: B008 - the same
    return sub


def by_litestar(sub, session=Parameter()):  # noqa: B008 - the same
    return sub


def takes_anything(sub, *args, **kwargs):
    return sub


class TestInjection:
    @pytest.mark.parametrize("make", [adapter.LoginManager, LoginManager])
    @pytest.mark.parametrize(
        ("loader", "args", "kwargs"),
        [
            (takes_anything, (Depends(Session),), {}),
            (takes_anything, (1, Depends(Session)), {}),
            (takes_anything, (), {"session": Depends(Session)}),
            (takes_anything, (), {"session": Security(Session)}),
            (takes_anything, (), {"page": Query()}),
            (takes_anything, (), {"session": Provide(Session, sync_to_thread=False)}),
            (by_default, (), {}),
            (annotated, (), {}),
            (annotated_with_a_default, (), {}),
            (by_header, (), {}),
            (by_litestar, (), {}),
        ],
    )
    def test_what_a_framework_would_inject_is_refused_when_the_loader_is_registered(self, make, loader, args, kwargs):
        with pytest.raises(TypeError, match=r"\(\.\.\.\): pass what makes it.*Depends\(manager\.subject\)"):
            make(SECRET).user_loader(*args, **kwargs)(loader)

    @pytest.mark.parametrize("loader", [by_default, annotated, annotated_with_a_default, by_header, by_litestar])
    def test_what_is_given_in_its_place_is_not(self, loader):
        name = "tenant" if loader is by_header else "session"
        assert LoginManager(SECRET).user_loader(**{name: Session()})(loader) is loader
        if loader is not annotated_with_a_default:
            assert LoginManager(SECRET).user_loader(Session())(loader) is loader
