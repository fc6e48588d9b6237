"""Handlers of Socket.IO outlive the request that brought the credential: a real server, the real client."""

import asyncio
import threading

import pytest
from helpers import Clock
from servers.in_threads import served

from asgi_login import (
    AuthError,
    AuthMiddleware,
    Gate,
    LoginManager,
    MemoryStore,
    current_auth,
    get_auth,
    login_required,
)

socketio = pytest.importorskip("socketio", reason="python-socketio is not installed: make test installs it")

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"


def application(manager, wrap=lambda app: app):
    """Return a Socket.IO server whose handlers use what each client's handshake was authenticated as."""
    sio = socketio.AsyncServer(async_mode="asgi", ping_interval=1)
    kept = {}

    @login_required
    async def greeting():
        return f"Hello, {current_auth().user}"

    @sio.event
    async def connect(sid, environ, _auth):
        kept[sid] = get_auth(environ["asgi.scope"])
        if not kept[sid].is_authenticated:
            raise ConnectionRefusedError("log in first")

    @sio.event
    async def greet(sid):
        with kept[sid].active():
            try:
                return await greeting()
            except AuthError as error:
                return error.error

    return AuthMiddleware(wrap(socketio.ASGIApp(sio)), manager)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_gated_handler_knows_the_user_and_the_time(transport):
    clock = Clock()
    manager = LoginManager(SECRET, clock=clock)
    manager.user_loader(lambda sub: sub.title())
    token = manager.create_access_token(data={"sub": "ada"})
    with served(application(manager)) as address, socketio.SimpleClient() as client:
        client.connect(address, headers={"Authorization": f"Bearer {token}"}, transports=[transport])
        assert client.call("greet") == "Hello, Ada"
        clock.now += 3600
        assert client.call("greet") == "invalid_token"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_client_without_a_credential_is_refused_by_its_handler(transport):
    manager = LoginManager(SECRET)
    manager.user_loader(lambda sub: sub)
    refused = pytest.raises(socketio.exceptions.ConnectionError, match="failed to connect")
    with served(application(manager)) as address, socketio.SimpleClient() as client, refused:
        client.connect(address, transports=[transport])


def test_a_client_is_disconnected_when_its_login_is_ended():
    manager = LoginManager(SECRET, store=MemoryStore())
    manager.user_loader(lambda sub: sub.title())
    token = manager.create_access_token(data={"sub": "ada"})
    gone = threading.Event()
    client = socketio.Client(reconnection=False)
    client.on("disconnect", lambda _reason: gone.set())
    with served(application(manager, lambda app: Gate(app, end_connections=True))) as address:
        client.connect(address, headers={"Authorization": f"Bearer {token}"}, transports=["websocket"])
        assert client.call("greet") == "Hello, Ada"
        socket = client.eio.ws
        asyncio.run(manager.revoke_token(token))
        assert gone.wait(2)
        # The client leaves it to the garbage collector if the server has closed first.
        socket.shutdown()
    client.shutdown()
