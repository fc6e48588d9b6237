import gc
import inspect
import logging
import sys
from functools import partial

import anyio
import anyio.to_thread
import pytest
from conformance import driver
from conformance.driver import bearer, cookie, http, immediately, websocket
from conformance.logins import Logins

from asgi_login import (
    AuthError,
    AuthMiddleware,
    Gate,
    InsufficientScope,
    LoginNotFresh,
    NotAuthenticated,
    fresh_login_required,
    login_required,
    requires_scopes,
)

pytestmark = pytest.mark.anyio

DECORATORS = [login_required, fresh_login_required, requires_scopes("read")]


class CustomError(Exception):
    """What an application wants raised in place of ours."""

    def __init__(self, *args, code=None):
        super().__init__(*args)
        self.code = code


async def call(view):
    outcome = view("one", two=2)
    return await outcome if inspect.isawaitable(outcome) else outcome


async def ask(view, logins, token=None):
    """Call a view within a request; return what it returned, or the exception that it raised."""
    outcomes = []

    async def app(scope, receive, send):
        try:
            outcomes.append(await call(view))
        except Exception as problem:
            outcomes.append(problem)
            raise

    await http(AuthMiddleware(app, logins.manager), "/", headers=[bearer(token)] if token else [])
    return outcomes[0]


def plain(one, *, two):
    return one, two


async def asynchronous(one, *, two):
    return one, two


class PlainObject:
    def __call__(self, one, *, two):
        return one, two

    def method(self, one, *, two):
        return one, two


class AsynchronousObject:
    async def __call__(self, one, *, two):
        return one, two

    async def method(self, one, *, two):
        return one, two


def with_more(first, one, *, two):
    return one, two


async def asynchronous_with_more(first, one, *, two):
    return one, two


VIEWS = {
    "function": plain,
    "async function": asynchronous,
    "object": PlainObject(),
    "async object": AsynchronousObject(),
    "method": PlainObject().method,
    "async method": AsynchronousObject().method,
    "partial": partial(with_more, 0),
    "async partial": partial(asynchronous_with_more, 0),
    "partial of a partial": partial(partial(asynchronous_with_more), 0),
    "lambda that returns a coroutine": lambda one, *, two: asynchronous(one, two=two),
    "static method": staticmethod(asynchronous),
}


class TestDecorated:
    @pytest.mark.parametrize("kind", VIEWS)
    @pytest.mark.parametrize("decorator", DECORATORS)
    async def test_whatever_is_called_like_a_view_is_gated(self, kind, decorator):
        logins = Logins()
        view = decorator(VIEWS[kind])
        assert isinstance(await ask(view, logins), NotAuthenticated)
        assert await ask(view, logins, logins.fresh_token("ada", "read")) == ("one", 2)

    async def test_methods_decorated_in_a_class_get_their_object(self):
        class Views:
            name = "views"

            @login_required
            def plain(self, one, *, two):
                return self.name, one, two

            @login_required
            async def asynchronous(self, one, *, two):
                return self.name, one, two

            @classmethod
            @login_required
            def of_the_class(cls, one, *, two):
                return cls.name, one, two

            @staticmethod
            @login_required
            def of_nobody(one, *, two):
                return "views", one, two

        logins = Logins()
        for name in ("plain", "asynchronous", "of_the_class", "of_nobody"):
            view = getattr(Views(), name)
            assert isinstance(await ask(view, logins), NotAuthenticated)
            assert await ask(view, logins, logins.token()) == ("views", "one", 2)

    @pytest.mark.parametrize("decorator", DECORATORS)
    async def test_a_generator_is_gated_when_it_is_called_and_not_when_it_is_read(self, decorator):
        @decorator
        async def stream(one, *, two):
            yield one
            yield two

        logins = Logins()
        assert isinstance(await ask(stream, logins), NotAuthenticated)
        chunks = await ask(stream, logins, logins.fresh_token("ada", "read"))
        assert [chunk async for chunk in chunks] == ["one", 2]

    @pytest.mark.parametrize("decorator", DECORATORS)
    @pytest.mark.parametrize("view", [plain, asynchronous])
    def test_name_documentation_and_signature_are_kept(self, view, decorator):
        gated = decorator(view)
        assert (gated.__name__, gated.__doc__, gated.__wrapped__) == (view.__name__, view.__doc__, view)
        assert inspect.signature(gated) == inspect.signature(view)
        assert inspect.iscoroutinefunction(gated) is inspect.iscoroutinefunction(view)

    async def test_a_view_that_is_refused_does_not_run(self):
        ran = []

        @login_required
        async def view(*args, **kwargs):
            ran.append(args)

        await ask(view, Logins())
        assert ran == []

    async def test_gates_add_up(self):
        logins = Logins()
        view = login_required(requires_scopes("a")(requires_scopes("b")(fresh_login_required(asynchronous))))
        assert isinstance(await ask(view, logins), NotAuthenticated)
        assert (await ask(view, logins, logins.token("ada", "b"))).required == ("a",)
        assert (await ask(view, logins, logins.token("ada", "a"))).required == ("b",)
        assert isinstance(await ask(view, logins, logins.token("ada", "a", "b")), LoginNotFresh)
        assert await ask(view, logins, logins.fresh_token("ada", "a", "b")) == ("one", 2)

    async def test_a_view_in_a_worker_thread_is_gated(self):
        logins = Logins()

        async def view(one, *, two):
            return await anyio.to_thread.run_sync(partial(login_required(plain), one, two=two))

        assert isinstance(await ask(view, logins), NotAuthenticated)
        assert await ask(view, logins, logins.token()) == ("one", 2)

    async def test_a_scope_that_is_named_twice_is_needed_once(self):
        error = await ask(requires_scopes("b", "a", "b")(plain), (logins := Logins()), logins.token())
        assert isinstance(error, InsufficientScope)
        assert error.required == ("b", "a")


class TestMistakes:
    @pytest.mark.parametrize("decorator", [*DECORATORS, login_required(manager="a"), fresh_login_required(manager="a")])
    @pytest.mark.parametrize("view", [PlainObject, AsynchronousObject, dict, 7, "view", object()])
    def test_classes_and_what_cannot_be_called_are_refused(self, decorator, view):
        with pytest.raises(TypeError, match="decorates a function or method; around a class or application use Gate"):
            decorator(view)

    def test_requires_scopes_without_a_scope_is_refused(self):
        with pytest.raises(TypeError, match="at least one scope"):
            requires_scopes()

    @pytest.mark.parametrize("view", [plain, asynchronous, PlainObject()])
    def test_requires_scopes_around_the_view_itself_is_refused(self, view):
        with pytest.raises(TypeError, match="call it with the names of scopes"):
            requires_scopes(view)

    @pytest.mark.parametrize("scope", ["", "a b", " a", "a\t", 'a"b', "a\\b", "ä", "a\n"])
    def test_what_is_no_scope_is_refused(self, scope):
        with pytest.raises(ValueError, match="is no scope"):
            requires_scopes("read", scope)
        with pytest.raises(ValueError, match="is no scope"):
            Gate(None, scopes=["read", scope])

    @pytest.mark.parametrize("scope", [None, 7, b"read", ["read"], True])
    def test_a_scope_that_is_no_string_is_refused(self, scope):
        with pytest.raises(TypeError, match="takes strings"):
            requires_scopes(scope)
        with pytest.raises(TypeError, match="takes strings"):
            Gate(None, scopes=[scope])

    @pytest.mark.parametrize("scopes", ["admin", b"admin", plain, 7])
    def test_a_gate_with_one_string_or_a_function_for_scopes_is_refused(self, scopes):
        with pytest.raises(TypeError, match="takes scopes one by one"):
            Gate(None, scopes=scopes)

    def test_a_gate_with_one_string_for_exempt_is_refused(self):
        with pytest.raises(TypeError, match=r'exempt=\("/static",\)'):
            Gate(None, exempt="/static")

    @pytest.mark.parametrize("path", ["static", "", "https://site.example/static", None])
    def test_an_exempt_path_that_is_no_path_is_refused(self, path):
        with pytest.raises(ValueError, match="a path starts with a slash"):
            Gate(None, exempt=[path])

    @pytest.mark.parametrize("decorator", DECORATORS)
    @pytest.mark.parametrize("view", [plain, asynchronous])
    async def test_a_gate_outside_of_a_request_is_a_mistake(self, decorator, view):
        with pytest.raises(RuntimeError, match="wrap the application in AuthMiddleware"):
            await call(decorator(view))

    @pytest.mark.parametrize("decorator", [login_required, fresh_login_required, partial(requires_scopes, "read")])
    async def test_a_manager_that_nobody_knows_is_a_mistake(self, decorator):
        logins = Logins()
        for token in (None, logins.fresh_token("ada", "read"), "not-a-token"):
            outcome = await ask(decorator(manager="elsewhere")(plain), logins, token)
            assert isinstance(outcome, RuntimeError)
            assert not isinstance(outcome, AuthError)
            assert "no manager named 'elsewhere'" in str(outcome)


async def shown(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


class TestGate:
    async def test_without_scopes_any_user_may_pass(self):
        logins = Logins()
        app = AuthMiddleware(Gate(shown), logins.manager)
        assert (await http(app, "/")).status == 401
        assert (await http(app, "/", headers=[bearer(logins.token())])).body == b"inside"

    async def test_every_scope_is_needed_and_compared_exactly(self):
        logins = Logins()
        app = AuthMiddleware(Gate(shown, scopes=["a", "b"]), logins.manager)
        for granted in ((), ("a",), ("b",), ("A", "B"), ("ab",), ("a:b",)):
            connection = await http(app, "/", headers=[bearer(logins.token("ada", *granted))])
            assert connection.status == 403
            assert connection.header("www-authenticate")[0].endswith('scope="a b"')
        assert (await http(app, "/", headers=[bearer(logins.token("ada", "b", "c", "a"))])).status == 200

    async def test_a_fresh_login_can_be_asked_for(self):
        logins = Logins()
        app = AuthMiddleware(Gate(shown, fresh=True), logins.manager)
        connection = await http(app, "/", headers=[bearer(logins.token())])
        assert (connection.status, connection.json["error"]) == (401, "insufficient_user_authentication")
        assert (await http(app, "/", headers=[bearer(logins.fresh_token())])).status == 200

    async def test_one_managers_users_can_be_meant(self):
        web, api = Logins(name="web"), Logins(b"another secret of thirty-two byte", name="api")
        app = AuthMiddleware(Gate(shown, manager="api"), [web.manager, api.manager])
        assert (await http(app, "/", headers=[bearer(web.token())])).status == 401
        assert (await http(app, "/", headers=[bearer(api.token())])).status == 200

    async def test_a_manager_that_nobody_knows_is_a_mistake(self):
        connection = await http(AuthMiddleware(Gate(shown, manager="elsewhere"), Logins().manager), "/")
        assert isinstance(connection.error, RuntimeError)

    async def test_outside_of_the_middleware_it_is_a_mistake_and_no_refusal(self):
        for state in (driver.ABSENT, {}, {"auth": "somebody else's"}, None):
            connection = await http(Gate(shown), "/", state=state)
            assert isinstance(connection.error, RuntimeError)
            assert "AuthMiddleware" in str(connection.error)

    async def test_gates_lie_within_gates(self):
        logins = Logins()
        app = AuthMiddleware(Gate(Gate(shown, scopes=["b"]), scopes=["a"]), logins.manager)
        connection = await http(app, "/", headers=[bearer(logins.token("ada", "a"))])
        assert (connection.status, connection.header("www-authenticate")[0][-9:]) == (403, 'scope="b"')
        assert (await http(app, "/", headers=[bearer(logins.token("ada", "a", "b"))])).status == 200

    @pytest.mark.parametrize(
        ("exempt", "path", "is_open"),
        [
            ("/static", "/static", True),
            ("/static", "/static/", True),
            ("/static", "/static/css/site.css", True),
            ("/static/", "/static/site.css", True),
            ("/static/", "/static", True),
            ("/static", "/staticadmin", False),
            ("/static", "/static.css", False),
            ("/static", "/Static", False),
            ("/static", "/sub/static", False),
            ("/static", "/static/../admin", False),
            ("/static", "/static/..", False),
            ("/static", "/static/./x", False),
            ("/static", "/", False),
            ("/static", "", False),
            ("/", "/", True),
            ("/", "/admin", False),
        ],
    )
    async def test_exempt_is_whole_segments_of_the_path(self, exempt, path, is_open):
        app = AuthMiddleware(Gate(shown, exempt=[exempt]), Logins().manager)
        assert (await http(app, path)).status == (200 if is_open else 401)

    async def test_exempt_reads_the_decoded_path_and_no_header(self):
        app = AuthMiddleware(Gate(shown, exempt=["/static"]), Logins().manager)
        headers = [("x-original-url", "/static"), ("x-forwarded-prefix", "/static"), ("x-rewrite-url", "/static")]
        connection = await http(app, "/admin", raw_path=b"/static", root_path="/static", headers=headers)
        assert connection.status == 401

    async def test_an_exempt_path_is_open_for_websockets_too(self):
        app = AuthMiddleware(Gate(shown, exempt=["/open"]), Logins().manager)
        assert (await websocket(app, "/open/feed")).is_accepted
        assert not (await websocket(app, "/feed")).is_accepted

    async def test_the_lifespan_passes(self):
        assert [one["type"] for one in (await driver.lifespan(Gate(shown))).messages] == ["lifespan.startup.complete"]


CASES = {
    "anonymous": ("/public", None, 200),
    "accepted": ("/gated", bearer, 200),
    "accepted by a Gate": ("/behind", bearer, 200),
    "accepted with a cookie": ("/gated", cookie, 200),
    "bad on a public page": ("/public", lambda _: bearer("not-a-token"), 200),
    "refused by a Gate": ("/behind", None, 401),
    "refused by a decorator": ("/gated", None, 401),
    "bad, refused by a decorator": ("/gated", lambda _: bearer("not-a-token"), 401),
    "refused by require()": ("/require", None, 401),
    "malformed": ("/gated", lambda _: ("authorization", "Bearer"), 400),
}


class TestMemory:
    """A refusal is an exception, and exceptions hold tracebacks, which hold whole requests."""

    NUMBER = 20_000

    @staticmethod
    def serve(logins, path="/gated", headers=(), method="GET", kind="http"):
        """Return a function that serves one request, without an event loop: nothing here has to wait."""

        @login_required
        async def gated():
            pass

        async def app(scope, receive, send):
            try:
                if scope["path"] == "/gated":
                    await gated()
                elif scope["path"] == "/require":
                    scope["state"]["auth"].require()
            except CustomError:
                await send({"type": "http.response.start", "status": 418, "headers": []})
                await send({"type": "http.response.body", "body": b""})
            else:
                await shown(scope, receive, send)

        middleware = AuthMiddleware(Gate(app, exempt=["/public", "/gated", "/require"]), logins.manager)
        sent = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message.get("status", message.get("code")))

        def one():
            sent.clear()
            scope = driver.make_scope(kind, path, method=method, headers=headers)
            immediately(middleware(scope, receive, send))
            return sent[0]

        return one

    @pytest.fixture(autouse=True)
    def _no_kept_log_records(self, caplog):
        # pytest keeps every record of a test, which is memory too.
        caplog.set_level(logging.CRITICAL, logger="asgi_login")

    @pytest.mark.parametrize(
        ("exceptions", "status"),
        [
            ({}, 401),
            ({"not_authenticated_exception": CustomError}, 418),
            ({"not_authenticated_exception": CustomError("please", code=7)}, 418),
        ],
    )
    def test_it_stays_flat_over_many_anonymous_requests(self, exceptions, status):
        one = self.serve(Logins(**exceptions))
        for _ in range(1_000):
            assert one() == status
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(self.NUMBER):
            one()
        gc.collect()
        assert sys.getallocatedblocks() - before < self.NUMBER / 100
        instance = exceptions.get("not_authenticated_exception")
        if isinstance(instance, CustomError):
            assert (instance.__traceback__, instance.__context__, instance.__cause__) == (None, None, None)

    def test_it_stays_flat_over_many_bad_tokens(self):
        logins = Logins()
        tokens = iter(range(1_000 + self.NUMBER))
        headers = [bearer("")]
        served = self.serve(logins, headers=headers)
        for _ in range(1_000):
            headers[0] = bearer(f"aaaa.bbbb{next(tokens)}.cccc")
            assert served() == 401
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(self.NUMBER):
            headers[0] = bearer(f"aaaa.bbbb{next(tokens)}.cccc")
            served()
        gc.collect()
        assert sys.getallocatedblocks() - before < self.NUMBER / 100

    async def test_what_is_raised_is_a_copy_of_the_applications_instance(self):
        instance = CustomError("please", code=7)
        instance.more = ["kept"]
        logins = Logins(not_authenticated_exception=instance)
        first, second = await ask(login_required(plain), logins), await ask(login_required(plain), logins)
        for raised in (first, second):
            assert (type(raised), raised.args, raised.code, raised.more) == (CustomError, ("please",), 7, ["kept"])
        assert instance is not first is not second is not instance

    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("kind", ["http", "websocket"])
    def test_a_request_leaves_no_cyclic_garbage(self, case, kind):
        path, carry, status = CASES[case]
        logins = Logins()
        one = self.serve(logins, path, [carry(logins.token())] if carry else [], kind=kind)
        if kind == "http":
            assert one() == status
        self.assert_no_garbage(one)

    @pytest.mark.parametrize("exception", [CustomError, CustomError("please", code=7)])
    def test_an_exception_of_the_application_leaves_no_cyclic_garbage(self, exception):
        self.assert_no_garbage(self.serve(Logins(not_authenticated_exception=exception)))

    def test_a_request_of_another_site_leaves_no_cyclic_garbage(self):
        logins = Logins()
        headers = [cookie(logins.token()), ("origin", "https://evil.example")]
        one = self.serve(logins, "/public", headers, method="POST")
        assert one() == 403
        self.assert_no_garbage(one)

    @staticmethod
    def assert_no_garbage(one):
        one()
        # What the tests before have left behind may take more than one round.
        while gc.collect():
            pass
        gc.disable()
        try:
            for _ in range(100):
                one()
            assert gc.collect() == 0
        finally:
            gc.enable()
