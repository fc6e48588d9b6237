"""What uvicorn serves: the same page with a ready user, and with the middleware."""

from typing import Any

from asgi_login import AuthMiddleware
from benchmarks.frameworks import ReadyUser
from benchmarks.ours import make_manager


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the user's name, or with a dash."""
    body = (scope["state"]["user"] or "-").encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


without = ReadyUser(page)
with_middleware = AuthMiddleware(page, make_manager())
