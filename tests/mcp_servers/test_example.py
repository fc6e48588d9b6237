"""The MCP server of the examples, as its docstring says, with tokens of an authorization server."""

import asyncio
import importlib
import runpy
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import uvicorn
from mcp_servers.clients import connected, discovering, said
from mcp_servers.provider import access_token, make_provider
from mcp_servers.sites import serving

EXAMPLE = Path(__file__).parents[2] / "examples" / "mcp_server.py"


@pytest.fixture
def places(monkeypatch):
    """Serve the example and an authorization server, and return their URLs."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        issuer, origin = (f"http://127.0.0.1:{listener.getsockname()[1]}/" for listener in listeners)
        monkeypatch.setenv("ISSUER", issuer)
        monkeypatch.setenv("URL", f"{origin}mcp")
        monkeypatch.delitem(sys.modules, "examples.mcp_server", raising=False)
        apps = make_provider(issuer), importlib.import_module("examples.mcp_server").app
        for listener, app in zip(listeners, apps, strict=True):
            stack.enter_context(serving(listener, app))
        yield issuer, f"{origin}mcp"


@pytest.fixture
def example(places):
    return places[1]


@pytest.fixture
def token(places):
    issuer, url = places
    return lambda sub, *scopes: access_token(issuer, sub, resource=url, scopes=scopes)


def test_everybody_has_notes_of_their_own(example, token):
    async def visit():
        ada, bob = token("ada", "notes:read", "notes:write"), token("bob", "notes:read")
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


def test_a_client_is_told_where_tokens_come_from(places):
    issuer, example = places
    answer = httpx.post(example, trust_env=False)
    _, _, named = answer.headers["www-authenticate"].partition('resource_metadata="')
    described = httpx.get(named.removesuffix('"'), trust_env=False).json()
    assert (described["resource"], described["authorization_servers"]) == (example, [issuer])
    assert described["resource_name"] == "Notes"


def test_a_client_gets_its_token_by_itself(example):
    async def visit():
        auth, _ = discovering(example, "ada")
        async with connected(example, auth) as client:
            return (await client.call_tool("list_notes", {})).structured_content

    assert asyncio.run(visit()) == {"result": []}


def test_run_as_a_file_it_serves_on_this_machine_only(monkeypatch):
    served = []
    monkeypatch.delenv("ISSUER", raising=False)
    monkeypatch.setattr(uvicorn, "run", lambda app, *, host, port: served.append((app, host, port)))
    module = runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert served == [(module["app"], "127.0.0.1", 8000)]
    assert "uvicorn examples.mcp_server:app" in module["__doc__"]
