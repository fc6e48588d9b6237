"""The page of the demo that lists where a user is logged in, and the logouts that it offers."""

import re

import pytest
from demo_devices import CHROME, FIREFOX, device, is_logged_in, row, rows
from demo_process import ADA, BOB, COOKIE, ELSEWHERE, REMEMBER, started

from examples.demo.device_names import device_name

BUTTONS = ["/devices/logout", "/devices/logout-others", "/logout-everywhere"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo")
    with started(home / "folder", home / "log") as running:
        yield running


def own_row(browser):
    (found,) = [one for one in rows(browser) if one[1]]
    return found


@pytest.fixture
def clean(demo):
    """End what other tests have started."""
    with device(demo, CHROME) as browser:
        for _, _, session in sorted(rows(browser), key=lambda one: one[1]):
            browser.post("/devices/logout", data={"session": session})


def test_the_list_names_each_device_and_tells_which_one_is_this(demo, clean):
    with device(demo, FIREFOX) as here, device(demo, CHROME):
        assert {(name, this) for name, this, _ in rows(here)} == {
            ("Firefox on Linux", "this browser"),
            ("Chrome on Linux", ""),
        }
        page = here.get("/devices").text
        assert len(re.findall(r"Logged in \d\d \w+, \d\d:\d\d:\d\d<br>Last seen \d\d \w+, \d\d:\d\d:\d\d", page)) == 2


def test_the_pages_lead_to_the_list(demo):
    with demo.browser() as nobody:
        assert 'href="/devices">Devices' not in nobody.get("/").text
        assert nobody.get("/devices").headers["location"] == "/login?next=%2Fdevices"
    with device(demo, FIREFOX) as here:
        for path in ("/", "/account"):
            page = here.get(path).text
            assert 'href="/devices">Devices' in page
            assert 'href="/devices">Your devices' in page


def test_a_device_can_be_logged_out_from_another(demo, clean):
    with device(demo, FIREFOX) as here, device(demo, CHROME, remember="on") as there:
        copies = dict(there.cookies)
        _, _, session = row(here, "Chrome on Linux")
        answer = here.post("/devices/logout", data={"session": session})
        assert (answer.status_code, answer.headers["location"]) == (303, "/devices")
        assert not is_logged_in(there)
        assert not there.cookies
        for name in (COOKIE, REMEMBER):
            there.cookies.set(name, copies[name])
            assert not is_logged_in(there)
            there.cookies.clear()
        assert is_logged_in(here)
        assert [name for name, _, _ in rows(here)] == ["Firefox on Linux"]
        # The button of a page that was opened before.
        assert here.post("/devices/logout", data={"session": session}).headers["location"] == "/devices"


def test_the_row_of_this_browser_logs_it_out_like_the_button_above(demo, clean):
    with device(demo, FIREFOX) as here, device(demo, CHROME) as there:
        copy = here.cookies[COOKIE]
        answer = here.post("/devices/logout", data={"session": own_row(here)[2]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert not here.cookies
        here.cookies.set(COOKIE, copy)
        assert not is_logged_in(here)
        assert is_logged_in(there)


def test_a_logout_everywhere_else_keeps_this_browser_and_ends_tokens(demo, clean):
    authorization = {"Authorization": f"Bearer {demo.token(**ADA)}", "Accept": "application/json"}
    with device(demo, FIREFOX) as here, device(demo, CHROME) as there, device(demo, CHROME, BOB) as bob:
        assert here.get("/asgi/me", headers=authorization).status_code == 200
        answer = here.post("/devices/logout-others")
        assert (answer.status_code, answer.headers["location"]) == (303, "/devices")
        assert is_logged_in(here)
        assert [this for _, this, _ in rows(here)] == ["this browser"]
        assert not is_logged_in(there)
        assert there.get("/asgi/me", headers=authorization).status_code == 401
        assert is_logged_in(bob)
        assert there.post("/login", data=ADA).status_code == 303
        assert is_logged_in(there)
    demo.forget_logins()


def test_nobody_ends_the_login_of_another_user(demo):
    with device(demo, FIREFOX) as ada, device(demo, FIREFOX, BOB) as bob:
        for form in ({"session": own_row(ada)[2]}, {"session": "nothing"}, {"session": ""}, {}):
            assert bob.post("/devices/logout", data=form).headers["location"] == "/devices"
        assert is_logged_in(ada)
        assert is_logged_in(bob)


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_another_site_ends_no_login(demo, headers):
    with device(demo, FIREFOX) as here, device(demo, CHROME) as there:
        form = {"session": own_row(there)[2]}
        for path in BUTTONS:
            answer = here.post(path, data=form, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
        assert is_logged_in(here)
        assert is_logged_in(there)


def test_a_link_ends_no_login(demo):
    with device(demo, FIREFOX) as here:
        assert {here.get(path).status_code for path in BUTTONS} == {405}
        assert is_logged_in(here)


def test_the_token_of_an_api_client_neither_sees_nor_ends_the_logins_of_its_user(demo, clean):
    with device(demo, FIREFOX) as here, demo.client(headers={"Authorization": f"Bearer {demo.token(**ADA)}"}) as client:
        form = {"session": own_row(here)[2]}
        answers = [client.get("/devices"), *(client.post(path, data=form) for path in BUTTONS)]
        assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {(303, "/login")}
        assert is_logged_in(here)


def test_what_a_client_calls_itself_is_shown_escaped(demo):
    with device(demo, "<script>alert(1)</script>") as here:
        assert own_row(here)[0] == "<script>alert(1)</script>"
        assert "<script>alert" not in here.get("/devices").text


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Linux"),
        (f"{CHROME} Edg/140.0.0.0", "Edge on Linux"),
        (f"{CHROME} OPR/120.0.0.0", "Opera on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/18.6 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) CriOS/140.0 Mobile/15E148 Safari/604.1", "Chrome on iPad"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.6 Safari/605.1.15", "Safari on macOS"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/140.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        ("Firefox/1", "Firefox"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("python-httpx/0.28.1 and more", "python-httpx/0.28.1"),
        ("", "Unknown"),
    ],
)
def test_a_device_is_called_by_its_browser_and_its_system(agent, name):
    assert device_name({"type": "http", "headers": [(b"user-agent", agent.encode())]}) == name


def test_a_client_that_does_not_say_what_it_is_has_a_name_too():
    assert device_name({"type": "http", "headers": []}) == "Unknown"
