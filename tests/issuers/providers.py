"""Identity providers of the tests: keys, tokens and a fake transport that counts what it is asked for."""

import json
from datetime import timedelta
from functools import cache

import anyio
import anyio.lowlevel
import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from helpers import (
    b64,
    bearer,
    claims,
    ec_pem,
    ed25519_pem,
    http_scope,
    make_manager,
    rsa_pem,
    send_request,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from asgi_login import Key
from asgi_login.issuers import Issuer

URL = "https://idp.example"
KEYS_URL = "https://idp.example/keys"
METADATA_URL = "https://idp.example/.well-known/openid-configuration"
AUDIENCE = "https://api.example"
KINDS = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}


def jwk(pem=None, kid="one", kty="RSA", **members):
    """Return the public half of a key as a JWK, with changes; `...` leaves a member out."""
    public = load_pem_private_key(pem or {"RSA": rsa_pem, "EC": ec_pem, "OKP": ed25519_pem}[kty](), None).public_key()
    made = KINDS[kty].to_jwk(public, as_dict=True)
    made.pop("key_ops", None)
    return {name: value for name, value in (made | {"kid": kid, "use": "sig"} | members).items() if value is not ...}


@cache
def signer(pem, algorithm):
    # Loading a private key takes longer than everything else here.
    return Key(pem, algorithm)


def signed(header, payload, pem=None, algorithm="RS256"):
    """Return a token with a good signature, whatever it says."""
    body = ".".join(b64(json.dumps(part)) for part in (header, payload))
    return f"{body}.{b64(signer(pem or rsa_pem(), algorithm).sign(body.encode()))}"


def token(kid="one", pem=None, header=None, **changes):
    """Return a token of the provider, signed with RS256; `...` leaves a claim, or the `kid`, out."""
    names = {"alg": "RS256", "typ": "JWT", "kid": kid} | (header or {})
    payload = claims(**({"iss": URL, "aud": AUDIENCE} | changes))
    return signed({name: value for name, value in names.items() if value is not ...}, payload, pem)


class Provider:
    """Answers what it is told to, and counts. A test changes `keys`, or puts another answer to a URL."""

    def __init__(self, keys=None, *, url=URL):
        self.url = url
        self.keys = [jwk()] if keys is None else keys
        self.asked = []
        self.answers = {}

    def __call__(self, request):
        url = str(request.url)
        self.asked.append(url)
        if url in self.answers:
            answer = self.answers[url]
            if isinstance(answer, Exception):
                raise answer
            return answer() if callable(answer) else answer
        if url == f"{self.url}/.well-known/openid-configuration":
            return httpx.Response(200, json={"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        if url == f"{self.url}/keys":
            return httpx.Response(200, json={"keys": self.keys})
        return httpx.Response(404)

    @property
    def fetches(self):
        """How often the set was asked for."""
        return self.asked.count(f"{self.url}/keys")

    def client(self):
        return httpx.AsyncClient(transport=httpx.MockTransport(self))

    def issuer(self, **settings):
        settings = {"jwks_uri": f"{self.url}/keys", "client": self.client()} | settings
        return Issuer(self.url, **settings)


class Time:
    """The monotonic clock of an Issuer; a test moves it."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def passes(self, **duration):
        self.now += timedelta(**duration).total_seconds()


def timed(issuer, *, random=0.5):
    """Give an Issuer a clock that stands still, and chance that is none. Without a spread, 0.5 is the exact time."""
    issuer._monotonic = Time()
    issuer._source._random = lambda: random
    return issuer._monotonic


def ready(issuer):
    """Have an Issuer fetch its keys, so that tests that need no event loop can go on."""
    anyio.run(issuer.learn, None)
    return issuer


async def settled(issuer):
    """Wait until nothing is being fetched."""
    while issuer._flights.is_under_way():
        await anyio.lowlevel.checkpoint()


async def status(app, credential):
    """Return what a request with this token is answered."""
    return (await send_request(app, http_scope(headers=[bearer(credential)]))).status


def manager_of(secret, **settings):
    return make_manager(secret, **({"audience": AUDIENCE} | settings))
