"""A real server in a thread of this process, whose application a test can reach."""

import asyncio
import socket
import threading
from contextlib import contextmanager

import uvicorn


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
