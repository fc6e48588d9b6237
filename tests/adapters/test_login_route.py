"""The name of a route in `redirect_to`, where the application that has it is mounted or served below a prefix."""

from typing import Annotated

import pytest
from conformance.driver import bearer, http
from conformance.logins import Logins
from fastapi import Depends, FastAPI
from litestar import Litestar
from litestar import get as litestar_get
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_login import AuthMiddleware, Gate, Sessions, fresh_login_required, login_required
from asgi_login.fastapi import LoginManager as FastAPILoginManager
from asgi_login.fastapi import install as install_fastapi
from asgi_login.starlette import install

pytestmark = pytest.mark.anyio

HTML = ("accept", "text/html")


async def page(request):
    return PlainTextResponse("page")


def routes():
    return [
        Route("/orders", login_required(page)),
        Route("/password", fresh_login_required(page)),
        Route("/sign in", login_required(page), name="login"),
        Route("/confirm", page, name="confirm"),
        Mount("/admin", app=Gate(Starlette(routes=[Route("/users", page)]))),
    ]


def make_shop(**settings):
    logins = Logins(redirect_to="login", sessions=Sessions(reauthenticate_at="confirm"), **settings)
    shop = Starlette(routes=routes())
    install(shop, logins.manager)
    return shop, logins


async def location(app, path, root="", *, headers=(HTML,)):
    connection = await http(app, path, root_path=root, headers=list(headers))
    assert connection.status == 303
    return connection.header("location")[0]


@pytest.mark.parametrize("root", ["/api", "/api/", "/a b"])
@pytest.mark.parametrize("path", ["/orders", "/admin/users"])
async def test_below_a_root_path_the_login_page_is_below_it_too(root, path):
    shop, _ = make_shop()
    prefix = root.rstrip("/").replace(" ", "%20")
    expected = f"{prefix}/sign%20in?next={prefix.replace('/', '%2F').replace('%20', '%2520')}{path.replace('/', '%2F')}"
    # Servers differ in whether the path holds the root path.
    assert await location(shop, f"{root.rstrip('/')}{path}", root.rstrip("/")) == expected
    if path == "/orders":
        assert await location(shop, path, root) == expected


@pytest.mark.parametrize("root", ["", "/api"])
@pytest.mark.parametrize("path", ["/orders", "/admin/users"])
async def test_the_login_page_of_a_mounted_application_is_its_own_and_not_that_of_the_whole(root, path):
    shop, _ = make_shop()
    app = Starlette(routes=[Mount("/shop", app=shop), Route("/sign in", page)])
    expected = f"{root}/shop/sign%20in?next={f'{root}/shop{path}'.replace('/', '%2F')}"
    assert await location(app, f"{root}/shop{path}", root) == expected


async def test_so_is_the_page_that_asks_for_the_password_again():
    shop, logins = make_shop()
    app = Starlette(routes=[Mount("/shop", app=shop)])
    headers = [HTML, bearer(logins.token())]
    assert await location(app, "/shop/password", headers=headers) == "/shop/confirm?next=%2Fshop%2Fpassword"


@pytest.mark.parametrize("root", ["", "/api"])
async def test_a_gated_login_page_is_not_sent_to_itself_wherever_it_is_served(root):
    shop, _ = make_shop()
    app = Starlette(routes=[Mount("/shop", app=shop)])
    assert (await http(shop, f"{root}/sign in", root_path=root, headers=[HTML])).status == 401
    assert (await http(app, f"{root}/shop/sign in", root_path=root, headers=[HTML])).status == 401


async def test_a_login_page_behind_a_mount_s_gate_is_not_sent_to_itself():
    inner = Starlette(routes=[Route("/login", page, name="login")])
    app = Starlette(
        routes=[Mount("/admin", app=Gate(inner, exempt=["/admin/else"])), Route("/admin/login", page, name="login")]
    )
    install(app, Logins(redirect_to="login").manager)
    for root in ("", "/api"):
        assert (await http(app, f"{root}/admin/login", root_path=root, headers=[HTML])).status == 401


async def test_a_confirmation_without_a_session_leads_to_the_login_page():
    logins = Logins(redirect_to="login")

    async def confirm(request):
        logins.manager.confirm_login(request)

    app = Starlette(routes=[Route("/confirm", confirm), Route("/login", page, name="login")])
    install(app, logins.manager)
    assert await location(app, "/confirm") == "/login?next=%2Fconfirm"


@pytest.mark.parametrize("root", ["", "/api"])
@pytest.mark.parametrize("holds_the_prefix", [True, False])
async def test_next_is_the_whole_address_in_a_mount_and_in_litestar_that_is_mounted(root, holds_the_prefix):
    @litestar_get(["/invoices", "/deep/er"])
    @login_required
    async def invoices() -> str:
        return "invoices"

    logins = Logins(redirect_to="/login")
    mounted = Mount("/shop", app=Litestar([invoices], openapi_config=None))
    app = AuthMiddleware(Starlette(routes=[mounted, *routes()]), logins.manager)
    paths = ["/orders"]
    # Starlette finds nothing in a mount where the path lacks the prefix that root_path has.
    if holds_the_prefix or not root:
        paths += ["/admin/users", "/shop/invoices", "/shop/deep/er"]
    for path in paths:
        expected = f"/login?next={f'{root}{path}'.replace('/', '%2F')}"
        assert await location(app, f"{root}{path}" if holds_the_prefix else path, root) == expected


async def test_a_path_in_redirect_to_is_left_as_it_is():
    logins = Logins(redirect_to="/login")
    shop = Starlette(routes=routes())
    install(shop, logins.manager)
    app = Starlette(routes=[Mount("/shop", app=shop)])
    assert await location(app, "/shop/orders") == "/login?next=%2Fshop%2Forders"
    assert await location(shop, "/api/orders", "/api") == "/login?next=%2Fapi%2Forders"


@pytest.mark.parametrize("root", ["//evil.example", "/\\evil.example", "///evil.example", "https://evil.example"])
async def test_a_root_path_that_the_client_has_chosen_leads_to_no_other_host(root):
    shop, _ = make_shop()
    page, _, _ = (await location(shop, "/orders", root)).partition("?")
    assert page == ("/%5Cevil.example/sign%20in" if "\\" in root else "/sign%20in")


@pytest.mark.parametrize("root", ["", "/api"])
async def test_a_mounted_fastapi_finds_its_login_page(root):
    manager = FastAPILoginManager("o3TqkUv8yKp2mZr5Wd1xNc7Jb4Ha9EfG", redirect_to="login")
    manager.user_loader(lambda sub: sub)
    shop, app = FastAPI(), FastAPI()
    install_fastapi(shop, manager)
    app.mount("/shop", shop)

    @shop.get("/orders")
    async def orders(user: Annotated[str, Depends(manager)]) -> str:
        return user

    @shop.get("/login", name="login")
    @login_required
    async def login() -> str:
        return "login"

    expected = f"{root}/shop/login?next={f'{root}/shop/orders'.replace('/', '%2F')}"
    assert await location(app, f"{root}/shop/orders", root) == expected
    assert (await http(app, f"{root}/shop/login", root_path=root, headers=[HTML])).status == 401
