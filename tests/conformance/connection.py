"""One connection, as a server sees it that is as strict as the strictest real one."""

import json
from dataclasses import dataclass, field
from typing import Any

import anyio.lowlevel


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
        """Whether the client sees that something is missing: the server closes the connection."""
        return self.start is not None and not self.is_complete

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

    def hear(self, message):
        """Take what the application says, and note where a server would not."""
        check = self._check_http if self.scope["type"] == "http" else self._check_websocket
        check(message)
        self.messages.append(dict(message))

    def _violates(self, *, otherwise, unless):
        if not unless:
            self.violations.append(otherwise)

    def _check_headers(self, message):
        for pair in message.get("headers", ()):
            name, value = pair
            good = type(name) is bytes and type(value) is bytes and name == name.lower()
            self._violates(unless=good and not set(name + value) & {0, 10, 13}, otherwise=f"header {pair!r}")

    def _check_http(self, message):
        kind = message["type"]
        if kind == "http.response.start":
            self._violates(unless=self.start is None, otherwise="a second http.response.start")
            self._check_headers(message)
        elif kind == "http.response.body":
            self._violates(unless=self.start is not None, otherwise="a body before http.response.start")
            self._violates(unless=not self.is_complete, otherwise="a body after the last one")
        else:
            self.violations.append(f"{kind} on http")

    def _check_websocket(self, message):
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


async def settle():
    """Let tasks of the application go on: a client hears an answer before it says more or goes away."""
    for _ in range(30):
        await anyio.lowlevel.checkpoint()
