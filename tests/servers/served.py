"""One application for real servers: it tells who is asking, has gates of every kind, and logs in and out."""

import json
import os
from urllib.parse import parse_qs

from anyio import sleep
from anyio.lowlevel import checkpoint
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Gate,
    LoginManager,
    MemoryStore,
    current_auth,
    get_auth,
    login_required,
    requires_scopes,
)

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"
COOKIE = "access-token"
LIFESPAN = {}

manager = LoginManager(
    SECRET,
    transports=[BearerTransport(), CookieTransport.insecure_for_development(COOKIE)],
    store=MemoryStore(),
)


@manager.user_loader
async def load_user(sub):
    # Requests of others run in between.
    await checkpoint()
    return None if sub == "gone" else sub


def describe(scope):
    lines = [name.lower() for name, _ in scope["headers"]]
    return {
        "user": scope["state"]["user"],
        "context": current_auth().user,
        "transport": scope["state"]["auth"].transport,
        "client": scope.get("client"),
        "http_version": scope.get("http_version"),
        "cookie_lines": lines.count(b"cookie"),
        "extensions": sorted(scope.get("extensions") or ()),
        "from_lifespan": scope["state"].get("from_lifespan"),
        "lifespan_state": sorted(LIFESPAN.get("state") or ()),
        "pid": os.getpid(),
    }


async def answer(send, content, *headers):
    body = json.dumps(content).encode()
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": 200, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive):
    """Read the request to its end: hypercorn drops an HTTP/2 connection on a frame for what is answered already."""
    while (await receive()).get("more_body"):
        pass


async def who(scope, receive, send):
    await read_body(receive)
    before = current_auth().user
    await checkpoint()
    await answer(send, describe(scope) | {"before": before})


@login_required
def name_in_a_plain_view():
    return current_auth().user


async def thread(scope, receive, send):
    name = await run_sync(name_in_a_plain_view)
    await answer(send, describe(scope) | {"before": name})


async def login(scope, receive, send):
    await read_body(receive)
    user = parse_qs(scope["query_string"].decode())["user"][0]
    manager.login_user(scope, user, remember=True)
    await answer(send, {}, (b"set-cookie", b"theme=dark; Path=/"))


async def logout(scope, receive, send):
    await read_body(receive)
    manager.logout_user(scope)
    await answer(send, {})


async def stream(scope, receive, send):
    """Need a user when the response is half sent."""
    await read_body(receive)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
    get_auth(scope).require()
    await send({"type": "http.response.body", "body": b"data: 2\n\n"})


async def ticks(scope, receive, send):
    """Stream for as long as anybody may listen."""
    await read_body(receive)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    while True:
        await send({"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True})
        await sleep(0.01)


async def end(scope, receive, send):
    await read_body(receive)
    await manager.revoke_user(parse_qs(scope["query_string"].decode())["user"][0])
    await answer(send, {})


async def broken(scope, receive, send):
    """Fail as a framework does that does not know AuthError: it answers 500, and raises."""
    try:
        await login_required(who)(scope, receive, send)
    except Exception:
        body = b"Internal Server Error"
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        raise


async def talk(scope, receive, send):
    """Tell an accepted websocket who it is, each time it asks."""
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": json.dumps(describe(scope))})


async def websocket(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    await talk(scope, receive, send)


def accepted_first(view):
    async def accept(scope, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await view(scope, receive, send)

    return accept


async def websocket_login(scope, receive, send):
    manager.login_user(scope, "ada")
    await websocket(scope, receive, send)


@login_required
async def starlette_private(request):
    return JSONResponse(describe(request.scope))


@requires_scopes("read")
async def starlette_scoped(request):
    return JSONResponse(describe(request.scope))


@login_required
async def starlette_websocket(connection):
    await connection.accept()
    async for _ in connection.iter_text():
        await connection.send_json(describe(connection.scope))


STARLETTE = Starlette(
    routes=[
        Route("/starlette/private", starlette_private),
        Route("/starlette/scoped", starlette_scoped),
        WebSocketRoute("/starlette/websocket", starlette_websocket),
    ]
)
VIEWS = {
    "http": {
        "/who": who,
        "/thread": thread,
        "/private": login_required(who),
        "/scoped": requires_scopes("read")(who),
        "/gate": Gate(who),
        "/gate/scoped": Gate(who, scopes=["read"]),
        "/broken": broken,
        "/stream": stream,
        "/ends": Gate(ticks, end_connections=True),
        "/end": end,
        "/login": login,
        "/logout": logout,
    },
    "websocket": {
        "/who": websocket,
        "/private": login_required(websocket),
        "/scoped": requires_scopes("read")(websocket),
        "/gate": Gate(websocket),
        "/gate/scoped": Gate(websocket, scopes=["read"]),
        "/ends": Gate(websocket, end_connections=True),
        "/late": accepted_first(login_required(talk)),
        "/late/scoped": accepted_first(requires_scopes("read")(talk)),
        "/login": websocket_login,
    },
}


async def lifespan(scope, receive, send):
    LIFESPAN["state"] = scope.get("state")
    while True:
        kind = (await receive())["type"]
        if kind == "lifespan.startup" and "state" in scope:
            scope["state"]["from_lifespan"] = "kept"
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def site(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["path"].startswith("/starlette/"):
        await STARLETTE(scope, receive, send)
    else:
        await VIEWS[scope["type"]][scope["path"]](scope, receive, send)


app = AuthMiddleware(site, manager)
