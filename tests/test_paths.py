"""What `skip` and `exempt` mean where an application is served below a prefix, and who may say what the prefix is."""

import pytest
from conformance.driver import bearer, http
from conformance.logins import Logins
from litestar import Litestar
from litestar import get as litestar_get
from quart import Quart
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from asgi_login import AuthMiddleware, Gate
from asgi_login import starlette as starlette_adapter

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    # Quart runs on asyncio only.
    return "asyncio"


PAGES = ("/", "/open", "/open/page", "/admin", "/admin/page", "/page")


def make_starlette():
    def view(path):
        async def page(request):
            return PlainTextResponse(path)

        return page

    return Starlette(routes=[Route(path, view(path)) for path in PAGES])


def make_quart():
    app = Quart(__name__)

    for path in PAGES:
        app.add_url_rule(path, path, lambda path=path: path)
    return app


def make_litestar():
    def view(path):
        @litestar_get(path, media_type="text/plain", sync_to_thread=False)
        def page() -> str:
            return path

        return page

    return Litestar([view(path) for path in PAGES], openapi_config=None)


class BelievesTheClient:
    """Middleware as it is copied around: it serves the application below whatever prefix a header says."""

    def __init__(self, app, *, prepends):
        self.app = app
        self.prepends = prepends

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            root = dict(scope["headers"]).get(b"x-forwarded-prefix", b"").decode()
            scope = {**scope, "root_path": root, "path": (root if self.prepends else "") + scope["path"]}
        await self.app(scope, receive, send)


def outside(app, logins, **believes):
    return BelievesTheClient(AuthMiddleware(Gate(app, exempt=["/open"]), logins.manager), **believes)


def inside(app, logins, **believes):
    return AuthMiddleware(BelievesTheClient(Gate(app, exempt=["/open"]), **believes), logins.manager)


FRAMEWORKS = pytest.mark.parametrize("make", [make_starlette, make_quart, make_litestar])
GATED = {"/", "/admin", "/admin/page", "/page"}


@FRAMEWORKS
@pytest.mark.parametrize("wrap", [outside, inside])
@pytest.mark.parametrize("prepends", [False, True])
@pytest.mark.parametrize("root", ["", "/open", "/open/", "/ope", "/o", "/open/admin", "/admin", "/x", "/"])
async def test_a_root_path_from_a_header_does_not_open_what_is_not_exempt(make, wrap, prepends, root):
    app = wrap(make(), Logins(), prepends=prepends)
    paths = {f"{front}{page}".rstrip("/") or "/" for page in PAGES for front in ("", "/open", "/ope", "/open/", "/n")}
    for path in sorted(paths):
        connection = await http(app, path, headers=[("x-forwarded-prefix", root)])
        assert connection.status != 200 or connection.body.decode() not in GATED, path


@FRAMEWORKS
@pytest.mark.parametrize("root", ["/open", "/open/page", "/open/"])
async def test_an_exempt_path_never_covers_the_root_path_itself(make, root):
    app = outside(make(), Logins(), prepends=True)
    for path in GATED - {"/"}:
        assert (await http(app, path, headers=[("x-forwarded-prefix", root)])).status == 401


@FRAMEWORKS
@pytest.mark.parametrize("path", ["/open", "/api/open", "/open/page", "/api/open/page"])
async def test_the_root_path_is_taken_off_once_before_paths_are_compared(make, path):
    logins = Logins()
    gated = AuthMiddleware(Gate(make(), exempt=["/open"]), logins.manager)
    # Quart has no pages for a path without the root path.
    expected = 404 if make is make_quart and not path.startswith("/api/") else 200
    assert (await http(gated, path, root_path="/api")).status == expected
    assert (await http(gated, "/api/page", root_path="/api")).status == 401
    assert (await http(gated, f"/api{path.removeprefix('/api')}", root_path="")).status == 401


@pytest.mark.parametrize(
    ("path", "root", "is_open"),
    [
        ("/api/static/x", "/api", True),
        ("/static/x", "/api", True),
        ("/static/api/x", "/api", False),
        ("/api/api/static/x", "/api", False),
        ("/api/static/api/x", "/api", True),
        ("/apistatic/x", "/api", False),
        ("/api", "/api", False),
        ("/static", "/static", False),
        ("/static/x", "/static", False),
        ("/static/static/x", "/static", True),
        ("/static/x", "/stat", False),
        ("/static/x", "/static/", False),
        ("/static/x", "/", True),
        ("//static/x", "/", True),
        ("/api/../static/x", "/api/..", False),
        ("/static/x", None, True),
    ],
)
async def test_skip_and_exempt_have_one_rule(path, root, is_open):
    async def page(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    logins = Logins()
    gated = AuthMiddleware(Gate(page, exempt=["/static"]), logins.manager)
    assert ((await http(gated, path, root_path=root)).status == 200) is is_open
    skipping = AuthMiddleware(page, logins.manager, skip=["/static"])
    scope = (await http(skipping, path, root_path=root, headers=[bearer(logins.token())])).scope
    assert (scope["state"]["user"] is None) is is_open


@pytest.mark.parametrize("root", ["", "/api"])
async def test_the_path_of_a_mount_is_part_of_what_its_gate_exempts(root):
    async def page(request):
        return JSONResponse(request.scope["path"])

    deep = Mount(
        "/deep", app=Gate(Starlette(routes=[Route("/help", page), Route("/users", page)]), exempt=["/a/deep/help"])
    )
    app = AuthMiddleware(Starlette(routes=[Mount("/a", routes=[deep])]), Logins().manager)
    assert (await http(app, f"{root}/a/deep/help", root_path=root)).status == 200
    assert (await http(app, f"{root}/a/deep/users", root_path=root)).status == 401
    for too_much in ("/a", "/a/deep", "/"):
        deep = Mount("/deep", app=Gate(Starlette(routes=[Route("/users", page)]), exempt=[too_much]))
        app = AuthMiddleware(Starlette(routes=[Mount("/a", routes=[deep])]), Logins().manager)
        assert (await http(app, f"{root}/a/deep/users", root_path=root)).status == 401


async def test_an_installation_in_a_mount_skips_full_paths_too():
    async def who(request):
        return JSONResponse(request.state.user is not None)

    logins = Logins()
    shop = Starlette(routes=[Route("/health", who), Route("/page", who)])
    starlette_adapter.install(shop, logins.manager, skip=["/shop/health"])
    app = Starlette(routes=[Mount("/shop", app=shop)])
    for path, known in (("/shop/health", False), ("/shop/page", True)):
        assert (await http(app, path, headers=[bearer(logins.token())])).json is known
