"""A credential that is no token of ours gets the answers of a token, in every framework."""

import base64
from urllib.parse import parse_qs

import anyio
import pytest
from conformance.answers import (
    CROSS_ORIGIN,
    EXPIRED,
    INVALID_TOKEN,
    NOT_PERMITTED,
    UNAUTHORIZED,
    assert_refused,
    insufficient_scope,
    with_code,
)
from conformance.driver import DENIAL, bearer, cookie, http, websocket
from conformance.logins import NOW, DatabaseDownError, Logins
from conformance.test_conformance_ends import Listening
from conformance.test_conformance_websocket import kinds, replies

from asgi_login import BasicTransport, CookieTransport, Grant, HeaderTransport, InvalidToken, MemoryStore

pytestmark = pytest.mark.anyio

GATES = ("/login", "/fresh", "/read", "/editors", "/admin/page", "/bank/page", "/task-group")
FOREIGN = ("origin", "https://evil.example")
BASIC_CHALLENGE = 'Basic realm="api", charset="UTF-8"'
MALFORMED = with_code(400, "invalid_request", "The request must carry one X-API-Key header with one token")


class Query:
    """A key in the address of a websocket, where clients in browsers can send no header."""

    name = "query"
    ambient = False

    def extract(self, scope, /):
        if scope["type"] != "websocket":
            return None
        return next(iter(parse_qs(scope["query_string"].decode()).get("key", [])), None)


class Keys(Logins):
    """Logins with keys in a header, a cookie and the address of a websocket, and what the function was asked."""

    def __init__(self, *transports, **settings):
        super().__init__(**settings)
        self.asked = []
        self.grants = {
            "sk_ada": Grant("ada", scopes=["read"]),
            "sk_bob": Grant("bob", scopes=["admin"]),
            "sk_gone": Grant("gone"),
            "sk_old": Grant("ada", expires_at=NOW - 1),
            "ada:p:ß": Grant("ada", scopes=["read"]),
        }
        for transport in transports:
            self.manager.credential_loader(transport)(self._know)

    def forget(self):
        super().forget()
        self.asked.clear()

    async def _know(self, credential):
        self.asked.append(credential)
        if credential == "sk_down":
            raise DatabaseDownError
        if credential == "sk_suspended":
            raise InvalidToken("suspended")
        return self.grants.get(credential)


def in_header():
    return HeaderTransport("X-API-Key", name="api-key", ambient=False)


def shared(*transports):
    keys = Keys(*transports)
    keys.is_shared = True
    return keys


KEYS = shared(in_header(), CookieTransport("__Host-key", name="key-cookie"), Query())
PASSWORDS = shared(BasicTransport())


def key(value):
    return ("x-api-key", value)


def basic(credential):
    encoded = base64.b64encode(credential.encode()).decode()
    return ("authorization", f"Basic {encoded}")


@pytest.fixture
def keys():
    KEYS.forget()
    return KEYS


@pytest.fixture
def app(mounting, keys):
    return mounting.app(keys)


class TestKeys:
    async def test_a_key_logs_its_user_in(self, app, keys):
        for path in ("/public", "/login", "/read", "/task-group"):
            connection = await http(app, path, headers=[key("sk_ada")])
            page = connection.json
            assert (page["user"], page["current_user"], page["scopes"]) == ("ada", "ada", ["read"])
            assert (page["transport"], page["fresh"], connection.vary) == ("api-key", False, ["x-api-key"])
        assert (await http(app, "/admin/page", headers=[key("sk_bob")])).json["user"] == "bob"

    async def test_a_wrong_key_an_expired_one_and_a_user_who_is_gone_are_bad_tokens(self, app, mounting, keys):
        for path in GATES:
            for wrong in ("sk_guess", "sk_suspended", "sk_\u00e4".encode(), b"\xff", b"a\x1fb"):
                assert_refused(await http(app, path, headers=[key(wrong)]), INVALID_TOKEN)
        assert keys.loads == []
        assert_refused(await http(app, "/login", headers=[key("sk_gone")]), INVALID_TOKEN)
        assert_refused(await http(app, "/login", headers=[key("sk_old")]), EXPIRED)
        assert_refused(
            await http(app, "/read", method="HEAD", headers=[key("sk_guess")]), INVALID_TOKEN, has_body=False
        )
        assert (keys.loads, mounting.site.visits) == (["gone"], [])
        page = (await http(app, "/public", headers=[key("sk_guess")])).json
        assert (page["user"], page["error"]) == (None, "InvalidToken")

    async def test_an_empty_key_is_none_and_two_are_a_bad_request(self, app, keys):
        assert_refused(await http(app, "/login", headers=[key("")]), UNAUTHORIZED)
        for lines in ([key("sk_ada"), key("sk_ada")], [key("sk_ada, sk_ada")], [key("s" * 1_000_000)]):
            assert_refused(await http(app, "/login", headers=lines), MALFORMED)
        assert keys.asked == []

    @pytest.mark.parametrize("path", ["/public", "/login", "/admin/page"])
    async def test_a_function_that_breaks_is_nobodys_anonymity(self, app, mounting, path):
        connection = await http(app, path, headers=[key("sk_down")])
        assert connection.status == 500
        assert connection.header("www-authenticate") == mounting.site.visits == []

    async def test_scopes_and_checks_hold_for_a_key(self, app):
        assert_refused(await http(app, "/read", headers=[key("sk_bob")]), insufficient_scope("read"))
        assert_refused(await http(app, "/admin/page", headers=[key("sk_ada")]), insufficient_scope("admin"))
        for path in ("/editors", "/editors/asked"):
            assert_refused(await http(app, path, headers=[key("sk_ada")]), NOT_PERMITTED)
            assert (await http(app, path, headers=[key("sk_bob")])).json["user"] == "bob"

    async def test_a_token_comes_before_a_key_and_a_key_before_a_cookie(self, app, keys):
        token, other = bearer(keys.token("eve")), cookie(keys.token("eve"))
        assert (await http(app, "/login", headers=[token, key("sk_ada")])).json["user"] == "eve"
        assert keys.asked == []
        assert (await http(app, "/login", headers=[other, key("sk_ada")])).json["user"] == "ada"
        # None makes up for another.
        assert_refused(await http(app, "/login", headers=[bearer("not-a-token"), key("sk_ada")]), INVALID_TOKEN)
        assert_refused(await http(app, "/login", headers=[other, key("sk_guess")]), INVALID_TOKEN)

    async def test_a_page_of_another_site_may_send_a_key_that_it_knows(self, app):
        connection = await http(app, "/login", method="POST", headers=[FOREIGN, key("sk_ada")])
        assert connection.json["user"] == "ada"

    async def test_the_end_of_a_user_ends_their_keys(self, mounting):
        keys = Keys(in_header(), store=MemoryStore())
        app = mounting.app(keys)
        assert (await http(app, "/login", headers=[key("sk_ada")])).json["user"] == "ada"
        await keys.manager.revoke_user("ada")
        assert_refused(await http(app, "/login", headers=[key("sk_ada")]), INVALID_TOKEN)
        assert (await http(app, "/login", headers=[key("sk_bob")])).json["user"] == "bob"


class TestKeysInCookies:
    async def test_the_origin_is_checked_before_the_function_is_asked(self, app, mounting, keys):
        own = cookie("sk_ada", "__Host-key")
        for path in ("/public", "/login", "/admin/page"):
            assert_refused(await http(app, path, method="POST", headers=[FOREIGN, own]), CROSS_ORIGIN)
        assert keys.asked == mounting.site.visits == []
        connection = await http(app, "/login", method="POST", headers=[("origin", "https://site.example"), own])
        assert (connection.json["user"], connection.json["transport"]) == ("ada", "key-cookie")
        assert (connection.vary, connection.set_cookies) == (["cookie"], [])

    async def test_a_websocket_of_another_site_does_not_speak_for_it(self, app, mounting, keys):
        own = cookie("sk_ada", "__Host-key")
        for path in ("/ws/echo", "/ws/login", "/admin/ws"):
            connection = await websocket(app, path, headers=[FOREIGN, own], extensions=DENIAL)
            assert_refused(connection, CROSS_ORIGIN)
        assert keys.asked == mounting.site.visits == []
        [reply] = replies(await websocket(app, "/ws/login", "hello", headers=[own]))
        assert (reply["user"], reply["transport"]) == ("ada", "key-cookie")


class TestNamesAndPasswords:
    @pytest.fixture
    def keys(self):
        PASSWORDS.forget()
        return PASSWORDS

    async def test_they_log_a_user_in(self, app, keys):
        page = (await http(app, "/read", headers=[basic("ada:p:ß")])).json
        assert (page["user"], page["transport"], keys.asked) == ("ada", "basic", ["ada:p:ß"])

    async def test_every_401_asks_for_them_too(self, app, mounting):
        for path in GATES:
            for headers, error in (([], "unauthorized"), ([basic("ada:wrong")], "invalid_token")):
                connection = await http(app, path, headers=headers)
                assert (connection.status, connection.json["error"]) == (401, error)
                ours, theirs = connection.header("www-authenticate")
                assert (ours.startswith('Bearer realm="api"'), theirs) == (True, BASIC_CHALLENGE)
        assert mounting.site.visits == []
        # RFC 9110 §15.5.4: another password would not help.
        connection = await http(app, "/admin/page", headers=[basic("ada:p:ß")])
        assert_refused(connection, insufficient_scope("admin"))

    async def test_what_is_no_name_and_password_is_a_bad_request(self, app, keys):
        for value in (basic("nocolon"), basic("ada:\n"), ("authorization", "Basic"), ("authorization", "Basic YTpi=")):
            connection = await http(app, "/login", headers=[value])
            assert (connection.status, connection.json["error"]) == (400, "invalid_request")
        assert keys.asked == []

    async def test_a_browser_repeats_them_so_the_origin_is_checked(self, app, keys):
        assert_refused(await http(app, "/login", method="POST", headers=[FOREIGN, basic("ada:p:ß")]), CROSS_ORIGIN)
        assert keys.asked == []


class TestKeysOfWebsockets:
    async def test_a_websocket_may_carry_its_key_in_the_address_or_a_header(self, app):
        for sent, transport in (({"query": b"v=1&key=sk_ada"}, "query"), ({"headers": [key("sk_ada")]}, "api-key")):
            for path in ("/ws/login", "/ws/read", "/ws/after-accept"):
                said = replies(await websocket(app, path, "one", "two", **sent))
                found = [(one["user"], one["current_user"], one["transport"]) for one in said]
                assert found == [("ada", "ada", transport)] * 2

    async def test_a_websocket_with_a_wrong_key_is_refused_before_the_accept(self, app, mounting, keys):
        for sent in ({"query": b"key=sk_guess"}, {"query": b"key=a%00b"}, {"headers": [key("sk_guess")]}):
            for path in ("/ws/login", "/ws/read", "/admin/ws"):
                assert_refused(await websocket(app, path, extensions=DENIAL, **sent), INVALID_TOKEN)
                connection = await websocket(app, path, **sent)
                assert (kinds(connection), connection.close_code) == (["websocket.close"], 1008)
        assert mounting.site.visits == keys.loads == []

    async def test_a_function_that_breaks_at_a_websocket_is_nobodys_anonymity(self, app, mounting):
        connection = await websocket(app, "/ws/echo", query=b"key=sk_down", extensions=DENIAL)
        assert isinstance(connection.error, DatabaseDownError)
        assert connection.messages == mounting.site.visits == []

    async def test_an_address_of_http_carries_no_key(self, app, keys):
        assert_refused(await http(app, "/login", query=b"key=sk_ada"), UNAUTHORIZED)
        assert keys.asked == []

    async def test_a_websocket_of_a_key_is_closed_when_its_user_is_ended(self, mounting):
        keys = Keys(Query(), store=MemoryStore())
        listening = Listening(mounting.called(keys, end_connections=True))

        async def script():
            yield "one"
            await keys.manager.revoke_user("ada")
            with anyio.fail_after(5):
                await listening.closed.wait()

        connection = await websocket(mounting.served(listening), "/ws/login", query=b"key=sk_ada", script=script())
        assert [reply["text"] for reply in replies(connection)] == ["one"]
        assert connection.close_code == 4401
