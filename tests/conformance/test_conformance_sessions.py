import pytest
from conformance import contract
from conformance.conftest import FRAMEWORKS
from conformance.driver import DENIAL, Connection, bearer, http, websocket

pytestmark = pytest.mark.anyio

SESSION = "__Host-access-token"


def set_cookies(connection):
    """Return the Set-Cookie lines by the name of the cookie, each of which is there once."""
    lines = {line.partition("=")[0]: line for line in connection.header("set-cookie")}
    assert len(lines) == len(connection.header("set-cookie"))
    return lines


def cookies_of(connection):
    """Return the Cookie header that a browser sends after this response."""
    pairs = [line.partition(";")[0] for line in set_cookies(connection).values() if "max-age=0" not in line.lower()]
    assert [pair.partition("=")[0] for pair in pairs] in ([], [SESSION])
    return ("cookie", "; ".join(pairs))


class TestLogin:
    @pytest.mark.parametrize("path", ["/session/in", "/session/in-sync"])
    async def test_a_login_sets_one_cookie_and_the_next_request_is_that_users(self, app, logins, path):
        connection = await http(app, path, method="POST")
        assert connection.status == 200
        assert connection.json["user"] is None
        assert cookies_of(connection)[1].startswith(f"{SESSION}=")
        assert connection.header("cache-control") == ["no-store"]
        following = await http(app, "/read", headers=[cookies_of(connection)])
        assert (following.json["user"], following.json["transport"]) == ("ada", "cookie")
        assert following.header("set-cookie") == []

    async def test_a_login_is_fresh_until_its_time_is_over_and_again_when_confirmed(self, app, logins):
        cookie = cookies_of(await http(app, "/session/in", method="POST"))
        assert (await http(app, "/fresh", headers=[cookie])).status == 200
        logins.clock.tick(601)
        assert (await http(app, "/fresh", headers=[cookie])).status == 401
        confirmed = await http(app, "/session/confirm", method="POST", headers=[cookie])
        assert (confirmed.status, list(set_cookies(confirmed))) == (200, [SESSION])
        assert (await http(app, "/fresh", headers=[cookies_of(confirmed)])).status == 200

    async def test_a_logout_deletes_every_cookie_of_the_login(self, app, logins):
        cookie = cookies_of(await http(app, "/session/in", method="POST"))
        connection = await http(app, "/session/out", method="POST", headers=[cookie])
        assert (connection.status, connection.json["user"]) == (200, "ada")
        deleted = set_cookies(connection)
        assert SESSION in deleted
        assert all("max-age=0" in line.lower() for line in deleted.values())
        assert (await http(app, "/public", headers=[cookies_of(connection)])).json["user"] is None

    async def test_the_cookie_is_on_whatever_the_response_is(self, app):
        connection = await http(app, "/session/in-and-fail", method="POST")
        assert (connection.status, connection.body) == (409, contract.CAUGHT)
        assert (await http(app, "/login", headers=[cookies_of(connection)])).json["user"] == "ada"

    @pytest.mark.parametrize("path", ["/session/in", "/session/in-sync", "/session/out"])
    @pytest.mark.parametrize("foreign", [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")])
    async def test_another_site_logs_nobody_in_or_out(self, app, path, foreign):
        connection = await http(app, path, method="POST", headers=[foreign])
        assert (connection.status, connection.json["error"]) == (403, "cross_origin_request")
        assert connection.header("set-cookie") == []

    async def test_a_session_is_renewed_once_half_of_it_is_gone(self, app, logins):
        cookie = cookies_of(await http(app, "/session/in", method="POST"))
        logins.clock.tick(450)
        connection = await http(app, "/public", headers=[cookie])
        assert (connection.json["user"], list(set_cookies(connection))) == ("ada", [SESSION])
        logins.clock.tick(600)
        assert (await http(app, "/public", headers=[cookies_of(connection)])).json["user"] == "ada"
        assert (await http(app, "/public", headers=[cookie])).json["user"] is None


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
        for extensions in ({}, DENIAL):
            connection = await websocket(app, "/ws/login", extensions=extensions)
            assert (connection.texts, connection.close_code) == (["not authenticated"], 1000)
        connection = await websocket(app, "/ws/login", "hello", headers=[bearer(logins.token())])
        assert [text for text in connection.texts if "not authenticated" in text] == []
        assert len(connection.texts) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("framework", [one for one in FRAMEWORKS if one.no_websockets], ids=lambda one: one.name)
async def test_a_framework_that_is_said_to_have_no_websockets_says_so_itself(framework, anyio_backend):
    connection: Connection = await websocket(framework.build(contract.Site([], "bare")), "/ws/echo", "hello")
    assert connection.messages == []
    assert isinstance(connection.error, ValueError)
