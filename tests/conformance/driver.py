"""A server without a socket: it runs one ASGI connection, and is as strict as the strictest real one."""

import contextlib
from collections.abc import AsyncGenerator, Iterable
from functools import partial

import anyio
from conformance.communicator import Communicated
from conformance.connection import Connection, settle

ABSENT = object()
DENIAL = {"websocket.http.response": {}}
REQUEST = {"type": "http.request", "body": b"", "more_body": False}
# Far longer than anything here takes; a hanging application fails instead of hanging the suite.
PATIENCE = 5


def bearer(token):
    return ("authorization", f"Bearer {token}")


def cookie(token, name="__Host-access-token"):
    return ("cookie", f"{name}={token}")


def encode_headers(headers):
    """Return header pairs of bytes; pairs of bytes and one-shot iterators are kept as they are."""
    if not isinstance(headers, (list, tuple)):
        return headers
    return [tuple(part.encode("latin-1") if isinstance(part, str) else part for part in pair) for pair in headers]


def make_scope(kind, path, *, headers=(), host="site.example", query=b"", state=ABSENT, omit=(), **more):
    """Return the scope a server makes; `host`, `state` and the keys in `omit` may be missing."""
    scope = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "https" if kind == "http" else "wss",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": encode_headers(
            [*([("host", host)] if host else []), *headers] if isinstance(headers, (list, tuple)) else headers
        ),
        "client": ("203.0.113.7", 51234),
        "server": ("site.example", 443),
        "extensions": {},
        **more,
    }
    if state is not ABSENT:
        scope["state"] = state
    for key in omit:
        del scope[key]
    return scope


async def http(app, path, *, method="GET", headers=(), body=b"", **scope_options):
    """Run one request: in this very task, as uvicorn does for those of one connection, or as `app` says."""
    connection = Connection(make_scope("http", path, headers=headers, method=method, **scope_options))
    answered = anyio.Event()

    async def receive():
        connection.received.append("http.request")
        if len(connection.received) == 1:
            return {**REQUEST, "body": body}
        # Servers say so after a whole response too, and some frameworks wait for it while they stream.
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        connection.hear(message)
        if connection.is_complete:
            answered.set()

    if isinstance(app, Communicated):
        await app.converse(connection, _request(body), PATIENCE)
    else:
        await _run(app, connection, receive, send)
    assert not connection.violations, connection.violations
    await settle()
    return connection


async def websocket(app, path, *texts, headers=(), script=None, **scope_options):
    """Run one websocket: the client says `texts`, or what the asynchronous `script` yields, and goes away."""
    connection = Connection(make_scope("websocket", path, headers=headers, subprotocols=[], **scope_options))
    words = _messages(script if script is not None else texts)

    async def receive():
        message = await anext(words)
        connection.received.append(message["type"])
        return message

    async def send(message):
        connection.hear(message)

    async with contextlib.aclosing(words):
        if isinstance(app, Communicated):
            await app.converse(connection, words, PATIENCE)
        else:
            await _run(app, connection, receive, send)
    assert not connection.violations, connection.violations
    return connection


def assert_denied(app, path, headers):
    """Fail where a refused websocket is not answered; Starlette's own client would wait for ever."""
    connection = anyio.run(partial(websocket, app, path, headers=list(headers.items()), extensions=DENIAL))
    assert connection.start is not None, connection


async def lifespan(app, state=ABSENT):
    """Start the application up and shut it down; returns what it sent."""
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
    if state is not ABSENT:
        scope["state"] = state
    connection = Connection(scope)
    pending = iter(("lifespan.startup", "lifespan.shutdown"))

    async def receive():
        return {"type": next(pending)}

    async def send(message):
        connection.messages.append(dict(message))

    await _run(app, connection, receive, send)
    return connection


def immediately(coroutine):
    """Run a coroutine that has nothing to wait for, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise AssertionError("it waits for something")


async def _run(app, connection, receive, send):
    with anyio.fail_after(PATIENCE):
        try:
            await app(connection.scope, receive, send)
        except Exception as problem:  # noqa: BLE001 - what a server logs, the tests look at
            connection.error = problem


async def _request(body):
    yield {**REQUEST, "body": body}


async def _messages(texts: Iterable[str] | AsyncGenerator[str]):
    yield {"type": "websocket.connect"}
    if isinstance(texts, AsyncGenerator):
        async with contextlib.aclosing(texts):
            while True:
                await settle()
                try:
                    text = await anext(texts)
                except StopAsyncIteration:
                    break
                yield {"type": "websocket.receive", "text": text}
    else:
        for text in texts:
            await settle()
            yield {"type": "websocket.receive", "text": text}
    await settle()
    yield {"type": "websocket.disconnect", "code": 1000}
    await anyio.sleep_forever()
