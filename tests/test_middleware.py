import asyncio
import contextlib
import json
import logging
import sys
from collections import UserDict

import anyio
import anyio.lowlevel
import pytest
from conformance import driver
from conformance.driver import DENIAL, bearer, cookie, http, websocket
from conformance.logins import OTHER_SECRET, SECRET, Logins, User, bad_tokens
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from asgi_login import (
    AuthError,
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    InvalidRequest,
    Key,
    LoginManager,
    NotAuthenticated,
    current_auth,
    login_required,
)
from asgi_login.scope import request_line

pytestmark = pytest.mark.anyio


async def no_app(scope, receive, send):
    pass


@login_required
async def members_only():
    pass


def fail():
    raise LookupError


async def start(send, status, *headers):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def body(send, data=b"", *, more=False):
    await send({"type": "http.response.body", "body": data, "more_body": more})


@pytest.fixture
def logins():
    return Logins()


RSA = Key.generate("RS256")


def public_half(key):
    """Return the PEM of a key that only verifies."""
    return key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class TestConstruction:
    def test_without_a_manager_it_is_refused(self):
        with pytest.raises(ValueError, match="at least one LoginManager"):
            AuthMiddleware(no_app, [])

    def test_managers_of_one_name_are_refused(self):
        with pytest.raises(ValueError, match=r"the same name .*pass name="):
            AuthMiddleware(no_app, [LoginManager(SECRET), LoginManager(OTHER_SECRET)])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ((SECRET, {}), (SECRET, {})),
            ((SECRET, {}), ([OTHER_SECRET, SECRET], {})),
            (([Key(SECRET, kid="a")], {}), ([Key(SECRET, kid="b")], {})),
            ((SECRET, {"issuer": "a"}), (SECRET, {})),
            ((SECRET, {"issuer": "a"}), (SECRET, {"issuer": "a"})),
            ((SECRET, {"audience": "a"}), (SECRET, {"audience": "a"})),
            ((SECRET, {"audience": "a"}), (SECRET, {"insecure_any_audience": True})),
            ((SECRET, {"insecure_any_audience": True}), (SECRET, {})),
            ((RSA, {}), (Key(public_half(RSA), "RS256"), {"insecure_any_audience": True})),
            ((SECRET, {"realm": "a", "token_url": "/a"}), (SECRET, {"realm": "b", "token_url": "/b"})),
        ],
    )
    def test_managers_that_would_take_each_others_tokens_are_refused(self, one, other):
        managers = [LoginManager(one[0], name="one", **one[1]), LoginManager(other[0], name="other", **other[1])]
        for order in (managers, managers[::-1]):
            with pytest.raises(ValueError, match=r"share a key.*issuer= or audience="):
                AuthMiddleware(no_app, order)

    def test_any_two_of_many_managers_are_compared(self):
        managers = [LoginManager(OTHER_SECRET, name="first")]
        managers += [LoginManager(SECRET, name=name) for name in ("second", "third")]
        with pytest.raises(ValueError, match="'second' and 'third' share a key"):
            AuthMiddleware(no_app, managers)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ((SECRET, {}), (OTHER_SECRET, {})),
            ((SECRET, {"issuer": "a"}), (SECRET, {"issuer": "b"})),
            ((SECRET, {"audience": "a"}), (SECRET, {"audience": "b"})),
            ((SECRET, {"audience": "a"}), (SECRET, {})),
        ],
    )
    async def test_managers_that_are_told_apart_are_not(self, one, other):
        first, second = Logins(one[0], name="one", **one[1]), Logins(other[0], name="other", **other[1])
        for managers in ([first.manager, second.manager], (second.manager, first.manager)):
            app = AuthMiddleware(no_app, managers)
            for logins in (first, second):
                scope = (await http(app, "/", headers=[bearer(logins.token())])).scope
                assert scope["state"]["auth"].manager == logins.manager.name

    def test_the_name_of_a_route_needs_an_adapter(self):
        with pytest.raises(ValueError, match=r"'login' is the name of a route.*install\(\)"):
            AuthMiddleware(no_app, LoginManager(SECRET, redirect_to="login"))

    def test_the_name_of_a_route_is_resolved_by_the_adapter(self):
        looked_up = []
        AuthMiddleware(no_app, LoginManager(SECRET, redirect_to="login"), resolve_route=looked_up.append)
        assert looked_up == ["login"]

    def test_one_string_for_skip_is_refused(self):
        with pytest.raises(TypeError, match=r'skip=\("/static",\)'):
            AuthMiddleware(no_app, LoginManager(SECRET), skip="/static")

    @pytest.mark.parametrize("path", ["static", "", None])
    def test_what_is_no_path_is_refused(self, path):
        with pytest.raises(ValueError, match=r"skip: .* is no path"):
            AuthMiddleware(no_app, LoginManager(SECRET), skip=[path])


class TestWhatTheApplicationGets:
    async def test_lifespan_and_unknown_connections_pass_with_their_own_objects(self, logins):
        seen = []

        async def app(*call):
            seen.append(call)

        for kind in ("lifespan", "telepathy"):
            scope, receive, send = {"type": kind, "state": {"a": 1}}, object(), object()
            await AuthMiddleware(app, logins.manager)(scope, receive, send)
            assert [one is other for one, other in zip(seen.pop(), (scope, receive, send), strict=True)] == [True] * 3
            assert scope == {"type": kind, "state": {"a": 1}}

    @pytest.mark.parametrize(
        ("state", "named"),
        [
            ({"auth": 1, "scopes": 2, "user": 3, "db": 4}, "'auth' and 'scopes' and 'user'"),
            ({"auth": object()}, "'auth'"),
            ({"db": 1}, None),
            ({}, None),
            (None, None),
        ],
    )
    async def test_names_of_the_lifespan_state_that_requests_replace_are_warned_of_once(
        self, logins, state, named, caplog
    ):
        async def app(scope, receive, send):
            if scope["type"] == "lifespan" and state is not None:
                # What an application does during its startup, after the middleware has passed the scope on.
                scope["state"].update(state)

        shared = {}
        middleware = AuthMiddleware(app, logins.manager)
        await middleware({"type": "lifespan", **({} if state is None else {"state": shared})}, None, None)
        for _ in range(3):
            scope = driver.make_scope("http", "/", method="GET") | {"state": dict(shared)}
            await middleware(scope, None, None)
            assert scope["state"].keys() == {"user", "scopes", "auth"} | shared.keys()
        warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
        assert len(warnings) == (named is not None)
        assert all(f"the lifespan state has {named}, which AuthMiddleware replaces" in one for one in warnings)

    async def test_a_request_passes_with_its_own_scope_and_receive(self, logins):
        seen = []

        async def app(scope, receive, send):
            seen.append((scope, receive))

        async def receive():
            raise AssertionError("receive() is the application's")

        scope = driver.make_scope("http", "/", method="GET")
        await AuthMiddleware(app, logins.manager)(scope, receive, None)
        assert seen[0][0] is scope
        assert seen[0][1] is receive

    async def test_messages_of_an_anonymous_request_pass_as_the_objects_that_they_are(self, logins):
        messages = [
            {"type": "http.response.debug", "info": {}},
            {"type": "http.response.early_hint", "links": []},
            {"type": "http.response.start", "status": 200, "headers": iter(())},
            {"type": "http.response.body", "body": bytearray(b"a"), "more_body": True},
            {"type": "http.response.body"},
            {"type": "http.response.trailers", "headers": []},
        ]
        sent = []

        async def app(scope, receive, send):
            for message in messages:
                await send(message)

        async def send(message):
            sent.append(message)

        await AuthMiddleware(app, logins.manager)(driver.make_scope("http", "/", method="GET"), None, send)
        assert [id(message) for message in sent] == [id(message) for message in messages]

    async def test_headers_of_any_kind_of_iterable_can_vary(self, logins):
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": iter([(b"x-own", b"1")])})
            await body(send)

        connection = await http(AuthMiddleware(app, logins.manager), "/", headers=[cookie(logins.token())])
        assert connection.headers == [(b"x-own", b"1"), (b"vary", b"Cookie"), (b"cache-control", b"private")]

        async def without_headers(scope, receive, send):
            await send({"type": "http.response.start", "status": 204})
            await body(send)

        connection = await http(AuthMiddleware(without_headers, logins.manager), "/", headers=[cookie(logins.token())])
        assert connection.headers == [(b"vary", b"Cookie"), (b"cache-control", b"private")]

    async def test_messages_of_the_application_are_not_written_into(self, logins):
        headers = [(b"x-own", b"1")]
        message = {"type": "http.response.start", "status": 200, "headers": headers}

        async def app(scope, receive, send):
            await send(message)
            await body(send)

        await http(AuthMiddleware(app, logins.manager), "/", headers=[cookie(logins.token())])
        assert headers == [(b"x-own", b"1")]
        assert message == {"type": "http.response.start", "status": 200, "headers": headers}

    async def test_the_user_is_loaded_once_however_often_somebody_asks(self, logins):
        async def app(scope, receive, send):
            for _ in range(3):
                await members_only()
                current_auth().require()

        await http(AuthMiddleware(app, logins.manager), "/", headers=[bearer(logins.token()), cookie(logins.token())])
        assert logins.loads == ["ada"]


class TestRefusalsThatNobodyAnswered:
    async def test_the_rest_of_the_5xx_whose_place_the_answer_takes_is_dropped(self, logins):
        async def app(scope, receive, send):
            try:
                await members_only()
            except AuthError:
                await start(send, 500, (b"content-length", b"11"), (b"set-cookie", b"a=1"))
                await body(send, b"oh dear, ", more=True)
                await body(send, b"500")
                raise

        connection = await http(AuthMiddleware(app, logins.manager), "/")
        assert (connection.status, connection.json["error"], connection.error) == (401, "unauthorized", None)
        assert connection.header("set-cookie") == []

    def test_while_it_is_answered_no_other_task_handles_it(self, logins):
        async def app(scope, receive, send):
            await members_only()

        async def main():
            answering, answered = asyncio.Event(), asyncio.Event()

            async def send(message):
                answering.set()
                await answered.wait()

            # As daphne does: the call itself is the task, without a coroutine around it.
            scope = driver.make_scope("http", "/", method="GET")
            request = asyncio.ensure_future(AuthMiddleware(app, logins.manager)(scope, None, send))
            await answering.wait()
            handled = sys.exception()
            answered.set()
            await request
            return handled

        assert asyncio.run(main()) is None

    async def test_a_body_that_is_sent_before_the_start_loses_no_answer(self, logins):
        async def app(scope, receive, send):
            with contextlib.suppress(RuntimeError):
                await body(send)
            await members_only()

        async def send(message):
            if not messages and message["type"] == "http.response.body":
                raise RuntimeError("the response has not started")
            messages.append(message)

        messages = []
        await AuthMiddleware(app, logins.manager)(driver.make_scope("http", "/", method="GET"), None, send)
        assert messages[0]["status"] == 401

    async def test_an_answer_below_500_is_the_applications(self, logins):
        async def app(scope, receive, send):
            try:
                await members_only()
            except AuthError:
                await start(send, 499)
                await body(send, b"own")
                raise

        connection = await http(AuthMiddleware(app, logins.manager), "/")
        assert (connection.status, connection.body) == (499, b"own")

    async def test_another_5xx_after_the_application_has_recovered_is_left_alone(self, logins):
        async def app(scope, receive, send):
            with contextlib.suppress(AuthError):
                await members_only()
            try:
                fail()
            except LookupError:
                await start(send, 503)
                await body(send, b"own")

        connection = await http(AuthMiddleware(app, logins.manager), "/")
        assert (connection.status, connection.body) == (503, b"own")

    async def test_another_exception_is_raised_even_after_the_answer(self, logins):
        async def app(scope, receive, send):
            try:
                await members_only()
            except AuthError:
                await start(send, 500)
                await body(send)
            raise LookupError("afterwards")

        connection = await http(AuthMiddleware(app, logins.manager), "/")
        assert connection.status == 401
        assert isinstance(connection.error, LookupError)

    async def test_require_by_hand_after_a_refusal_is_answered(self, logins):
        async def app(scope, receive, send):
            try:
                await members_only()
            except NotAuthenticated:
                scope["state"]["auth"].require()

        assert (await http(AuthMiddleware(app, logins.manager), "/")).status == 401

    async def test_an_error_from_the_middle_of_nested_groups_is_answered(self, logins):
        async def app(scope, receive, send):
            async with anyio.create_task_group() as outer:

                async def inner():
                    async with anyio.create_task_group() as group:
                        group.start_soon(members_only)

                outer.start_soon(inner)

        connection = await http(AuthMiddleware(app, logins.manager), "/")
        assert (connection.status, connection.error) == (401, None)

    async def test_a_group_with_another_failure_in_it_stays_a_failure(self, logins):
        async def app(scope, receive, send):
            problems = [LookupError()]
            try:
                await members_only()
            except AuthError as error:
                problems.append(error)
            raise ExceptionGroup("both", problems)

        connection = await http(AuthMiddleware(app, logins.manager), "/")
        assert connection.start is None
        assert isinstance(connection.error, ExceptionGroup)

    async def test_an_exception_of_the_application_that_is_an_auth_error_is_answered_as_it_says(self):
        class TeapotError(NotAuthenticated):
            status = 418
            error = "teapot"
            description = "Log in with coffee"

        app = AuthMiddleware(self.gated, Logins(not_authenticated_exception=TeapotError).manager)
        connection = await http(app, "/")
        assert connection.status == 418
        assert connection.json == {"error": "teapot", "error_description": "Log in with coffee"}

    @staticmethod
    async def gated(scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
        await members_only()

    async def test_a_response_that_is_complete_is_not_answered_again(self, logins):
        async def app(scope, receive, send):
            await start(send, 200)
            await body(send, b"own")
            scope["state"]["auth"].require()

        connection = await http(AuthMiddleware(app, logins.manager), "/")
        assert (connection.status, connection.body) == (200, b"own")
        # Nobody has answered it, so the server must hear of it.
        assert isinstance(connection.error, AuthError)

    async def test_an_answer_in_place_of_the_application_is_logged_without_the_token(self, logins, caplog):
        caplog.set_level(logging.DEBUG)
        app = AuthMiddleware(self.gated, logins.manager)
        for reason, token in bad_tokens(logins).items():
            caplog.clear()
            assert (await http(app, "/", headers=[bearer(token)])).status == 401
            records = [record for record in caplog.records if record.name == "asgi_login"]
            assert [record for record in records if "answered in place of the application" in record.getMessage()], (
                reason
            )
            assert all(record.levelno <= logging.INFO for record in records)
            assert not [record for record in records if token in record.getMessage()]

    async def test_nothing_is_logged_for_a_request_that_passes(self, logins, caplog):
        caplog.set_level(logging.DEBUG)
        await http(AuthMiddleware(no_app, logins.manager), "/")
        await http(AuthMiddleware(self.gated, logins.manager), "/", headers=[bearer(logins.token())])
        assert [record for record in caplog.records if record.name == "asgi_login"] == []


class TestWebSockets:
    @staticmethod
    async def gated_after_accept(scope, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await members_only()

    async def test_an_application_that_is_refused_before_it_has_received_anything_waits_for_the_connect(self, logins):
        async def app(scope, receive, send):
            await members_only()

        for extensions, kinds in (
            (DENIAL, ["websocket.http.response.start", "websocket.http.response.body"]),
            ({}, ["websocket.close"]),
        ):
            connection = await websocket(AuthMiddleware(app, logins.manager), "/", extensions=extensions)
            assert [one["type"] for one in connection.messages] == kinds
            assert (connection.received, connection.error) == (["websocket.connect"], None)

    @pytest.mark.parametrize("messages", [[{"type": "websocket.close", "code": 1011}], [{"type": "websocket.close"}]])
    async def test_a_close_of_the_framework_becomes_the_answer(self, logins, messages):
        async def app(scope, receive, send):
            try:
                await self.gated_after_accept(scope, receive, send)
            except AuthError:
                for message in messages:
                    await send(message)
                raise

        connection = await websocket(AuthMiddleware(app, logins.manager), "/")
        assert (connection.close_code, connection.error) == (4401, None)

    async def test_a_5xx_of_the_framework_becomes_the_answer(self, logins):
        async def app(scope, receive, send):
            await receive()
            try:
                await members_only()
            except AuthError:
                await send({"type": "websocket.http.response.start", "status": 500, "headers": []})
                await send({"type": "websocket.http.response.body", "body": b"oh dear"})

        connection = await websocket(AuthMiddleware(app, logins.manager), "/", extensions=DENIAL)
        assert (connection.status, connection.json["error"]) == (401, "unauthorized")

    async def test_a_close_because_of_another_failure_is_left_alone(self, logins):
        async def app(scope, receive, send):
            with contextlib.suppress(AuthError):
                await self.gated_after_accept(scope, receive, send)
            try:
                fail()
            except LookupError:
                await send({"type": "websocket.close", "code": 3003})
                raise

        connection = await websocket(AuthMiddleware(app, logins.manager), "/")
        assert connection.close_code == 3003
        assert isinstance(connection.error, LookupError)

    async def test_a_close_after_the_application_has_spoken_is_left_alone(self, logins):
        async def app(scope, receive, send):
            try:
                await self.gated_after_accept(scope, receive, send)
            except AuthError:
                await send({"type": "websocket.send", "text": "please log in"})
                await send({"type": "websocket.close", "code": 3000})

        connection = await websocket(AuthMiddleware(app, logins.manager), "/")
        assert (connection.texts, connection.close_code) == (["please log in"], 3000)

    async def test_a_denial_of_the_application_is_left_alone_and_varies(self, logins):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"own"})

        connection = await websocket(
            AuthMiddleware(app, logins.manager), "/", extensions=DENIAL, headers=[cookie(logins.token())]
        )
        assert (connection.status, connection.body, connection.vary) == (404, b"own", ["cookie"])

    async def test_a_gate_that_fails_after_the_end_says_nothing_more(self, logins):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 3000})
            await members_only()

        connection = await websocket(AuthMiddleware(app, logins.manager), "/")
        assert connection.close_code == 3000

    async def test_a_gate_that_fails_after_the_client_has_gone_says_nothing_more(self, logins):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            assert (await receive())["type"] == "websocket.disconnect"
            await members_only()

        connection = await websocket(AuthMiddleware(app, logins.manager), "/")
        assert [one["type"] for one in connection.messages] == ["websocket.accept"]

    async def test_a_reason_of_a_close_fits_its_frame(self, logins):
        for headers in ([], [bearer("not-a-token")], [("authorization", "Bearer")]):
            connection = await websocket(AuthMiddleware(self.gated_after_accept, logins.manager), "/", headers=headers)
            reason = connection.messages[-1].get("reason", "")
            # RFC 6455 §5.5: a control frame has 125 bytes, two of which are the code.
            assert len(reason.encode()) <= 123


class TestTransportsOfTheApplication:
    class HeaderTransport:
        ambient = False

        def __init__(self, name="x-token", *, ambient=False, problem=None):
            self.name, self.ambient, self.problem = name, ambient, problem

        def extract(self, scope):
            if self.problem is not None:
                raise self.problem
            return next((value for key, value in scope["headers"] if key == b"x-token"), None)

    async def test_a_token_is_found_where_they_say(self):
        logins = Logins(transports=[self.HeaderTransport(), BearerTransport()])
        connection = await http(AuthMiddleware(no_app, logins.manager), "/", headers=[("x-token", logins.token())])
        auth = connection.scope["state"]["auth"]
        assert (auth.user, auth.transport) == (User("ada"), "x-token")

    async def test_a_token_that_is_a_str_is_as_good(self):
        class QueryTransport(self.HeaderTransport):
            def extract(self, scope):
                return scope["query_string"].decode() or None

        logins = Logins(transports=[QueryTransport()])
        app = AuthMiddleware(no_app, logins.manager)
        scope = (await http(app, "/", query=logins.token().encode())).scope
        assert scope["state"]["user"] == User("ada")
        scope = (await http(app, "/", query="tökén".encode())).scope
        assert scope["state"]["auth"].error.error == "invalid_token"

    async def test_what_the_browser_sends_by_itself_is_origin_checked_and_varies(self):
        logins = Logins(transports=[self.HeaderTransport(ambient=True)])
        headers = [("x-token", logins.token()), ("origin", "https://evil.example")]
        connection = await http(AuthMiddleware(no_app, logins.manager), "/", method="POST", headers=headers)
        assert (connection.status, connection.json["error"]) == (403, "cross_origin_request")

    async def test_a_credential_that_they_call_malformed_is_a_bad_request(self):
        logins = Logins(transports=[self.HeaderTransport(problem=InvalidRequest("odd"))])
        app = AuthMiddleware(TestRefusalsThatNobodyAnswered.gated, logins.manager)
        connection = await http(app, "/")
        assert (connection.status, connection.json["error"]) == (400, "invalid_request")

    async def test_another_exception_of_theirs_is_a_failure(self):
        logins = Logins(transports=[self.HeaderTransport(problem=LookupError())])
        connection = await http(AuthMiddleware(no_app, logins.manager), "/")
        assert isinstance(connection.error, LookupError)

    async def test_one_instance_that_they_raise_again_and_again_gathers_nothing(self):
        problem = InvalidRequest("odd")
        logins = Logins(transports=[self.HeaderTransport(problem=problem)])
        app = AuthMiddleware(TestRefusalsThatNobodyAnswered.gated, logins.manager)
        for _ in range(3):
            connection = await http(app, "/")
            assert connection.scope["state"]["auth"].error is not problem


class TestCancellation:
    async def test_a_request_that_is_cancelled_in_the_loader_is_gone_without_a_trace(self):
        logins = Logins()
        waiting = anyio.Event()

        @logins.manager.user_loader
        async def load(sub):
            waiting.set()
            await anyio.sleep_forever()

        sent, visits = [], []

        async def app(scope, receive, send):
            visits.append(scope["path"])

        async def send(message):
            sent.append(message)

        async def serve():
            scope = driver.make_scope("http", "/", method="GET", headers=[bearer(logins.token())])
            await AuthMiddleware(app, logins.manager)(scope, None, send)
            visits.append("not cancelled")

        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            await waiting.wait()
            group.cancel_scope.cancel()
        assert sent == visits == []

    async def test_a_request_that_is_cancelled_in_the_view_closes_its_record(self, logins):
        outcomes = []

        async def app(scope, receive, send):
            try:
                await anyio.sleep_forever()
            finally:
                outcomes.append(current_auth().user)

        with anyio.move_on_after(0):
            scope = driver.make_scope("http", "/", method="GET", headers=[bearer(logins.token())])
            try:
                await AuthMiddleware(app, logins.manager)(scope, None, None)
            finally:
                with pytest.raises(RuntimeError, match="no request"):
                    current_auth()
        assert outcomes in ([User("ada")], [])


class TestCookieOfAnotherManager:
    async def test_two_cookies_of_two_managers_do_not_disturb_each_other(self):
        one = Logins(name="one", transports=[CookieTransport("__Host-one")])
        two = Logins(OTHER_SECRET, name="two", transports=[CookieTransport("__Host-two")])
        app = AuthMiddleware(no_app, [one.manager, two.manager])
        both = [cookie(one.token("ada"), "__Host-one"), cookie(two.token("bob"), "__Host-two")]
        for headers in (both, both[::-1]):
            assert (await http(app, "/", headers=headers)).scope["state"]["user"] == User("ada")
        swapped = [cookie(two.token("bob"), "__Host-one"), cookie(one.token("ada"), "__Host-two")]
        assert (await http(app, "/", headers=swapped)).scope["state"]["user"] is None

    async def test_a_bad_cookie_of_the_first_leaves_the_second_to_speak(self):
        one = Logins(name="one", transports=[CookieTransport("__Host-one")])
        two = Logins(OTHER_SECRET, name="two", transports=[CookieTransport("__Host-two")])
        app = AuthMiddleware(no_app, [one.manager, two.manager])
        headers = [cookie("not-a-token", "__Host-one"), cookie(two.token("bob"), "__Host-two")]
        assert (await http(app, "/", headers=headers)).scope["state"]["auth"].manager == "two"


async def test_the_state_may_be_any_mapping():
    logins, outer = Logins(), Logins(OTHER_SECRET, name="outer")
    app = AuthMiddleware(AuthMiddleware(_tell_user, logins.manager), outer.manager)
    for headers, user in (((), None), ([bearer(logins.token())], "ada")):
        state = UserDict(own=1)
        connection = await http(app, "/", headers=headers, state=state)
        assert connection.json == {"user": user}
        assert (state["own"], "auth" in state) == (1, True)


async def test_names_of_headers_may_be_byte_arrays():
    logins = Logins()
    app = AuthMiddleware(_tell_user, logins.manager)
    name, value = bearer(logins.token())
    for lines, user in (
        ([(bytearray(b"accept"), b"*/*")], None),
        ([(bytearray(name, "ascii"), value.encode())], "ada"),
    ):
        connection = await http(app, "/", headers=iter(lines))
        assert connection.json == {"user": user}


async def test_around_an_inner_middleware_the_outer_one_still_logs_in():
    outer, inner = Logins(name="outer"), Logins(OTHER_SECRET, name="inner")
    kept = []

    async def buffering(scope, receive, send):
        async def keep(message):
            kept.append(message)

        await AuthMiddleware(_tell_user, inner.manager)(scope, receive, keep)
        outer.manager.login_user(scope, "ada")
        for message in kept:
            await send(message)

    connection = await http(AuthMiddleware(buffering, outer.manager), "/", method="POST")
    assert connection.status == 200
    assert any(line.startswith("__Host-access-token=ey") for line in connection.header("set-cookie"))


async def _tell_user(scope, receive, send):
    user = scope["state"]["user"]
    body = json.dumps({"user": user and user.name}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("method", ["GET\x1b[31m FAKE: ok", "G" * 30_000, "GET\n"])
def test_a_method_cannot_break_or_fill_a_line_of_the_log(method):
    line = request_line({"type": "http", "method": method, "path": "/"})
    assert line.isprintable()
    assert len(line) < 60
