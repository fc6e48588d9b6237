"""Logins without a framework: a token endpoint, browser sessions, and a gate around everything else.

python -m pip install . "pwdlib[argon2]" uvicorn
uvicorn examples.raw_asgi_app:app
curl -d username=ada -d "password=correct horse" http://127.0.0.1:8000/token
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from anyio import to_thread
from pwdlib import PasswordHash

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, Gate, Key, LoginManager, requires_scopes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_FORM_BYTES = 4_096
passwords = PasswordHash.recommended()  # Argon2id
HASHES = {"ada": passwords.hash("correct horse"), "bob": passwords.hash("battery staple")}  # instead of a database
NOBODY = passwords.hash("nobody")  # verified for unknown names, so that they take the same time
SCOPES = {"ada": ["orders:read"], "bob": []}
# This key and every login end with the process. A real service reads its secret from the environment.
manager = LoginManager[str](Key.generate(), transports=[BearerTransport(), CookieTransport()])


@manager.user_loader
async def load_user(sub: str) -> str | None:
    return sub if sub in HASHES else None


async def respond(send: Send, status: int, body: object) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def log_in(scope: Message, receive: Receive, send: Send) -> None:
    body, message = b"", {"more_body": True}
    while message.get("more_body") and len(body) <= MAX_FORM_BYTES:
        message = await receive()
        body += message.get("body", b"")
    form = dict(parse_qsl(body[:MAX_FORM_BYTES].decode("latin-1")))
    name, password = form.get("username", ""), form.get("password", "")
    if not await to_thread.run_sync(passwords.verify, password, HASHES.get(name, NOBODY)) or name not in HASHES:
        return await respond(send, 400, {"error": "invalid_grant"})  # RFC 6749 §5.2
    if scope["path"] == "/token":
        token = manager.create_access_token(data={"sub": name}, scopes=SCOPES[name])
        return await respond(send, 200, {"access_token": token, "token_type": "bearer"})
    # Refuse a form on another site with 403.
    manager.login_user(scope, name, scopes=SCOPES[name])
    return await respond(send, 200, {"user": name})


@requires_scopes("orders:read")
async def orders(scope: Message, send: Send) -> None:
    await respond(send, 200, {"orders of": scope["state"]["user"]})


async def site(scope: Message, receive: Receive, send: Send) -> None:
    match scope["type"], scope.get("method"), scope.get("path"):
        case "http", "POST", "/token" | "/login":
            await log_in(scope, receive, send)
        case "http", "POST", "/logout":
            manager.logout_user(scope)
            await respond(send, 200, {"user": None})
        case "http", "GET", "/" | "/me":
            await respond(send, 200, {"user": scope["state"]["user"]})
        case "http", "GET", "/orders":
            await orders(scope, send)
        case "http", _, _:
            await respond(send, 404, {"error": "not_found"})


app = AuthMiddleware(Gate(site, exempt=["/", "/token", "/login", "/logout"]), manager)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)
