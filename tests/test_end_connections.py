"""An open connection ends with the login that opened it."""

import json
from contextlib import suppress
from contextvars import Context
from datetime import timedelta
from functools import partial

import anyio
import anyio.to_thread
import pytest
from conformance.driver import bearer, cookie, make_scope
from conformance.logins import OTHER_SECRET, Logins
from open_sockets import OWN, SOON, Socket, open_socket

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Gate,
    InvalidToken,
    MemoryStore,
    Sessions,
    get_auth,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def events():
    return []


@pytest.fixture
def logins(events):
    return Logins(
        transports=[BearerTransport(), CookieTransport("__Host-login")],
        store=MemoryStore(),
        sessions=Sessions(idle=timedelta(minutes=15), lifetime=timedelta(hours=8)),
        on_event=events.append,
    )


class Echo:
    """A websocket application that keeps what it has received."""

    def __init__(self, *, requires_login=True):
        self.received = []
        self._requires_login = requires_login

    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            self.received.append(message)
            if message["type"] == "websocket.disconnect":
                return
            if self._requires_login:
                get_auth(scope).require()
            await send({"type": "websocket.send", "text": json.dumps(message["text"])})


def session_of(logins, sub="ada"):
    """Log somebody in, and return the header with the cookie."""

    async def log_in(scope, receive, send):
        logins.manager.login_user(scope, sub)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return partial(_log_in, AuthMiddleware(log_in, logins.manager))


async def _log_in(app):
    sent = await exchange(app, OWN, method="POST")
    value = next(value for name, value in sent[0]["headers"] if name == b"set-cookie")
    name, _, rest = value.decode().partition("=")
    return cookie(rest.partition(";")[0], name)


async def exchange(app, *headers, method="GET", path="/"):
    """Return what an application sends; whatever it raises is raised."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(make_scope("http", path, headers=headers, method=method), receive, send)
    return sent


def body(sent):
    return b"".join(message.get("body", b"") for message in sent)


def is_whole(sent):
    return sent[-1]["type"] == "http.response.body" and not sent[-1].get("more_body", False)


ENDINGS = {
    "its token is revoked": lambda logins, token: logins.manager.revoke_token(token),
    "its user is logged out everywhere": lambda logins, token: logins.manager.revoke_user("ada"),
}


async def elsewhere(function, *arguments):
    """Call an asynchronous function in another thread, on an event loop and in a context of its own."""
    await anyio.to_thread.run_sync(lambda: Context().run(anyio.run, function, *arguments))


class TestWebsockets:
    @pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
    @pytest.mark.parametrize("wrap", ["middleware", "gate"])
    async def test_a_silent_one_is_closed_with_4401_when(self, logins, end, wrap):
        echo, token = Echo(), logins.token()
        if wrap == "middleware":
            app = AuthMiddleware(echo, logins.manager, end_connections=True)
        else:
            app = AuthMiddleware(Gate(echo, end_connections=True), logins.manager)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(token))
            await socket.waiting.wait()
            await end(logins, token)
            assert (await socket.hear("websocket.close"))["code"] == 4401
            await socket.left.wait()
        assert (echo.received, socket.error) == (
            [{"type": "websocket.disconnect", "code": 4401, "reason": "invalid_token"}],
            None,
        )

    async def test_a_silent_one_is_closed_when_its_token_has_expired(self, logins, events):
        app = AuthMiddleware(Echo(), logins.manager, end_connections=True)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(logins.token()))
            logins.clock.now += 15 * 60
            assert (await socket.hear("websocket.close"))["code"] == 4401
        assert [(event.kind, event.reason, event.sub) for event in events] == [("refused", "expired", "ada")]

    async def test_one_with_a_session_ends_with_its_lifetime_and_not_when_it_is_idle(self, logins):
        echo, jar = Echo(), await session_of(logins)()
        app = AuthMiddleware(echo, logins.manager, end_connections=True)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, jar)
            logins.clock.now += 8 * 3600 - 1
            await socket.say("still here")
            assert (await socket.hear("websocket.send"))["text"] == '"still here"'
            logins.clock.now += 1
            assert (await socket.hear("websocket.close"))["code"] == 4401

    async def test_one_with_a_session_ends_with_a_logout_elsewhere(self, logins):
        jar = await session_of(logins)()
        sid = None

        async def note(scope, receive, send):
            nonlocal sid
            sid = get_auth(scope).session_id
            await Echo()(scope, receive, send)

        app = AuthMiddleware(note, logins.manager, end_connections=True)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, jar)
            await logins.manager.revoke_session(sid)
            assert (await socket.hear("websocket.close"))["code"] == 4401

    async def test_nothing_that_arrives_after_the_end_reaches_the_application(self, logins):
        echo, token = Echo(), logins.token()
        app = AuthMiddleware(echo, logins.manager, end_connections=True)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(token))
            await socket.waiting.wait()
            logins.clock.now += 15 * 60
            await socket.say("too late")
            with anyio.fail_after(SOON):
                await socket.left.wait()
        assert [message["type"] for message in echo.received] == ["websocket.disconnect"]
        assert [message["type"] for message in socket.sent] == ["websocket.accept", "websocket.close"]

    async def test_an_application_that_only_sends_is_stopped_as_if_its_client_had_gone(self, logins):
        stopped = []

        async def ticker(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            try:
                while True:
                    await send({"type": "websocket.send", "text": "tick"})
                    await anyio.sleep(0.001)
            except OSError as problem:
                stopped.append(problem)
                raise

        app = AuthMiddleware(ticker, logins.manager, end_connections=True)
        token = logins.token()
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(token))
            await logins.manager.revoke_token(token)
            with anyio.fail_after(SOON):
                await socket.left.wait()
        assert (socket.sent[-1]["code"], len(stopped), socket.error) == (4401, 1, None)

    async def test_one_is_closed_by_an_end_on_another_thread(self, logins):
        app = AuthMiddleware(Echo(), logins.manager, end_connections=True)
        token = logins.token()
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(token))
            await elsewhere(logins.manager.revoke_token, token)
            assert (await socket.hear("websocket.close"))["code"] == 4401

    async def test_one_is_closed_once_though_the_application_closes_it_too(self, logins):
        async def closes(scope, receive, send):
            await Echo()(scope, receive, send)
            await send({"type": "websocket.close", "code": 1000})

        app = AuthMiddleware(closes, logins.manager, end_connections=True)
        token = logins.token()
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(token))
            await logins.manager.revoke_token(token)
            await socket.left.wait()
        assert [message["type"] for message in socket.sent] == ["websocket.accept", "websocket.close"]
        assert socket.error is None

    async def test_an_application_that_closes_at_the_end_closes_in_its_own_way(self, logins):
        async def closes(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            logins.clock.now += 15 * 60
            await send({"type": "websocket.close", "code": 4000})

        app = AuthMiddleware(closes, logins.manager, end_connections=True)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(logins.token()))
        assert [message.get("code") for message in socket.sent] == [None, 4000]

    async def test_an_application_that_is_cancelled_as_it_is_told_leaves_the_close_to_us(self, logins):
        async def impatient(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            logins.clock.now += 15 * 60
            with anyio.CancelScope() as hurry:
                hurry.cancel()
                await receive()

        app = AuthMiddleware(impatient, logins.manager, end_connections=True)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(logins.token()))
            assert (await socket.hear("websocket.close"))["code"] == 4401

    async def test_one_behind_a_gate_is_held_open_there_and_says_so(self, logins):
        jar, seen = await session_of(logins)(), []

        async def look(scope, receive, send):
            seen.append(get_auth(scope).expires_at)
            await Echo()(scope, receive, send)

        app = AuthMiddleware(Gate(look, end_connections=True), logins.manager)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, jar)
            assert seen == [int(logins.clock.now) + 8 * 3600]
            logins.clock.now += 3600
            await socket.say("still here")
            assert (await socket.hear("websocket.send"))["text"] == '"still here"'
            tasks.cancel_scope.cancel()

    async def test_one_that_the_application_receives_from_before_the_gate_is_told_all_the_same(self, logins):
        token, told = logins.token(), anyio.Event()

        async def listens_outside(scope, receive, send):
            async def listen():
                if (await receive())["type"] == "websocket.disconnect":
                    told.set()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                await Gate(opened, end_connections=True)(scope, receive, send)

        async def opened(scope, receive, send):
            get_auth(scope).require()

        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await listens_outside(scope, receive, send)

        wrapped = AuthMiddleware(app, logins.manager, end_connections=True)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, wrapped, bearer(token))
            await socket.waiting.wait()
            await logins.manager.revoke_token(token)
            with anyio.fail_after(SOON):
                await told.wait()

    async def test_one_that_is_ended_before_it_is_accepted_is_refused(self, logins):
        token = logins.token()

        async def slow(scope, receive, send):
            await receive()
            await logins.manager.revoke_token(token)
            await send({"type": "websocket.accept"})

        app = AuthMiddleware(slow, logins.manager, end_connections=True)
        socket = Socket(app, [bearer(token)], extensions={"websocket.http.response": {}})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(socket.run)
            await socket.opened()
            await socket.hear("websocket.http.response.body")
        assert (socket.sent[0]["type"], socket.sent[0]["status"]) == ("websocket.http.response.start", 401)

    async def test_one_that_is_ended_before_it_is_accepted_is_denied_in_the_application_s_own_way(self, logins):
        token = logins.token()

        async def slow(scope, receive, send):
            await receive()
            await logins.manager.revoke_token(token)
            await send({"type": "websocket.accept"})

        async def deny(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "log in first"})
            await send({"type": "websocket.close", "code": 4000})

        app = AuthMiddleware(slow, logins.manager, end_connections=True, deny_websocket=deny)
        socket = Socket(app, [bearer(token)])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(socket.run)
            await socket.opened()
            await socket.hear("websocket.close")
        assert [message.get("text", message.get("code")) for message in socket.sent] == [None, "log in first", 4000]

    async def test_one_behind_two_gates_ends_with_the_login_of_either(self):
        web = Logins(transports=[CookieTransport("__Host-web")], name="web", store=MemoryStore())
        admin = Logins(OTHER_SECRET, transports=[CookieTransport("__Host-admin")], name="admin", store=MemoryStore())
        both = "; ".join([value for _, value in [await session_of(one)() for one in (web, admin)]])
        inner = Gate(Echo(requires_login=False), manager="admin", end_connections=True)
        app = AuthMiddleware(Gate(inner, manager="web", end_connections=True), [web.manager, admin.manager])
        for one in (web, admin):
            async with anyio.create_task_group() as tasks:
                socket = await open_socket(tasks, app, ("cookie", both))
                await one.manager.revoke_user("bob")
                await one.manager.revoke_user("ada")
                assert (await socket.hear("websocket.close"))["code"] == 4401
            both = "; ".join([value for _, value in [await session_of(one)() for one in (web, admin)]])

    async def test_a_client_that_does_not_take_the_close_keeps_no_other_websocket_open(self, logins):
        app = AuthMiddleware(Echo(), logins.manager, end_connections=True)
        stuck, later = logins.token("ada"), logins.token("bob")
        async with anyio.create_task_group() as tasks:
            one = await open_socket(tasks, app, bearer(stuck))
            one.takes_close = False
            await logins.manager.revoke_token(stuck)
            with anyio.fail_after(SOON):
                await one.refused_close.wait()
            other = await open_socket(tasks, app, bearer(later))
            await logins.manager.revoke_token(later)
            assert (await other.hear("websocket.close"))["code"] == 4401
            tasks.cancel_scope.cancel()

    async def test_others_stay_open(self, logins):
        app = AuthMiddleware(Echo(), logins.manager, end_connections=True)
        ended, stays = logins.token("ada"), logins.token("bob")
        async with anyio.create_task_group() as tasks:
            one = await open_socket(tasks, app, bearer(ended))
            other = await open_socket(tasks, app, bearer(stays))
            nobody = await open_socket(tasks, app)
            await logins.manager.revoke_user("ada")
            await one.hear("websocket.close")
            assert [other.sent[-1]["type"], nobody.sent[-1]["type"]] == ["websocket.accept"] * 2
            tasks.cancel_scope.cancel()

    async def test_one_task_watches_them_all_and_ends_with_the_last(self, logins):
        def watching():
            return [task for task in anyio.get_running_tasks() if "open connections" in (task.name or "")]

        app = AuthMiddleware(Echo(), logins.manager, end_connections=True)
        async with anyio.create_task_group() as tasks:
            before = len(watching())
            sockets = [await open_socket(tasks, app, bearer(logins.token(str(number)))) for number in range(20)]
            assert len(watching()) - before == 1
            await logins.manager.revoke_user("7")
            await sockets[7].hear("websocket.close")
            assert len(watching()) - before == 1
            tasks.cancel_scope.cancel()
        with anyio.fail_after(SOON):
            while len(watching()) > before:
                await anyio.lowlevel.checkpoint()

    async def test_without_the_setting_one_stays_open(self, logins):
        app = AuthMiddleware(Echo(requires_login=False), logins.manager)
        token = logins.token()
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(token))
            await logins.manager.revoke_token(token)
            logins.clock.now += 15 * 60
            await socket.say("still here")
            await socket.hear("websocket.send")
            tasks.cancel_scope.cancel()

    async def test_a_gate_of_one_manager_ends_with_that_manager_s_login(self):
        store = MemoryStore()
        web = Logins(transports=[CookieTransport("__Host-web")], store=store, name="web")
        admin = Logins(OTHER_SECRET, transports=[CookieTransport("__Host-admin")], store=store, name="admin")
        jars = [await session_of(one)() for one in (web, admin)]
        app = AuthMiddleware(
            Gate(Echo(requires_login=False), manager="admin", end_connections=True), [web.manager, admin.manager]
        )
        both = "; ".join(value for _, value in jars)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, ("cookie", both))
            await web.manager.revoke_user("ada")
            await socket.say("still here")
            await socket.hear("websocket.send")
            await admin.manager.revoke_user("ada")
            assert (await socket.hear("websocket.close"))["code"] == 4401


def stream_that(action):
    """An application that streams three parts, and awaits `action` after the first."""

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await action()
        await send({"type": "http.response.body", "body": b"two ", "more_body": True})
        await send({"type": "http.response.body", "body": b"three"})

    return stream


class TestStreams:
    async def test_that_more_follows_may_be_said_by_anything_that_is_true(self, logins):
        async def stream(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"one ", "more_body": 1})
            await send({"type": "http.response.body", "body": b"two"})

        sent = await exchange(AuthMiddleware(stream, logins.manager, end_connections=True), bearer(logins.token()))
        assert body(sent) == b"one two"

    @pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
    @pytest.mark.parametrize("wrap", ["middleware", "gate"])
    async def test_a_response_is_broken_off_at_its_next_part_when(self, logins, end, wrap):
        token = logins.token()
        app = stream_that(lambda: end(logins, token))
        if wrap == "middleware":
            app = AuthMiddleware(app, logins.manager, end_connections=True)
        else:
            app = AuthMiddleware(Gate(app, end_connections=True), logins.manager)
        sent = await exchange(app, bearer(token))
        assert (body(sent), is_whole(sent)) == (b"one ", False)

    async def test_a_response_is_broken_off_when_its_token_has_expired(self, logins, events):
        async def wait():
            logins.clock.now += 15 * 60

        app = AuthMiddleware(stream_that(wait), logins.manager, end_connections=True)
        sent = await exchange(app, bearer(logins.token()))
        assert (body(sent), is_whole(sent)) == (b"one ", False)
        assert [(event.kind, event.reason, event.sub) for event in events] == [("refused", "expired", "ada")]

    async def test_the_last_part_is_not_sent_either(self, logins):
        token = logins.token()

        async def stream(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"one ", "more_body": True})
            await logins.manager.revoke_token(token)
            await send({"type": "http.response.body", "body": b"two"})

        sent = await exchange(AuthMiddleware(stream, logins.manager, end_connections=True), bearer(token))
        assert (body(sent), is_whole(sent)) == (b"one ", False)

    async def test_a_response_in_one_piece_is_sent_though_its_login_has_ended_meanwhile(self, logins):
        token = logins.token()

        async def page(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await logins.manager.revoke_token(token)
            await send({"type": "http.response.body", "body": b"done"})

        sent = await exchange(AuthMiddleware(page, logins.manager, end_connections=True), bearer(token))
        assert (body(sent), is_whole(sent)) == (b"done", True)

    @pytest.mark.parametrize("how", ["logout", "everywhere", "revoke"])
    async def test_the_answer_to_a_logout_is_sent_whole_however_it_is_sent(self, logins, how):
        jar = await session_of(logins)()

        async def log_out(scope, receive, send):
            auth = get_auth(scope)
            if how == "revoke":
                await logins.manager.revoke_session(auth.session_id)
            else:
                logins.manager.logout_user(scope, everywhere=how == "everywhere")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            # As Starlette's BaseHTTPMiddleware sends every response.
            await send({"type": "http.response.body", "body": b"goodbye", "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        app = AuthMiddleware(log_out, logins.manager, end_connections=True)
        sent = await exchange(app, OWN, jar, method="POST")
        assert (body(sent), is_whole(sent)) == (b"goodbye", True)
        assert isinstance(await error_of(app, jar), InvalidToken)

    async def test_the_application_is_stopped_as_if_its_client_had_gone(self, logins):
        token, stopped = logins.token(), []

        async def stream(scope, receive, send):
            try:
                await stream_that(partial(logins.manager.revoke_token, token))(scope, receive, send)
            except OSError:
                stopped.append(True)
                # A framework has words of its own for it.
                raise LookupError("the client has gone")  # noqa: B904

        sent = await exchange(AuthMiddleware(stream, logins.manager, end_connections=True), bearer(token))
        assert (stopped, body(sent)) == ([True], b"one ")

    async def test_a_failure_while_the_application_stops_is_in_the_log(self, logins, caplog):
        caplog.set_level("INFO")
        token = logins.token()

        async def stream(scope, receive, send):
            try:
                await stream_that(partial(logins.manager.revoke_token, token))(scope, receive, send)
            finally:
                raise LookupError("in the clean-up")

        await exchange(AuthMiddleware(stream, logins.manager, end_connections=True), bearer(token))
        assert "LookupError: in the clean-up" in caplog.text

    async def test_a_part_after_the_end_is_one_line_in_the_log_however_often_it_is_tried(self, logins, caplog):
        caplog.set_level("INFO")
        token = logins.token()

        async def stubborn(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await logins.manager.revoke_token(token)
            for _ in range(5):
                with suppress(OSError):
                    await send({"type": "http.response.body", "body": b"part", "more_body": True})

        sent = await exchange(AuthMiddleware(stubborn, logins.manager, end_connections=True), bearer(token))
        assert (body(sent), caplog.text.count("broke off")) == (b"", 1)

    async def test_a_stream_whose_login_somebody_else_has_ended_is_broken_off_whatever_the_view_asks(self):
        logins = Logins(store=MemoryStore(), sessions=Sessions(listed=True))
        token = logins.token()

        async def asks_first(scope, receive, send):
            await elsewhere(logins.manager.revoke_token, token)
            await logins.manager.devices("ada")
            await logins.manager.revoke_user("bob")
            await stream_that(anyio.lowlevel.checkpoint)(scope, receive, send)

        sent = await exchange(AuthMiddleware(asks_first, logins.manager, end_connections=True), bearer(token))
        assert body(sent) == b""

    async def test_a_failure_of_the_application_itself_passes_through(self, logins):
        async def stream(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise LookupError("of its own")

        with pytest.raises(LookupError, match="of its own"):
            await exchange(AuthMiddleware(stream, logins.manager, end_connections=True), bearer(logins.token()))

    async def test_without_the_setting_a_response_is_sent_to_its_end(self, logins):
        token = logins.token()
        app = AuthMiddleware(stream_that(partial(logins.manager.revoke_token, token)), logins.manager)
        assert body(await exchange(app, bearer(token))) == b"one two three"

    async def test_a_stranger_s_response_is_left_alone(self, logins):
        app = AuthMiddleware(
            stream_that(partial(logins.manager.revoke_user, "ada")), logins.manager, end_connections=True
        )
        assert body(await exchange(app)) == b"one two three"


async def error_of(app, jar):
    """Return why the next request with these cookies is refused."""
    found = []

    async def look(scope, receive, send):
        found.append(get_auth(scope).error)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app.app = look
    await exchange(app, jar)
    return found[0]
