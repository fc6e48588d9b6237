"""Endpoints: what they answer in front of an application, what they leave to it, and where a router mounts them."""

import pytest
from conformance import driver
from conformance.driver import http
from fastapi import FastAPI
from helpers import bearer, cookie, hello, parts, request, run, websocket
from litestar import Litestar, get
from litestar.config.cors import CORSConfig
from oauth.posting import FORM, DownStore, issuing, pair_of, post, refresh, said
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_login import AuthMiddleware
from asgi_login import fastapi as fastapi_adapter
from asgi_login import quart as quart_adapter
from asgi_login import starlette as starlette_adapter
from asgi_login.litestar import LoginPlugin
from asgi_login.oauth import Endpoints, RefreshCookie, RevocationEndpoint, TokenEndpoint


def site(manager, *endpoints):
    return Endpoints(AuthMiddleware(hello, manager), *(endpoints or [TokenEndpoint(manager)]))


def test_requests_at_the_path_of_an_endpoint_are_its_own():
    manager = issuing()
    app, pair = site(manager, TokenEndpoint(manager), RevocationEndpoint(manager)), pair_of(manager)
    assert refresh(app, pair.refresh_token).status == 200
    assert post(app, {"token": pair.refresh_token}, path="/auth/revoke").status == 200
    assert said(refresh(app, pair.refresh_token)) == (400, "invalid_grant")


@pytest.mark.parametrize("path", ["/", "/auth", "/auth/token/", "/auth/token/x", "/Auth/token", "/x/auth/token", ""])
def test_every_other_path_is_the_applications(path):
    answer = request(site(issuing()), "POST", path)
    assert (answer.status, answer.body) == (200, b"None")


def test_a_websocket_at_the_path_of_an_endpoint_is_the_applications():
    assert websocket(site(issuing()), "/auth/token")[0]["type"] == "websocket.accept"


@pytest.mark.parametrize("kind", ["lifespan", "something else"])
def test_every_other_scope_passes_untouched(kind):
    seen = []

    async def app(*arguments):
        seen.append(arguments)

    scope = {"type": kind}
    arguments = (scope, object(), object())
    run(Endpoints(app, TokenEndpoint(issuing()))(*arguments))
    assert seen == [arguments]
    assert seen[0][0] is scope
    assert scope == {"type": kind}


@pytest.mark.parametrize(
    ("root", "path", "is_ours"),
    [
        ("/api", "/api/auth/token", True),
        ("/api", "/auth/token", True),
        ("/api", "/api/api/auth/token", False),
        ("/auth", "/auth/token", False),
        ("/", "/auth/token", True),
        (None, "/auth/token", True),
        (..., "/auth/token", True),
    ],
)
def test_paths_are_below_the_servers_root_path(root, path, is_ours):
    answer = request(site(issuing()), "POST", path, root_path=root)
    assert answer.status == (400 if is_ours else 200)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "QUERY", "post"])
def test_another_method_is_told_which_there_is(method):
    answer = request(TokenEndpoint(issuing()), method)
    assert answer.status == 405
    assert answer.header("allow") == "POST, OPTIONS"
    assert answer.header("cache-control") == "no-store"
    assert (answer.body == b"") == (method == "HEAD")
    assert answer.header("content-length") != "0"


def test_options_lists_the_methods():
    answer = request(TokenEndpoint(issuing()), "OPTIONS")
    assert (answer.status, answer.header("allow"), answer.body) == (204, "POST, OPTIONS", b"")
    assert answer.header("content-length") is None


def test_an_endpoint_that_is_served_alone_takes_part_in_the_lifespan():
    steps, sent = ["lifespan.startup", "lifespan.shutdown"], []

    async def receive():
        return {"type": steps.pop(0)}

    async def send(message):
        sent.append(message["type"])

    run(TokenEndpoint(issuing())({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_an_endpoint_that_is_mounted_refuses_a_websocket():
    assert websocket(TokenEndpoint(issuing()), "/auth/token") == [{"type": "websocket.close", "code": 1000}]


def test_what_cannot_stand_beside_each_other_is_refused():
    manager, other = issuing(), issuing(name="other")
    with pytest.raises(ValueError, match="at least one endpoint"):
        Endpoints(hello)
    with pytest.raises(TypeError, match=r"made by classes of asgi_login\.oauth"):
        Endpoints(hello, TokenEndpoint)
    with pytest.raises(ValueError, match="two endpoints have the same path"):
        Endpoints(hello, TokenEndpoint(manager), TokenEndpoint(other))
    cookies = RefreshCookie(), RefreshCookie("__Secure-other")
    one = TokenEndpoint(manager, cookie=cookies[0])
    with pytest.raises(ValueError, match="two managers keep their refresh tokens in one cookie"):
        Endpoints(hello, one, TokenEndpoint(other, "/auth/other", cookie=cookies[0]))
    Endpoints(hello, one, TokenEndpoint(other, "/auth/other", cookie=cookies[1]), RevocationEndpoint(manager))


def test_a_setting_of_the_application_inside_is_not_set_on_its_wrapper():
    with pytest.raises(AttributeError, match="the application inside"):
        site(issuing()).title = "x"


def test_url_for_finds_what_is_inside():
    inside = Starlette(routes=[Route("/users", PlainTextResponse("x"), name="users")])
    app = Starlette(routes=[Mount("/admin", Endpoints(inside, TokenEndpoint(issuing())), name="admin")])
    assert app.url_path_for("admin:users") == "/admin/users"


STALE = {
    "an expired token": lambda manager: [bearer("expired")],
    "two Authorization lines": lambda manager: [bearer("a"), bearer("b")],
    "a session of a browser at another site": lambda manager: [
        cookie(manager.create_access_token(data={"sub": "ada"})),
        (b"origin", b"https://elsewhere.example"),
    ],
    "a good token": lambda manager: [bearer(manager.create_access_token(data={"sub": "ada"}))],
}


@pytest.mark.parametrize("kind", STALE)
def test_a_credential_that_is_sent_along_is_not_looked_at(kind):
    loaded = []
    manager = issuing(loaded=loaded)
    headers, token = STALE[kind](manager), pair_of(manager).refresh_token
    assert refresh(site(manager), token, headers=headers).status == 200
    assert loaded == ["ada"]


def test_a_store_that_is_down_is_met_by_the_endpoint_and_not_by_the_middleware():
    store = DownStore()
    manager = issuing(store=store)
    store.is_down = True
    app = site(manager)
    answer = post(app, {"grant_type": "nonsense"}, headers=[bearer(manager.create_access_token(data={"sub": "ada"}))])
    assert said(answer) == (400, "unsupported_grant_type")


def starlette_app(manager, endpoints):
    async def page(request):
        return PlainTextResponse(str(request.user))

    app = Starlette(routes=[Route("/page", page)])
    starlette_adapter.install(app, manager, endpoints=endpoints)
    app.add_middleware(CORSMiddleware, allow_origins=["https://spa.example"], allow_methods=["POST"])
    return app


def fastapi_app(manager, endpoints):
    app = FastAPI()

    @app.get("/page")
    async def page() -> str:
        return "page"

    fastapi_adapter.install(app, manager, endpoints=endpoints)
    app.add_middleware(CORSMiddleware, allow_origins=["https://spa.example"], allow_methods=["POST"])
    return app


def quart_app(manager, endpoints):
    app = Quart(__name__)

    @app.get("/page")
    async def page():
        return "page"

    quart_adapter.install(app, manager, endpoints=endpoints)
    app.asgi_app = CORSMiddleware(app.asgi_app, allow_origins=["https://spa.example"], allow_methods=["POST"])
    return app


def litestar_app(manager, endpoints):
    @get("/page")
    async def page() -> str:
        return "page"

    cors = CORSConfig(allow_origins=["https://spa.example"], allow_methods=["POST"])
    plugin = LoginPlugin(manager, endpoints=endpoints)
    return Litestar([page], plugins=[plugin], cors_config=cors, openapi_config=None, logging_config=None)


ADAPTERS = pytest.mark.parametrize(
    "build", [starlette_app, fastapi_app, quart_app, litestar_app], ids=lambda build: build.__name__
)


async def send_token(app, manager, *, path="/auth/token", headers=()):
    """Send a new refresh token to an application."""
    token = (await manager.issue_tokens("ada")).refresh_token
    body = b"grant_type=refresh_token&refresh_token=" + token.encode()
    return await http(app, path, method="POST", headers=[FORM, *headers], body=body)


@pytest.fixture
def anyio_backend():
    # Quart runs on asyncio only.
    return "asyncio"


@ADAPTERS
@pytest.mark.anyio
async def test_an_adapter_puts_them_outside_of_the_middleware_and_inside_of_cors(build):
    manager = issuing()
    app = build(manager, [TokenEndpoint(manager)])
    origin, session = ("origin", "https://spa.example"), manager.create_access_token(data={"sub": "ada"})
    answer = await send_token(app, manager, headers=[origin, cookie(session)])
    assert answer.start["status"] == 200
    assert answer.header("access-control-allow-origin") == [origin[1]]
    assert parts(answer.json["refresh_token"])[1]["gen"] == 2
    asking = [origin, ("access-control-request-method", "POST")]
    preflight = await http(app, "/auth/token", method="OPTIONS", headers=asking)
    assert preflight.header("access-control-allow-origin") == [origin[1]]
    assert (await http(app, "/page")).start["status"] == 200


@ADAPTERS
@pytest.mark.anyio
async def test_what_the_loader_raises_becomes_a_5xx(build):
    manager = issuing()

    @manager.user_loader
    async def broken(sub):
        raise LookupError("the database is down")

    answer = await send_token(build(manager, [TokenEndpoint(manager)]), manager)
    # Where the exception comes out, the server answers 500, unless the framework has.
    assert isinstance(answer.error, LookupError) or answer.start["status"] == 500
    assert answer.start is None or answer.start["status"] == 500


@ADAPTERS
def test_an_adapter_refuses_what_cannot_stand_beside_each_other_at_once(build):
    manager = issuing()
    with pytest.raises(ValueError, match="the same path"):
        build(manager, [TokenEndpoint(manager), TokenEndpoint(manager)])
    with pytest.raises(TypeError):
        build(manager, TokenEndpoint(manager))


def test_they_are_not_in_the_openapi_of_fastapi():
    manager = fastapi_adapter.LoginManager("o3TqkUv8yKp2mZr5Wd1xNc7Jb4Ha9EfG")

    def described(**more):
        app = FastAPI()
        fastapi_adapter.install(app, manager, **more)
        return app.openapi()

    endpoint = TokenEndpoint(manager, password=lambda username, password: None)
    assert described(endpoints=[endpoint]) == described()


@pytest.mark.anyio
async def test_litestar_does_not_list_them_in_openapi_and_refuses_websockets_there():
    manager = issuing()
    plain = Litestar([], plugins=[LoginPlugin(manager)])
    app = Litestar([], plugins=[LoginPlugin(manager, endpoints=[TokenEndpoint(manager)])])
    assert app.openapi_schema.to_schema() == plain.openapi_schema.to_schema()
    refused = await driver.websocket(app, "/auth/token")
    assert [one["type"] for one in refused.messages] == ["websocket.close"]


def in_starlette(endpoint):
    return Starlette(routes=[Mount("/oauth/token", endpoint)]), "/oauth/token/"


def in_a_route(endpoint):
    return Starlette(routes=[Route("/oauth/token", endpoint)]), "/oauth/token"


def in_fastapi(endpoint):
    app = FastAPI()
    app.mount("/oauth/token", endpoint)
    return app, "/oauth/token/"


@pytest.mark.parametrize("mount", [in_starlette, in_a_route, in_fastapi], ids=lambda mount: mount.__name__)
@pytest.mark.anyio
async def test_a_router_mounts_an_endpoint_at_a_path_of_its_choice(mount):
    manager = issuing()
    app, path = mount(TokenEndpoint(manager))
    assert (await send_token(app, manager, path=path)).start["status"] == 200
    refused = await http(app, path, method="DELETE")
    assert (refused.start["status"], refused.header("allow")) == (405, ["POST, OPTIONS"])
