"""What the pages of the demo explain: their code, the way of a request through the checks, and refusals."""

import re
import sqlite3
from contextlib import closing
from html import unescape

import pytest
from demo_devices import FIREFOX, device, rows
from demo_process import ADA, BOB, COOKIE, ELSEWHERE, ROOT, started

GATES = {
    "/fastapi/orders": 'Security(manager, scopes=["orders:read"])',
    "/starlette/reports": '@requires_scopes("reports:read")',
    "/quart/stock": '@requires_scopes("stock:read")',
    "/litestar/invoices": 'guard("invoices:read")',
    "/asgi/audit": 'Gate(audit, scopes=["audit:read"])',
}
ACCEPTED = ["Transport", "Token", "Origin", "Session", "Store", "User loader", "Stamp"]
BROKEN = "broken"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo")
    with started(home / "folder", home / "log") as running:
        yield running


def way(page):
    """Return each check that a page draws: its name, what it decided and what it found."""
    drawn = re.findall(r'<li class="(.*?)"><strong>(.*?)</strong>.*?</span> (.*?)</li>', page)
    return [(name, verdict, unescape(found)) for verdict, name, found in drawn]


def verdicts(page):
    return [(name, verdict) for name, verdict, _ in way(page)]


def test_the_first_page_says_what_this_is_and_who_can_log_in(demo):
    with demo.browser() as browser:
        home = browser.get("/").text
    assert "asgi-login finds out who sends each request to an ASGI application" in home
    for user in (ADA, BOB):
        assert f">{user['username']}</span>" in home
        assert f">{user['password']}</code>" in home
    gates = dict(re.findall(r'<a href="([^"]*)">[^<]*</a> .*?<code>(.*?)</code>', home, re.DOTALL))
    assert {path: unescape(gate) for path, gate in gates.items() if path in GATES} == GATES


@pytest.mark.parametrize("path", GATES)
def test_a_page_shows_the_lines_of_the_running_file_that_protect_it(demo, path):
    with demo.browser(**ADA) as browser:
        page = browser.get(path).text
    (file,) = re.findall(r"<figcaption><code>(.*?)</code>", page)
    text = (ROOT / file).read_text().splitlines()
    shown = re.findall(r'<(span|mark) class="line" data-number="(\d+)">(.*?)\n</', page)
    assert len(shown) > 3
    for _, number, line in shown:
        assert text[int(number) - 1].strip() == unescape(line).strip()
    (marked,) = [unescape(line) for tag, _, line in shown if tag == "mark"]
    assert GATES[path] in marked


def test_a_login_passes_every_check_and_a_token_those_that_it_needs(demo):
    authorization = {"Authorization": f"Bearer {demo.token(**ADA)}"}
    with demo.browser(**ADA) as browser, demo.client(headers=authorization) as client:
        by_cookie, by_token = browser.get("/asgi/audit").text, client.get("/asgi/audit").text
    assert verdicts(by_cookie) == [*((name, "passed") for name in ACCEPTED), ("Gate", "passed")]
    assert [name for name, verdict in verdicts(by_token) if verdict == "none"] == ["Origin", "Session", "Stamp"]
    assert "Found ada in the database." in by_cookie
    assert way(by_cookie)[-1][2] == "Requires audit:read, and this login has it."


def test_an_anonymous_request_has_nothing_to_check(demo):
    with demo.browser() as browser:
        first, rest, gate = way(browser.get("/").text)
    assert first == ("Transport", "none", "There is no token, so the request is anonymous.")
    assert rest[0] == "Token, origin, session, store, user loader, stamp"
    assert gate[0] == "Gate"


def change(demo, statement):
    with closing(sqlite3.connect(demo.folder / "users.db")) as database, database:
        database.execute(statement)


@pytest.mark.parametrize(
    ("what", "check", "found"),
    [
        ("broken", "Token", "The token is invalid: not three parts of base64url."),
        ("ended", "Store", "The token is invalid: the token, its session or its user's logins were ended."),
        ("password changed", "Stamp", "The token is invalid: the user's stamp has changed."),
        ("user deleted", "User loader", "The token is invalid: no such user."),
    ],
)
def test_the_first_page_draws_which_check_has_refused_a_cookie_and_why(tmp_path, what, check, found):
    with started(tmp_path / "folder", tmp_path / "log") as demo, demo.browser(**BOB) as browser:
        copy = browser.cookies[COOKIE]
        if what == "ended":
            browser.post("/logout")
        elif what == "password changed":
            change(demo, "UPDATE users SET password = 'another' WHERE name = 'bob'")
        elif what == "user deleted":
            change(demo, "DELETE FROM users WHERE name = 'bob'")
        browser.cookies.set(COOKIE, BROKEN if what == "broken" else copy)
        drawn = way(browser.get("/").text)
    before = ACCEPTED[: ACCEPTED.index(check)]
    assert [name for name, verdict, _ in drawn if verdict == "passed"] == before
    assert [one for one in drawn if one[1] == "refused"] == [(check, "refused", found)]


@pytest.mark.parametrize("path", GATES)
def test_a_403_is_a_page_for_browsers_and_json_for_others(demo, path):
    with demo.browser(**BOB) as browser:
        page = browser.get(path)
        api = browser.get(path, headers={"Accept": "application/json"})
    assert {page.status_code, api.status_code} == {403}
    assert api.json()["error"] == "insufficient_scope"
    assert page.headers["www-authenticate"] == api.headers["www-authenticate"]
    assert page.headers["vary"] == api.headers["vary"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert int(page.headers["content-length"]) == len(page.content)
    assert "Amber means correctly refused" in page.text
    (gate,) = [one for one in way(page.text) if one[1] == "refused"]
    assert gate[0] == "Gate"
    assert gate[2].startswith("403 insufficient_scope: requires ")
    # What would open it stands on the page.
    assert f'<input type="hidden" name="next" value="{path}">' in page.text
    assert "Log in as ada" in page.text


def test_a_head_request_gets_the_headers_of_the_page_alone(demo):
    with demo.browser(**BOB) as browser:
        head, page = browser.head("/asgi/audit"), browser.get("/asgi/audit")
    assert (head.status_code, head.content) == (403, b"")
    assert head.headers["content-type"] == page.headers["content-type"]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_a_form_of_another_site_gets_a_page_that_says_which_check_has_refused_it(demo, headers):
    with demo.browser(**BOB) as browser:
        answers = [browser.post(path, headers=headers) for path in ("/logout", "/asgi/audit")]
    for answer in answers:
        assert answer.status_code == 403
        assert "The request comes from another origin." in answer.text
        assert [name for name, verdict in verdicts(answer.text) if verdict == "refused"] == ["Origin"]


def test_the_login_page_says_why_a_browser_was_sent_there(demo):
    with demo.browser() as browser:
        assert "You were sent here" not in browser.get("/login").text
        sent = browser.get(browser.get("/quart/stock?page=2").headers["location"]).text
        browser.cookies.set(COOKIE, BROKEN)
        refused = browser.get(browser.get("/account").headers["location"]).text
    assert "because <code>/quart/stock</code> is for users who are logged in. Your browser has no login" in sent
    assert "because <code>/account</code> is for" in refused
    assert "Your login is not accepted: The token is invalid." in refused


def test_a_switch_of_users_leaves_no_login_of_the_user_before(demo):
    with device(demo, FIREFOX, BOB) as browser:
        before, copy = len(rows(browser)), browser.cookies[COOKIE]
        for user in (ADA, BOB):
            assert browser.post("/login", data=user).status_code == 303
        assert len(rows(browser)) == before
        browser.cookies.clear()
        browser.cookies.set(COOKIE, copy)
        assert browser.get("/asgi/me").status_code == 303


def test_the_buttons_that_log_out_everywhere_say_what_they_end(demo):
    with demo.browser(**BOB) as browser:
        page = browser.get("/devices").text
    described = dict(re.findall(r'aria-describedby="(\w+)">(.*?)</button>', page))
    said = dict(re.findall(r'<p class="hint" id="(\w+)">(.*?)</p>', page))
    assert {described[name]: said[name] for name in said} == {
        "Log out everywhere else": "You stay logged in here. All other browsers are logged out.",
        "Log out everywhere": "Ends every login of bob, this one too. A copy of a cookie does not work any more.",
    }


@pytest.mark.parametrize("path", ["/", "/login", "/account", "/devices", "/tokens", "/fastapi/docs", *GATES])
def test_no_page_loads_anything_from_another_host(demo, path):
    with demo.browser(**ADA) as browser:
        answer = browser.get(path)
        linked = re.findall(r'(?:src|href|action|data-url)="([^"]*)"', answer.text)
        for own in linked:
            assert own.startswith("/")
            if own.startswith(("/static/", "/swagger-ui/")):
                assert browser.get(own).status_code == 200
    assert answer.status_code == 200
    assert not re.search(r"unsafe|https?:", answer.headers["content-security-policy"])
