import json

import anyio
import pytest
from conformance import contract
from conformance.answers import NOT_PERMITTED, UNAUTHORIZED, assert_refused
from conformance.apps import raw
from conformance.contract import LogInFirstError, NotYoursError, Site
from conformance.driver import DENIAL, bearer, cookie, http, websocket
from conformance.logins import OTHER_SECRET, DatabaseDownError, Logins

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, current_auth

pytestmark = pytest.mark.anyio

BEFORE_ACCEPT = ("/ws/login", "/ws/read", "/admin/ws")
AFTER_ACCEPT = ("/ws/after-accept", "/ws/after-accept-read", "/ws/require")


def kinds(connection):
    return [message["type"] for message in connection.messages]


def replies(connection):
    return [json.loads(text) for text in connection.texts if text.startswith("{")]


class TestIdentity:
    async def test_a_websocket_without_a_credential_is_explicitly_anonymous(self, app, logins):
        [reply] = replies(await websocket(app, "/ws/echo", "hello"))
        assert (reply["text"], reply["user"], reply["auth_user"], reply["current_user"]) == ("hello", None, None, None)
        assert logins.loads == []

    @pytest.mark.parametrize("carry", [bearer, cookie])
    @pytest.mark.parametrize(
        "path", ["/ws/echo", "/ws/login", "/ws/read", "/ws/after-accept", "/ws/require", "/admin/ws"]
    )
    async def test_a_good_token_is_known_for_the_whole_conversation(self, app, logins, path, carry):
        token = logins.token("ada", "read", "admin")
        connection = await websocket(app, path, "one", "two", "three", headers=[carry(token)])
        assert connection.error is None
        assert [reply["text"] for reply in replies(connection)] == ["one", "two", "three"]
        for reply in replies(connection):
            assert (reply["user"], reply["auth_user"], reply["current_user"]) == ("ada", "ada", "ada")
            assert (reply["scopes"], reply["transport"]) == (["admin", "read"], carry.__name__)
        assert logins.loads == ["ada"]

    @pytest.mark.parametrize("carry", [bearer, cookie])
    async def test_a_bad_token_does_not_stop_a_public_websocket(self, app, carry):
        [reply] = replies(await websocket(app, "/ws/echo", "hello", headers=[carry("not-a-token")]))
        assert (reply["user"], reply["error"]) == (None, "InvalidToken")

    async def test_what_servers_leave_out_may_be_missing(self, app, logins):
        headers = iter([(b"Authorization", f"Bearer {logins.token()}".encode())])
        omit = ("extensions", "scheme", "client", "raw_path", "server")
        [reply] = replies(await websocket(app, "/ws/login", "hello", headers=headers, omit=omit))
        assert reply["user"] == "ada"


class TestRefusedBeforeTheAccept:
    """The driver itself fails a test in which anything is sent before `websocket.connect` was received."""

    @pytest.mark.parametrize("path", BEFORE_ACCEPT)
    @pytest.mark.parametrize(
        "headers", [[], [bearer("not-a-token")], [cookie("not-a-token")], [("authorization", "Bearer")]]
    )
    async def test_the_answer_is_that_of_http_where_the_server_offers_it(self, app, mounting, path, headers):
        connection = await websocket(app, path, headers=headers, extensions=DENIAL)
        assert kinds(connection) == ["websocket.http.response.start", "websocket.http.response.body"]
        same = await http(app, "/login", headers=headers)
        assert (connection.status, connection.headers, connection.body) == (same.status, same.headers, same.body)
        assert connection.status in {400, 401}
        assert connection.header("www-authenticate")
        assert (connection.received, mounting.site.visits) == (["websocket.connect"], [])

    @pytest.mark.parametrize("path", BEFORE_ACCEPT)
    @pytest.mark.parametrize("headers", [[], [bearer("not-a-token")], [cookie("not-a-token")]])
    async def test_it_is_closed_with_1008_where_the_server_does_not(self, app, mounting, path, headers):
        for extensions in ({}, None, {"tls": {}}):
            connection = await websocket(app, path, headers=headers, extensions=extensions)
            assert (kinds(connection), connection.close_code) == (["websocket.close"], 1008)
            assert (connection.received, mounting.site.visits, connection.error) == (["websocket.connect"], [], None)

    @pytest.mark.parametrize(("path", "needed"), [("/ws/read", "read"), ("/admin/ws", "admin")])
    async def test_a_missing_scope_is_forbidden(self, app, logins, path, needed):
        headers = [bearer(logins.token("ada", "write"))]
        connection = await websocket(app, path, headers=headers, extensions=DENIAL)
        assert (connection.status, connection.json["error"]) == (403, "insufficient_scope")
        assert connection.header("www-authenticate")[0].endswith(f', scope="{needed}"')
        connection = await websocket(app, path, headers=headers)
        assert (kinds(connection), connection.close_code) == (["websocket.close"], 1008)

    @pytest.mark.parametrize("path", ["/ws/editors", "/ws/editors/asked"])
    async def test_a_check_of_the_applications_decides_about_users_only(self, app, mounting, logins, path):
        headers = [bearer(logins.token("ada", "admin"))]
        assert_refused(await websocket(app, path, headers=headers, extensions=DENIAL), NOT_PERMITTED)
        connection = await websocket(app, path, headers=headers)
        assert (kinds(connection), connection.close_code) == (["websocket.close"], 1008)
        assert_refused(await websocket(app, path, extensions=DENIAL), UNAUTHORIZED)
        assert mounting.site.visits == []
        [reply] = replies(await websocket(app, path, "hello", headers=[bearer(logins.token("bob"))]))
        assert reply["user"] == "bob"

    @pytest.mark.parametrize("path", BEFORE_ACCEPT)
    async def test_the_whole_answer_is_that_of_a_bare_application(self, app, logins, path):
        reference = raw.build(Site([logins.manager], "wrapped"))
        for extensions in (DENIAL, {}):
            own = await websocket(reference, path, extensions=extensions)
            assert (await websocket(app, path, extensions=extensions)).messages == own.messages

    async def test_a_websocket_is_never_redirected(self, mounting):
        app = mounting.app(Logins(redirect_to="/login-page"))
        connection = await websocket(app, "/ws/login", headers=[("accept", "text/html")], extensions=DENIAL)
        assert (connection.status, connection.header("location")) == (401, [])

    async def test_a_client_that_goes_away_before_it_has_connected_is_sent_nothing(self, mounting, logins):
        app = mounting.app(logins)
        sent = []

        async def receive():
            return {"type": "websocket.disconnect", "code": 1006}

        async def send(message):
            sent.append(message)

        scope = {"type": "websocket", "path": "/admin/ws", "headers": [], "query_string": b"", "root_path": ""}
        await app(scope, receive, send)
        assert sent == []

    async def test_the_applications_exceptions_are_raised_in_place_of_ours(self, mounting):
        logins = Logins(not_authenticated_exception=LogInFirstError, out_of_scope_exception=NotYoursError)
        app = mounting.app(logins)
        for path, headers in (("/ws/login", []), ("/ws/read", []), ("/ws/read", [bearer(logins.token())])):
            connection = await websocket(app, path, headers=headers, extensions=DENIAL)
            assert (kinds(connection), connection.close_code) == (["websocket.close"], 4999)


class TestRefusedAfterTheAccept:
    @pytest.mark.parametrize("path", AFTER_ACCEPT)
    @pytest.mark.parametrize(
        ("headers", "extensions"),
        [([], {}), ([], DENIAL), ([bearer("not-a-token")], DENIAL), ([cookie("not-a-token")], {})],
    )
    async def test_it_is_closed_with_4401(self, app, path, headers, extensions):
        connection = await websocket(app, path, "hello", headers=headers, extensions=extensions)
        assert kinds(connection)[0] == "websocket.accept"
        assert (kinds(connection)[-1], connection.close_code) == ("websocket.close", 4401)
        assert replies(connection) == []
        assert connection.error is None

    async def test_it_is_closed_with_4403_where_a_scope_is_missing(self, app, logins):
        headers = [bearer(logins.token("ada", "write"))]
        connection = await websocket(app, "/ws/after-accept-read", "hello", headers=headers)
        assert (connection.close_code, replies(connection)) == (4403, [])

    @pytest.mark.parametrize("extensions", [DENIAL, {}])
    async def test_a_mounted_application_is_closed_with_4403_too(self, app, logins, extensions):
        token = logins.token("ada", "admin")
        options = {"headers": [bearer(token)], "extensions": extensions}
        connection = await websocket(app, "/admin/ws/after-accept", "hello", **options)
        assert [one["type"] for one in connection.messages] == ["websocket.accept", "websocket.send", "websocket.close"]
        assert (connection.close_code, connection.error) == (4403, None)

    @pytest.mark.parametrize("path", AFTER_ACCEPT)
    @pytest.mark.parametrize("carry", [bearer, cookie])
    async def test_a_token_that_expires_meanwhile_ends_the_conversation(self, app, logins, path, carry):
        async def script():
            yield "in time"
            logins.clock.tick(15 * 60)
            yield "too late"

        token = logins.token("ada", "read")
        connection = await websocket(app, path, headers=[carry(token)], script=script())
        assert [reply["text"] for reply in replies(connection)] == ["in time"]
        assert connection.close_code == 4401

    async def test_whoever_is_not_looked_at_again_may_go_on_talking(self, app, logins):
        async def script():
            logins.clock.tick(15 * 60)
            yield "still here"

        connection = await websocket(app, "/ws/login", headers=[bearer(logins.token())], script=script())
        assert replies(connection)[0]["user"] == "ada"


class TestCrossOrigin:
    @pytest.mark.parametrize(
        "headers",
        [
            [("origin", "https://evil.example")],
            [("origin", "null")],
            [("origin", "http://site.example")],
            [("sec-fetch-site", "cross-site")],
            [("sec-fetch-site", "same-site"), ("origin", "https://site.example")],
            [("host", "other.example"), ("origin", "https://site.example")],
        ],
    )
    @pytest.mark.parametrize("path", ["/ws/echo", "/admin/ws"])
    async def test_a_page_of_another_site_does_not_speak_for_the_cookies_user(
        self, app, mounting, logins, headers, path
    ):
        headers = [*headers, cookie(logins.token("ada", "admin"))]
        connection = await websocket(app, path, "hello", headers=headers, extensions=DENIAL)
        assert (connection.status, connection.json["error"]) == (403, "cross_origin_request")
        assert connection.header("www-authenticate") == []
        assert {"cookie", "origin", "sec-fetch-site"} <= set(connection.vary)
        connection = await websocket(app, path, "hello", headers=headers)
        assert (kinds(connection), connection.close_code) == (["websocket.close"], 1008)
        assert mounting.site.visits == logins.loads == []

    @pytest.mark.parametrize("headers", [[("origin", "https://site.example")], [("sec-fetch-site", "same-origin")], []])
    async def test_the_sites_own_pages_do(self, app, logins, headers):
        [reply] = replies(await websocket(app, "/ws/login", "hello", headers=[*headers, cookie(logins.token())]))
        assert reply["user"] == "ada"

    async def test_a_header_or_nobody_may_come_from_anywhere(self, app, logins):
        foreign = ("origin", "https://evil.example")
        [reply] = replies(await websocket(app, "/ws/echo", "hello", headers=[foreign, bearer(logins.token())]))
        assert reply["user"] == "ada"
        [reply] = replies(await websocket(app, "/ws/echo", "hello", headers=[foreign]))
        assert reply["user"] is None


class TestTheApplicationsOwnWords:
    async def test_its_own_close_is_left_alone(self, app):
        connection = await websocket(app, "/ws/own-close", headers=[bearer("not-a-token")], extensions=DENIAL)
        assert (kinds(connection), connection.close_code) == (["websocket.close"], 4000)

    async def test_a_handler_that_catches_a_refusal_and_accepts_has_spoken(self, app):
        connection = await websocket(app, "/ws/catches", extensions=DENIAL)
        assert (connection.texts, connection.close_code) == (["please log in"], 4000)

    @pytest.mark.parametrize("path", ["/ws/raises", "/ws/catches-and-fails"])
    async def test_its_own_exception_passes_through(self, app, mounting, logins, path):
        connection = await websocket(app, path, extensions=DENIAL)
        assert isinstance(connection.error, contract.OwnError)
        assert connection.messages == []

    async def test_its_own_exception_passes_through_after_the_accept(self, app):
        connection = await websocket(app, "/ws/raises-after-accept")
        assert isinstance(connection.error, contract.OwnError)
        assert kinds(connection) == ["websocket.accept"]

    @pytest.mark.parametrize("carry", [bearer, cookie])
    async def test_a_loader_that_breaks_is_nobodys_anonymity(self, app, mounting, logins, carry):
        connection = await websocket(app, "/ws/echo", headers=[carry(logins.token("broken"))], extensions=DENIAL)
        assert isinstance(connection.error, DatabaseDownError)
        assert connection.messages == mounting.site.visits == []


class TestIsolation:
    async def test_conversations_at_the_same_time_never_see_each_others_identity(self, app, logins):
        visitors = [
            ([bearer(logins.token("ada"))], "ada"),
            ([], None),
            ([cookie(logins.token("bob"))], "bob"),
            ([bearer("not-a-token")], None),
        ]
        turns = [anyio.Event() for _ in range(2 * len(visitors))]
        turns[0].set()
        heard = {}

        async def script(number):
            # Everybody speaks once before anybody speaks again.
            for turn in (number, number + len(visitors)):
                await turns[turn].wait()
                yield str(turn)
                if turn + 1 < len(turns):
                    turns[turn + 1].set()

        async def visit(number, headers):
            heard[number] = replies(await websocket(app, "/ws/echo", headers=headers, script=script(number)))

        async with anyio.create_task_group() as group:
            for number, (headers, _) in enumerate(visitors):
                group.start_soon(visit, number, headers)
        for number, (_, name) in enumerate(visitors):
            assert [reply["text"] for reply in heard[number]] == [str(number), str(number + len(visitors))]
            assert {(reply["user"], reply["current_user"]) for reply in heard[number]} == {(name, name)}

    @pytest.mark.parametrize("path", ["/ws/echo", "/ws/login", "/ws/after-accept", "/ws/raises", "/admin/ws"])
    async def test_nothing_is_left_in_the_context_of_the_task(self, mounting, logins, path):
        app = mounting.called(logins)
        for headers in ([bearer(logins.token("ada"))], []):
            await websocket(app, path, "hello", headers=headers)
            with pytest.raises(RuntimeError, match="no request is being handled"):
                current_auth()
        [reply] = replies(await websocket(app, "/ws/echo", "hello"))
        assert reply["current_user"] is None

    async def test_state_that_is_the_one_of_the_lifespan_is_not_written_to(self, mounting, logins):
        app = mounting.app(logins)
        state = {"pool": "shared"}
        connection = await websocket(app, "/ws/echo", "hello", headers=[bearer(logins.token())], state=state)
        assert connection.scope["state"] is state
        assert state["user"].name == "ada"


class TestSeveral:
    async def test_each_managers_users_are_known(self, mounting):
        web, api = Logins(name="web"), Logins(OTHER_SECRET, name="api", transports=[BearerTransport()])
        app = mounting.app(web, api)
        for logins, name in ((web, "web"), (api, "api")):
            [reply] = replies(await websocket(app, "/ws/login", "hello", headers=[bearer(logins.token())]))
            assert (reply["user"], reply["manager"]) == ("ada", name)

    @pytest.mark.parametrize("path", BEFORE_ACCEPT)
    async def test_of_nested_middlewares_the_inner_one_decides(self, mounting, logins, path):
        outer = Logins(OTHER_SECRET, name="outer", transports=[CookieTransport("__Host-outer")])
        app = mounting.served(AuthMiddleware(mounting.called(logins), outer.manager))
        headers = [cookie(outer.token("bob"), "__Host-outer")]
        connection = await websocket(app, path, headers=headers, extensions=DENIAL)
        assert kinds(connection) == ["websocket.http.response.start", "websocket.http.response.body"]
        assert (connection.status, connection.json["error"]) == (401, "unauthorized")
        headers.append(bearer(logins.token("ada", "read", "admin")))
        [reply] = replies(await websocket(app, path, "hello", headers=headers))
        assert (reply["user"], reply["current_user"]) == ("ada", "ada")
