"""The example of an API whose users log in at an identity provider, served by uvicorn."""

import json
import os
import re
import runpy
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import uvicorn
from issuers.providers import jwk, token

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "identity_provider.py"
API = "https://orders.example"


@pytest.fixture(scope="module")
def provider():
    """Serve the documents of a provider on this machine, over plain http, and return its URL."""

    class Documents(BaseHTTPRequestHandler):
        def do_GET(self):
            documents = {
                "/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/keys"},
                "/keys": {"keys": [jwk()]},
            }
            body = json.dumps(documents[self.path]).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Documents)
    url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def client(provider):
    ours = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "ISSUER": provider, "AUDIENCE": API, "NO_PROXY": "*"}
    command = [sys.executable, "-m", "uvicorn", "examples.identity_provider:app", "--port", "0", "--no-access-log"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, env=os.environ | ours, stderr=subprocess.PIPE, text=True
    ) as server:
        log = []
        for line in server.stderr:
            log.append(line)
            if found := re.search(r"running on (http://127\.0\.0\.1:[0-9]+)", line):
                break
        else:
            raise AssertionError("".join(log))
        with httpx.Client(base_url=found[1], trust_env=False) as client:
            yield client
        server.terminate()


@pytest.fixture
def bearer(provider):
    def make(**changes):
        now = int(time.time())
        claims = {"iss": provider, "aud": API, "iat": now - 5, "exp": now + 600} | changes
        return {"Authorization": f"Bearer {token(**claims)}"}

    return make


def test_a_token_of_the_provider_opens_the_private_page(client, provider, bearer):
    response = client.get("/me", headers=bearer())
    assert (response.status_code, response.json()) == (200, {"issuer": provider, "sub": "ada"})


def test_scopes_are_those_of_the_token(client, bearer):
    assert client.get("/orders", headers=bearer(scope="orders:read")).json() == {"orders of": "ada"}
    assert client.get("/orders", headers=bearer()).status_code == 403


def test_the_front_page_is_open_to_strangers(client, bearer):
    assert client.get("/").json() == {"hello": "stranger"}
    assert client.get("/", headers=bearer()).json() == {"hello": "ada"}


def test_without_a_token_of_the_provider_for_this_api_the_private_page_is_closed(client, bearer):
    for headers in ({}, bearer(aud="https://other.example"), bearer(iss="https://other.example"), bearer(nonce="n")):
        assert client.get("/me", headers=headers).status_code == 401


def test_run_as_a_file_it_serves_on_this_machine_only(monkeypatch):
    served = []
    monkeypatch.delenv("ISSUER", raising=False)
    monkeypatch.setattr(uvicorn, "run", lambda app, *, host, port: served.append((app, host, port)))
    module = runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert served == [(module["app"], "127.0.0.1", 8000)]
    assert "uvicorn examples.identity_provider:app" in module["__doc__"]


def test_a_provider_elsewhere_must_speak_https(monkeypatch):
    monkeypatch.setenv("ISSUER", "http://login.example.com")
    with pytest.raises(ValueError, match="for an issuer on this machine only"):
        runpy.run_path(str(EXAMPLE))
