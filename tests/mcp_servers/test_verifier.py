"""Verifier: what the MCP SDK is told of a token."""

import asyncio
import re
import subprocess
import sys

import jwt
import pytest
from helpers import SECRET, Clock, make_manager
from issuers.providers import URL as PROVIDER
from issuers.providers import Provider
from issuers.providers import token as provider_token
from mcp.server.auth.provider import AccessToken, principal_components

import asgi_login.fastapi
from asgi_login import AuthMiddleware, LoginManager, Resource, ServiceUnavailable
from asgi_login.mcp import Verifier

URL = "https://mcp.example.com/mcp"
RESOURCE = Resource(URL, authorization_servers=["https://login.example.com"])


def told(manager, *, scopes=(), **claims):
    token = manager.create_access_token(data={"sub": "ada", **claims}, scopes=scopes)
    return token, asyncio.run(Verifier(manager).verify_token(token))


def test_it_is_told_everything():
    manager = make_manager(resource=RESOURCE, issuer="https://login.example.com")
    token, answer = told(manager, scopes=["b", "a"], client_id="inspector", nested={"a": [1, {"b": None}]})
    claims = jwt.decode(token, options={"verify_signature": False})
    assert answer == AccessToken(
        token=token,
        client_id="inspector",
        scopes=["a", "b"],
        expires_at=manager.config.clock.now + 900,
        resource=URL,
        subject="ada",
        claims=claims,
    )
    assert principal_components(answer) == ("inspector", "https://login.example.com", "ada")
    answer.model_dump_json()


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        ({}, "ada"),
        ({"azp": "app"}, "app"),
        ({"azp": "app", "client_id": "cli"}, "cli"),
        ({"client_id": 7, "azp": ["app"]}, "ada"),
        ({"client_id": "", "azp": "app"}, "app"),
        ({"client_id": "a\nb"}, "ada"),
    ],
)
def test_the_client_is_the_first_that_is_named(claims, client):
    _, answer = told(make_manager(), **claims)
    assert (answer.client_id, answer.subject) == (client, "ada")


@pytest.mark.parametrize(
    ("settings", "aud", "resource"),
    [
        ({}, None, None),
        ({"audience": "api"}, None, "api"),
        ({"insecure_any_audience": True}, ["a", "b"], "a"),
        ({"resource": RESOURCE}, None, URL),
    ],
)
def test_the_resource_is_what_the_token_is_for(settings, aud, resource):
    manager = make_manager(**settings)
    _, answer = told(manager, **({} if aud is None else {"aud": aud}))
    assert answer.resource == resource


def test_of_several_audiences_the_resource_is_this_server():
    manager = make_manager(resource=RESOURCE)
    now = int(manager.config.clock.now)
    claims = {"sub": "ada", "aud": ["https://other.example.com", URL], "exp": now + 60}
    token = jwt.encode(claims, SECRET, "HS256", {"typ": "at+jwt"})
    assert asyncio.run(Verifier(manager).verify_token(token)).resource == URL


@pytest.mark.parametrize(
    ("audience", "claims", "resource"),
    [
        (None, {"client_id": URL, "aud": "something else"}, URL),
        ([URL, "app"], {"client_id": "app", "aud": "something else"}, "something else"),
    ],
)
def test_an_issuer_may_say_in_another_claim_whom_a_token_is_for(audience, claims, resource):
    async def verify():
        issuer = Provider().issuer(audience_claim="client_id", subject_claim="oid")
        manager = make_manager(issuer, users=None, resource=RESOURCE, audience=audience)
        return await Verifier(manager).verify_token(provider_token(oid="ada@example", **claims))

    answer = asyncio.run(verify())
    assert (answer.resource, answer.subject) == (resource, "ada@example")
    assert principal_components(answer) == (claims["client_id"], PROVIDER, "ada@example")


@pytest.mark.parametrize("token", ["", "nonsense", "é", "a b", "\x00", "a.b.c"])
def test_what_is_no_token_is_none(token):
    assert asyncio.run(Verifier(make_manager()).verify_token(token)) is None


def test_a_token_that_is_not_accepted_is_none():
    clock = Clock()
    manager = make_manager(clock=clock)
    token = manager.create_access_token(data={"sub": "ada"})
    assert asyncio.run(Verifier(make_manager("another-secret-of-thirty-two-bytes!")).verify_token(token)) is None
    assert told(manager, sub="nobody")[1] is None
    clock.now += 901
    assert asyncio.run(Verifier(manager).verify_token(token)) is None


@pytest.mark.parametrize("problem", [ServiceUnavailable("the store is down"), OSError("the database is down")])
def test_what_cannot_be_found_out_is_raised_anew(problem):
    manager = LoginManager(SECRET)

    @manager.user_loader
    async def load(sub):
        raise problem

    token = manager.create_access_token(data={"sub": "ada"})
    with pytest.raises(type(problem)) as raised:
        asyncio.run(Verifier(manager).verify_token(token))
    assert raised.value.__context__ is None


def test_a_loader_that_takes_the_scope_is_refused_whenever_it_is_registered():
    manager = LoginManager(SECRET)
    early = Verifier(manager)

    @manager.user_loader
    async def load(sub, scope):
        return sub

    with pytest.raises(TypeError, match="put AuthMiddleware and a Gate around the server"):
        Verifier(manager)
    with pytest.raises(TypeError, match="the SDK hands on the token alone"):
        asyncio.run(early.verify_token("nonsense"))


def test_it_takes_a_manager_of_fastapi_and_nothing_else():
    Verifier(asgi_login.fastapi.LoginManager(SECRET, "/auth/token"))
    for other in (SECRET, RESOURCE, AuthMiddleware(lambda scope, receive, send: None, make_manager())):
        with pytest.raises(TypeError, match=r"Verifier\(manager\) takes a LoginManager"):
            Verifier(other)


@pytest.mark.parametrize(
    "before",
    [
        "sys.modules['mcp'] = None",
        # As the SDK was before it told users apart.
        "import pydantic, mcp.server.auth.provider as p; p.AccessToken = pydantic.create_model('A', token=str)",
    ],
)
def test_without_the_sdk_or_with_an_old_one_it_says_what_to_install(before):
    code = f"import sys; {before}; import asgi_login.mcp"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    last = outcome.stderr.strip().splitlines()[-1]
    assert re.fullmatch(
        r'ImportError: asgi_login\.mcp needs the MCP Python SDK 2\.3 or later: pip install "mcp>=2\.3"', last
    )
