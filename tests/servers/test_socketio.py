"""Handlers of Socket.IO outlive the request that brought the credential: a real server, the real client."""

import asyncio
import socket
import threading
from contextlib import contextmanager

import pytest
import uvicorn
from helpers import Clock

from asgi_login import AuthError, AuthMiddleware, LoginManager, current_auth, get_auth, login_required

socketio = pytest.importorskip("socketio", reason="python-socketio is not installed: make test installs it")

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"


def application(manager):
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

    return AuthMiddleware(socketio.ASGIApp(sio), manager)


@contextmanager
def served(app):
    """Serve an application in a thread of this process, and give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="websockets-sansio"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


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
