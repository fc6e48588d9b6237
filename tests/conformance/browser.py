"""A browser in memory: a cookie jar in front of an application, at an address and with a User-Agent."""

from dataclasses import dataclass, field
from typing import Any

from conformance import driver

SESSION = "__Host-access-token"
REMEMBER = "__Host-default-remember-token"
BOTH = {SESSION, REMEMBER}
HOME = ("203.0.113.7", 51234)
CAFE = ("198.51.100.9", 51234)
HTML = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")


def names(connection):
    """Return the names of our cookies that a response sets or deletes, each of which is there once."""
    found = [name for name, _ in lines(connection)]
    assert len(found) == len(set(found)), found
    return set(found)


def lines(connection):
    """Return the Set-Cookie lines of our cookies, by name."""
    pairs = [(line.partition("=")[0], line) for line in connection.set_cookies]
    return [(name, line) for name, line in pairs if name.startswith("__Host-")]


@dataclass
class Browser:
    """Somebody who visits an application.

    Attributes:
        app: The application.
        clock: What tells when a cookie is over.
        client: The address, as a server puts it into the scope.
        agent: The User-Agent; None sends none.
        jar: The cookies' values and when they end, by name; None for those that end with the browser.

    """

    app: Any
    clock: Any
    client: Any = HOME
    agent: str | None = "Firefox"
    jar: dict[str, tuple[str, float | None]] = field(default_factory=dict)

    async def get(self, path, **options):
        return self._keep(await driver.http(self.app, path, **self._with_cookies(**options)))

    async def post(self, path, **options):
        return await self.get(path, method="POST", **options)

    async def websocket(self, path, *texts, **options):
        return self._keep(await driver.websocket(self.app, path, *texts, **self._with_cookies(**options)))

    async def log_in(self, path="/session/in", **options):
        connection = await self.post(path, **options)
        assert (connection.status, SESSION in self.names) == (200, True)
        return connection

    async def user(self, path="/public"):
        """Return whom a page that everybody may see takes this for."""
        connection = await self.get(path)
        assert connection.status == 200
        return connection.json["user"]

    @property
    def names(self):
        """The names of the cookies that are sent from now on."""
        return {name for name, (_, until) in self.jar.items() if until is None or until > self.clock()}

    @property
    def values(self):
        return {name: self.jar[name][0] for name in self.names}

    def move(self, client=HOME, agent="Firefox"):
        self.client, self.agent = client, agent

    def put(self, name, value):
        self.jar = {**self.jar, name: (value, None)}

    def keep_only(self, *names):
        """Throw the other cookies away, by hand or by closing the window."""
        self.jar = {name: self.jar[name] for name in names}

    def _with_cookies(self, *, headers=(), **options):
        agent = [] if self.agent is None else [("user-agent", self.agent)]
        cookies = [(name.encode(), self.jar[name][0]) for name in self.names]
        pairs = [name + b"=" + (one if isinstance(one, bytes) else one.encode()) for name, one in cookies]
        line = [("cookie", b"; ".join(pairs))] if pairs else []
        return {"client": self.client, "headers": [*agent, *headers, *line], **options}

    def _keep(self, connection):
        names(connection)
        for name, line in lines(connection):
            (_, _, value), *rest = [part.partition("=") for part in line.split("; ")]
            attributes = {key.lower(): text for key, _, text in rest}
            # A browser drops a cookie of such a name otherwise (RFC 6265bis §4.1.3.2).
            assert (attributes["path"], "secure" in attributes, "domain" in attributes) == ("/", True, False)
            age = attributes.get("max-age")
            self.jar = {**self.jar, name: (value, None if age is None else self.clock() + int(age))}
        self.jar = {name: self.jar[name] for name in self.names}
        return connection
