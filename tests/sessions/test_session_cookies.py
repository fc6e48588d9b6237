"""What a login, a logout and a renewal write onto a response, and what they leave alone."""

import re

import pytest
from browser_jar import OWN_ORIGIN, REMEMBER, Browser, site
from helpers import COOKIE, NOW, bearer, http_scope, make_manager, parts, run, send_request
from sessions.browsing import ATTRIBUTES, DAY, DELETED, IDLE, claims_of

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport


def test_a_login_sets_the_session_and_deletes_what_remembered_another(browser, manager):
    session, remember = browser.login(manager).all("set-cookie")
    assert re.fullmatch(rf"{COOKIE}=[A-Za-z0-9_.-]+; {ATTRIBUTES}", session)
    assert remember == REMEMBER + DELETED
    assert browser.names == {COOKIE}
    assert browser.visit().user == "ada"


def test_a_session_token_says_who_when_and_from_where(browser, manager):
    browser.login(manager, scopes=["read", "write"])
    header, claims = parts(browser.token())
    assert header["typ"] == "session+jwt"
    fixed = {"sub": "ada", "scope": "read write", "auth_time": NOW, "iat": NOW, "exp": NOW + IDLE}
    fixed |= {"fresh": True, "permanent": False, "mgr": "default"}
    assert claims.items() >= fixed.items()
    assert set(claims) == {*fixed, "sid", "jti", "fp"}
    assert browser.visit().scopes == {"read", "write"}


def test_a_remembered_login_sets_a_cookie_that_outlives_the_browser(browser, manager):
    browser.login(manager, remember=True)
    header, claims = parts(browser.token(REMEMBER))
    assert header["typ"] == "remember+jwt"
    assert claims["exp"] == NOW + 30 * DAY
    assert {"sid", "mgr", "auth_time"} <= set(claims)
    assert claims_of(browser.token())["sid"] == claims["sid"]
    browser.close()
    assert browser.names == {REMEMBER}


@pytest.mark.parametrize("fraction", [0, 0.25, 0.99])
@pytest.mark.parametrize("name", [COOKIE, REMEMBER])
def test_a_cookie_does_not_outlive_its_token(clock, name, fraction):
    clock.now += fraction
    transports = [BearerTransport(), CookieTransport(max_age=90 * DAY)]
    manager = make_manager(clock=clock, transports=transports)
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    (stored,) = [one for one in browser.jar.values() if one.name == name]
    assert stored.until <= claims_of(stored.value)["exp"]


@pytest.mark.parametrize("status", [200, 204, 302, 404, 500])
def test_a_login_is_written_onto_whatever_the_response_is(browser, manager, status):
    answer = browser.send(lambda scope: manager.login_user(scope, "ada"), answer=status)
    assert answer.status == status
    assert browser.visit().user == "ada"


def test_a_login_is_written_onto_the_start_of_a_stream_whose_chunks_stay(browser, manager):
    assert browser.login(manager).body == b"one two"


@pytest.mark.parametrize("remember", [False, True])
def test_a_login_is_written_onto_the_accept_of_a_websocket(browser, manager, remember):
    accept, close = browser.connect(lambda scope: manager.login_user(scope, "ada", remember=remember))
    assert accept["type"] == "websocket.accept"
    assert close == {"type": "websocket.close", "code": 1000}
    assert browser.visit().user == "ada"
    assert browser.names == ({COOKIE, REMEMBER} if remember else {COOKIE})


def test_a_session_is_renewed_on_the_accept_of_a_websocket(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    before = browser.token()
    browser.connect()
    assert browser.token() != before


OWN_LINES = [
    (b"set-cookie", b'a="1, 2"; Path=/'),
    (b"Set-Cookie", b"a=3; Path=/x"),
    (b"set-cookie", b"__Host-access-tokenx=1"),
    (b"set-cookie", b"b=\xe4"),
    (b"x-own", b"1"),
]


def test_the_applications_own_cookies_stay_byte_for_byte(browser, manager):
    scope = http_scope("POST", headers=OWN_ORIGIN, do=lambda scope: manager.login_user(scope, "ada"), reply=OWN_LINES)
    answer = run(send_request(browser.app, scope))
    assert answer.headers[: len(OWN_LINES)] == OWN_LINES
    assert [name for name, _ in answer.headers[len(OWN_LINES) :]] == [b"set-cookie", b"set-cookie", b"cache-control"]


def test_an_earlier_line_for_our_cookie_is_replaced_by_the_login(browser, manager):
    stale = (b"Set-Cookie", f"{COOKIE}=stale".encode())
    answer = browser.send(lambda scope: manager.login_user(scope, "ada"), reply=[stale])
    assert sum(line.startswith(f"{COOKIE}=") for line in answer.all("set-cookie")) == 1
    assert browser.visit().user == "ada"


def test_no_store_takes_the_place_of_the_applications_cache_control(browser, manager):
    reply = [(b"Cache-Control", b"public, max-age=60"), (b"cache-control", b"immutable")]
    answer = browser.send(lambda scope: manager.login_user(scope, "ada"), reply=reply)
    assert answer.all("cache-control") == ["no-store"]
    assert browser.send(manager.logout_user, reply=reply).all("cache-control") == ["no-store"]


def test_a_session_that_is_only_read_leaves_caching_to_the_application_and_varies(browser, manager):
    browser.login(manager)
    answer = browser.send(reply=[(b"cache-control", b"max-age=60"), (b"vary", b"Accept")])
    assert answer.header("cache-control") == "max-age=60"
    assert answer.header("vary") == "Accept, Cookie"
    assert answer.all("set-cookie") == []


def test_a_renewed_session_varies_and_is_not_stored(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    answer = browser.send(reply=[(b"cache-control", b"max-age=60")])
    assert (answer.header("cache-control"), answer.header("vary")) == ("no-store", "Cookie")


@pytest.mark.parametrize("headers", [[], [(b"cookie", b"other=1")], [(b"authorization", b"Basic eDp5")]])
def test_a_request_without_our_credentials_gets_the_applications_bytes(browser, headers):
    reply = [(b"cache-control", b"max-age=60"), (b"set-cookie", b"a=1")]
    answer = browser.send(headers=headers, reply=reply)
    assert answer.headers == reply


def test_a_header_credential_gets_the_applications_bytes(browser, manager):
    token = manager.create_access_token(data={"sub": "ada"})
    scope = http_scope(headers=[bearer(token)], reply=OWN_LINES)
    assert run(send_request(browser.app, scope)).headers == OWN_LINES


def test_a_logout_deletes_both_cookies_with_the_attributes_that_set_them(browser, manager):
    browser.login(manager, remember=True)
    assert browser.logout(manager).all("set-cookie") == [COOKIE + DELETED, REMEMBER + DELETED]
    assert browser.jar == {}
    assert not browser.visit().is_authenticated


@pytest.mark.parametrize(
    "transport",
    [
        CookieTransport("__Secure-sid", path="/app", domain="example.com", samesite="strict"),
        CookieTransport("sid", samesite="none", partitioned=True),
        CookieTransport("__Host-sid", httponly=False, max_age=60),
        CookieTransport.insecure_for_development(),
    ],
    ids=lambda transport: transport.cookie_name,
)
def test_a_cookie_is_deleted_with_whatever_attributes_set_it(clock, transport):
    manager = make_manager(clock=clock, transports=[transport])
    browser = Browser.of(manager)
    set_lines = browser.login(manager, remember=True).all("set-cookie")
    deleting_lines = browser.logout(manager).all("set-cookie")

    def shape(line):
        name, *attributes = line.split("; ")
        kept = [one for one in attributes if not one.startswith(("Max-Age=", "Expires="))]
        return name.partition("=")[0], kept

    assert list(map(shape, set_lines)) == list(map(shape, deleting_lines))
    assert browser.jar == {}


@pytest.mark.parametrize(
    ("steps", "user"),
    [
        (["login ada", "login user1"], "user1"),
        (["login ada", "logout"], None),
        (["logout", "login ada"], "ada"),
        (["login ada", "logout", "login user1", "logout"], None),
    ],
)
def test_of_several_calls_in_one_request_the_last_counts(browser, manager, steps, user):
    def do(scope):
        for step in steps:
            if step == "logout":
                manager.logout_user(scope)
            else:
                manager.login_user(scope, step.removeprefix("login "), remember=True)

    browser.send(do)
    assert browser.visit().user == user


def test_a_login_changes_nothing_for_the_request_that_makes_it(browser, manager):
    browser.login(manager)
    assert browser.auth.user is None
    browser.logout(manager)
    assert browser.auth.user == "ada"


@pytest.mark.parametrize("action", ["login", "logout"])
def test_a_login_or_logout_stands_although_the_session_was_due_for_renewal(browser, manager, clock, action):
    browser.login(manager, remember=True)
    clock.now += IDLE / 2
    if action == "logout":
        browser.logout(manager)
    else:
        browser.login(manager, "user1")
    assert browser.visit().user == (None if action == "logout" else "user1")


def test_a_cookie_that_the_application_deletes_is_not_brought_back_by_a_renewal(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    name, line = manager.cookie_transport.delete_cookie_header()
    browser.send(reply=[(name, line)])
    assert not browser.visit().is_authenticated


def test_a_cookie_that_the_application_sets_is_not_replaced_by_a_renewal(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    token = manager.create_access_token(data={"sub": "user1"})
    browser.send(reply=[manager.cookie_transport.set_cookie_header(token)])
    assert browser.visit().user == "user1"


@pytest.mark.parametrize("action", ["login", "logout"])
@pytest.mark.parametrize("due", [False, True], ids=["young", "due"])
def test_of_nested_middlewares_the_inner_one_decides_what_is_written(manager, clock, action, due):
    browser = Browser(AuthMiddleware(site(manager), manager), clock)
    browser.login(manager)
    clock.now += IDLE / 2 if due else 0
    if action == "logout":
        browser.logout(manager)
    else:
        browser.login(manager, "user1")
    assert browser.visit().user == (None if action == "logout" else "user1")


def test_a_logout_ends_a_session_in_an_older_cookie_of_the_manager(clock):
    old = CookieTransport("__Host-old", name="old")
    before = make_manager(clock=clock, transports=[old])
    browser = Browser.of(before)
    browser.login(before)
    manager = make_manager(clock=clock, transports=[CookieTransport("__Host-new", name="new"), old])
    browser.app = site(manager)
    assert browser.visit().user == "ada"
    browser.logout(manager)
    assert not browser.visit().is_authenticated
