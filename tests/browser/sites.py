"""The demo as a site in this process, and the pages of an attacker at another port."""

import socket
import threading
from contextlib import contextmanager

import uvicorn

from asgi_login import Key, MemoryStore
from examples.demo.login import make_manager
from examples.demo.site import make_site
from examples.demo.users import Users

PATIENCE = 20


class Server(uvicorn.Server):
    """A uvicorn that tells when it answers."""

    def __init__(self, app):
        super().__init__(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        self.answers = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.answers.set()


def serving(app):
    """Serve an application in a thread; yields its port."""
    return serving_at(lambda _port: app)


@contextmanager
def serving_at(make_app):
    """Serve in a thread the application that is made for a port, which is yielded."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(make_app(listener.getsockname()[1]))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert server.answers.wait(PATIENCE)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def site(folder, cookie):
    """Return the demo with another cookie than its own."""
    users = Users(folder / "users.db")
    return make_site(make_manager(Key.generate(), users, MemoryStore(), cookie), users)


async def blank_page(scope, receive, send):
    """Answer everything with a page that has no content: what the attacker does there, the tests run in it."""
    headers = [(b"content-type", b"text/html"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<!doctype html><title>another site</title>"})
