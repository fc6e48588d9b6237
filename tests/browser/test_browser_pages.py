"""Pages in a real browser whose session has expired: a form is posted, htmx swaps, and Turbo loads a frame.

A few lines of script stand for htmx and Turbo: they send the headers that these send, and do with the answer what
these do. Form and fetch are the browser's own.
"""

from urllib.parse import urlsplit

import pytest
from browser.sites import serving
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Mount, Route

from asgi_login import CookieTransport, Gate, LoginManager, login_required, safe_next
from asgi_login.starlette import install

PAGE = """<!doctype html><title>cart</title>
<form method="post" action="/orders"><button>Order</button></form>
<form method="post" action="/admin/orders"><button>Order as admin</button></form>
<div id="part">old</div>
<script>
// htmx: HX-Redirect is followed whatever the status, 2xx is put into the page, and anything else is dropped.
async function swap(path, method) {
  const headers = {"HX-Request": "true", "HX-Current-URL": location.href};
  const answer = await fetch(path, {method, headers});
  const away = answer.headers.get("HX-Redirect");
  if (away) location.href = away;
  else if (answer.ok) document.getElementById("part").innerHTML = await answer.text();
}
// Turbo: what a frame is redirected to is a visit of its own, if that page says so.
async function frame(path) {
  const headers = {"Turbo-Frame": "part", "Accept": "text/html, application/xhtml+xml"};
  const answer = await fetch(path, {headers});
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.querySelector('meta[name="turbo-visit-control"][content="reload"]')) location.href = answer.url;
  else document.getElementById("part").innerHTML = "Content missing";
}
</script>"""
LOGIN = """<!doctype html><title>login</title><meta name="turbo-visit-control" content="reload">
<form method="post"><button>Log in</button></form>"""


class Clock:
    now = 1_750_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def clock():
    return Clock()


@pytest.fixture(scope="module")
def shop(profile, clock):
    manager = LoginManager[str](
        "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST",
        transports=[CookieTransport("shop")],
        redirect_to="login",
        clock=clock,
    )

    @manager.user_loader
    async def load_user(sub):
        return sub

    async def login(request):
        if request.method == "GET":
            return HTMLResponse(LOGIN)
        manager.login_user(request, "ada")
        return RedirectResponse(safe_next(request.query_params.get("next")), 303)

    @login_required
    async def cart(request):
        return HTMLResponse(PAGE)

    @login_required
    async def orders(request):
        return HTMLResponse(f"{request.method} by {request.user}")

    async def admin_orders(request):
        return HTMLResponse(f"{request.method} as admin by {request.user}")

    methods = ["GET", "POST"]
    admin = Starlette(routes=[Route("/orders", admin_orders, methods=methods)])
    app = Starlette(
        routes=[
            Route("/login", login, methods=methods, name="login"),
            Route("/cart", cart),
            Route("/orders", orders, methods=methods),
            Mount("/admin", app=Gate(admin)),
        ]
    )
    install(app, manager)
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def cart(tab, shop, clock):
    """Return a tab that shows the cart, with a session that has expired since."""
    tab.goto(f"{shop}/cart?item=7")
    tab.get_by_role("button", name="Log in").click()
    tab.wait_for_url(f"{shop}/cart?item=7")
    clock.now += 3_600
    return tab


def come_back(tab, shop):
    """Log in where the tab has been sent to, and see that it comes back to the cart."""
    tab.wait_for_url(f"{shop}/login?**")
    assert urlsplit(tab.url).query == "next=%2Fcart%3Fitem%3D7"
    tab.get_by_role("button", name="Log in").click()
    tab.wait_for_url(f"{shop}/cart?item=7")
    assert tab.locator("#part").inner_text() == "old"


@pytest.mark.parametrize(("name", "answer"), [("Order", "POST by ada"), ("Order as admin", "POST as admin by ada")])
def test_a_form_posted_after_expiry_leads_to_the_login_page_and_back_to_the_form(cart, shop, name, answer):
    cart.get_by_role("button", name=name, exact=True).click()
    come_back(cart, shop)
    cart.get_by_role("button", name=name, exact=True).click()
    cart.get_by_text(answer).wait_for()


@pytest.mark.parametrize("path", ["/orders", "/admin/orders"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_swap_after_expiry_leaves_the_page_for_the_login_page_and_comes_back(cart, shop, path, method):
    cart.evaluate("([path, method]) => void swap(path, method)", [path, method])
    come_back(cart, shop)
    cart.evaluate("([path, method]) => swap(path, method)", [path, method])
    assert cart.locator("#part").inner_text().startswith(method)


@pytest.mark.parametrize("path", ["/orders", "/admin/orders"])
def test_a_frame_after_expiry_leaves_the_page_for_the_login_page_and_comes_back(cart, shop, path):
    cart.evaluate("(path) => void frame(path)", path)
    come_back(cart, shop)
