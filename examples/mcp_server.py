"""An MCP server where everybody has notes of their own. Clients find out by themselves where they get a token.

python -m pip install ".[issuers]" "mcp>=2.3" uvicorn
export ISSUER=https://login.example.com URL=http://127.0.0.1:8000/mcp
uvicorn examples.mcp_server:app
"""

import os
from collections import defaultdict

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from asgi_login import AuthMiddleware, Gate, LoginManager, Resource, current_auth
from asgi_login.issuers import Issuer
from asgi_login.oauth import Endpoints, ResourceMetadata

ISSUER = os.environ.get("ISSUER", "https://login.example.com")
# An authorization server on this machine, as in development, may speak plain http; any other must not.
issuer = Issuer.insecure_for_development(ISSUER) if ISSUER.startswith("http://") else Issuer(ISSUER)
# Its URL as clients see it. The authorization server writes it into each token as `aud`, because clients ask for that.
resource = Resource(
    os.environ.get("URL", "http://127.0.0.1:8000/mcp"),
    authorization_servers=[ISSUER],
    scopes=["notes:read"],
    name="Notes",
)
manager = LoginManager[str](issuer, token_url=None, resource=resource, sessions=None)
server = MCPServer("notes")
notes: defaultdict[str, list[str]] = defaultdict(list)  # instead of a database


@manager.user_loader
async def load_user(sub: str) -> str:
    return sub  # whoever the authorization server knows


@server.tool()
async def list_notes() -> list[str]:
    """List my notes."""
    return notes[current_auth().user]


@server.tool()
async def add_note(text: str) -> str:
    """Add a note to mine."""
    if "notes:write" not in current_auth().scopes:
        raise ToolError("this needs the scope notes:write")
    notes[current_auth().user].append(text)
    return "added"


# Clients of older protocols would have sessions, of which the SDK does not know whose they are behind a gate alone.
tools = server.streamable_http_app(stateless_http=True)
app = Endpoints(AuthMiddleware(Gate(tools, resource.scopes or ()), manager), ResourceMetadata(manager))

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)
