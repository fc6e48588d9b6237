"""A connection that is open ends with its login, on real servers."""

import uuid

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

# A closed websocket is heard of within so many seconds.
SOON = 2


@pytest.fixture
def user():
    return uuid.uuid4().hex


def end(server, user):
    with server.client() as client:
        assert client.post("/end", params={"user": user}).status_code == 200


def test_a_silent_websocket_is_closed_with_4401_when_its_login_is_ended(server, token, user):
    with server.websocket("/ends", [token(user)]) as ended, server.websocket("/ends", [token("ada")]) as other:
        ended.send("who?")
        ended.recv(SOON)
        end(server, user)
        with pytest.raises(ConnectionClosed) as caught:
            ended.recv(SOON)
        assert caught.value.rcvd.code == 4401
        other.send("who?")
        assert '"ada"' in other.recv(SOON)


def test_a_stream_is_broken_off_when_its_login_is_ended(server, open_client, version, token, user):
    if "end of half a response" in server.kind.lacks:
        pytest.skip(f"{server.kind.name} keeps the connection open")
    with open_client() as client, client.stream("GET", "/ends", headers=[token(user)]) as answer:
        chunks = answer.iter_raw()
        assert next(chunks).startswith(b"data: tick")
        end(server, user)
        with pytest.raises(httpx.RemoteProtocolError):
            for _ in chunks:
                pass
