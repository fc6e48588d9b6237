"""The MCP SDK's own client, in a browser where somebody is logged in at the authorization server."""

from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

CALLBACK = "http://127.0.0.1:1/callback"


class Storage:
    """Where a client keeps its token, and what it is called at the server."""

    tokens = client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info


class Browser:
    """Opens the page of the authorization server, and is sent back from it."""

    def __init__(self, user):
        self.user = user
        self.asked = []

    async def open(self, url):
        self.asked.append({name: value for name, [value] in parse_qs(urlsplit(url).query).items()})
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, headers={"x-user": self.user})
        assert answer.status_code == 302, answer.text
        self.sent_back_to = answer.headers["location"]

    async def come_back(self):
        assert self.sent_back_to.startswith(CALLBACK)
        found = {name: value for name, [value] in parse_qs(urlsplit(self.sent_back_to).query).items()}
        return AuthorizationCodeResult(**found)


def discovering(url, user):
    """Return authentication that begins with nothing but the URL of the MCP server, and its browser."""
    browser = Browser(user)
    metadata = OAuthClientMetadata(redirect_uris=[CALLBACK], client_name="test", grant_types=["authorization_code"])
    return OAuthClientProvider(url, metadata, Storage(), browser.open, browser.come_back), browser


@asynccontextmanager
async def connected(url, auth, mode="auto"):
    """Connect to an MCP server; `auth` may be an access token. The client has the requests in `.requests`."""
    seen = []

    async def note(response):
        seen.append((response.request, response))

    headers = {"authorization": f"Bearer {auth}"} if isinstance(auth, str) else {}
    http = httpx2.AsyncClient(
        auth=None if headers else auth,
        headers=headers,
        trust_env=False,
        event_hooks={"response": [note]},
        timeout=20,
    )
    async with http, Client(streamable_http_client(url, http_client=http), mode=mode) as client:
        client.seen = seen
        yield client


async def said(client, tool, **arguments):
    """Call a tool, and return the text that it answers."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.content[0].text
