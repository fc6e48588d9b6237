"""Answers a browser with a page where asgi-login answers 403 with JSON. API clients get the JSON."""

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asgi_login import get_auth
from examples.demo.checks import checks
from examples.demo.pages import page, refused_page, way
from examples.demo.places import PLACES, Place

FORBIDDEN = 403


class RefusalPages:
    """Replaces the body of each 403 that is JSON. Status and challenge stay.

    It lies outside of AuthMiddleware, which is what answers for most applications, and for cross-origin requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self.app(scope, receive, send)
            return
        # Now, because a framework may change the path in the scope.
        place = next((place for place in PLACES if place.path == scope["path"]), None)
        start: Message | None = None
        body = b""

        async def send_page(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_refusal(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    content = _page(scope, place, start, body).encode()
                    await _send_page(scope["method"], send, start, content)

        await self.app(scope, receive, send_page)


def _is_refusal(start: Message) -> bool:
    return start["status"] == FORBIDDEN and Headers(raw=start["headers"]).get("content-type") == "application/json"


def _page(scope: Scope, place: Place | None, start: Message, body: bytes) -> str:
    challenge = Headers(raw=start["headers"]).get("www-authenticate", "")
    if place is not None and 'error="insufficient_scope"' in challenge:
        return refused_page(place, scope)
    said = json.loads(body or b"{}").get("error_description", "This request is refused")
    user = get_auth(scope).user
    return page("forbidden", title="403 Forbidden", user=user, said=f"{said}.", way=way(checks(scope)))


async def _send_page(method: str, send: Send, start: Message, content: bytes) -> None:
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["Content-Type"] = "text/html; charset=utf-8"
    headers["Content-Length"] = str(len(content))
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else content})
