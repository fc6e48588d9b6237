"""Starts the server, and prints what to try."""

import errno
import logging
import os
import socket
import sqlite3
import sys
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from asgi_login.stores import Store
from examples.demo.folder import load_key, open_folder
from examples.demo.store import open_store
from examples.demo.users import ACCOUNTS, Users

HOST = "127.0.0.1"
IN_PROCESS = """\
This process remembers who was logged out, until it ends. Demos that are
started with the same REDIS=redis://127.0.0.1:6379/0 share what they remember."""
IN_REDIS = """\
Redis remembers who was logged out, for all demos with this folder and this
REDIS=. A browser sends its cookies to every port of a host, so use two
browsers, or open one of the demos at http://localhost:PORT."""


def serve(port: int, folder: Path, redis: str | None) -> None:
    """Serve the demo until a signal ends it."""
    listener = _listen(port)
    store = _store(redis)
    try:
        folder = open_folder(folder)
        key = load_key(folder)
        users = Users(folder / "users.db")
    except (OSError, sqlite3.Error, ValueError) as problem:
        sys.exit(f"The folder {folder} cannot be used: {problem}")

    # These import five frameworks. A port that is taken is reported before that.
    from examples.demo.login import make_manager  # noqa: PLC0415
    from examples.demo.site import make_site  # noqa: PLC0415

    # Show warnings of the server, and of asgi_login and the demo also why a request was refused.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s  %(name)s  %(message)s", datefmt="%H:%M:%S")
    for name in ("asgi_login", "demo"):
        logging.getLogger(name).setLevel(logging.INFO)
    # uvicorn logs this for each websocket that gets an HTTP answer (github.com/Kludex/uvicorn/pull/3138).
    logging.getLogger("uvicorn.error").addFilter(lambda record: "without completing handshake" not in record.msg)
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    site = make_site(make_manager(key, users, store), users)
    memory = IN_PROCESS if redis is None else IN_REDIS
    Server(site, introduction(address, folder, memory)).run(sockets=[listener])


class Server(uvicorn.Server):
    """A uvicorn server that prints an introduction when it is ready.

    Args:
        app: The application to serve.
        introduction: The text to print.

    """

    def __init__(self, app: ASGIApp, introduction: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                # There is no proxy in front, so do not trust X-Forwarded-For.
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=3,
            )
        )
        self._introduction = introduction

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        await super().startup(sockets)
        print(self._introduction, flush=True)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            sys.exit(f"Port {port} is taken: choose another with make demo PORT=..., or any free one with PORT=0.")
        sys.exit(f"Port {port} cannot be used ({os.strerror(problem.errno or 0)}): choose another with PORT=.")


def _store(redis: str | None) -> Store:
    try:
        return open_store(redis)
    except ImportError as problem:
        sys.exit(str(problem))
    except ValueError:
        # The error quotes parts of the URL, which may have a password.
        sys.exit("The URL of the Redis is wrong: write one like REDIS=redis://127.0.0.1:6379/0")


def introduction(address: str, folder: Path, memory: str) -> str:
    """Return the text that the terminal shows while the demo runs.

    Args:
        address: Where the demo is.
        folder: Where it keeps the key and the users.
        memory: What it says about who was logged out.

    """
    users = "\n".join(f"  {one.name}   {one.password:<18}  {' '.join(one.scopes) or 'none'}" for one in ACCOUNTS)
    bob = ACCOUNTS[1]
    return f"""
asgi-login demo: five applications with one login

  {address}               log in here
  {address}/fastapi/docs  the API, with its Authorize button

  User  Password            Scopes
{users}

The key and the users are kept in {folder}

{memory}

Four lines to try in another terminal:

  Without a token: 401 and a challenge
curl -si -w '\\n' {address}/asgi/me

  Log in with a form and keep the token
TOKEN=$(curl -s {address}/token -d grant_type=password -d username={bob.name} -d password={bob.password} \
| python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')

  With the token: who you are
curl -si -w '\\n' {address}/starlette/me -H "Authorization: Bearer $TOKEN"

  Without the scope: 403
curl -si -w '\\n' {address}/fastapi/orders -H "Authorization: Bearer $TOKEN"

Ctrl-C ends the demo.
"""
