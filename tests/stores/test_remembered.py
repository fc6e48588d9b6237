"""Remembered logins of a manager with a store: each token restores one session, on MemoryStore, Redis and Valkey."""

import logging
import time
from datetime import timedelta

import pytest
from conformance.driver import cookie, http, websocket
from conformance.logins import OTHER_SECRET, SECRET, Clock, DatabaseDownError, Logins, User
from helpers import parts, rsa_pem
from store_browser import OWN, Browser, Down, logged_in, page, user_of

from asgi_login import AuthMiddleware, CookieTransport, InvalidToken, Key, Sessions

COOKIES = [CookieTransport("__Host-login")]


class Site(Logins):
    """The manager of one process on the store of a place, with users who can be deleted and a database."""

    def __init__(self, place, *, store=None, **settings):
        self.is_down = False
        # A busy machine may be slow; what is told matters here.
        store = place.make_store(timeout=timedelta(seconds=5)) if store is None else store
        settings.setdefault("transports", COOKIES)
        secret = settings.pop("secret", SECRET)
        super().__init__(secret, clock=Clock(time.time()), store=store, name=place.name, **settings)

    async def _load(self, sub):
        if self.is_down:
            raise DatabaseDownError
        return await super()._load(sub)


def claims_of(token):
    return parts(token)[1]


def generation(browser):
    return claims_of(browser.remembered)["gen"]


async def restored(browser):
    """Close the window, visit a page, and tell whether the login was restored."""
    return user_of(await browser.close().get("/")) == User("ada")


def test_each_use_brings_a_token_of_the_next_generation(place):
    async def main():
        browser = await logged_in(Site(place))
        sids = {claims_of(browser.remembered)["sid"]}
        assert generation(browser) == 1
        for number in (2, 3, 4):
            assert await restored(browser)
            assert generation(browser) == number
            session = claims_of(browser.jar["__Host-login"])
            assert "gen" not in session
            sids |= {session["sid"], claims_of(browser.remembered)["sid"]}
        assert len(sids) == 1

    place.run(main)


def test_a_session_that_is_alive_uses_nothing_up(place):
    async def main():
        browser = await logged_in(Site(place))
        for _ in range(3):
            assert user_of(await browser.get("/")) == User("ada")
        assert generation(browser) == 1

    place.run(main)


def test_two_tabs_that_open_at_once_are_both_logged_in_and_stay_so(place):
    async def main():
        browser = await logged_in(Site(place))
        other = browser.copy()
        for number in (2, 3):
            assert await restored(browser)
            assert await restored(other)
            assert (generation(browser), generation(other)) == (number, number)
            assert browser.remembered != other.remembered
            # They have one jar, where the last answer stays.
            browser.jar = dict(other.jar)

    place.run(main)


def test_a_token_that_is_used_again_ends_the_login_everywhere_and_is_told_to_the_log(place, caplog):
    async def main():
        here, there = Site(place), Site(place)
        browser, another = await logged_in(here), await logged_in(here)
        thief = browser.copy()
        thief.logins = there
        stolen = thief.remembered
        for _ in range(2):
            assert await restored(browser)
        connection = await thief.close().get("/")
        assert user_of(connection) is None
        assert isinstance(connection.scope["state"]["auth"].error, InvalidToken)
        assert thief.jar == {}
        with_session = browser.copy()
        for victim in (with_session, browser.close()):
            victim.logins = there
            assert user_of(await victim.get("/")) is None
            assert victim.jar == {}
        assert await restored(another)
        [warning] = [one for one in caplog.records if "was used again" in one.message]
        assert warning.levelno == logging.WARNING
        assert stolen not in caplog.text

    place.run(main)


def test_a_database_that_is_down_costs_nobody_their_login(place):
    async def main():
        site = Site(place)
        browser = await logged_in(site)
        site.is_down = True
        for _ in range(3):
            assert isinstance((await browser.close().get("/")).error, DatabaseDownError)
        assert generation(browser) == 1
        site.is_down = False
        assert await restored(browser)
        assert generation(browser) == 2

    place.run(main)


@pytest.mark.parametrize("how", ["/logout", "/everywhere", "session", "token", "old token"])
def test_a_login_that_was_ended_is_not_restored(place, how):
    async def main():
        site, elsewhere = Site(place), Site(place)
        browser = await logged_in(site)
        old = browser.remembered
        assert await restored(browser)
        copy = browser.copy()
        copy.logins = elsewhere
        if how.startswith("/"):
            await browser.post(how)
        elif how == "session":
            await site.manager.revoke_session(claims_of(old)["sid"])
        else:
            await site.manager.revoke_token(old if how == "old token" else browser.remembered)
        assert not await restored(copy)
        assert copy.jar == {}
        again = await logged_in(elsewhere)
        assert await restored(again)

    place.run(main)


def test_a_login_after_a_logout_everywhere_is_remembered(place):
    async def main():
        site = Site(place, leeway=timedelta(seconds=5))
        await site.manager.revoke_user("ada")
        browser = await logged_in(site)
        for _ in range(2):
            assert await restored(browser)

    place.run(main)


def test_a_login_from_before_there_was_a_store_is_restored_once_by_each_token(place, caplog):
    async def main():
        before = Logins(clock=Clock(time.time()), transports=COOKIES, name=place.name)
        browser = await logged_in(before)
        thief = browser.copy()
        assert "gen" not in claims_of(browser.remembered)
        site = Site(place)
        browser.logins = thief.logins = site
        other_tab = browser.copy()
        assert await restored(browser)
        assert await restored(other_tab)
        assert (generation(browser), generation(other_tab)) == (1, 1)
        assert await restored(browser)
        assert not await restored(thief)
        assert not await restored(browser)
        assert [one.levelname for one in caplog.records if "was used again" in one.message] == ["WARNING"]

    place.run(main)


def test_a_login_from_before_there_was_a_store_is_not_restored_once_it_was_ended(place):
    async def main():
        before = Logins(clock=Clock(time.time() - 60), transports=COOKIES, name=place.name)
        browser = await logged_in(before)
        site = Site(place)
        browser.logins = site
        await site.manager.revoke_user("ada")
        assert not await restored(browser)

    place.run(main)


def test_a_login_after_a_logout_everywhere_is_restored_though_its_token_has_no_generation(place):
    async def main():
        site = Site(place)
        await site.manager.revoke_user("ada")
        later = time.time() + 60
        browser = await logged_in(Logins(clock=Clock(later), transports=COOKIES, name=place.name))
        site.clock.now = later
        browser.logins = site
        assert await restored(browser)

    place.run(main)


def test_a_cookie_that_cannot_be_written_uses_nothing_up_and_a_used_token_is_refused_all_the_same(place, caplog):
    async def main():
        store = place.make_store(timeout=timedelta(seconds=5))
        site = Site(place, store=store)
        browser = Browser(site)

        async def log_in(scope, receive, send):
            site.manager.login_user(scope, "ada", remember=True, claims={"note": "x" * 2_500})
            await page(scope, receive, send)

        await browser._send("/", "POST", OWN, log_in)
        old = browser.copy()
        assert await restored(browser)
        longer = Site(place, store=store, secret=[Key(rsa_pem(4096), "RS512"), SECRET])
        browser.logins = old.logins = longer
        token = browser.remembered
        for _ in range(3):
            assert await restored(browser)
            assert browser.jar == {"__Host-default-remember-token".replace("default", place.name): token}
        assert "cannot be restored for longer than a request" in caplog.text
        # Within the window; then a generation is left out.
        assert await restored(old)
        browser.logins = site
        assert await restored(browser)
        assert not await restored(old)
        assert not await restored(browser)

    place.run(main)


def test_a_websocket_restores_a_login_as_a_page_does(place):
    async def main():
        site = Site(place)
        browser = (await logged_in(site)).close()

        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})

        lines = [cookie(value, name) for name, value in browser.jar.items()]
        connection = await websocket(AuthMiddleware(app, site.manager), "/", headers=[*OWN, *lines])
        assert user_of(connection) == User("ada")
        [line] = [line for line in connection.set_cookies if "remember" in line]
        assert claims_of(line.partition("=")[2].partition(";")[0])["gen"] == 2

    place.run(main)


@pytest.mark.parametrize("gen", [-1, True, 1.0, "1", 10**400])
def test_a_token_whose_generation_is_none_is_refused(place, gen):
    async def main():
        site = Site(place)
        await no_restore(site, gen=gen)

    place.run(main)


@pytest.mark.parametrize("sid", [None, 7, ""])
def test_a_token_without_a_session_is_refused(place, sid):
    async def main():
        await no_restore(Site(place), sid=sid)

    place.run(main)


async def no_restore(site, **changes):
    """Visit with a remember token made by hand that is not in order, and see that it is no more than refused."""
    codec, now = site.manager.config.tokens, site.clock()
    name = site.manager.config.remember_cookie.cookie_name
    good = {"sub": "ada", "sid": "s", "mgr": site.manager.name, "auth_time": int(now), "exp": int(now) + 60, "gen": 1}
    await site.manager.config.revocation.start_family("s", "ada", idle=60, lifetime=60)
    for claims, expected in ((good | changes, None), (good, User("ada"))):
        token, _ = codec.issue("remember+jwt", claims, now=now)
        connection = await http(AuthMiddleware(ok, site.manager), "/", headers=[cookie(token, name)])
        assert (connection.status, user_of(connection)) == (200, expected)


async def ok(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


on_each_loop = pytest.mark.anyio


@pytest.fixture
def down():
    return Down()


@on_each_loop
async def test_a_store_that_is_down_is_a_503_and_costs_nobody_their_login(down):
    logins = Logins(transports=COOKIES, store=down)
    browser = await logged_in(logins)
    before = dict(browser.close().jar)
    down.is_down = True
    for _ in range(2):
        connection = await browser.get("/")
        assert (connection.status, connection.header("set-cookie")) == (503, [])
    assert browser.jar == before
    down.is_down = False
    assert await restored(browser)
    assert generation(browser) == 2


@on_each_loop
async def test_a_login_that_could_not_be_remembered_is_a_503_and_logs_nobody_in(down):
    logins = Logins(transports=COOKIES, store=down)
    browser = Browser(logins)
    down.is_down = True
    connection = await browser.post("/login")
    assert (connection.status, connection.json["error"]) == (503, "temporarily_unavailable")
    assert browser.jar == {}
    assert (await browser.post("/login-for-now")).status == 200
    down.is_down = False
    assert await restored(await logged_in(logins))


@on_each_loop
async def test_failing_open_restores_a_login_for_one_request_while_the_store_is_down():
    down = Down(insecure_fail_open=True)
    logins = Logins(transports=COOKIES, store=down)
    browser = (await logged_in(logins)).close()
    before = dict(browser.jar)
    down.is_down = True
    for _ in range(2):
        connection = await browser.get("/")
        assert (user_of(connection), connection.header("set-cookie")) == (User("ada"), [])
    assert browser.jar == before
    down.is_down = False
    assert await restored(browser)


@on_each_loop
async def test_a_changed_password_costs_no_question_and_deletes_the_cookies(down):
    stamps = ["one"]
    sessions = Sessions(stamp=lambda user: stamps[0])
    logins = Logins(OTHER_SECRET, transports=COOKIES, store=down, sessions=sessions)
    browser = Browser(logins)

    async def log_in(scope, receive, send):
        logins.manager.login_user(scope, "ada", user=User("ada"), remember=True)
        await page(scope, receive, send)

    await browser._send("/", "POST", OWN, log_in)
    stamps[0] = "two"
    assert not await restored(browser)
    assert browser.jar == {}
