"""A browser in front of a manager with a store, and a store that can be down."""

from conformance.driver import cookie, http
from conformance.logins import User

from asgi_login import AuthMiddleware, MemoryStore, ServiceUnavailable

OWN = [("origin", "https://site.example")]


async def page(scope, receive, send):
    action = scope["path"]
    manager = scope["manager"]
    if action in {"/logout", "/logout-and-login"}:
        manager.logout_user(scope)
    if action in {"/login", "/login-for-now", "/logout-and-login"}:
        manager.login_user(scope, "ada", remember=action == "/login")
    if action == "/confirm":
        manager.confirm_login(scope)
    if action == "/everywhere":
        manager.logout_user(scope, everywhere=True)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


class Browser:
    """Somebody with a jar, in front of an application."""

    client = ("203.0.113.7", 51234)

    def __init__(self, logins, jar=None):
        self.logins, self.jar = logins, dict(jar or {})

    async def get(self, path, **more):
        return await self._send(path, "GET", [], **more)

    async def post(self, path, *headers):
        return await self._send(path, "POST", [*OWN, *headers])

    async def _send(self, path, method, headers, app=page):
        async def with_manager(scope, receive, send):
            scope["manager"] = self.logins.manager
            await app(scope, receive, send)

        lines = [cookie(value, name) for name, value in self.jar.items()]
        connection = await http(
            AuthMiddleware(with_manager, self.logins.manager),
            path,
            method=method,
            headers=[*headers, *lines],
            client=self.client,
        )
        for line in connection.header("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            self.jar.pop(name, None)
            if value:
                self.jar[name] = value
        return connection

    def copy(self):
        return Browser(self.logins, self.jar)

    def close(self):
        """Close the window: the session is gone, and what remembers it stays."""
        self.jar = {name: value for name, value in self.jar.items() if "remember" in name}
        return self

    @property
    def remembered(self):
        """Return the token that remembers the login, or None."""
        return next((value for name, value in self.jar.items() if "remember" in name), None)


def user_of(connection):
    return connection.scope["state"]["user"]


async def logged_in(logins):
    browser = Browser(logins)
    await browser.post("/login")
    assert user_of(await browser.get("/")) == User("ada")
    return browser


class Down:
    """A store whose connection is lost."""

    def __init__(self, **options):
        self.options = MemoryStore(**options).options
        self.is_down = False
        self.channel = None

    def open(self, name, *, leeway, clock):
        inner = MemoryStore().open(name, leeway=leeway, clock=clock)
        outer = self

        class Channel:
            def attach(self, listener):
                self.listener = listener

            def __getattr__(self, method):
                async def call(*args, **named):
                    if outer.is_down:
                        raise ServiceUnavailable("down")
                    return await getattr(inner, method)(*args, **named)

                return call

        return Channel()
