"""A server without a socket: it runs one ASGI connection, and is as strict as the strictest real one."""

import contextlib
import json
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel

ABSENT = object()
DENIAL = {"websocket.http.response": {}}
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


@dataclass
class Connection:
    """What became of one connection."""

    scope: dict[str, Any]
    messages: list[dict[str, Any]] = field(default_factory=list)
    error: BaseException | None = None
    received: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def header(self, name):
        """Return the values of every line of a header."""
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == name.encode()]

    @property
    def vary(self):
        return [one.strip().lower() for line in self.header("vary") for one in line.split(",")]

    @property
    def set_cookies(self):
        """Return every Set-Cookie line, on whatever it was sent: a response, an accept or a denial."""
        lines = [pair for message in self.messages for pair in message.get("headers", ())]
        return [value.decode("latin-1") for name, value in lines if name == b"set-cookie"]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def start(self):
        return next((one for one in self.messages if one["type"].endswith("http.response.start")), None)

    @property
    def headers(self):
        return list(self.start.get("headers", ())) if self.start else []

    @property
    def body(self):
        return b"".join(one.get("body", b"") for one in self.messages if one["type"].endswith("http.response.body"))

    @property
    def is_complete(self):
        last = self.messages[-1] if self.messages else {"type": ""}
        return last["type"].endswith("http.response.body") and not last.get("more_body", False)

    @property
    def is_broken_off(self):
        """Whether the client sees that something is missing: the server resets the connection."""
        return self.start is not None and not self.is_complete and self.error is not None

    @property
    def status(self):
        """What the client sees: a server answers 500 for an application that raises before it has answered."""
        if self.start is not None:
            return self.start["status"]
        return 500 if self.error is not None else None

    @property
    def texts(self):
        return [one["text"] for one in self.messages if one["type"] == "websocket.send"]

    @property
    def is_accepted(self):
        return any(one["type"] == "websocket.accept" for one in self.messages)

    @property
    def close_code(self):
        return next((one.get("code", 1000) for one in self.messages if one["type"] == "websocket.close"), None)

    def _violates(self, *, otherwise, unless):
        if not unless:
            self.violations.append(otherwise)

    def _check_headers(self, message):
        for pair in message.get("headers", ()):
            name, value = pair
            good = type(name) is bytes and type(value) is bytes and name == name.lower()
            self._violates(unless=good and not set(name + value) & {0, 10, 13}, otherwise=f"header {pair!r}")

    def check_http(self, message):
        kind = message["type"]
        if kind == "http.response.start":
            self._violates(unless=self.start is None, otherwise="a second http.response.start")
            self._check_headers(message)
        elif kind == "http.response.body":
            self._violates(unless=self.start is not None, otherwise="a body before http.response.start")
            self._violates(unless=not self.is_complete, otherwise="a body after the last one")
        else:
            self.violations.append(f"{kind} on http")

    def check_websocket(self, message):
        kind = message["type"]
        self._violates(unless="websocket.connect" in self.received, otherwise=f"{kind} before websocket.connect")
        self._violates(
            unless="websocket.disconnect" not in self.received, otherwise=f"{kind} after websocket.disconnect"
        )
        self._violates(unless=self.close_code is None and not self.is_complete, otherwise=f"{kind} after the end")
        if kind == "websocket.http.response.start":
            offered = "websocket.http.response" in (self.scope.get("extensions") or {})
            self._violates(unless=offered, otherwise="a denial response that the server does not offer")
            self._violates(unless=not self.is_accepted, otherwise="a denial after the accept")
            self._check_headers(message)
        elif kind == "websocket.http.response.body":
            self._violates(unless=self.start is not None, otherwise="a body before websocket.http.response.start")
        elif kind == "websocket.accept":
            self._violates(unless=not self.messages, otherwise="an accept that is not the first message")
        elif kind == "websocket.send":
            self._violates(unless=self.is_accepted, otherwise="a message before the accept")
        elif kind == "websocket.close":
            # RFC 6455 §7.4: what an endpoint may send in a close frame; daphne raises on others.
            code = message.get("code", 1000)
            good = not self.is_accepted or code == 1000 or 3000 <= code <= 4999
            self._violates(unless=good, otherwise=f"a close frame with {code}")
        else:
            self.violations.append(f"{kind} on websocket")


async def http(app, path, *, method="GET", headers=(), **scope_options):
    """Run one request in this very task, as uvicorn does for the requests of one connection."""
    connection = Connection(make_scope("http", path, headers=headers, method=method, **scope_options))
    answered = anyio.Event()

    async def receive():
        connection.received.append("http.request")
        if len(connection.received) == 1:
            return {"type": "http.request", "body": b"", "more_body": False}
        # Servers say so after a whole response too, and some frameworks wait for it while they stream.
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        connection.check_http(message)
        connection.messages.append(dict(message))
        if connection.is_complete:
            answered.set()

    await _run(app, connection, receive, send)
    await _settle()
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
        connection.check_websocket(message)
        connection.messages.append(dict(message))

    async with contextlib.aclosing(words):
        await _run(app, connection, receive, send)
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
    assert not connection.violations, connection.violations


async def _settle():
    """Let tasks of the application go on: a client hears an answer before it says more or goes away."""
    for _ in range(30):
        await anyio.lowlevel.checkpoint()


async def _messages(texts: Iterable[str] | AsyncGenerator[str]):
    yield {"type": "websocket.connect"}
    if isinstance(texts, AsyncGenerator):
        async with contextlib.aclosing(texts):
            while True:
                await _settle()
                try:
                    text = await anext(texts)
                except StopAsyncIteration:
                    break
                yield {"type": "websocket.receive", "text": text}
    else:
        for text in texts:
            await _settle()
            yield {"type": "websocket.receive", "text": text}
    await _settle()
    yield {"type": "websocket.disconnect", "code": 1000}
    await anyio.sleep_forever()
