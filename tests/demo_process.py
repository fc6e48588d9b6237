"""The demo as a process of its own, started as a person starts it."""

import os
import re
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from stores.servers import HOW_TO_GET, PROGRAMS, Server

# Made once: by default each client loads all certificates anew.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ROOT = Path(__file__).parents[1]
ADA = {"username": "ada", "password": "analytical-engine"}
BOB = {"username": "bob", "password": "can-we-fix-it"}
COOKIE = "asgi-login-demo"
REMEMBER = "demo-remember-token"
ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


class Demo(NamedTuple):
    """A demo that runs, and the logins that its tests share."""

    process: subprocess.Popen
    introduction: str
    address: str
    folder: Path
    log: Path
    cookies: dict
    tokens: dict

    def client(self, **kwargs):
        return httpx.Client(base_url=self.address, trust_env=False, verify=NO_TLS, **kwargs)

    @contextmanager
    def browser(self, **user):
        with self.client(headers={"Accept": "text/html,*/*;q=0.8"}) as client:
            if user:
                client.cookies.set(COOKIE, self.cookie(**user))
            yield client

    def cookie(self, **user):
        # A password takes its time to verify, so each user logs in once.
        if user["username"] not in self.cookies:
            with self.client() as client:
                answer = client.post("/login", data=user)
                assert answer.status_code == 303
                self.cookies[user["username"]] = answer.cookies[COOKIE]
        return self.cookies[user["username"]]

    def token(self, **form):
        asked = tuple(form.items())
        if asked not in self.tokens:
            with self.client() as client:
                answer = client.post("/token", data={"grant_type": "password", **form})
                self.tokens[asked] = answer.json()["access_token"]
        return self.tokens[asked]

    def forget_logins(self):
        """Log in anew from now on: what is kept here was logged out."""
        self.cookies.clear()
        self.tokens.clear()


def command(folder, port, *more):
    return [sys.executable, "-m", "examples.demo", "--port", str(port), "--folder", str(folder), *more]


@contextmanager
def started(folder, log, *more):
    """Start the demo on a free port, and yield it when it has introduced itself."""
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own command
            command(folder, 0, *more), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        # A demo that says nothing ends the wait for its lines when it is killed.
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Ctrl-C"):
                    break
            watchdog.cancel()
            introduction = "".join(lines)
            address = re.search(r"http://127\.0\.0\.1:\d+", introduction)
            assert address, log.read_text()
            yield Demo(process, introduction, address[0], folder, log, {}, {})
        finally:
            watchdog.cancel()
            process.kill()


def refused_start(folder, port, *more, **environment):
    """Run a demo that cannot start, and return what it said."""
    return subprocess.run(  # noqa: S603 - our own command
        command(folder, port, *more),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@contextmanager
def redis_server(folder):
    """Start a Redis for demos that share it. CI installs it, and skips nothing."""
    if PROGRAMS["redis"] is None:
        assert "CI" not in os.environ, HOW_TO_GET["redis"]
        pytest.skip(HOW_TO_GET["redis"])
    server = Server("redis", folder)
    try:
        yield server.start()
    finally:
        server.kill()
