"""The MCP server of the examples, as its docstring says, with tokens of an authorization server."""

import asyncio
import importlib
import socket
import sys

import httpx
import pytest
from helpers import public_pem, rsa_pem
from mcp_servers.clients import connected, said
from mcp_servers.provider import access_token
from mcp_servers.sites import serving

ISSUER = "https://login.example.com"


@pytest.fixture
def example(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        for name, value in {"ISSUER": ISSUER, "URL": url, "PUBLIC_KEY": public_pem(rsa_pem()).decode()}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, "examples.mcp_server", raising=False)
        with serving(listener, importlib.import_module("examples.mcp_server").app):
            yield url


def token(url, sub, *scopes):
    return access_token(ISSUER, sub, resource=url, scopes=scopes, pem=rsa_pem(), algorithm="RS256")


def test_everybody_has_notes_of_their_own(example):
    async def visit():
        ada, bob = token(example, "ada", "notes:read", "notes:write"), token(example, "bob", "notes:read")
        async with connected(example, ada) as hers, connected(example, bob, "legacy") as his:
            assert await said(hers, "add_note", text="buy gears") == "added"
            refused = await his.call_tool("add_note", {"text": "buy bread"})
            assert (refused.is_error, refused.content[0].text) == (
                True,
                "Error executing tool add_note: this needs the scope notes:write",
            )
            assert (await hers.call_tool("list_notes", {})).structured_content == {"result": ["buy gears"]}
            assert (await his.call_tool("list_notes", {})).structured_content == {"result": []}

    asyncio.run(visit())


def test_a_client_is_told_where_tokens_come_from(example):
    answer = httpx.post(example, trust_env=False)
    _, _, named = answer.headers["www-authenticate"].partition('resource_metadata="')
    described = httpx.get(named.removesuffix('"'), trust_env=False).json()
    assert (described["resource"], described["authorization_servers"]) == (example, [ISSUER])
    assert described["resource_name"] == "Notes"


def test_without_the_key_it_does_not_start(monkeypatch):
    monkeypatch.delenv("PUBLIC_KEY", raising=False)
    monkeypatch.delitem(sys.modules, "examples.mcp_server", raising=False)
    with pytest.raises(ValueError, match="PEM"):
        importlib.import_module("examples.mcp_server")
