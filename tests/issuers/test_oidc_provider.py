"""A provider that nobody here wrote: oidc-provider for Node.js, a certified OpenID Provider, on loopback TLS."""

import json
import os
import shutil
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from helpers import ec_pem, ed25519_pem, other_rsa_pem, protected, rsa_pem
from issuers.providers import KINDS, manager_of, settled, status, timed
from issuers.rogue import free_port, until_it_listens
from issuers.tls import certificate

from asgi_login.issuers import Issuer

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).with_name("npm")
API = "https://orders.example"
NODE = shutil.which("node")
HOW_TO_GET = "this needs Node.js 18 or later and: npm ci --prefix tests/issuers/npm --ignore-scripts"


@pytest.fixture(scope="module", autouse=True)
def _needed():
    """Skip where there is no such provider. CI installs it, and skips nothing."""
    if NODE is None or not (FOLDER / "node_modules").is_dir():
        assert "CI" not in os.environ, HOW_TO_GET
        pytest.skip(HOW_TO_GET)


def private_jwk(kty, pem, kid, alg):
    made = KINDS[kty].to_jwk(load_pem_private_key(pem, None), as_dict=True)
    made.pop("key_ops", None)
    return made | {"kid": kid, "use": "sig", "alg": alg}


OLD = ("RSA", rsa_pem(), "old", "RS256")
NEW = ("RSA", other_rsa_pem(), "new", "RS256")


class OpenIDProvider:
    """The provider. It can be stopped, and started again with other keys, at the same address."""

    def __init__(self):
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self._process = None

    def start(self, *keys):
        """Start it; the first key signs."""
        tls = certificate()
        jwks = {"keys": [private_jwk(*key) for key in keys]}
        settings = {"port": self.port, "cert": tls.cert, "key": tls.key, "jwks": jwks, "alg": keys[0][3]}
        command = [NODE, "provider.mjs", json.dumps(settings)]
        self._process = subprocess.Popen(  # noqa: S603 - ours
            command, cwd=FOLDER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until_it_listens(self.port)

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def token(self, **changes):
        """Return an access token that the provider issues, as to a machine (RFC 6749 §4.4, RFC 8707)."""
        form = {"grant_type": "client_credentials", "scope": "orders:read", "resource": API} | changes
        secret = ("robot", "secret-of-the-robot")
        response = httpx.post(f"{self.url}/token", data=form, auth=secret, verify=certificate().client())
        assert response.status_code == 200, response.text
        return response.json()["access_token"]


@pytest.fixture
def provider():
    one = OpenIDProvider()
    yield one
    one.stop()


@pytest.fixture
async def client():
    async with httpx.AsyncClient(verify=certificate().client()) as client:
        yield client


def site(provider, client, **settings):
    """Return an application, its manager, the Issuer and its clock."""
    issuer = Issuer(provider.url, client=client, timeout=timedelta(seconds=20), **settings)
    manager = manager_of(issuer, users=("robot",), audience=API, clock=time.time, leeway=timedelta(seconds=5))
    return protected(manager, scopes=["orders:read"]), issuer, timed(issuer)


async def test_discovery_rotation_failure_and_restart(provider, client):
    provider.start(OLD)
    app, issuer, clock = site(provider, client, access_token_types=("at+jwt",))
    old = provider.token()
    assert await status(app, old) == 200

    # A new key signs, the old one is still published.
    provider.stop()
    provider.start(NEW, OLD)
    new = provider.token()
    assert await status(app, new) == 401
    clock.passes(seconds=31)
    assert [await status(app, one) for one in (new, old, new)] == [200, 200, 200]

    # The old key is withdrawn.
    provider.stop()
    provider.start(NEW)
    clock.passes(minutes=11)
    assert await status(app, new) == 200
    await settled(issuer)
    assert [await status(app, one) for one in (new, old)] == [200, 401]

    # It is down, for a night and then for longer.
    provider.stop()
    clock.passes(hours=23)
    assert await status(app, new) == 200
    await settled(issuer)
    clock.passes(hours=2)
    assert await status(app, new) == 503

    # And back.
    provider.start(NEW)
    assert await status(app, new) == 503
    clock.passes(minutes=2)
    assert await status(app, new) == 200


@pytest.mark.parametrize(
    "key", [OLD, ("EC", ec_pem(), "ec", "ES256"), ("OKP", ed25519_pem(), "ed", "EdDSA")], ids=["RSA", "EC", "OKP"]
)
async def test_keys_of_every_kind_verify(provider, client, key):
    provider.start(key)
    app, *_ = site(provider, client)
    assert await status(app, provider.token()) == 200


async def test_tokens_of_another_api_and_with_other_scopes_do_not_get_in(provider, client):
    provider.start(OLD)
    app, *_ = site(provider, client)
    assert await status(app, provider.token(resource="https://other.example")) == 401
    assert await status(app, provider.token(scope="orders:write")) == 403


async def test_a_manager_that_starts_before_its_provider_serves_as_soon_as_that_is_there(provider, client):
    provider.start(OLD)
    token = provider.token()
    provider.stop()
    app, _, clock = site(provider, client)
    assert await status(app, token) == 503
    provider.start(OLD)
    clock.passes(seconds=2)
    assert await status(app, token) == 200
