"""A single-page application in a real browser, whose refresh token travels in a cookie."""

import pytest
from browser.sites import blank_page, serving

from asgi_login import AuthMiddleware, Gate, Grant, Key, LoginManager, MemoryStore, Refresh, get_auth
from asgi_login.oauth import Endpoints, RefreshCookie, RevocationEndpoint, TokenEndpoint

POST = """async ([url, form]) => {
  const body = form && new URLSearchParams(form);
  const answer = await fetch(url, { method: "POST", body, credentials: "include" });
  const text = await answer.text();
  return [answer.status, text && JSON.parse(text)];
}"""
# Both tabs wait for the same moment.
POST_AT = """async ([url, moment]) => {
  await new Promise((resolve) => setTimeout(resolve, moment - Date.now()));
  const answer = await fetch(url, { method: "POST" });
  window.answered = [answer.status, await answer.json()];
}"""
GET = """async ([url, token]) => {
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  return [answer.status, await answer.text()];
}"""
ADA = {"grant_type": "password", "username": "ada", "password": "right"}
NAME = "__Secure-refresh-token"


async def check(username, password):
    return Grant(username) if password == "right" else None


async def api(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": get_auth(scope).user.encode()})


async def pages(scope, receive, send):
    await (Gate(api) if scope["path"] == "/api" else blank_page)(scope, receive, send)


@pytest.fixture(scope="module")
def site(profile):
    """Serve an application, and yield its address."""
    manager = LoginManager(Key.generate(), store=MemoryStore(), refresh=Refresh())

    @manager.user_loader
    async def load(sub):
        return sub

    cookie = RefreshCookie()
    tokens = TokenEndpoint(manager, password=check, cookie=cookie)
    with serving(Endpoints(AuthMiddleware(pages, manager), tokens, RevocationEndpoint(manager, cookie=cookie))) as port:
        yield f"http://127.0.0.1:{port}"


def post(tab, path, form=None):
    return tab.evaluate(POST, [path, form])


def opened(browser, site):
    tab = browser.new_page()
    tab.goto(f"{site}/")
    return tab


@pytest.fixture
def page(browser, site):
    """Return a page of the site on which ada has logged in."""
    tab = opened(browser, site)
    status, tokens = post(tab, "/auth/token", ADA)
    assert (status, set(tokens)) == (200, {"access_token", "token_type", "expires_in"})
    return tab


def test_the_page_refreshes_with_a_cookie_that_it_cannot_read(browser, page):
    [cookie] = browser.cookies()
    assert (cookie["name"], cookie["path"], cookie["sameSite"]) == (NAME, "/auth", "Strict")
    assert (cookie["httpOnly"], cookie["secure"]) == (True, True)
    assert page.evaluate("document.cookie") == ""
    status, tokens = post(page, "/auth/token")
    assert (status, set(tokens)) == (200, {"access_token", "token_type", "expires_in"})
    assert page.evaluate(GET, ["/api", tokens["access_token"]]) == [200, "ada"]
    [after] = browser.cookies()
    assert after["value"] != cookie["value"]


def test_two_tabs_that_refresh_at_once_both_stay_logged_in(browser, page, site):
    tabs = [page, opened(browser, site)]
    for _ in range(5):
        moment = page.evaluate("Date.now()") + 300
        for tab in tabs:
            tab.evaluate("window.answered = null")
            # Not awaited: the other tab begins at the same moment.
            tab.evaluate(f"(given) => {{ ({POST_AT})(given); }}", ["/auth/token", moment])
        for tab in tabs:
            tab.wait_for_function("window.answered")
            status, tokens = tab.evaluate("window.answered")
            assert status == 200
            assert tab.evaluate(GET, ["/api", tokens["access_token"]]) == [200, "ada"]
    assert post(page, "/auth/token")[0] == 200


def test_a_page_that_is_opened_again_is_still_logged_in(browser, page, site):
    page.close()
    again = opened(browser, site)
    assert post(again, "/auth/token")[0] == 200


def test_a_logout_in_one_tab_holds_in_the_other(browser, page, site):
    other = opened(browser, site)
    token = post(other, "/auth/token")[1]["access_token"]
    assert post(page, "/auth/revoke") == [200, ""]
    assert browser.cookies() == []
    assert other.evaluate(GET, ["/api", token])[0] == 401
    status, answer = post(other, "/auth/token")
    assert (status, answer["error"]) == (400, "invalid_grant")


SUBMIT = """(action) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  document.body.append(form);
  form.submit();
}"""


@pytest.mark.parametrize("relation", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/auth/token", "/auth/revoke"])
def test_a_page_of_another_origin_can_neither_refresh_nor_log_out(browser, page, attackers, relation, path):
    site, attacker = page.url.rstrip("/"), browser.new_page()
    attacker.goto(attackers[relation])
    with attacker.expect_response(f"{site}{path}") as caught:
        attacker.evaluate(SUBMIT, f"{site}{path}")
    assert caught.value.status == 403
    attacker.wait_for_load_state()
    assert post(page, "/auth/token")[0] == 200
