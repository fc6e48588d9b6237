"""Several managers in one browser, each with cookies of its own."""

import pytest
from browser_jar import CAFE, OWN_ORIGIN, Browser
from helpers import OTHER_SECRET, make_manager

from asgi_login import CookieTransport, Sessions


@pytest.fixture
def two(clock):
    web = make_manager(clock=clock, name="web", transports=[CookieTransport("__Host-web")])
    admin = make_manager(
        OTHER_SECRET, clock=clock, name="admin", users=["root"], transports=[CookieTransport("__Host-admin")]
    )
    return web, admin


def test_each_manager_writes_and_deletes_cookies_of_its_own(two):
    web, admin = two
    browser = Browser.of(*two)
    browser.login(web, remember=True)
    browser.login(admin, "root", remember=True)
    names = {"__Host-web", "__Host-web-remember-token", "__Host-admin", "__Host-admin-remember-token"}
    assert browser.names == names
    assert (browser.visit().user, browser.auth.manager) == ("ada", "web")
    browser.logout(web)
    assert browser.names == {"__Host-admin", "__Host-admin-remember-token"}
    assert (browser.visit().user, browser.auth.manager) == ("root", "admin")


def test_both_managers_can_log_in_on_one_response(two):
    web, admin = two
    browser = Browser.of(*two)

    def do(scope):
        web.login_user(scope, "ada")
        admin.login_user(scope, "root")

    browser.send(do)
    assert browser.names == {"__Host-web", "__Host-admin"}


@pytest.mark.parametrize("kind", ["session", "remember"])
def test_the_token_of_one_manager_is_useless_to_the_other(two, kind):
    web, _ = two
    suffix = "" if kind == "session" else "-remember-token"
    browser = Browser.of(*two)
    browser.login(web, "ada", remember=True)
    token = browser.token(f"__Host-web{suffix}")
    other = Browser.of(*two)
    other.put(token, f"__Host-admin{suffix}")
    assert other.visit().user is None


def test_there_is_nothing_to_confirm_for_the_manager_whose_session_it_is_not(two):
    web, admin = two
    browser = Browser.of(*two)
    browser.login(web)
    assert browser.send(admin.confirm_login, headers=OWN_ORIGIN).status == 401


def test_an_ended_session_of_one_manager_is_deleted_although_the_other_knows_the_user(clock):
    sessions = Sessions(protection="strong")
    web = make_manager(clock=clock, name="web", transports=[CookieTransport("__Host-web")], sessions=sessions)
    admin = make_manager(OTHER_SECRET, clock=clock, name="admin", transports=[CookieTransport("__Host-admin")])
    browser = Browser.of(web, admin)
    browser.login(web)
    browser.login(admin, "user1")
    browser.client = CAFE
    assert browser.visit().user == "user1"
    assert "__Host-web" not in browser.names


@pytest.mark.parametrize("remember", [False, True])
def test_a_session_of_one_manager_is_none_of_another_with_the_same_key(clock, remember):
    web, admin = (make_manager(clock=clock, name=name) for name in ("web", "admin"))
    browser = Browser.of(web)
    browser.login(web, remember=remember)
    if remember:
        browser.close()
    elsewhere = Browser.of(admin, jar=dict(browser.jar))
    for cookie in list(elsewhere.jar.values()):
        elsewhere.put(cookie.value, cookie.name.replace("default", "admin"))
        elsewhere.put(cookie.value, cookie.name.replace("web", "admin"))
    assert elsewhere.visit().user is None
