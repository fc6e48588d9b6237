import logging

import pytest
from conformance import contract
from conformance.answers import INVALID_TOKEN, NOT_FRESH, UNAUTHORIZED, assert_refused, insufficient_scope
from conformance.contract import USERS_ONLY, LogInFirstError, NotYoursError
from conformance.driver import bearer, cookie, http
from conformance.logins import SECRET, DatabaseDownError, Logins, shared

from asgi_login import AuthError, current_auth

pytestmark = pytest.mark.anyio

REDIRECTING = shared(redirect_to="/login-page")


class TestFailure:
    @pytest.mark.parametrize("carry", [bearer, cookie])
    @pytest.mark.parametrize("path", ["/public", "/public-sync", "/login", "/admin/help", "/admin/page"])
    async def test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity(
        self, app, mounting, logins, path, carry
    ):
        connection = await http(app, path, headers=[carry(logins.token("broken", "admin"))])
        assert connection.status == 500
        assert isinstance(connection.error, DatabaseDownError)
        assert mounting.site.visits == []

    async def test_a_loader_that_broke_once_is_asked_again(self, app, logins):
        await http(app, "/login", headers=[bearer(logins.token("broken"))])
        assert (await http(app, "/login", headers=[bearer(logins.token("ada"))])).json["user"] == "ada"
        await http(app, "/login", headers=[bearer(logins.token("broken"))])
        assert logins.loads == ["broken", "ada", "broken"]

    async def test_a_missing_loader_is_a_mistake_and_no_anonymity(self, mounting):
        logins = Logins()
        token = logins.token()
        logins.manager = type(logins.manager)(SECRET, clock=logins.clock)
        app = mounting.app(logins)
        assert (await http(app, "/public")).status == 200
        connection = await http(app, "/public", headers=[bearer(token)])
        assert connection.status == 500
        assert isinstance(connection.error, RuntimeError)
        assert "user_loader" in str(connection.error)

    @pytest.mark.parametrize("path", ["/raises", "/raises-sync"])
    @pytest.mark.parametrize("headers", [[], [bearer("not-a-token")], [cookie("not-a-token")]])
    async def test_a_views_own_exception_passes_through(self, app, path, headers):
        connection = await http(app, path, headers=headers)
        assert connection.status == 500
        assert isinstance(connection.error, contract.OwnError)
        assert connection.header("www-authenticate") == []

    @pytest.mark.parametrize("path", ["/catches-and-fails", "/catches-and-fails-sync"])
    async def test_another_exception_after_a_refusal_stays_what_it_is(self, app, path):
        connection = await http(app, path)
        assert connection.status == 500
        assert isinstance(connection.error, contract.OwnError)
        assert connection.header("www-authenticate") == []


class TestTheApplicationsOwnAnswers:
    @pytest.mark.parametrize("status", [200, 401, 403, 404, 500, 503])
    async def test_what_it_answers_by_itself_is_left_alone(self, app, mounting, logins, status):
        bare = mounting.app(logins, mount="bare")
        for headers in ([], [bearer("not-a-token")], [("authorization", "Basic YTpi")]):
            own = await http(bare, f"/own/{status}", headers=headers)
            assert (own.status, own.body) == (status, contract.own_body(status))
            assert (await http(app, f"/own/{status}", headers=headers)).messages == own.messages

    @pytest.mark.parametrize("status", [401, 403, 404, 500])
    async def test_its_way_to_abort_is_left_alone(self, app, mounting, logins, status):
        own = await http(mounting.app(logins, mount="bare"), f"/abort/{status}")
        assert own.status == status
        assert (await http(app, f"/abort/{status}")).messages == own.messages

    async def test_a_handler_that_catches_a_refusal_has_spoken(self, app, logins):
        connection = await http(app, "/catches")
        assert (connection.status, connection.body) == (418, contract.CAUGHT)
        connection = await http(app, "/catches", headers=[bearer(logins.token())])
        assert (connection.status, connection.body) == (200, contract.PLAIN)

    async def test_a_5xx_after_a_refusal_becomes_the_refusal(self, app):
        connection = await http(app, "/catches-unavailable")
        assert_refused(connection, UNAUTHORIZED)
        assert connection.error is None

    @pytest.mark.parametrize("path", ["/require", "/require-read", "/require-fresh"])
    async def test_require_by_hand_passes_whom_a_gate_would(self, app, logins, path):
        token = logins.fresh_token("ada", "read")
        assert (await http(app, path, headers=[bearer(token)])).json["user"] == "ada"

    @pytest.mark.parametrize(
        ("path", "answer"),
        [("/require", INVALID_TOKEN), ("/require-read", insufficient_scope("read")), ("/require-fresh", NOT_FRESH)],
    )
    async def test_require_by_hand_is_answered_where_the_error_is_known(self, app, mounting, logins, path, answer):
        token = "not-a-token" if path == "/require" else logins.token()
        connection = await http(app, path, headers=[bearer(token)])
        if mounting.cannot("answer for require()"):
            assert connection.status == 500
            assert connection.header("www-authenticate") == []
            # The server must be able to tell what this 500 was.
            assert isinstance(connection.error, AuthError)
        else:
            assert_refused(connection, answer)

    @pytest.mark.parametrize("as_instance", [False, True])
    @pytest.mark.parametrize("headers", [[], [bearer("not-a-token")], [("authorization", "Bearer")]])
    async def test_its_exceptions_are_raised_in_place_of_ours(self, mounting, as_instance, headers):
        exceptions = [LogInFirstError("p"), NotYoursError("n")] if as_instance else [LogInFirstError, NotYoursError]
        logins = Logins(not_authenticated_exception=exceptions[0], out_of_scope_exception=exceptions[1])
        app = mounting.app(logins)
        for path in ("/login", "/login-sync", "/fresh", "/read", "/read-write"):
            connection = await http(app, path, headers=headers)
            assert (connection.status, connection.body) == (418, contract.PLEASE)
        connection = await http(app, "/read", headers=[bearer(logins.token())])
        assert (connection.status, connection.body) == (451, contract.PLEASE)
        assert_refused(await http(app, "/fresh", headers=[bearer(logins.token())]), NOT_FRESH)

    async def test_an_exception_of_its_own_that_nobody_handles_stays_a_500(self, mounting):
        logins = Logins(not_authenticated_exception=contract.OwnError)
        connection = await http(mounting.app(logins), "/login")
        assert connection.status == 500
        assert isinstance(connection.error, contract.OwnError)


class TestStreams:
    @pytest.mark.parametrize("headers", [[], [bearer]])
    async def test_a_stream_passes_unchanged(self, app, mounting, logins, headers):
        headers = [carry(logins.token()) for carry in headers]
        own = await http(mounting.app(logins, mount="bare"), "/stream", headers=headers)
        assert own.body == b"".join(contract.CHUNKS)
        assert (await http(app, "/stream", headers=headers)).messages == own.messages

    async def test_a_stream_whose_gate_fails_midway_is_broken_off(self, app, logins):
        connection = await http(app, "/stream-midway")
        assert connection.is_broken_off
        assert connection.body == contract.CHUNKS[0]
        whole = await http(app, "/stream-midway", headers=[bearer(logins.token())])
        assert (whole.body, whole.is_complete) == (b"".join(contract.CHUNKS), True)

    async def test_a_stream_whose_gate_fails_midway_is_one_line_in_the_log(self, app, caplog):
        caplog.set_level(logging.INFO)
        connection = await http(app, "/stream-midway")
        assert connection.error is None
        [line] = [one for one in caplog.records if one.name == "asgi_login"]
        assert line.levelno == logging.INFO
        assert "GET '/stream-midway': NotAuthenticated" in line.getMessage()
        assert [one.getMessage() for one in caplog.records if one.exc_info] == []

    async def test_a_stream_is_broken_off_where_a_middleware_runs_it_in_another_task(self, mounting, logins):
        connection = await http(mounting.app(logins, in_another_task=True), "/stream-midway")
        assert connection.body == contract.CHUNKS[0]
        assert connection.is_broken_off or mounting.cannot("break off what runs in another task")


class TestAfterTheResponse:
    @pytest.mark.parametrize("headers", [[], [bearer]])
    async def test_a_gate_in_a_background_task_is_a_mistake_and_no_refusal(self, app, mounting, logins, headers):
        connection = await http(app, "/background", headers=[carry(logins.token()) for carry in headers])
        assert (connection.status, connection.body, connection.error) == (200, contract.PLAIN, None)
        [outcome] = mounting.site.gate_outcomes
        assert isinstance(outcome, RuntimeError)
        assert "the request is over" in str(outcome)

    @pytest.mark.parametrize("headers", [[], [bearer]])
    async def test_whoever_kept_the_context_finds_the_request_over(self, app, mounting, logins, headers):
        await http(app, "/keep-context", headers=[carry(logins.token()) for carry in headers])
        [context] = mounting.site.contexts
        with pytest.raises(RuntimeError, match="the request is over"):
            context.run(current_auth)
        with pytest.raises(RuntimeError, match="the request is over"):
            context.run(contract.readers_only)


class TestBytes:
    PATHS = ("/plain", "/vary", "/cookies", "/stream", "/nowhere", "/own/404", "/abort/404", "/abort/500")

    @pytest.mark.parametrize("path", PATHS)
    async def test_a_request_without_credentials_gets_the_applications_bytes(self, app, mounting, logins, path):
        bare = mounting.app(logins, mount="bare")
        for method in ("GET", "HEAD", "POST"):
            options = {"method": method, "query": b"Accept-Encoding", "headers": [("cookie", "a=1; b=2")]}
            own, with_us = await http(bare, path, **options), await http(app, path, **options)
            assert with_us.messages == own.messages, method
            assert with_us.received == own.received
            assert type(with_us.error) is type(own.error)

    @pytest.mark.parametrize("path", PATHS)
    async def test_a_header_credential_changes_no_byte_either(self, app, mounting, logins, path):
        options = {"query": b"Accept", "headers": [bearer(logins.token())]}
        own = await http(mounting.app(logins, mount="bare"), path, **options)
        assert (await http(app, path, **options)).messages == own.messages

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("good", [True, False])
    async def test_a_cookie_credential_adds_vary_and_private_where_nothing_is_said_of_caching(
        self, app, mounting, logins, path, good
    ):
        options = {"query": b"Accept", "headers": [cookie(logins.token() if good else "not-a-token")]}
        own = await http(mounting.app(logins, mount="bare"), path, **options)
        with_us = await http(app, path, **options)
        assert with_us.vary.count("cookie") == 1
        private = [] if own.header("cache-control") else [(b"cache-control", b"private")]
        assert [one for one in with_us.headers if one[0] != b"vary"] == [
            *(one for one in own.headers if one[0] != b"vary"),
            *private,
        ]
        assert (with_us.status, with_us.messages[1:]) == (own.status, own.messages[1:])
        assert set(own.vary) <= set(with_us.vary)

    @pytest.mark.parametrize(
        "own", [b"Cookie", b"cookie", b"Accept, COOKIE", b"Accept,Cookie ,Origin", b"*", b"Accept, *"]
    )
    async def test_vary_is_not_said_twice(self, app, logins, own):
        connection = await http(app, "/vary", query=own, headers=[cookie(logins.token())])
        assert connection.header("vary") == [own.decode()]

    @pytest.mark.parametrize("path", USERS_ONLY)
    async def test_a_refused_cookie_varies_too(self, app, path):
        connection = await http(app, path, headers=[cookie("not-a-token")])
        assert connection.vary == ["cookie"]

    @pytest.mark.parametrize("path", ["/login", "/read-sync", "/admin/page"])
    @pytest.mark.parametrize("headers", [[], [bearer("not-a-token")], [bearer("not-a-token"), cookie("not-a-token")]])
    async def test_a_refusal_without_a_cookie_credential_does_not_vary(self, app, path, headers):
        assert (await http(app, path, headers=headers)).vary == []

    async def test_a_redirect_of_a_refused_cookie_varies(self, mounting):
        app = mounting.app(REDIRECTING)
        connection = await http(app, "/login", headers=[cookie("not-a-token"), ("accept", "text/html")])
        assert (connection.status, connection.vary) == (303, ["cookie"])
