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
ME = ["/fastapi/me", "/starlette/me", "/quart/me", "/litestar/me", "/asgi/me"]


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


def test_the_home_page_asks_every_application_over_http_and_one_over_a_websocket(tab, address):
    complaints = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    site = address()
    tab.goto(f"{site}/login")
    log_in(tab, **ADA)
    tab.wait_for_url(f"{site}/")
    for path in ME:
        assert tab.locator(f'[data-ask="{path}"]:not(:empty)').inner_text() == "200 ada"
    for path in PAGES:
        assert tab.locator(f'[data-ask="{path}"]:not(:empty)').inner_text() == "200 open"
    assert tab.locator("[data-connect]:not(:empty)").inner_text() == "hello ada"
    # No script or style of the pages offends the policy that they are sent with.
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
