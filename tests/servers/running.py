"""Real servers as processes, and the ways to speak to one."""

import importlib.util
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.sync.client import connect

APP = "servers.served:app"
TESTS = Path(__file__).parents[1]
PATIENCE = 30
# Made once: by default each client loads all certificates anew.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Place(NamedTuple):
    """Where a server listens: a port, or a socket file."""

    folder: Path
    port: int | None = None

    @property
    def path(self):
        return str(self.folder / "socket")

    @property
    def certificate(self):
        return self.folder / "certificate.pem"

    @property
    def key(self):
        return self.folder / "key.pem"


def uvicorn(http, ws):
    def command(place):
        where = ["--uds", place.path] if place.port is None else ["--host", "127.0.0.1", "--port", str(place.port)]
        return ["uvicorn", "--http", http, "--ws", ws, "--log-level", "warning", *where, APP]

    return command


def hypercorn(worker):
    def command(place):
        where = f"unix:{place.path}" if place.port is None else f"127.0.0.1:{place.port}"
        tls = ["--certfile", place.certificate, "--keyfile", place.key] if place.certificate.exists() else []
        return ["hypercorn", "-k", worker, "--log-level", "warning", *tls, "-b", where, APP]

    return command


def granian(place):
    where = ["--uds", place.path] if place.port is None else ["--host", "127.0.0.1", "--port", str(place.port)]
    return ["granian", "--interface", "asgi", "--log-level", "warning", *where, APP]


def daphne(place):
    where = ["-u", place.path] if place.port is None else ["-b", "127.0.0.1", "-p", str(place.port)]
    return ["daphne", "-v", "1", *where, APP]


@dataclass(frozen=True)
class Kind:
    """A server and how it is run; `needs` are the modules that it takes, `lacks` what it drops of what we send."""

    name: str
    command: Callable[[Place], list]
    needs: tuple[str, ...]
    http2: bool = False
    tls: bool = False
    unix: bool = False
    lacks: tuple[str, ...] = ()

    def missing(self):
        """Return why this server cannot be run here, or None."""
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        return f"{', '.join(absent)} not installed: uv sync --inexact --group servers" if absent else None


GRANIAN_LACKS = ("headers of an accept",)
# It keeps the connection open, whether the application returns or raises.
DAPHNE_LACKS = ("headers of an accept", "reason of a close", "end of half a response")
KINDS = [
    Kind("uvicorn-h11-websockets", uvicorn("h11", "websockets"), ("uvicorn", "h11", "websockets")),
    Kind("uvicorn-httptools-wsproto", uvicorn("httptools", "wsproto"), ("uvicorn", "httptools", "wsproto")),
    Kind("uvicorn-unix", uvicorn("h11", "websockets-sansio"), ("uvicorn", "h11", "websockets"), unix=True),
    Kind("hypercorn", hypercorn("asyncio"), ("hypercorn", "h2"), http2=True),
    # Over HTTP/2 its trio worker ends with a KeyError where a body comes in after the answer; asyncio's lives on.
    Kind("hypercorn-trio", hypercorn("trio"), ("hypercorn", "trio")),
    Kind("hypercorn-tls", hypercorn("asyncio"), ("hypercorn", "h2"), http2=True, tls=True),
    Kind("hypercorn-unix", hypercorn("asyncio"), ("hypercorn",), unix=True),
    Kind("granian", granian, ("granian", "h2"), http2=True, lacks=GRANIAN_LACKS),
    Kind("granian-unix", granian, ("granian",), unix=True, lacks=GRANIAN_LACKS),
    Kind("daphne", daphne, ("daphne",), lacks=DAPHNE_LACKS),
    Kind("daphne-unix", daphne, ("daphne",), unix=True, lacks=DAPHNE_LACKS),
]


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


class Wire:
    """An HTTP/1.1 connection on which requests may be written before the answers to others are read."""

    def __init__(self, connection):
        self.connection = connection
        self.file = connection.makefile("rb")

    def write(self, *requests):
        self.connection.sendall(b"".join(requests))

    def read(self, *, has_body=True):
        version, status, *_ = self._line().split(" ", 2)
        assert version == "HTTP/1.1"
        headers = []
        while line := self._line():
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
        size = int(dict(headers)["content-length"]) if has_body else 0
        return Answer(int(status), headers, self.file.read(size))

    def close(self):
        self.file.close()
        self.connection.close()

    def _line(self):
        line = self.file.readline()
        assert line.endswith(b"\r\n"), "the server ended the connection"
        return line[:-2].decode("latin-1")


def request(path, *headers, method="GET", body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class OneThreadAtATime(ssl.SSLSocket):
    """A TLS connection that two threads may use, as websockets' client does to read and to write.

    OpenSSL forbids it, and Python before 3.13 leaves it to the caller. Without this, now and then, a connection
    ends before the first byte of an answer.
    """

    turn = threading.Lock()

    def recv(self, *args):
        while True:
            # Only the lock's holder may touch the connection, so nobody may wait in there for what the server sends.
            with self.turn:
                timeout = self.gettimeout()
                self.settimeout(0)
                try:
                    return super().recv(*args)
                except ssl.SSLWantReadError:
                    pass
                finally:
                    self.settimeout(timeout)
            select.select([self], [], [], timeout)

    def sendall(self, *args):
        with self.turn:
            return super().sendall(*args)


class Server(NamedTuple):
    kind: Kind
    place: Place
    process: subprocess.Popen
    log: Path

    @property
    def origin(self):
        scheme = "https" if self.kind.tls else "http"
        return f"{scheme}://localhost" + (f":{self.place.port}" if self.place.port else "")

    def client(self, *, http2=False, **settings):
        """Return an httpx client; for HTTP/2 it does not ask first whether the server speaks it."""
        return httpx.Client(transport=httpx.HTTPTransport(**self._way(http2)), **self._common(settings))

    def async_client(self, *, http2=False, **settings):
        return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(**self._way(http2)), **self._common(settings))

    def _way(self, http2):
        uds = self.place.path if self.kind.unix else None
        return {"verify": self._tls(), "http1": not http2, "http2": http2, "uds": uds}

    def _common(self, settings):
        return {"base_url": self.origin, "timeout": PATIENCE, "trust_env": False, **settings}

    def _tls(self):
        # A new one each time: httpx writes into it which protocols it offers.
        return ssl.create_default_context(cafile=self.place.certificate) if self.kind.tls else NO_TLS

    def connect(self):
        if self.kind.unix:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE)
            try:
                connection.connect(self.place.path)
            except OSError:
                connection.close()
                raise
            return connection
        return socket.create_connection(("127.0.0.1", self.place.port), PATIENCE)

    @contextmanager
    def wire(self):
        connection = self.connect()
        if self.kind.tls:
            connection = self._tls().wrap_socket(connection, server_hostname="localhost")
        with closing(Wire(connection)) as wire:
            yield wire

    def websocket(self, path, headers=(), **settings):
        tls = {}
        if self.kind.tls:
            tls = {"ssl": self._tls(), "server_hostname": "localhost"}
            tls["ssl"].sslsocket_class = OneThreadAtATime
        address = self.origin.replace("http", "ws", 1) + path
        times = {"open_timeout": PATIENCE, "close_timeout": PATIENCE, "ping_interval": None}
        return connect(
            address, sock=self.connect(), additional_headers=list(headers), proxy=None, **tls, **times, **settings
        )


@contextmanager
def running(kind, folder, port, environment=None):
    """Run a server until the block ends; it may not listen yet when the block begins."""
    place = Place(folder, None if kind.unix else port)
    if kind.tls:
        make_certificate(place)
    log = folder / "log"
    paths = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", *map(str, kind.command(place))],
            cwd=TESTS,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Server(kind, place, process, log)
            assert process.poll() is None, f"{kind.name} has ended by itself:\n{log.read_text()}"
        finally:
            stop(process)


@contextmanager
def running_all(kinds, make_folder):
    """Run servers side by side, as starting one takes longer than most tests; yield them by kind."""
    with ExitStack() as stack:
        # Held all at once, so that no two are the same.
        listening = [socket.create_server(("127.0.0.1", 0)) for _ in kinds]
        ports = [one.getsockname()[1] for one in listening]
        for one in listening:
            one.close()
        servers = [
            stack.enter_context(running(kind, make_folder(kind.name), port))
            for kind, port in zip(kinds, ports, strict=True)
        ]
        for server in servers:
            wait_for(server)
        yield dict(zip(kinds, servers, strict=True))


def wait_for(server):
    """Return as soon as the server listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            server.connect().close()
        except OSError:
            assert time.monotonic() < deadline, f"{server.kind.name} does not listen:\n{server.log.read_text()}"
        else:
            return
        try:
            # As long as it lives, this is the pause between two attempts.
            server.process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"{server.kind.name} did not start:\n{server.log.read_text()}")


def stop(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        # It leads a process group of its own, in which its workers are too.
        os.killpg(process.pid, signal.SIGKILL)


def make_certificate(place):
    """Write a key, and a certificate for localhost that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    place.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    place.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
