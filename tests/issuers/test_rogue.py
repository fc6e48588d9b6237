"""Providers that misbehave, on real TLS sockets: requests are answered in time, with 503 or as the keys say."""

import time
from datetime import timedelta

import anyio
import httpx
import pytest
from helpers import b64, claims, hs256, other_rsa_pem, protected
from issuers.providers import AUDIENCE, jwk, manager_of, settled, status, timed, token
from issuers.rogue import Rogue
from issuers.tls import certificate

from asgi_login.issuers import Issuer

pytestmark = pytest.mark.anyio

METADATA = "/.well-known/openid-configuration"
TIMEOUT = timedelta(seconds=0.5)


@pytest.fixture
def rogue():
    server = Rogue()
    server.answers = {METADATA: server.responds(body=metadata(server)), "/keys": server.responds(body=keys())}
    yield server
    server.close()


def metadata(server, **changes):
    return {"issuer": server.url, "jwks_uri": f"{server.url}/keys"} | changes


def keys(*jwks):
    return {"keys": [jwk(), *jwks]}


@pytest.fixture
async def client():
    async with httpx.AsyncClient(verify=certificate().client()) as client:
        yield client


def site(rogue, client, **settings):
    issuer = Issuer(rogue.url, client=client, **({"timeout": TIMEOUT} | settings))
    return protected(manager_of(issuer)), issuer


async def in_time(app, credential):
    """Return the status of a request that may take a second, on a machine that is busy."""
    began = time.monotonic()
    found = await status(app, credential)
    assert time.monotonic() - began < TIMEOUT.total_seconds() + 2
    return found


async def test_a_good_one_is_believed(rogue, client):
    app, _ = site(rogue, client, timeout=timedelta(seconds=5))
    assert await status(app, token(iss=rogue.url)) == 200
    assert rogue.asked == [METADATA, "/keys"]


async def test_without_a_client_of_its_own_it_is_not_trusted(rogue):
    app, _ = site(rogue, None)
    assert await status(app, token(iss=rogue.url)) == 503
    assert rogue.asked == []


MISBEHAVIOUR = {
    "drip": lambda rogue: rogue.drips(keys()),
    "hang": lambda rogue: rogue.hangs(),
    "hang up": lambda rogue: rogue.hangs_up(),
    "500": lambda rogue: rogue.responds(500),
    "429": lambda rogue: rogue.responds(429, headers=[b"retry-after: 3600"]),
    "301": lambda rogue: rogue.responds(301, keys(), headers=[b"location: /elsewhere"]),
    "10 MB": lambda rogue: rogue.floods(10, announced=True),
    "10 MB without an end": lambda rogue: rogue.floods(10, announced=False),
    "HTML": lambda rogue: rogue.responds(body=b"<!doctype html><title>Maintenance</title>"),
    "empty": lambda rogue: rogue.responds(),
    "no HTTP": lambda rogue: lambda connection: connection.sendall(b"\x00\x01\x02\r\n\r\n"),
}


@pytest.mark.parametrize("path", [METADATA, "/keys"])
@pytest.mark.parametrize("behaviour", MISBEHAVIOUR)
async def test_at_the_beginning_nobody_gets_in_and_nobody_waits_for_long(rogue, client, behaviour, path):
    rogue.answers[path] = MISBEHAVIOUR[behaviour](rogue)
    app, issuer = site(rogue, client)
    assert await in_time(app, token(iss=rogue.url)) == 503
    await settled(issuer)
    assert "/elsewhere" not in rogue.asked
    # What the sockets hold between the two.
    assert rogue.sent < 8_000_000


@pytest.mark.parametrize("behaviour", MISBEHAVIOUR)
async def test_later_the_keys_go_on_and_nobody_notices(rogue, client, behaviour):
    app, issuer = site(rogue, client)
    issuer._timeout = 5.0
    assert await status(app, token(iss=rogue.url)) == 200
    clock = timed(issuer)
    clock.now = issuer._source.due_at + 1
    issuer._timeout = TIMEOUT.total_seconds()
    rogue.answers["/keys"] = MISBEHAVIOUR[behaviour](rogue)
    for jti in "abc":
        began = time.monotonic()
        assert await status(app, token(iss=rogue.url, jti=jti)) == 200
        assert time.monotonic() - began < 0.4
    await settled(issuer)
    assert rogue.asked.count("/keys") == 2
    rogue.answers["/keys"] = rogue.responds(body=keys(jwk(other_rsa_pem(), "two")))
    issuer._timeout = 5.0
    clock.passes(minutes=2)
    assert await status(app, token("two", other_rsa_pem(), iss=rogue.url)) == 200


@pytest.mark.parametrize(
    "changes",
    [{"issuer": "https://evil.example"}, {"jwks_uri": "http://localhost/keys"}, {"jwks_uri": "/keys"}],
    ids=["wrong issuer", "http", "relative"],
)
async def test_bad_metadata_leads_nowhere(rogue, client, changes):
    rogue.answers[METADATA] = rogue.responds(body=metadata(rogue, **changes))
    assert await in_time(site(rogue, client)[0], token(iss=rogue.url)) == 503
    assert rogue.asked == [METADATA]


@pytest.mark.parametrize(
    "jwks",
    [
        [],
        [{"kty": "oct", "kid": "one", "k": b64(bytes(32))}],
        [jwk(d="AQAB")],
        [jwk(), jwk(other_rsa_pem())],
        [jwk(use="enc")],
    ],
    ids=["empty set", "oct", "private", "duplicate kid", "for encryption"],
)
async def test_a_set_without_a_usable_key_lets_nobody_in(rogue, client, jwks):
    rogue.answers["/keys"] = rogue.responds(body={"keys": jwks})
    assert await in_time(site(rogue, client)[0], token(iss=rogue.url)) == 503


async def test_a_secret_that_is_published_signs_nothing(rogue, client):
    secret = bytes(range(32))
    rogue.answers["/keys"] = rogue.responds(body=keys({"kty": "oct", "kid": "s", "alg": "HS256", "k": b64(secret)}))
    app, _ = site(rogue, client, timeout=timedelta(seconds=5))
    forged = hs256(claims(iss=rogue.url, aud=AUDIENCE), {"alg": "HS256", "kid": "s"}, secret)
    assert await status(app, forged) == 401
    assert await status(app, token(iss=rogue.url)) == 200


async def test_a_thousand_requests_at_the_beginning_cost_one_fetch(rogue, client):
    app, _ = site(rogue, client, timeout=timedelta(seconds=20))
    tokens, found = [token(iss=rogue.url, jti=str(i)) for i in range(4)], []

    async def send(credential):
        found.append(await status(app, credential))

    async with anyio.create_task_group() as tasks:
        for position in range(1000):
            tasks.start_soon(send, tokens[position % 4])
    assert found == [200] * 1000
    assert rogue.asked == [METADATA, "/keys"]


async def test_ten_thousand_unknown_kids_cost_one_fetch(rogue, client):
    app, issuer = site(rogue, client, timeout=timedelta(seconds=20))
    clock = timed(issuer)
    good = token(iss=rogue.url)
    assert await status(app, good) == 200
    clock.passes(seconds=31)
    _, payload, signature = good.split(".")
    for position in range(10_000):
        header = b64(f'{{"alg":"RS256","kid":"{position}"}}')
        assert await status(app, f"{header}.{payload}.{signature}") == 401
    assert rogue.asked.count("/keys") == 2


async def test_one_that_is_gone_for_23_hours_is_not_missed_and_for_25_hours_is(rogue, client):
    app, issuer = site(rogue, client, timeout=timedelta(seconds=5))
    clock = timed(issuer)
    assert await status(app, token(iss=rogue.url)) == 200
    rogue.close()
    clock.passes(hours=23)
    assert await status(app, token(iss=rogue.url, jti="other")) == 200
    await settled(issuer)
    clock.passes(hours=2)
    assert [await status(app, token(iss=rogue.url, jti=jti)) for jti in ("x", "other")] == [503, 503]
