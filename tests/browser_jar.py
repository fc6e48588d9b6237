"""A browser in memory: a cookie jar that is as picky as RFC 6265bis, in front of an ASGI application."""

from dataclasses import dataclass, field
from itertools import chain

from helpers import COOKIE, Clock, http_scope, open_websocket, run, send_request, websocket_scope

from asgi_login import Auth, AuthMiddleware, Gate

REMEMBER = "__Host-default-remember-token"
OWN_ORIGIN = [(b"host", b"example.com"), (b"origin", b"https://example.com")]
OTHER_ORIGIN = [(b"host", b"example.com"), (b"origin", b"https://evil.example")]
HOME = ("192.0.2.1", 50000)
CAFE = ("198.51.100.7", 50000)
MAX_COOKIE_BYTES = 4_096


async def page(scope, receive, send):
    """Do what `scope["do"]` says, then answer 200 or accept; `scope["reply"]` is the headers of the answer."""
    reply = list(scope.get("reply", ()))
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
    if scope.get("do") is not None:
        scope["do"](scope)
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept", "headers": reply})
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "http.response.start", "status": scope.get("answer", 200), "headers": reply})
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await send({"type": "http.response.body", "body": b"two"})


def site(*managers):
    """Return an application with `page` everywhere, behind a gate at /private, and behind a fresh one at /fresh."""
    gates = {"/private": Gate(page), "/fresh": Gate(page, fresh=True)}

    async def route(scope, receive, send):
        await gates.get(scope["path"], page)(scope, receive, send)

    return AuthMiddleware(route, list(managers))


@dataclass
class Cookie:
    """A cookie as it lies in the jar; `until` is None for one that ends with the browser."""

    name: str
    value: str
    attributes: dict[str, str]
    until: float | None

    @property
    def key(self):
        """What a browser tells cookies apart by (RFC 6265bis §5.7)."""
        return self.name, self.attributes.get("domain"), self.attributes.get("path")


def parse(line: str, now: float) -> Cookie:
    """Read a Set-Cookie line, and fail where a browser would drop it."""
    pair, *rest = line.split("; ")
    name, _, value = pair.partition("=")
    attributes = {}
    for attribute in rest:
        key, _, text = attribute.partition("=")
        assert key.lower() not in attributes, f"{key} is said twice: {line}"
        attributes[key.lower()] = text
    assert len(name) + len(value) <= MAX_COOKIE_BYTES
    if name.startswith("__Host-"):
        assert {"secure", "path"} <= set(attributes)
        assert attributes["path"] == "/"
        assert "domain" not in attributes
    age = attributes.get("max-age")
    return Cookie(name, value, attributes, None if age is None else now + int(age))


@dataclass
class Browser:
    """Somebody who visits `app`: from an address, with a User-Agent and a jar."""

    app: object
    clock: Clock
    client: object = HOME
    agent: str = "Firefox"
    jar: dict = field(default_factory=dict)
    auth: Auth | None = None

    @classmethod
    def of(cls, *managers, **more):
        """Return a browser that visits a site with these managers."""
        return cls(site(*managers), managers[0].config.clock, **more)

    def send(self, do=None, *, method=None, path="/", headers=None, **more):
        """Send a request: a GET, or where there is something to do a POST of the site's own page."""
        method = method or ("GET" if do is None else "POST")
        if headers is None:
            headers = OWN_ORIGIN if method == "POST" else []
        scope = http_scope(method, path, [*headers, *self._headers()], client=self.client, do=do, **more)
        answer = run(send_request(self.app, scope))
        self.auth = scope["state"]["auth"]
        self._store(answer.all("set-cookie"))
        return answer

    def connect(self, do=None, *, headers=OWN_ORIGIN, **more):
        """Open a websocket and return the messages of the application."""
        scope = websocket_scope("/", [*headers, *self._headers()], client=self.client, do=do, **more)
        messages = run(open_websocket(self.app, scope))
        self.auth = scope["state"]["auth"]
        lines = chain.from_iterable(message.get("headers", ()) for message in messages)
        self._store([value.decode() for name, value in lines if name == b"set-cookie"])
        return messages

    def visit(self, path="/", **more) -> Auth:
        """Open a page, and return who the site thinks that is."""
        self.send(path=path, **more)
        return self.auth

    def login(self, manager, sub="ada", **more):
        """Log in through a form of the site."""
        answer = self.send(lambda scope: manager.login_user(scope, sub, **more))
        assert answer.status == 200
        return answer

    def logout(self, manager):
        """Log out through a form of the site."""
        return self.send(manager.logout_user)

    def confirm(self, manager):
        """Show the password once more."""
        return self.send(manager.confirm_login)

    def close(self):
        """Close the window: what is no permanent cookie is gone."""
        self.jar = {key: cookie for key, cookie in self.jar.items() if cookie.until is not None}

    def drop(self, name=COOKIE):
        """Delete one cookie by hand."""
        self.jar = {key: cookie for key, cookie in self.jar.items() if cookie.name != name}

    def put(self, value, name=COOKIE):
        """Plant a cookie."""
        self.drop(name)
        cookie = Cookie(name, value, {"path": "/", "secure": ""}, None)
        self.jar[cookie.key] = cookie

    def token(self, name=COOKIE) -> str | None:
        """Return what the jar holds under a name."""
        return next((cookie.value for cookie in self._alive() if cookie.name == name), None)

    @property
    def names(self):
        """The names of the cookies that would be sent."""
        return {cookie.name for cookie in self._alive()}

    def copy(self, **more):
        """Return another browser with the same cookies, as a thief's or a second tab."""
        same = {"client": self.client, "agent": self.agent, "jar": dict(self.jar)}
        return Browser(self.app, self.clock, **{**same, **more})

    def _alive(self):
        return [cookie for cookie in self.jar.values() if cookie.until is None or cookie.until > self.clock()]

    def _headers(self):
        pairs = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._alive())
        lines = [(b"user-agent", self.agent)] if self.agent is not None else []
        return [*lines, (b"cookie", pairs)] if pairs else lines

    def _store(self, lines):
        cookies = [parse(line, self.clock()) for line in lines]
        names = [cookie.name for cookie in cookies]
        assert len(names) == len(set(names)), f"more than one line for one name: {names}"
        for cookie in cookies:
            self.jar.pop(cookie.key, None)
            if cookie.until is None or cookie.until > self.clock():
                self.jar[cookie.key] = cookie
