"""A provider on a real TLS socket that misbehaves as it is told to."""

import json
import socket
import threading
import time
from contextlib import suppress

from issuers.tls import certificate

JSON = b"application/json"


class Rogue:
    """Answers each path by a function of the socket; counts what is asked, and how many bytes were sent."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        self._context = certificate().server()
        self._over = threading.Event()
        self.asked = []
        self.sent = 0
        self.answers = {}
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def close(self):
        self._over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._threads:
            one.join(10)
            assert not one.is_alive()

    def _listen(self):
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain):
        plain.settimeout(5)
        # Whoever is told too much goes away.
        with suppress(OSError), plain, self._context.wrap_socket(plain, server_side=True) as connection:
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(4096)
                if not part:
                    return
                request += part
            path = request.split(b" ")[1].decode()
            self.asked.append(path)
            self.answers[path](connection)

    # What it may be told to do.

    def responds(self, status=200, body=b"", *, headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        lines = [b"HTTP/1.1 %d x" % status, b"content-length: %d" % len(body), b"connection: close", *headers]
        return lambda connection: self._send(connection, b"\r\n".join([*lines, b"", body]))

    def drips(self, body):
        """Send a byte at a time, for ever slowly, so that no single read takes long."""

        def drip(connection):
            body_bytes = json.dumps(body).encode()
            self._send(connection, b"HTTP/1.1 200 x\r\ncontent-length: %d\r\n\r\n" % len(body_bytes))
            for position in range(len(body_bytes)):
                self._send(connection, body_bytes[position : position + 1])
                if self._over.wait(0.05):
                    return

        return drip

    def hangs(self):
        return lambda connection: self._over.wait(30)

    def floods(self, megabytes, *, announced):
        """Send JSON without an end."""

        def flood(connection):
            length = b"content-length: %d" % (megabytes * 1_000_000) if announced else b"connection: close"
            self._send(connection, b"HTTP/1.1 200 x\r\n" + length + b'\r\n\r\n{"keys": [')
            for _ in range(megabytes * 1_000):
                self._send(connection, b" " * 1_000)

        return flood

    def hangs_up(self):
        return lambda connection: self._send(connection, b"HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{")

    def _send(self, connection, data):
        connection.sendall(data)
        self.sent += len(data)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def until_it_listens(port, seconds=20.0):
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < end, "it does not listen"
            time.sleep(0.02)
        else:
            return
