"""Applications of ASGI 2, which are called twice, and those that only look like them."""

import functools
import subprocess
import sys
from unittest.mock import AsyncMock, Mock, create_autospec

import pytest
from conformance import driver
from conformance.driver import bearer, http, lifespan, websocket
from conformance.logins import Logins, User
from litestar import Litestar
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from werkzeug.local import LocalProxy

from asgi_login import AuthMiddleware, Gate, get_auth, login_required, requires_scopes


class Consumer:
    """An application of ASGI 2 as a class, like a consumer of Channels 2."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        await getattr(self, self.scope["type"])(receive, send)

    async def http(self, receive, send):
        if self.scope["path"] == "/members":
            members_only()
        if self.scope["path"] == "/orders":
            orders_only()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(self.scope["state"]["user"]).encode()})

    async def websocket(self, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": repr(get_auth(self.scope).user)})
        await send({"type": "websocket.close", "code": 1000})

    async def lifespan(self, receive, send):
        for step in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{step}"
            self.scope["state"][step] = True
            await send({"type": f"lifespan.{step}.complete"})


@login_required
def members_only():
    pass


@requires_scopes("orders")
def orders_only():
    pass


def function(scope):
    return Consumer(scope)


def with_a_setting(scope, prefix=""):
    return Consumer(scope)


def of_a_site(site, scope):
    return Consumer(scope)


def decorated(app):
    @functools.wraps(app)
    def wrapper(*args, **kwargs):
        return app(*args, **kwargs)

    return wrapper


class Router:
    """Like the routers and middlewares of Channels 2: an object that is called with the scope."""

    def __init__(self, inner=Consumer):
        self.inner = inner

    def __call__(self, scope):
        return self.inner(scope)

    def method(self, scope):
        return self.inner(scope)


class ConsumerOfWhatever(Consumer):
    """Like the generic consumers of Channels 2."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


ASGI_2 = {
    "a class": Consumer,
    "a class whose constructor takes anything": ConsumerOfWhatever,
    "a function": function,
    "a function with a setting": with_a_setting,
    "an object": Router(),
    "an object around an object": Router(Router()),
    "a bound method": Router().method,
    "a partial function": functools.partial(of_a_site, "site"),
    "a partial class": functools.partial(Consumer),
    "a decorated function": decorated(function),
}


@pytest.fixture
def logins():
    return Logins()


@pytest.mark.anyio
class TestWrapped:
    @pytest.fixture(params=ASGI_2.values(), ids=ASGI_2)
    def app(self, request):
        return request.param

    async def test_a_request_reaches_it_with_its_user(self, app, logins):
        wrapped = AuthMiddleware(app, logins.manager)
        known = await http(wrapped, "/", headers=[bearer(logins.token())])
        assert (known.status, known.body) == (200, repr(User("ada")).encode())
        assert known.scope["state"]["user"] == User("ada")
        anonymous = await http(wrapped, "/")
        assert (anonymous.status, anonymous.body) == (200, b"None")

    async def test_a_websocket_reaches_it_with_its_user(self, app, logins):
        wrapped = AuthMiddleware(app, logins.manager)
        connection = await websocket(wrapped, "/", headers=[bearer(logins.token())])
        assert connection.texts == [repr(User("ada"))]
        assert connection.close_code == 1000

    async def test_the_lifespan_reaches_it_with_its_state(self, app, logins):
        state = {}
        connection = await lifespan(AuthMiddleware(Gate(app), logins.manager), state)
        assert [one["type"] for one in connection.messages] == [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
        ]
        assert state == {"startup": True, "shutdown": True}

    async def test_a_gate_around_it_keeps_strangers_out_and_lets_users_in(self, app, logins):
        wrapped = AuthMiddleware(Gate(app, scopes=["orders"]), logins.manager)
        assert (await http(wrapped, "/")).status == 401
        assert (await http(wrapped, "/", headers=[bearer(logins.token())])).status == 403
        assert (await http(wrapped, "/", headers=[bearer(logins.token("ada", "orders"))])).status == 200
        assert (await websocket(wrapped, "/", extensions=driver.DENIAL)).status == 401
        assert (await websocket(wrapped, "/", headers=[bearer(logins.token("ada", "orders"))])).is_accepted

    async def test_a_decorated_view_in_it_refuses(self, app, logins):
        wrapped = AuthMiddleware(app, logins.manager)
        assert (await http(wrapped, "/members")).status == 401
        assert (await http(wrapped, "/orders", headers=[bearer(logins.token())])).status == 403


@pytest.mark.anyio
async def test_one_that_refuses_a_kind_of_connection_at_its_first_call_still_does(logins):
    def http_only(scope):
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        return Consumer(scope)

    wrapped = AuthMiddleware(http_only, logins.manager)
    assert repr((await lifespan(wrapped)).error) == "ValueError('lifespan')"
    assert repr((await websocket(wrapped, "/")).error) == "ValueError('websocket')"


async def asgi3(scope, receive, send):
    pass


def not_async(scope, receive, send):
    return asgi3(scope, receive, send)


def either(scope, receive=None, send=None):
    return asgi3(scope, receive, send)


def undecided(*args, **kwargs):
    return asgi3(*args, **kwargs)


async def with_a_database(database, scope, receive, send):
    pass


class Site:
    async def __call__(self, scope, receive, send):
        pass

    async def method(self, scope, receive, send):
        pass


class SiteOfWhatever:
    def __call__(self, *args):
        return asgi3(*args)


class Awaited:
    def __init__(self, *args):
        self.args = args

    def __await__(self):
        return asgi3(*self.args).__await__()


@functools.wraps(function)
def adapted(scope, receive, send):
    return function(scope)(receive, send)


class WithoutASignature:
    __signature__ = "none"

    def __call__(self, scope):
        pass


ASGI_3 = {
    "a function": asgi3,
    "a function that returns a coroutine": not_async,
    "a function that can be called in both ways": either,
    "a function that says nothing of its arguments": undecided,
    "a function that adapts one of ASGI 2": adapted,
    "a decorated function": decorated(asgi3),
    "a decorated object": decorated(Site()),
    "a partial function": functools.partial(with_a_database, "database"),
    "an object": Site(),
    "an object that takes anything": SiteOfWhatever(),
    "a bound method": Site().method,
    "a class whose instances are awaited": Awaited,
    "an endpoint of Starlette's": HTTPEndpoint,
    "Starlette": Starlette(),
    "Litestar": Litestar(),
    "a mock": Mock(),
    "a mock that is async": AsyncMock(),
    "a mock of a function": create_autospec(asgi3),
    "a builtin without a signature": iter,
    "an object without a signature": WithoutASignature(),
    "a proxy that stands for nothing yet": LocalProxy(Mock(side_effect=RuntimeError("not yet"))),
    "a function that functools.wraps has given the methods of a class": decorated(Consumer),
    "a class in place of its instance": Litestar,
    "another class in place of its instance": Starlette,
}


@pytest.mark.parametrize("app", ASGI_3.values(), ids=ASGI_3)
def test_whatever_may_be_of_asgi_3_or_is_neither_is_left_alone(app, logins):
    assert AuthMiddleware(app, logins.manager).app is app
    assert Gate(app).app is app


def test_what_is_wrapped_already_is_left_alone(logins):
    gate = Gate(Consumer)
    assert AuthMiddleware(gate, logins.manager).app is gate


IMPORTS = """
import sys
from asgi_login import AuthMiddleware, Gate, LoginManager
async def asgi3(scope, receive, send): ...
manager = LoginManager("o3TqkUv8yKp2mZr5Wd1xNc7Jb4Ha9EfG")
AuthMiddleware(Gate(asgi3), manager)
before = "asgiref.compatibility" in sys.modules or "asgiref.typing" in sys.modules
AuthMiddleware(Gate(lambda scope: None), manager)
print(before, "asgiref.compatibility" in sys.modules)
"""


def test_asgiref_is_imported_for_an_application_of_asgi_2_only():
    outcome = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-W", "error", "-c", IMPORTS], capture_output=True, text=True, timeout=60, check=False
    )
    assert outcome.stdout == "False True\n", outcome.stderr
