"""What uvicorn serves: the same page with a ready user and with the middleware; and logins and logouts with a store."""

import os
from typing import Any

from asgi_login import AuthMiddleware, CookieTransport, LoginManager
from benchmarks import frameworks
from benchmarks.frameworks import ReadyUser
from benchmarks.keys import SECRET
from benchmarks.ours import load_user, make_manager
from benchmarks.serving import PATIENT


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the user's name, or with a dash."""
    body = (scope["state"]["user"] or "-").encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


without = ReadyUser(page)
with_middleware = AuthMiddleware(page, make_manager())


def _logins(url: str) -> AuthMiddleware:
    """Return an application that logs in and out, and says by its status whether somebody is logged in."""
    from asgi_login.redis import RedisStore

    store = RedisStore(url, timeout=PATIENT)
    manager = LoginManager(SECRET, transports=[CookieTransport.insecure_for_development()], store=store)
    manager.user_loader(load_user)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/":
            await frameworks.page(scope, receive, send)
            return
        if scope["path"] == "/login":
            manager.login_user(scope, "ada")
        else:
            manager.logout_user(scope)
        await page(scope, receive, send)

    return AuthMiddleware(app, manager)


if "BENCHMARK_STORE" in os.environ:
    with_store = _logins(os.environ["BENCHMARK_STORE"])
