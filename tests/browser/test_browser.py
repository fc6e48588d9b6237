"""The demo in a real browser: what a person does, and what pages of other origins try to do to that person.

Browsers keep Secure cookies, and send Sec-Fetch-Site, on http://127.0.0.1 as they do over TLS.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from browser.people import log_in, log_in_at
from demo_process import ADA, BOB, REMEMBER
from demo_process import COOKIE as SESSION

PAGES = {
    "/fastapi/orders": "FastAPI",
    "/starlette/reports": "Starlette",
    "/quart/stock": "Quart",
    "/litestar/invoices": "Litestar",
    "/asgi/audit": "plain ASGI",
}


class Attack(NamedTuple):
    """Where the attacker's page is, seen from the site, and the SameSite of the site's cookies."""

    relation: str
    samesite: str


# With the requests of another site the browser sends no Lax cookie, so only with SameSite=None does the check
# stand alone; with those of another port of the same host it does.
ATTACKS = [Attack("cross-site", "none"), Attack("same-site", "lax")]

SUBMIT = """([action, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""
HAS_CARET = "element => element === document.activeElement"
# What the console says of an answer that is no success.
REFUSED = ("Failed to load resource: the server responded with a status of 40", "WebSocket connection to")
CONNECT = """(address) => new Promise((resolve) => {
  const socket = new WebSocket(address);
  socket.onmessage = (message) => resolve(message.data);
  socket.onerror = () => resolve("refused");
})"""


def user(browser, site):
    """Return who is logged in, asked in a tab of its own."""
    tab = browser.new_page()
    answer = tab.goto(f"{site}/starlette/me")
    return answer.json()["user"] if urlsplit(answer.url).path == "/starlette/me" else None


def said_of(tab):
    """Return what a page says of its visitor."""
    return dict(zip(tab.locator("dt").all_inner_texts(), tab.locator("dd").all_inner_texts(), strict=True))


def submit(tab, origin, action, fields):
    """Post a form from a page of `origin`; returns the request that the browser made of it."""
    tab.goto(origin)
    with tab.expect_response(action) as caught:
        tab.evaluate(SUBMIT, [action, fields])
    tab.wait_for_load_state()
    return caught.value.request


def connect(tab, site):
    return tab.evaluate(CONNECT, f"{site.replace('http', 'ws', 1)}/starlette/hello")


def test_a_person_is_sent_to_log_in_and_comes_back_to_each_application_s_page(tab, address):
    site = address()
    for path, app in PAGES.items():
        tab.context.clear_cookies()
        tab.goto(f"{site}{path}?page=2")
        assert urlsplit(tab.url).path == "/login"
        log_in(tab, **ADA)
        tab.wait_for_url(f"{site}{path}?page=2")
        assert f"served by {app}." in tab.locator("p.lead").inner_text()
        said = said_of(tab)
        assert (said["user"], said["fresh"]) == ("ada", "yes")
        assert "orders:read" in said["scopes"]


def complaints_of(tab):
    """Return a list that fills with the errors of a tab, but for the refusals that it hears of."""
    complaints = []

    def listen(message):
        if message.type == "error" and not message.text.startswith(REFUSED):
            complaints.append(message.text)

    tab.on("console", listen)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def answers(tab, user):
    """Return what the table of the first page says of a user, as soon as it says it."""
    found = {path: tab.locator(f'[data-as="{user}"][data-ask="{path}"]:not(:empty)').inner_text() for path in PAGES}
    (answer,) = set(found.values())
    return answer


def test_the_first_page_shows_each_page_open_to_ada_and_shut_to_bob_whoever_looks_at_it(tab, address):
    complaints = complaints_of(tab)
    tab.goto(address())
    for you in ("nobody", "bob", "ada"):
        if you != "nobody":
            tab.get_by_role("button", name=f"Log in as {you}").click()
        assert you in tab.get_by_role("columnheader").filter(has_text="this is you").inner_text()
        assert answers(tab, "ada") == "200 allowed"
        assert answers(tab, "bob") == "403 refused"
        assert answers(tab, "nobody") == "401 refused"
    assert tab.locator("[data-connect]:not(:empty)").inner_text() == "hello ada"
    # No script or style of the pages offends the policy that they are sent with.
    assert complaints == []


def test_a_refused_page_opens_when_the_user_is_switched(tab, address):
    tab.goto(f"{address()}/login?next=/quart/stock")
    tab.get_by_role("button", name="Log in as bob").click()
    tab.get_by_role("heading", name="Stock 403 refused").wait_for()
    assert tab.locator(".way .refused strong").all_inner_texts() == ["Gate"]
    tab.get_by_role("button", name="Log in as ada").click()
    tab.get_by_role("heading", name="Stock 200 allowed").wait_for()
    assert tab.locator(".way .refused").count() == 0


def test_the_caret_is_where_the_visitor_types_next(tab, address):
    tab.goto(f"{address()}/login")
    assert tab.get_by_label("Name").evaluate(HAS_CARET)
    log_in(tab, username="ada", password="wrong")
    tab.get_by_role("alert").filter(has_text="The name or the password is wrong.").wait_for()
    assert tab.get_by_label("Name").input_value() == "ada"
    assert tab.get_by_label("Password").evaluate(HAS_CARET)


def test_the_api_documentation_works_without_another_host(tab, address):
    complaints, asked = complaints_of(tab), []
    tab.on("request", lambda request: asked.append(request.url))
    site = address()
    tab.goto(f"{site}/fastapi/docs")
    tab.get_by_role("button", name="Authorize").click()
    tab.get_by_label("username").first.fill(ADA["username"])
    tab.get_by_label("password").first.fill(ADA["password"])
    tab.get_by_role("button", name="Apply given OAuth2 credentials").click()
    tab.get_by_role("heading", name="Authorized").wait_for()
    tab.get_by_role("button", name="Close").first.click()
    tab.get_by_text("A page for the scope orders:read").click()
    tab.get_by_role("button", name="Try it out").click()
    with tab.expect_response(f"{site}/fastapi/orders") as answer:
        tab.get_by_role("button", name="Execute").click()
    assert answer.value.status == 200
    assert [url for url in asked if not url.startswith((f"{site}/", "data:", "blob:"))] == []
    assert complaints == []


def test_scripts_cannot_read_the_cookies(tab, address):
    log_in_at(tab, address(), **ADA, remember=True)
    assert {one["name"] for one in tab.context.cookies()} == {SESSION, REMEMBER}
    assert tab.evaluate("document.cookie") == ""


def test_a_remembered_login_outlives_the_browser_but_is_not_fresh(profile, address, tmp_path):
    site = address()
    with profile(tmp_path) as before:
        log_in_at(before.pages[0], site, **ADA, remember=True)
        assert {one["name"]: one["expires"] == -1 for one in before.cookies()} == {SESSION: True, REMEMBER: False}
    with profile(tmp_path) as after:
        assert [one["name"] for one in after.cookies()] == [REMEMBER]
        tab = after.pages[0]
        tab.goto(f"{site}/asgi/audit")
        said = said_of(tab)
        assert (said["user"], said["fresh"]) == ("ada", "no")
        assert {one["name"] for one in after.cookies()} == {SESSION, REMEMBER}


def test_a_login_that_is_not_remembered_ends_with_its_cookie(browser, tab, address):
    site = address()
    log_in_at(tab, site, **ADA)
    browser.clear_cookies(name=SESSION)
    assert user(browser, site) is None


def test_a_restored_login_confirms_its_password_to_see_the_account(browser, tab, address):
    site = address()
    log_in_at(tab, site, **ADA, remember=True)
    tab.goto(f"{site}/account")
    assert said_of(tab)["fresh"] == "yes"
    browser.clear_cookies(name=SESSION)
    tab.goto(f"{site}/account?tab=1")
    assert urlsplit(tab.url).path == "/confirm"
    tab.get_by_label("Password of ada").fill("wrong")
    tab.get_by_role("button", name="Confirm").click()
    tab.get_by_role("alert").filter(has_text="The password is wrong.").wait_for()
    tab.get_by_label("Password of ada").fill(ADA["password"])
    tab.get_by_role("button", name="Confirm").click()
    tab.wait_for_url(f"{site}/account?tab=1")
    assert said_of(tab)["fresh"] == "yes"


def test_a_logout_in_one_tab_is_a_logout_in_the_other(browser, tab, address):
    site = address()
    log_in_at(tab, site, **ADA, remember=True)
    other = browser.new_page()
    other.goto(f"{site}/quart/stock")
    assert said_of(other)["user"] == "ada"
    tab.goto(site)
    tab.get_by_role("button", name="Log out").click()
    tab.get_by_role("link", name="Log in").wait_for()
    assert browser.cookies() == []
    other.reload()
    assert urlsplit(other.url).path == "/login"


def test_logging_out_everywhere_ends_copies_of_the_cookies_too(browser, tab, address):
    site = address()
    log_in_at(tab, site, **BOB, remember=True)
    copies = browser.cookies()
    tab.goto(f"{site}/devices")
    tab.get_by_role("button", name="Log out everywhere", exact=True).click()
    tab.wait_for_url(f"{site}/")
    browser.add_cookies(copies)
    assert user(browser, site) is None


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.relation)
@pytest.mark.parametrize("trusted", [False, True], ids=["checked", "trusted"])
def test_a_form_of_another_origin_logs_nobody_out_unless_it_is_trusted(tab, address, attackers, attack, trusted):
    site = address(samesite=attack.samesite, trusted=trusted)
    origin = attackers[attack.relation]
    log_in_at(tab, site, **ADA)
    request = submit(tab, origin, f"{site}/logout", {})
    sent = request.all_headers()
    # Otherwise it would have been stopped by the browser, not by the check.
    assert f"{SESSION}=" in sent["cookie"]
    assert (sent["origin"], sent["sec-fetch-site"]) == (origin, attack.relation)
    assert request.response().status == (303 if trusted else 403)
    assert user(tab.context, site) == (None if trusted else "ada")


@pytest.mark.parametrize("relation", ["cross-site", "same-site"])
@pytest.mark.parametrize("trusted", [False, True], ids=["checked", "trusted"])
def test_a_form_of_another_origin_logs_nobody_in_unless_it_is_trusted(tab, address, attackers, relation, trusted):
    site = address(trusted=trusted)
    request = submit(tab, attackers[relation], f"{site}/login", BOB)
    assert "cookie" not in request.all_headers()
    assert request.response().status == (303 if trusted else 403)
    assert user(tab.context, site) == ("bob" if trusted else None)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.relation)
@pytest.mark.parametrize("trusted", [False, True], ids=["checked", "trusted"])
def test_a_websocket_of_another_origin_is_refused_unless_it_is_trusted(tab, address, attackers, attack, trusted):
    site = address(samesite=attack.samesite, trusted=trusted)
    log_in_at(tab, site, **ADA)
    assert connect(tab, site) == "hello ada"
    tab.goto(attackers[attack.relation])
    assert connect(tab, site) == ("hello ada" if trusted else "refused")
