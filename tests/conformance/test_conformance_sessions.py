from datetime import timedelta
from urllib.parse import quote

import pytest
from conformance import contract
from conformance.answers import EXPIRED, NOT_FRESH, UNAUTHORIZED, assert_refused
from conformance.browser import BOTH, CAFE, HTML, SESSION, names
from conformance.conftest import FRAMEWORKS
from conformance.connection import Connection
from conformance.driver import DENIAL, bearer, cookie, http, websocket
from conformance.logins import Logins, shared

from asgi_login import Sessions

pytestmark = pytest.mark.anyio

SHORT = shared(sessions=Sessions(lifetime=timedelta(minutes=30)))
STRONG = shared(sessions=Sessions(protection="strong"))
ASKING = shared(redirect_to="/login-page", sessions=Sessions(reauthenticate_at="/again?why=fresh"))

HALF_OF_IDLE = 450
PLAIN_AND_ASYNC = pytest.mark.parametrize("kind", ["", "-sync"], ids=["async", "plain"])


class TestLogin:
    @PLAIN_AND_ASYNC
    async def test_a_login_sets_one_cookie_and_the_next_request_is_that_users(self, browser, kind):
        connection = await browser.log_in(f"/session/in{kind}")
        assert connection.json["user"] is None
        assert (names(connection), browser.names) == (BOTH, {SESSION})
        assert connection.header("cache-control") == ["no-store"]
        following = await browser.get("/read")
        assert (following.json["user"], following.json["transport"]) == ("ada", "cookie")
        assert following.set_cookies == []

    @PLAIN_AND_ASYNC
    async def test_a_logout_deletes_every_cookie_of_the_login(self, browser, kind):
        await browser.log_in()
        connection = await browser.post(f"/session/out{kind}")
        assert (connection.status, connection.json["user"]) == (200, "ada")
        assert (names(connection), browser.names) == (BOTH, set())
        assert connection.header("cache-control") == ["no-store"]
        assert_refused(await browser.get("/login"), UNAUTHORIZED)

    @pytest.mark.parametrize("path", ["/session/in", "/session/in-sync", "/session/out", "/session/out-sync"])
    @pytest.mark.parametrize("foreign", [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")])
    async def test_another_site_logs_nobody_in_or_out(self, browser, path, foreign):
        connection = await browser.post(path, headers=[foreign])
        assert (connection.status, connection.json["error"]) == (403, "cross_origin_request")
        assert connection.set_cookies == []

    async def test_a_session_is_renewed_once_half_of_it_is_gone(self, browser):
        await browser.log_in()
        jar = browser.jar
        browser.clock.tick(HALF_OF_IDLE - 1)
        assert (await browser.get("/public")).set_cookies == []
        browser.clock.tick(1)
        connection = await browser.get("/public")
        assert (connection.json["user"], names(connection)) == ("ada", {SESSION})
        browser.clock.tick(HALF_OF_IDLE)
        assert await browser.user() == "ada"
        browser.jar = jar
        assert_refused(await browser.get("/login"), EXPIRED)

    async def test_a_session_stays_one_session_and_ends_with_its_lifetime(self, browse):
        browser = browse(SHORT)
        await browser.log_in()
        seen = []
        for _ in range(4):
            seen.append((await browser.get("/login")).scope["state"]["auth"].claims)
            browser.clock.tick(HALF_OF_IDLE)
        assert len({(claims["sid"], claims["auth_time"]) for claims in seen}) == 1
        assert len({claims["exp"] for claims in seen}) > 1
        assert_refused(await browser.get("/login"), EXPIRED)


class TestResponses:
    async def test_the_cookie_is_on_whatever_the_response_is(self, browser):
        connection = await browser.post("/session/in-and-fail")
        assert (connection.status, connection.body) == (409, contract.CAUGHT)
        assert connection.header("cache-control") == ["no-store"]
        assert (await browser.get("/login")).json["user"] == "ada"

    @pytest.mark.parametrize("path", ["/plain", "/cookies", "/stream", "/own/404"])
    @pytest.mark.parametrize("what", ["nothing", "renewed", "ended"])
    async def test_no_store_takes_the_place_of_cache_control_where_a_cookie_is_written(
        self, browse, mounting, path, what
    ):
        own = await http(mounting.app(STRONG, mount="bare"), path)
        browser = browse(STRONG)
        await browser.log_in()
        browser.clock.tick(HALF_OF_IDLE if what == "renewed" else 0)
        browser.move(client=CAFE) if what == "ended" else browser.move()
        connection = await browser.get(path)
        written = {"nothing": set(), "renewed": {SESSION}, "ended": BOTH}[what]
        assert (names(connection), connection.vary) == (written, ["cookie"])
        otherwise = own.header("cache-control") or ["private"]
        assert connection.header("cache-control") == (["no-store"] if written else otherwise)
        ours = {b"cache-control", b"vary"}
        kept = [pair for pair in connection.headers if pair[0] not in ours and not pair[1].startswith(b"__Host-")]
        assert kept == [pair for pair in own.headers if pair[0] not in ours]
        assert (connection.status, connection.messages[1:]) == (own.status, own.messages[1:])


class TestFreshness:
    @pytest.mark.parametrize("path", ["/fresh", "/fresh-sync", "/bank/page"])
    @PLAIN_AND_ASYNC
    async def test_a_login_is_fresh_until_its_time_is_over_and_again_when_confirmed(self, browser, path, kind):
        await browser.log_in()
        browser.clock.tick(600)
        assert (await browser.get(path)).json["fresh"] is True
        browser.clock.tick(1)
        assert_refused(await browser.get(path), NOT_FRESH)
        confirmed = await browser.post(f"/session/confirm{kind}")
        assert (confirmed.json["fresh"], names(confirmed)) == (False, {SESSION})
        assert (await browser.get(path)).json["fresh"] is True

    @pytest.mark.parametrize("path", ["/fresh", "/fresh-sync", "/bank/page"])
    async def test_a_browser_that_navigates_is_sent_to_confirm_the_login_and_an_api_client_is_told_so(
        self, browse, path
    ):
        browser = browse(ASKING)
        await browser.log_in()
        browser.clock.tick(601)
        here = quote(f"{path}?page=2&q=a%20b", safe="")
        connection = await browser.get(path, query=b"page=2&q=a%20b", headers=[HTML])
        assert (connection.status, connection.header("location")) == (303, [f"/again?why=fresh&next={here}"])
        assert (connection.body, connection.header("www-authenticate"), connection.vary) == (b"", [], ["cookie"])
        for accept in ([], [("accept", "*/*")], [("accept", "application/json")]):
            assert_refused(await browser.get(path, headers=accept), NOT_FRESH, sets=set())
        # Whoever is not logged in at all has nothing to confirm.
        browser.keep_only()
        connection = await browser.get(path, headers=[HTML])
        assert (connection.status, connection.header("location")) == (303, [f"/login-page?next={quote(path, safe='')}"])

    @PLAIN_AND_ASYNC
    async def test_nobody_confirms_a_login_that_there_is_not(self, browser, kind):
        token = Logins(clock=browser.clock).token()
        for headers in ([], [HTML], [bearer(token)], [cookie(token)]):
            assert_refused(await browser.post(f"/session/confirm{kind}", headers=headers), UNAUTHORIZED)


class TestOnAWebsocket:
    @pytest.mark.parametrize("query", [b"", b"remember"])
    async def test_a_websocket_renews_or_restores_a_session_on_its_accept(self, browser, query):
        await browser.log_in(query=query)
        connection = await browser.websocket("/ws/login", "hello")
        assert (connection.is_accepted, connection.set_cookies) == (True, [])
        browser.clock.tick(900 if query else HALF_OF_IDLE)
        connection = await browser.websocket("/ws/login", "hello")
        assert connection.is_accepted
        assert names(connection) == (BOTH if query else {SESSION})
        assert await browser.user() == "ada"

    async def test_a_login_on_a_websocket_is_written_onto_its_accept(self, browser):
        connection = await browser.websocket("/ws/session/in", "hello")
        assert (connection.is_accepted, names(connection), browser.names) == (True, BOTH, {SESSION})
        assert (await browser.get("/fresh")).json["user"] == "ada"

    @pytest.mark.parametrize("has_session", [True, False])
    async def test_another_site_logs_nobody_in_on_a_websocket(self, browser, mounting, has_session):
        if has_session:
            await browser.log_in()
        foreign = [("origin", "https://evil.example")]
        connection = await browser.websocket("/ws/session/in", "hello", headers=foreign, extensions=DENIAL)
        assert (connection.status, connection.json["error"]) == (403, "cross_origin_request")
        assert (connection.set_cookies, connection.header("www-authenticate")) == ([], [])
        connection = await browser.websocket("/ws/session/in", "hello", headers=foreign)
        assert (connection.is_accepted, connection.close_code) == (False, 1008)
        assert "/ws/session/in" not in mounting.site.visits

    @pytest.mark.parametrize("protection", [None, "strong"])
    async def test_a_websocket_of_another_client_is_no_fresh_one_and_may_end_the_session(self, browse, protection):
        browser = browse(STRONG) if protection else browse()
        await browser.log_in()
        browser.move(client=CAFE)
        connection = await browser.websocket("/ws/login", "hello", extensions=DENIAL)
        if protection:
            assert (connection.status, connection.json["error"]) == (401, "unauthorized")
            assert (names(connection), browser.names) == (BOTH, set())
        else:
            assert (connection.is_accepted, names(connection)) == (True, {SESSION})
            browser.move()
            assert (await browser.get("/public")).json["fresh"] is False


class TestFailures:
    @pytest.mark.parametrize("path", ["/raises", "/raises-sync"])
    async def test_a_view_that_breaks_is_a_500_and_never_a_refusal(self, app, path):
        for headers in ([], [bearer("not-a-token")]):
            connection = await http(app, path, headers=headers)
            assert connection.status == 500
            assert connection.header("www-authenticate") == connection.header("location") == []

    @pytest.mark.parametrize("path", ["/catches-and-fails", "/catches-and-fails-sync"])
    async def test_a_view_that_breaks_after_a_refusal_that_it_caught_is_a_500(self, app, path):
        connection = await http(app, path)
        assert connection.status == 500
        assert connection.header("www-authenticate") == []

    @pytest.mark.parametrize("path", ["/login", "/read", "/task-group"])
    async def test_a_gate_outside_of_the_middleware_is_a_500_and_no_refusal(self, mounting, logins, path):
        connection = await http(mounting.app(logins, mount="bare"), path)
        assert connection.status == 500
        assert connection.header("www-authenticate") == []


class TestWebsocketDenial:
    async def test_a_websocket_is_refused_in_the_applications_own_words(self, mounting, logins):
        async def deny(socket):
            await socket.send_text("not authenticated")
            await socket.close()

        app = mounting.app(logins, websocket_denial=deny)
        # By a decorator, and by the Gate of a mount.
        for path in ("/ws/login", "/admin/ws"):
            for extensions in ({}, DENIAL):
                connection = await websocket(app, path, extensions=extensions)
                assert (connection.texts, connection.close_code) == (["not authenticated"], 1000), path
        connection = await websocket(app, "/ws/login", "hello", headers=[bearer(logins.token())])
        assert [text for text in connection.texts if "not authenticated" in text] == []
        assert len(connection.texts) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("framework", [one for one in FRAMEWORKS if one.no_websockets], ids=lambda one: one.name)
async def test_a_framework_that_is_said_to_have_no_websockets_says_so_itself(framework, anyio_backend):
    connection: Connection = await websocket(framework.build(contract.Site([], "bare")), "/ws/echo", "hello")
    assert connection.messages == []
    assert isinstance(connection.error, ValueError)
