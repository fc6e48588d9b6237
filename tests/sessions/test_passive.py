"""Paths that a page asks for by itself: the user is known there, but the session is not renewed."""

from datetime import timedelta

import pytest
from browser_jar import CAFE, REMEMBER, Browser, page
from conformance.driver import http
from conformance.logins import Logins
from fastapi import FastAPI
from helpers import make_manager
from litestar import Litestar
from litestar import get as litestar_get
from quart import Quart
from sessions.browsing import IDLE, claims_of
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_login import AuthMiddleware, CookieTransport, Gate, InvalidToken, Sessions, get_auth
from asgi_login.fastapi import install as install_fastapi
from asgi_login.litestar import LoginPlugin
from asgi_login.quart import install as install_quart
from asgi_login.starlette import install

POLL = "/poll"


def polled(clock, *more, **sessions):
    """Return a manager and a browser at a site whose /poll is passive."""
    manager = make_manager(clock=clock, sessions=Sessions(**sessions))
    managers = [manager, *more]
    return manager, Browser(AuthMiddleware(page, managers if more else manager, passive=[POLL]), clock)


def test_polling_does_not_keep_a_session_alive(clock):
    manager, browser = polled(clock)
    browser.login(manager)
    token = browser.token()
    for _ in range(IDLE - 1):
        clock.now += 1
        answer = browser.send(path=POLL)
        assert (browser.auth.user, answer.all("set-cookie")) == ("ada", [])
    assert browser.token() == token
    clock.now += 1
    assert browser.visit(POLL).user is None
    assert browser.auth.error.expired


@pytest.mark.parametrize("path", [POLL, "/poll/news"])
@pytest.mark.parametrize("age", [0, IDLE / 2, IDLE - 1])
def test_the_user_is_who_they_are_elsewhere(clock, path, age):
    manager, browser = polled(clock)
    browser.login(manager, scopes=["read"])
    old = claims_of(browser.token())
    clock.now += age
    auth = browser.visit(path)
    assert (auth.user, auth.scopes, auth.fresh, auth.error) == ("ada", {"read"}, age <= 600, None)
    # A stream that was opened here ends with the session, and not with one that nobody has.
    assert (auth.expires_at, auth.claims["jti"]) == (old["exp"], old["jti"])


@pytest.mark.parametrize("path", ["/", "/polls", "/x/poll", "/poll/../page"])
def test_any_other_path_renews_as_ever(clock, path):
    manager, browser = polled(clock)
    browser.login(manager)
    token = browser.token()
    clock.now += IDLE / 2
    assert browser.visit(POLL).user == "ada"
    assert browser.token() == token
    browser.visit(path)
    assert claims_of(browser.token())["exp"] == int(clock.now) + IDLE


def test_a_remembered_login_is_restored_and_its_cookies_are_written(clock):
    manager, browser = polled(clock)
    browser.login(manager, remember=True)
    remember = browser.token(REMEMBER)
    clock.now += IDLE
    answer = browser.send(path=POLL)
    assert (browser.auth.user, browser.auth.fresh, len(answer.all("set-cookie"))) == ("ada", False, 2)
    assert browser.token(REMEMBER) != remember
    assert browser.visit(POLL).user == "ada"


def test_a_changed_client_is_written_once_and_polls_on_without_renewal(clock):
    manager, browser = polled(clock)
    browser.login(manager)
    thief = browser.copy(client=CAFE)
    assert (thief.visit(POLL).user, thief.auth.fresh) == ("ada", False)
    assert claims_of(thief.token())["fresh"] is False
    token, end = thief.token(), claims_of(thief.token())["exp"]
    while clock.now < end - 1:
        clock.now += 30 if clock.now < end - 31 else 1
        assert thief.send(path=POLL).all("set-cookie") == []
    assert thief.token() == token
    clock.now += 1
    assert thief.visit(POLL).user is None


def test_a_session_that_another_client_has_ends_under_strong_protection(clock):
    manager, browser = polled(clock, protection="strong")
    browser.login(manager)
    thief = browser.copy(client=CAFE)
    assert len(thief.send(path=POLL).all("set-cookie")) == 2
    assert (thief.auth.user, thief.token()) == (None, None)


def test_a_changed_stamp_ends_the_session(clock):
    stamps = {"ada": "one"}
    manager, browser = polled(clock, stamp=stamps.get)
    browser.login(manager, user="ada")
    stamps["ada"] = "two"
    browser.send(path=POLL)
    assert (browser.auth.user, browser.token()) == (None, None)
    assert isinstance(browser.auth.error, InvalidToken)


def test_a_login_and_a_logout_are_written(clock):
    manager, browser = polled(clock)
    browser.send(lambda scope: manager.login_user(scope, "ada"), path=POLL)
    assert browser.visit(POLL).user == "ada"
    clock.now += IDLE / 2
    browser.send(manager.confirm_login, path=POLL)
    assert claims_of(browser.token())["exp"] == int(clock.now) + IDLE
    browser.send(manager.logout_user, path=POLL)
    assert browser.token() is None


def test_several_managers_are_passive_together(clock):
    other = make_manager(
        b"another secret of thirty-two byte", name="other", clock=clock, transports=[CookieTransport("__Host-other")]
    )
    manager, browser = polled(clock, other)
    browser.login(manager)
    browser.login(other)
    clock.now += IDLE / 2
    assert browser.send(path=POLL).all("set-cookie") == []
    assert get_auth({"state": {"auth": browser.auth}}, manager="other").user == "ada"
    assert len(browser.send().all("set-cookie")) == 2


def test_a_websocket_handshake_renews_nothing_there(clock):
    manager, browser = polled(clock)
    browser.login(manager)
    clock.now += IDLE / 2
    app = AuthMiddleware(page, manager, passive=["/"])
    quiet = Browser(app, clock, jar=dict(browser.jar))
    token = quiet.token()
    quiet.connect()
    assert (quiet.auth.user, quiet.token()) == ("ada", token)
    browser.connect()
    assert browser.token() != token


def test_the_session_that_was_left_alone_is_renewed_by_the_next_visit_whatever_the_cache(clock):
    for size in (0, 4096):
        manager = make_manager(clock=clock, token_cache_size=size, sessions=Sessions(idle=timedelta(minutes=10)))
        browser = Browser(AuthMiddleware(Gate(page, exempt=["/"]), manager, passive=[POLL]), clock)
        browser.send(lambda scope: manager.login_user(scope, "ada"), path="/")  # noqa: B023 - called at once
        clock.now += 300
        for _ in range(3):
            assert browser.send(path=POLL).all("set-cookie") == []
        assert len(browser.send(path="/page").all("set-cookie")) == 1


@pytest.mark.parametrize("argument", ["/poll", b"/poll"])
def test_one_string_is_refused(argument):
    with pytest.raises((TypeError, ValueError), match="passive"):
        AuthMiddleware(page, make_manager(), passive=argument)


@pytest.mark.parametrize("path", ["poll", "", None])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match=r"passive: .* is no path"):
        AuthMiddleware(page, make_manager(), passive=[path])


def make_starlette(manager):
    app = Starlette(routes=[Route(path, lambda request: PlainTextResponse("ok")) for path in (POLL, "/page")])
    install(app, manager, passive=[POLL])
    return app


def make_fastapi(manager):
    app = FastAPI()
    for path in (POLL, "/page"):
        app.get(path)(lambda: "ok")
    install_fastapi(app, manager, passive=[POLL])
    return app


def make_quart(manager):
    app = Quart("app")
    for path in (POLL, "/page"):
        app.add_url_rule(path, path, lambda: "ok")
    install_quart(app, manager, passive=[POLL])
    return app


def make_litestar(manager):
    @litestar_get([POLL, "/page"])
    async def view() -> str:
        return "ok"

    return Litestar([view], plugins=[LoginPlugin(manager, passive=[POLL])], openapi_config=None)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("make", [make_starlette, make_fastapi, make_quart, make_litestar])
async def test_every_adapter_takes_passive(make, anyio_backend):
    logins = Logins()

    async def log_in(scope, receive, send):
        logins.manager.login_user(scope, "ada")
        await page(scope, receive, send)

    connection = await http(AuthMiddleware(log_in, logins.manager), "/", method="POST")
    session = next(line for line in connection.header("set-cookie") if "Max-Age=0" not in line).partition(";")[0]
    logins.clock.tick(IDLE / 2)
    app = make(logins.manager)
    for path, renewed in ((POLL, 0), ("/page", 1)):
        connection = await http(app, path, headers=[("cookie", session)])
        assert (connection.status, len(connection.header("set-cookie"))) == (200, renewed)
        assert connection.scope["state"]["user"].name == "ada"


@pytest.mark.parametrize("root", ["", "/api"])
def test_the_root_path_of_the_server_is_no_part_of_the_paths_and_that_of_a_mount_is(clock, root):
    manager = make_manager(clock=clock)
    mounted = Starlette(routes=[Mount("/news", app=page), Mount("/", app=page)])
    browser = Browser(AuthMiddleware(mounted, manager, passive=["/news/poll"]), clock)
    browser.login(manager)
    clock.now += IDLE / 2
    answer = browser.send(path=f"{root}/news/poll", root_path=root)
    assert (answer.status, answer.all("set-cookie"), browser.auth.user) == (200, [], "ada")
