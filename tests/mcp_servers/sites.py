"""MCP servers, each protected in another way, beside an authorization server: all of them on real sockets."""

import asyncio
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider
from fastmcp.server.dependencies import get_access_token as fastmcp_access_token
from fastmcp.server.dependencies import get_http_request
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context, MCPServer
from mcp_servers.provider import access_token, make_provider

from asgi_login import (
    AuthMiddleware,
    Gate,
    LoginManager,
    MemoryStore,
    Resource,
    ServiceUnavailable,
    current_auth,
    get_auth,
)
from asgi_login.issuers import Issuer
from asgi_login.mcp import Verifier
from asgi_login.oauth import Endpoints, ResourceMetadata

NEEDED = ["notes:read"]
PATIENCE = 20


class DatabaseDownError(Exception):
    """What the user loader raises when the database is down."""


def make_manager(issuer, url):
    resource = Resource(url, authorization_servers=[issuer], scopes=NEEDED, name="Notes")
    keys = Issuer.insecure_for_development(issuer)
    manager = LoginManager(keys, token_url=None, resource=resource, sessions=None, store=MemoryStore())

    @manager.user_loader
    async def load(sub):
        if sub == "broken":
            raise DatabaseDownError
        if sub == "unavailable":
            raise ServiceUnavailable
        return sub if sub in {"ada", "bob"} else None

    return manager


def behind_gate(manager, app):
    return Endpoints(AuthMiddleware(Gate(app, NEEDED), manager), ResourceMetadata(manager))


def settings(manager):
    resource = manager.config.resource
    return AuthSettings(
        issuer_url=resource.authorization_servers[0],
        resource_server_url=resource.url,
        required_scopes=NEEDED,
        validate_token_resource=True,
    )


def with_tools(server, who):
    @server.tool()
    async def whoami(ctx: Context) -> str:
        """Say who asks."""
        # Others are served in between.
        await asyncio.sleep(0)
        return who(ctx)

    return server


def of_request(ctx):
    assert current_auth().user == get_auth(ctx.request_context.request).user
    return current_auth().user


def of_token(_ctx):
    return get_access_token().subject


def gate(manager):
    """Return a server of the SDK that keeps no sessions, behind a gate."""
    server = with_tools(MCPServer("notes"), of_request)
    return behind_gate(manager, server.streamable_http_app(stateless_http=True))


def verifier(manager):
    """Return a server of the SDK that has its own authentication."""
    server = MCPServer("notes", token_verifier=Verifier(manager), auth=settings(manager))
    return with_tools(server, of_token).streamable_http_app()


def both(manager):
    """Return a server of the SDK that has its own authentication, behind a gate."""
    server = MCPServer("notes", token_verifier=Verifier(manager), auth=settings(manager))
    return behind_gate(manager, with_tools(server, of_request).streamable_http_app())


def fastmcp_gate(manager):
    """Return a server of FastMCP that keeps no sessions, behind a gate."""
    server = FastMCP("notes")

    @server.tool
    def whoami() -> str:
        """Say who asks."""
        assert current_auth().user == get_auth(get_http_request()).user
        return current_auth().user

    return behind_gate(manager, server.http_app(stateless_http=True))


def fastmcp_verifier(manager):
    """Return a server of FastMCP that has its own authentication."""
    resource = manager.config.resource
    auth = RemoteAuthProvider(
        Verifier(manager),
        authorization_servers=list(resource.authorization_servers),
        base_url=resource.url.removesuffix("/mcp"),
        scopes_supported=NEEDED,
        required_scopes=NEEDED,
    )
    server = FastMCP("notes", auth=auth)

    @server.tool
    def whoami() -> str:
        """Say who asks."""
        return fastmcp_access_token().subject

    return server.http_app()


def sessions_behind_gate(manager):
    """Return a server that keeps sessions and does not know whose they are."""
    return behind_gate(manager, with_tools(MCPServer("notes"), of_request).streamable_http_app())


KINDS = [gate, verifier, both, fastmcp_gate, fastmcp_verifier]


@dataclass
class Site:
    """An MCP server, and the authorization server that it names."""

    url: str
    issuer: str
    manager: LoginManager

    def token(self, sub, **what):
        return access_token(self.issuer, sub, **{"resource": self.url, **what})


class _Server(uvicorn.Server):
    """A uvicorn that tells when it answers."""

    def __init__(self, app):
        # As `python -m uvicorn`, but for the log.
        super().__init__(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        self.answers = threading.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.answers.set()


@contextmanager
def running(kind, *, with_provider=True):
    """Serve both, each in a thread of its own; without the provider, its port answers nobody."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        first, origin = (f"http://127.0.0.1:{listener.getsockname()[1]}" for listener in listeners)
        # The SDK's server ends its name with a slash, and clients compare it to the byte.
        issuer = f"{first}/"
        manager = make_manager(issuer, f"{origin}/mcp")
        if with_provider:
            stack.enter_context(serving(listeners[0], make_provider(issuer)))
        else:
            listeners[0].close()
        stack.enter_context(serving(listeners[1], kind(manager)))
        yield Site(f"{origin}/mcp", issuer, manager)


@contextmanager
def serving(listener, app):
    server = _Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert server.answers.wait(PATIENCE)
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()
