"""What the suite notices by way of asgiref's client: no less than where it calls the application itself."""

import anyio
import pytest
from conformance.communicator import Communicated
from conformance.connection import Connection
from conformance.driver import http, make_scope, websocket

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


async def silence():
    return
    yield


async def test_an_accept_before_the_connect_is_a_violation():
    async def hasty(scope, receive, send):
        await send({"type": "websocket.accept"})
        await receive()

    with pytest.raises(AssertionError, match=r"websocket\.accept before websocket\.connect"):
        await websocket(Communicated(hasty), "/")


async def test_words_after_the_disconnect_are_a_violation():
    async def deaf(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "text": "still there?"})

    with pytest.raises(AssertionError, match=r"websocket\.send after websocket\.disconnect"):
        await websocket(Communicated(deaf), "/")


async def test_an_application_that_never_ends_fails_the_test():
    async def hanging(scope, receive, send):
        await anyio.sleep_forever()

    with pytest.raises(AssertionError, match="did not end"):
        await Communicated(hanging).converse(Connection(make_scope("http", "/")), silence(), 0)


async def test_what_was_said_before_an_exception_is_heard():
    async def breaking(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise TimeoutError

    connection = await http(Communicated(breaking), "/")
    assert connection.is_broken_off
    assert isinstance(connection.error, TimeoutError)
