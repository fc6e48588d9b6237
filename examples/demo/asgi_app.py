"""The application without a framework: three callables and a Gate. The visitor is in `scope["state"]`."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgi_login import Gate
from examples.demo.pages import protected_page

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def me(scope: Scope, _receive: Receive, send: Send) -> None:
    """Return who the visitor is."""
    state = scope["state"]
    visitor = {"user": state["user"].name, "scopes": sorted(state["scopes"]), "fresh": state["auth"].fresh}
    body = json.dumps({"app": "plain ASGI", **visitor})
    await respond(send, 200, "application/json", body)


async def audit(scope: Scope, _receive: Receive, send: Send) -> None:
    """Show a page to those who may read the audit log."""
    body = protected_page("Audit log", scope)
    await respond(send, 200, "text/html; charset=utf-8", body)


ROUTES = {
    "/me": Gate(me),
    "/audit": Gate(audit, scopes=["audit:read"]),
}


async def asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Choose the callable that answers."""
    if scope["type"] != "http":
        await receive()
        await send({"type": "websocket.close"})
        return
    handler = ROUTES.get(scope["path"].removeprefix(scope["root_path"]))
    if handler is None:
        await respond(send, 404, "text/plain", "Not Found")
    elif scope["method"] not in {"GET", "HEAD"}:
        await respond(send, 405, "text/plain", "Method Not Allowed", (b"allow", b"GET, HEAD"))
    else:
        await handler(scope, receive, send)


async def respond(send: Send, status: int, kind: str, body: str, *headers: tuple[bytes, bytes]) -> None:
    """Send a complete response."""
    content = body.encode()
    lines = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": content})
