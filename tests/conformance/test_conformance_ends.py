"""A connection that is open ends with its login, in every framework."""

import anyio
import pytest
from conformance.contract import CHUNKS
from conformance.driver import bearer, cookie, http, websocket
from conformance.logins import Logins
from conformance.test_conformance_websocket import replies

from asgi_login import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def ending():
    return Logins(store=MemoryStore())


class Listening:
    """An application whose server tells what it sends."""

    def __init__(self, app):
        self._app = app
        self.first_part, self.closed = anyio.Event(), anyio.Event()
        self.after_first_part = None

    async def __call__(self, scope, receive, send):
        async def listen(message):
            await send(message)
            if message["type"] == "websocket.close":
                self.closed.set()
            if message["type"] == "http.response.body" and self.after_first_part is not None:
                act, self.after_first_part = self.after_first_part, None
                await act()

        await self._app(scope, receive, listen)


@pytest.fixture
def listening(mounting, ending):
    return Listening(mounting.called(ending, end_connections=True))


class TestOpenWebsockets:
    @pytest.mark.parametrize("carry", [bearer, cookie])
    @pytest.mark.parametrize("path", ["/ws/echo", "/ws/login", "/ws/after-accept", "/admin/ws"])
    async def test_a_silent_websocket_is_closed_when_its_login_is_ended(self, mounting, ending, listening, path, carry):
        token = ending.token("ada", "admin")

        async def script():
            yield "one"
            await ending.manager.revoke_token(token)
            await listening.closed.wait()

        connection = await websocket(mounting.served(listening), path, headers=[carry(token)], script=script())
        assert [reply["text"] for reply in replies(connection)] == ["one"]
        assert (connection.close_code, connection.messages[-1]["type"]) == (4401, "websocket.close")

    async def test_nothing_is_heard_on_a_websocket_whose_token_has_expired(self, mounting, ending, listening):
        async def script():
            yield "one"
            ending.clock.tick(15 * 60)
            yield "two"
            await listening.closed.wait()

        headers = [bearer(ending.token())]
        connection = await websocket(mounting.served(listening), "/ws/echo", headers=headers, script=script())
        assert [reply["text"] for reply in replies(connection)] == ["one"]
        assert connection.close_code == 4401


# Frameworks leave the generator of a stream behind when its client goes away, and trio warns of that.
@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
class TestOpenStreams:
    async def test_a_stream_is_broken_off_when_its_login_is_ended(self, mounting, ending, listening):
        listening.after_first_part = lambda: ending.manager.revoke_user("ada")
        connection = await http(mounting.served(listening), "/stream", headers=[bearer(ending.token())])
        assert connection.is_broken_off
        assert connection.body == CHUNKS[0]
        assert connection.error is None

    async def test_a_stream_of_somebody_else_is_not(self, mounting, ending, listening):
        listening.after_first_part = lambda: ending.manager.revoke_user("bob")
        connection = await http(mounting.served(listening), "/stream", headers=[bearer(ending.token())])
        assert connection.body == b"".join(CHUNKS)
