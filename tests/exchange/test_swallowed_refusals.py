"""Refusals that the application neither answers nor lets escape, and those that come when it is too late to answer."""

import logging
from contextlib import suppress

import pytest
from helpers import hello, http_scope, make_manager, request, run, websocket, websocket_scope

from asgi_login import AuthError, AuthMiddleware, get_auth, login_required, requires_scopes

START = {"type": "http.response.start", "status": 200, "headers": []}
DENIAL = {"websocket.http.response": {}}


@login_required
async def members_only():
    pass


async def swallow(scope, receive, send):
    """Do as Sanic does, or a view that catches and returns."""
    with suppress(AuthError):
        await members_only()


class TestSilence:
    @pytest.mark.parametrize("gate", [login_required, requires_scopes("read")])
    def test_a_refusal_that_the_application_swallowed_is_answered_when_it_returns_in_silence(self, gate, caplog):
        async def app(scope, receive, send):
            with suppress(AuthError):
                await gate(members_only)()

        caplog.set_level(logging.INFO)
        answer = request(AuthMiddleware(app, make_manager()), path="/orders")
        assert (answer.status, answer.json()["error"]) == (401, "unauthorized")
        assert answer.header("www-authenticate") == 'Bearer realm="api"'
        [line] = caplog.messages
        assert line.startswith("GET '/orders': NotAuthenticated")

    def test_the_redirect_to_the_login_page_is_given_too(self):
        app = AuthMiddleware(swallow, make_manager(redirect_to="/login"))
        answer = request(app, path="/orders", headers=[(b"accept", b"text/html")])
        assert (answer.status, answer.header("location")) == (303, "/login?next=%2Forders")

    def test_what_the_application_answers_after_all_is_left_alone(self):
        async def app(scope, receive, send):
            await swallow(scope, receive, send)
            await hello(scope, receive, send)

        assert request(AuthMiddleware(app, make_manager())).status == 200

    def test_an_exception_of_the_applications_own_is_left_to_the_application(self):
        class OwnError(Exception):
            pass

        async def app(scope, receive, send):
            with suppress(OwnError):
                await members_only()
            await send({**START, "status": 503})
            await send({"type": "http.response.body", "body": b"own"})

        answer = request(AuthMiddleware(app, make_manager(not_authenticated_exception=OwnError)))
        assert (answer.status, answer.body) == (503, b"own")

    def test_a_refusal_that_is_swallowed_after_the_response_has_started_is_not_answered_on_top(self):
        sent = []

        async def app(scope, receive, send):
            await send(START)
            await swallow(scope, receive, send)

        async def send(message):
            sent.append(message)

        run(AuthMiddleware(app, make_manager())(http_scope(), None, send))
        assert sent == [START]

    def test_silence_without_a_refusal_stays_silence(self):
        sent = []

        async def app(scope, receive, send):
            with suppress(AuthError):
                get_auth(scope).require()

        async def send(message):
            sent.append(message)

        run(AuthMiddleware(app, make_manager())(http_scope(), None, send))
        assert sent == []

    def test_an_exception_after_a_swallowed_refusal_is_raised(self):
        async def app(scope, receive, send):
            await swallow(scope, receive, send)
            raise LookupError

        with pytest.raises(LookupError):
            request(AuthMiddleware(app, make_manager()))

    def test_a_websocket_is_refused_in_place_of_a_silent_application(self):
        app = AuthMiddleware(swallow, make_manager())
        [close] = websocket(app)
        assert (close["type"], close["code"], close["reason"]) == ("websocket.close", 1008, "unauthorized")
        start, body = websocket(app, extensions=DENIAL)
        assert (start["status"], body["type"]) == (401, "websocket.http.response.body")

    def test_a_websocket_that_was_accepted_is_closed_in_place_of_a_silent_application(self):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await swallow(scope, receive, send)

        accept, close = websocket(AuthMiddleware(app, make_manager()))
        assert accept["type"] == "websocket.accept"
        assert close == {"type": "websocket.close", "code": 4401, "reason": "unauthorized"}

    @pytest.mark.parametrize("message", [{"type": "websocket.send", "text": "log in"}, {"type": "websocket.close"}])
    def test_a_websocket_whose_application_spoke_after_the_refusal_is_left_alone(self, message):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await swallow(scope, receive, send)
            await send({"type": "websocket.send", "text": "please"})
            await send(message)

        assert websocket(AuthMiddleware(app, make_manager()))[-1] == message

    def test_a_websocket_whose_client_has_gone_is_told_nothing(self):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await swallow(scope, receive, send)
            assert (await receive())["type"] == "websocket.disconnect"

        assert len(websocket(AuthMiddleware(app, make_manager()))) == 1

    def test_a_websocket_that_never_connects_is_sent_nothing(self):
        sent = []

        async def receive():
            return {"type": "websocket.disconnect", "code": 1006}

        async def send(message):
            sent.append(message)

        run(AuthMiddleware(swallow, make_manager())(websocket_scope(), receive, send))
        assert sent == []


class TestBrokenOff:
    def stream(self, fail, *messages):
        """Send what an application does that fails after it has started its response; return what got out of it."""
        sent = []

        async def app(scope, receive, send):
            await send(START)
            for message in messages:
                await send(message)
            fail(scope)

        async def send(message):
            sent.append(message)

        run(AuthMiddleware(app, make_manager())(http_scope(path="/stream"), None, send))
        return sent

    def test_a_stream_that_requires_a_user_midway_is_broken_off_with_one_line_in_the_log(self, caplog):
        caplog.set_level(logging.INFO)
        chunk = {"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True}
        assert self.stream(lambda scope: get_auth(scope).require(), chunk) == [START, chunk]
        assert caplog.record_tuples == [
            (
                "asgi_login",
                logging.INFO,
                "GET '/stream': NotAuthenticated (no_credential: no credential) broke off a response that had started",
            )
        ]
        assert caplog.records[0].exc_info is None

    def test_an_exception_of_the_applications_from_a_refusal_is_raised(self):
        def fail(scope):
            try:
                get_auth(scope).require()
            except AuthError as error:
                raise RuntimeError("the export failed") from error

        with pytest.raises(RuntimeError, match="the export failed"):
            self.stream(fail)

    def test_a_refusal_after_a_whole_response_is_raised(self):
        with pytest.raises(AuthError):
            self.stream(lambda scope: get_auth(scope).require(), {"type": "http.response.body", "body": b"whole"})
