"""The user loader: every kind of callable, what it is given, and what becomes of what it does."""

import functools
import threading
from contextvars import ContextVar
from decimal import Decimal
from uuid import UUID

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from helpers import (
    SECRET,
    Clock,
    bearer,
    claims,
    cookie,
    hello,
    hs256,
    http_scope,
    open_websocket,
    protected,
    send_request,
    websocket_scope,
)

from asgi_login import (
    AuthError,
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    InsufficientScope,
    InvalidToken,
    LoginManager,
    NotAuthenticated,
    current_auth,
    get_auth,
    login_required,
)

pytestmark = pytest.mark.anyio

TOKEN = hs256()
STRANGER = hs256(claims(sub="nobody"))


PARSE_HEX = functools.partial(int, base=16)


class User:
    def __init__(self, name, *extras):
        self.name = name
        self.extras = extras


def manager_with(loader=None, *args, **kwargs):
    manager = LoginManager(SECRET, transports=[BearerTransport(), CookieTransport()], clock=Clock())
    if loader is not None:
        if args or kwargs:
            manager.user_loader(*args, **kwargs)(loader)
        else:
            manager.user_loader(loader)
    return manager


async def auth_of(manager, *headers, **scope):
    """Return the Auth of one request."""
    seen = []

    async def app(scope, receive, send):
        seen.append(get_auth(scope))
        await hello(scope, receive, send)

    await send_request(AuthMiddleware(app, manager), http_scope(headers=headers, **scope))
    return seen[0]


def find(sub):
    return None if sub == "nobody" else User(sub)


async def find_async(sub):
    await anyio.lowlevel.checkpoint()
    return find(sub)


class Plain:
    def __call__(self, sub):
        return find(sub)

    def method(self, sub):
        return find(sub)


class Async:
    async def __call__(self, sub):
        return await find_async(sub)

    async def method(self, sub):
        return await find_async(sub)


class ReturnsCoroutine:
    def __call__(self, sub):
        return find_async(sub)


class Later:
    """An awaitable that is no coroutine."""

    def __init__(self, value):
        self.value = value

    def __await__(self):
        yield from anyio.lowlevel.checkpoint().__await__()
        return self.value


@functools.wraps(find_async)
def wrapped(sub):
    return find_async(sub)


def find_in(table, sub):
    return table(sub)


async def find_in_async(table, sub):
    return table(sub)


KINDS = {
    "async function": find_async,
    "plain function": find,
    "lambda": lambda sub: find(sub),  # noqa: PLW0108 - it is the lambda that is tested
    "lambda that returns a coroutine": lambda sub: find_async(sub),  # noqa: PLW0108 - the same
    "object": Plain(),
    "async object": Async(),
    "object that returns a coroutine": ReturnsCoroutine(),
    "method": Plain().method,
    "async method": Async().method,
    "partial": functools.partial(find_in, find),
    "async partial": functools.partial(find_in_async, find),
    "partial of a partial": functools.partial(functools.partial(find_in_async, find)),
    "partial of an async object": functools.partial(Async()),
    "plain wrapper of an async function": wrapped,
    "awaitable that is no coroutine": lambda sub: Later(find(sub)),
    "builtin": {"ada": User("ada")}.get,
}


# A user, and what is none though it is of the same type; no bool is a user.
NO_USERS = [
    (User("ada"), False),
    (User("ada"), True),
    (7, 0),
    (7.0, 0.0),
    (7j, 0j),
    ("ada", ""),
    (b"ada", b""),
    (bytearray(b"ada"), bytearray()),
    (memoryview(b"ada"), memoryview(b"")),
    (range(1), range(0)),
    (("ada",), ()),
    (["ada"], []),
    ({"name": "ada"}, {}),
    ({"ada"}, set()),
    (frozenset({"ada"}), frozenset()),
]


class TestKinds:
    @pytest.mark.parametrize("loader", KINDS.values(), ids=KINDS)
    async def test_every_kind_of_callable_finds_the_user(self, loader):
        auth = await auth_of(manager_with(loader), bearer(TOKEN))
        assert auth.is_authenticated
        assert type(auth.user) is User
        assert auth.user.name == "ada"

    @pytest.mark.parametrize("loader", KINDS.values(), ids=KINDS)
    async def test_every_kind_of_callable_may_say_that_there_is_no_such_user(self, loader):
        manager = manager_with(loader)
        auth = await auth_of(manager, bearer(STRANGER))
        assert (auth.user, auth.is_authenticated) == (None, False)
        assert isinstance(auth.error, InvalidToken)
        answer = await send_request(protected(manager), http_scope(headers=[bearer(STRANGER)]))
        assert answer.status == 401

    @pytest.mark.parametrize("is_async", [False, True])
    @pytest.mark.parametrize(("good", "result"), NO_USERS, ids=[repr(result)[:9] for _, result in NO_USERS])
    async def test_a_loader_that_returns_false_or_anything_empty_is_a_mistake_and_lets_nobody_in(
        self, good, result, is_async
    ):
        def load(sub):
            return result if sub == "nobody" else good

        async def load_async(sub):
            return load(sub)

        manager = manager_with(load_async if is_async else load)
        # A user of the same type comes first: what is known of the type must not open the gate.
        assert (await auth_of(manager, bearer(TOKEN))).user is good
        for line in (bearer(STRANGER), cookie(STRANGER)):
            with pytest.raises(TypeError, match="which is no user: return the user, or None if there is none"):
                await send_request(protected(manager), http_scope(headers=[line]))

    async def test_a_user_may_be_false_or_refuse_to_say(self):
        class Empty(User):
            def __len__(self):
                return 0

        class Refuses(User):
            def __bool__(self):
                raise ZeroDivisionError

            __len__ = __bool__

        class Record(dict):
            """A user that is a mapping without entries."""

        for user in (Empty("ada"), Refuses("ada"), Record()):
            manager = manager_with({"ada": user}.get)
            for _ in range(2):
                assert (await auth_of(manager, bearer(TOKEN))).user is user
                assert (await send_request(protected(manager), http_scope(headers=[bearer(TOKEN)]))).status == 200

    async def test_the_user_is_handed_on_unchanged(self):
        user = User("ada")

        async def load(sub):
            return user

        seen = []

        async def app(scope, receive, send):
            seen.extend([scope["state"]["user"], scope["state"]["auth"].user, current_auth().user])
            await hello(scope, receive, send)

        await send_request(AuthMiddleware(app, manager_with(load)), http_scope(headers=[bearer(TOKEN)]))
        assert all(one is user for one in seen)
        assert len(seen) == 3


class TestThreads:
    async def test_a_plain_loader_runs_on_a_worker_thread(self):
        threads = []

        def load(sub):
            threads.append(threading.get_ident())
            return sub

        await auth_of(manager_with(load), bearer(TOKEN))
        assert threads != [threading.get_ident()]
        assert len(threads) == 1

    async def test_an_async_loader_runs_on_the_loop(self):
        threads = []

        async def load(sub):
            threads.append(threading.get_ident())
            return sub

        await auth_of(manager_with(load), bearer(TOKEN))
        assert threads == [threading.get_ident()]

    async def test_what_a_plain_loader_returns_is_awaited_on_the_loop(self):
        threads = []

        async def inner(sub):
            threads.append(threading.get_ident())
            return sub

        def load(sub):
            threads.append(threading.get_ident())
            return inner(sub)

        await auth_of(manager_with(load), bearer(TOKEN))
        assert threads[0] != threading.get_ident()
        assert threads[1] == threading.get_ident()

    async def test_an_application_that_fills_the_worker_threads_locks_nobody_out(self):
        limiter = anyio.to_thread.current_default_thread_limiter()
        borrowers = [object() for _ in range(int(limiter.available_tokens))]
        for borrower in borrowers:
            limiter.acquire_on_behalf_of_nowait(borrower)
        try:
            assert limiter.available_tokens == 0
            with anyio.fail_after(10):
                assert (await auth_of(manager_with(find), bearer(TOKEN))).user.name == "ada"
        finally:
            for borrower in borrowers:
                limiter.release_on_behalf_of(borrower)

    async def test_a_plain_loader_sees_the_context_of_its_request(self):
        tenant = ContextVar("tenant")

        def load(sub):
            return tenant.get()

        tenant.set("acme")
        assert (await auth_of(manager_with(load), bearer(TOKEN))).user == "acme"

    async def test_logins_at_once_do_not_wait_for_each_other(self):
        at_once = 5
        barrier = threading.Barrier(at_once)

        def load(sub):
            barrier.wait(timeout=10)
            return sub

        manager = manager_with(load)
        users = []

        async def one(sub):
            users.append((await auth_of(manager, bearer(hs256(claims(sub=sub))))).user)

        async with anyio.create_task_group() as group:
            for i in range(at_once):
                group.start_soon(one, f"user{i}")
        assert sorted(users) == [f"user{i}" for i in range(at_once)]


class TestRegistration:
    async def test_the_decorator_returns_the_function(self):
        manager = manager_with()
        assert manager.user_loader(find) is find
        assert manager.user_loader()(find) is find
        assert manager.user_loader("x")(User) is User

    async def test_the_decorator_may_be_called_without_arguments(self):
        manager = manager_with()

        @manager.user_loader()
        async def load(sub):
            return sub

        assert (await auth_of(manager, bearer(TOKEN))).user == "ada"

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_extras_follow_sub_by_position_and_by_name(self, is_async):
        def load(sub, first, second, *, third):
            return User(sub, first, second, third)

        async def load_async(sub, first, second, *, third):
            return User(sub, first, second, third)

        manager = manager_with(load_async if is_async else load, 1, "two", third=[3])
        auth = await auth_of(manager, bearer(TOKEN))
        assert (auth.user.name, *auth.user.extras) == ("ada", 1, "two", [3])

    async def test_extras_are_passed_as_they_are(self):
        session = object()
        manager = manager_with(lambda sub, session: session, session=session)
        assert (await auth_of(manager, bearer(TOKEN))).user is session

    async def test_a_sole_callable_is_the_loader_and_a_callable_extra_goes_by_keyword(self):
        manager = manager_with()

        @manager.user_loader(make_session=lambda: "session")
        def load(sub, make_session):
            return User(sub, make_session())

        assert (await auth_of(manager, bearer(TOKEN))).user.extras == ("session",)

    async def test_several_callables_are_extras(self):
        manager = manager_with(lambda sub, a, b: User(sub, a(), b()), lambda: 1, lambda: 2)
        assert (await auth_of(manager, bearer(TOKEN))).user.extras == (1, 2)

    async def test_a_loader_with_variable_arguments_takes_extras_but_no_more(self):
        def load(*args, **kwargs):
            return (args, kwargs)

        assert (await auth_of(manager_with(load, 1, x=2), bearer(TOKEN))).user == (("ada", 1), {"x": 2})

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_a_parameter_named_scope_gets_the_scope_of_the_request(self, is_async):
        def load(sub, scope):
            return scope

        async def load_async(sub, *, scope):
            return scope

        scope = http_scope(headers=[bearer(TOKEN)])
        app = AuthMiddleware(hello, manager_with(load_async if is_async else load))
        await send_request(app, scope)
        assert scope["state"]["user"] is scope

    async def test_a_parameter_named_claims_gets_the_verified_claims(self):
        async def load(sub, claims):
            with pytest.raises(TypeError):
                claims["sub"] = "root"
            return claims

        auth = await auth_of(manager_with(load), bearer(TOKEN))
        assert auth.user is auth.claims
        assert auth.claims == claims()

    async def test_scope_and_claims_stand_beside_extras(self):
        def load(sub, database, claims, scope, *, timeout):
            return (sub, database, claims["sub"], scope["type"], timeout)

        manager = manager_with(load, "db", timeout=5)
        assert (await auth_of(manager, bearer(TOKEN))).user == ("ada", "db", "ada", "http", 5)

    async def test_scope_and_claims_reach_objects_and_partials(self):
        class Loader:
            async def __call__(self, sub, *, scope, claims):
                return (sub, scope["path"], claims["sub"])

        for loader in (Loader(), functools.partial(Loader())):
            assert (await auth_of(manager_with(loader), bearer(TOKEN), path="/x")).user == ("ada", "/x", "ada")

    async def test_other_parameters_with_defaults_keep_them(self):
        manager = manager_with(lambda sub, request=None, state="default": (request, state))
        assert (await auth_of(manager, bearer(TOKEN))).user == (None, "default")

    @pytest.mark.parametrize(
        ("args", "kwargs"), [((), {"scope": 1}), ((), {"claims": 1}), ((1,), {}), ((1, 2), {}), ((1,), {"claims": 2})]
    )
    async def test_an_extra_that_clashes_with_what_we_pass_is_refused(self, args, kwargs):
        def load(sub, scope=None, claims=None):
            return sub

        with pytest.raises(TypeError, match=r"'(scope|claims)' is one that we pass: give yours another name"):
            manager_with().user_loader(*args, **kwargs)(load)

    @pytest.mark.parametrize(
        ("loader", "args", "kwargs"),
        [
            (lambda: None, (), {}),
            (lambda sub, more: None, (), {}),
            (lambda sub: None, (1,), {}),
            (lambda sub: None, (), {"x": 1}),
            (lambda *, sub: None, (), {}),
            (lambda sub, x: None, (1,), {"x": 1}),
            (lambda sub: None, (), {"sub": "x"}),
            (lambda sub, scope, more: None, (), {}),
        ],
    )
    async def test_a_loader_that_cannot_be_called_like_that_is_refused_at_registration(self, loader, args, kwargs):
        with pytest.raises(TypeError, match="the user loader cannot be called"):
            manager_with().user_loader(*args, **kwargs)(loader)

    @pytest.mark.parametrize("loader", [None, "load", 5, find("ada")])
    async def test_what_cannot_be_called_is_no_loader(self, loader):
        with pytest.raises(TypeError, match="a user loader is a function"):
            manager_with().user_loader("extra")(loader)

    async def test_the_last_loader_counts(self):
        manager = manager_with(lambda sub, x: "first", 1)
        manager.user_loader(lambda sub: "second")
        assert (await auth_of(manager, bearer(TOKEN))).user == "second"

    async def test_a_refused_loader_leaves_the_last_one_in_place(self):
        manager = manager_with(lambda sub: "first")
        with pytest.raises(TypeError):
            manager.user_loader(lambda: "second")
        assert (await auth_of(manager, bearer(TOKEN))).user == "first"


class TestFailure:
    async def test_a_missing_loader_is_an_error_at_the_first_request_that_needs_one(self):
        manager = manager_with()
        assert (await auth_of(manager)).error is None
        assert isinstance((await auth_of(manager, bearer("a.b.c"))).error, InvalidToken)
        for line in (bearer(TOKEN), cookie(TOKEN)):
            with pytest.raises(RuntimeError, match="no user loader is registered"):
                await auth_of(manager, line)

    @pytest.mark.parametrize("is_async", [False, True])
    @pytest.mark.parametrize(
        "problem",
        [ConnectionError("database down"), KeyError("x"), LookupError(), RuntimeError("x")],
    )
    async def test_what_a_loader_raises_is_raised_and_nobody_is_anonymous(self, problem, is_async):
        def load(sub):
            raise problem

        async def load_async(sub):
            raise problem

        ran = []

        async def app(scope, receive, send):
            ran.append(scope)

        middleware = AuthMiddleware(app, manager_with(load_async if is_async else load))
        for scope in (
            http_scope(headers=[bearer(TOKEN)]),
            http_scope(headers=[cookie(TOKEN)]),
            websocket_scope(headers=[bearer(TOKEN)]),
        ):
            client = send_request if scope["type"] == "http" else open_websocket
            with pytest.raises(type(problem)) as caught:
                await client(middleware, scope)
            assert caught.value is problem
        assert ran == []

    async def test_a_plain_loader_that_raises_stop_iteration_is_no_anonymity(self):
        def load(sub):
            return next(user for user in () if user == sub)

        with pytest.raises((RuntimeError, StopIteration)):
            await auth_of(manager_with(load), bearer(TOKEN))

    async def test_a_failure_is_not_remembered(self):
        outcomes = [ConnectionError("database down"), None, User("ada")]

        async def load(sub):
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        manager = manager_with(load)
        with pytest.raises(ConnectionError):
            await auth_of(manager, bearer(TOKEN))
        assert isinstance((await auth_of(manager, bearer(TOKEN))).error, InvalidToken)
        assert (await auth_of(manager, bearer(TOKEN))).user.name == "ada"

    async def test_what_a_returned_awaitable_raises_is_raised(self):
        async def broken(sub):
            raise ConnectionError("database down")

        with pytest.raises(ConnectionError):
            await auth_of(manager_with(lambda sub: broken(sub)), bearer(TOKEN))  # noqa: PLW0108 - it is no async function

    async def test_cancellation_passes_through_the_loader(self):
        reached, cancelled, ran = anyio.Event(), [], []

        async def load(sub):
            reached.set()
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                cancelled.append(sub)
                raise

        async def app(scope, receive, send):
            ran.append(scope)

        manager = manager_with(load)
        async with anyio.create_task_group() as group:
            group.start_soon(send_request, AuthMiddleware(app, manager), http_scope(headers=[bearer(TOKEN)]))
            await reached.wait()
            group.cancel_scope.cancel()
        assert (cancelled, ran) == (["ada"], [])
        manager.user_loader(find)
        assert (await auth_of(manager, bearer(TOKEN))).user.name == "ada"


class ClosedError(AuthError):
    """What an application raises for an account that is closed."""

    status = 403
    error = "account_closed"
    description = "The account is closed"


REFUSALS = [
    (InvalidToken("no such tenant"), 401, "invalid_token"),
    (NotAuthenticated("signed out"), 401, "unauthorized"),
    (InsufficientScope("locked", required=["unlock"]), 403, "insufficient_scope"),
    (ClosedError("by the user"), 403, "account_closed"),
]


class TestRefusal:
    @pytest.mark.parametrize("is_async", [False, True])
    @pytest.mark.parametrize(("error", "status", "code"), REFUSALS, ids=[code for *_, code in REFUSALS])
    async def test_a_loader_may_raise_any_auth_error_to_refuse(self, error, status, code, is_async, caplog):
        def load(sub):
            raise error

        async def load_async(sub):
            raise error

        caplog.set_level("INFO", "asgi_login")
        manager = manager_with(load_async if is_async else load)
        for line in (bearer(TOKEN), cookie(TOKEN)):
            answer = await send_request(protected(manager), http_scope(headers=[line]))
            assert (answer.status, answer.json()["error"]) == (status, code)
            assert error.reason not in answer.body.decode()
            assert error.reason in caplog.text
            # A public page is shown: the credential does not count, and nothing has failed.
            assert (await send_request(AuthMiddleware(hello, manager), http_scope(headers=[line]))).body == b"None"
            assert type((await auth_of(manager, line)).error) is type(error)


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


ADA = UUID("ada00000-0000-4000-8000-000000000000")


class TestSubType:
    @pytest.mark.parametrize("is_async", [False, True])
    @pytest.mark.parametrize(("parse", "sub", "parsed"), [(UUID, str(ADA), ADA), (int, "7", 7), (positive, "7", 7)])
    async def test_the_loader_gets_the_id_parsed(self, parse, sub, parsed, is_async):
        async def load_async(sub, tenant, *, claims):
            return User(sub, tenant, claims["sub"])

        def load(sub, tenant, *, claims):
            return User(sub, tenant, claims["sub"])

        manager = manager_with(load_async if is_async else load, "acme", sub_type=parse)
        auth = await auth_of(manager, bearer(hs256(claims(sub=sub))))
        assert (auth.user.name, *auth.user.extras) == (parsed, "acme", sub)

    async def test_the_id_is_parsed_by_what_is_false_in_itself(self):
        class Parser(dict):
            def __call__(self, text):
                return int(text)

        async def load(sub):
            return User(sub)

        manager = manager_with(load, sub_type=Parser())
        assert (await auth_of(manager, bearer(hs256(claims(sub="7"))))).user.name == 7

    @pytest.mark.parametrize("is_async", [False, True])
    @pytest.mark.parametrize("parse", [UUID, int, positive, PARSE_HEX, Decimal, {"1": 1}.__getitem__])
    async def test_an_id_that_cannot_be_parsed_is_an_invalid_token_and_the_loader_does_not_run(
        self, parse, is_async, caplog
    ):
        ran = []

        async def load_async(sub):
            ran.append(sub)

        caplog.set_level("INFO", "asgi_login")
        manager = manager_with(load_async if is_async else ran.append, sub_type=parse)
        odd = hs256(claims(sub="ada@shop.example"))
        for line in (bearer(odd), cookie(odd)):
            answer = await send_request(protected(manager), http_scope(headers=[line]))
            assert (answer.status, answer.json()["error"]) == (401, "invalid_token")
            assert (await send_request(AuthMiddleware(hello, manager), http_scope(headers=[line]))).status == 200
        assert ran == []
        assert "shop.example" not in caplog.text
        assert "sub is no " in caplog.text

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_what_the_loader_raises_is_not_taken_for_a_failed_parse(self, is_async):
        def load(sub):
            raise ValueError(sub)

        async def load_async(sub):
            raise ValueError(sub)

        manager = manager_with(load_async if is_async else load, sub_type=UUID)
        with pytest.raises(ValueError, match=str(ADA)):
            await auth_of(manager, bearer(hs256(claims(sub=str(ADA)))))

    async def test_it_may_stand_beside_the_loader(self):
        manager = manager_with()
        assert manager.user_loader(find, sub_type=str.upper) is find
        assert (await auth_of(manager, bearer(TOKEN))).user.name == "ADA"

    @pytest.mark.parametrize("wrong", ["UUID", 5, find_async, Async()])
    async def test_what_parses_nothing_is_refused(self, wrong):
        with pytest.raises(TypeError, match="sub_type is a class or a plain function that parses the user's id"):
            manager_with(find, sub_type=wrong)


class TestHowOften:
    def counting(self):
        loaded = []

        async def load(sub):
            loaded.append(sub)
            return sub

        return manager_with(load), loaded

    async def test_it_runs_once_a_request_however_often_the_user_is_asked_for(self):
        manager, loaded = self.counting()

        @login_required
        async def view():
            return current_auth().user

        async def app(scope, receive, send):
            get_auth(scope).require()
            assert await view() == await view() == scope["state"]["user"] == "ada"
            await hello(scope, receive, send)

        lines = [bearer(TOKEN), cookie(TOKEN)]
        assert (await send_request(AuthMiddleware(app, manager), http_scope(headers=lines))).status == 200
        assert loaded == ["ada"]

    async def test_it_runs_again_for_the_next_request(self):
        manager, loaded = self.counting()
        for _ in range(3):
            await auth_of(manager, bearer(TOKEN))
        assert loaded == ["ada"] * 3

    async def test_it_does_not_run_without_an_identity(self):
        manager, loaded = self.counting()
        await auth_of(manager)
        for token in ("junk", hs256(secret="x" * 32), hs256(claims(exp=1)), hs256(claims(sub=""))):
            await auth_of(manager, bearer(token))
            await auth_of(manager, cookie(token))
        assert loaded == []

    async def test_it_does_not_run_for_paths_that_are_skipped(self):
        manager, loaded = self.counting()
        app = AuthMiddleware(hello, manager, skip=["/static"])
        for path in ("/static", "/static/x"):
            scope = http_scope(path=path, headers=[bearer(TOKEN)])
            assert (await send_request(app, scope)).status == 200
            assert scope["state"]["user"] is None
        assert loaded == []


class TestConcurrency:
    async def test_two_requests_at_once_never_see_each_others_user(self):
        both_loaded, both_running = anyio.Event(), anyio.Event()
        loading, running, users = [], [], {}

        async def load(sub):
            loading.append(sub)
            if len(loading) == 2:
                both_loaded.set()
            await both_loaded.wait()
            return sub

        async def app(scope, receive, send):
            running.append(scope)
            if len(running) == 2:
                both_running.set()
            await both_running.wait()
            users[scope["path"]] = (current_auth().user, scope["state"]["user"], get_auth(scope).claims["sub"])
            await hello(scope, receive, send)

        middleware = AuthMiddleware(app, manager_with(load))
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for sub in ("ada", "bob"):
                    scope = http_scope(path=f"/{sub}", headers=[bearer(hs256(claims(sub=sub)))])
                    group.start_soon(send_request, middleware, scope)
        assert users == {"/ada": ("ada",) * 3, "/bob": ("bob",) * 3}


def test_a_manager_outlives_the_event_loop_it_was_first_used_on():
    manager = manager_with(find)

    async def use():
        users = []

        async def one():
            users.append((await auth_of(manager, bearer(TOKEN))).user.name)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(one)
        return users

    for backend in ("asyncio", "trio", "asyncio", "trio"):
        assert anyio.run(use, backend=backend) == ["ada"] * 3


class Proxy:
    """Says that it is what it stands for, as the lazy objects of frameworks do."""

    def __init__(self, target):
        self.__dict__["target"] = target

    @property
    def __class__(self):
        return type(self.__dict__["target"])

    def __getattr__(self, name):
        return getattr(self.__dict__["target"], name)


async def test_a_proxy_of_something_awaitable_is_no_user_also_after_one_of_a_user(recwarn):
    pending = find_async("nobody")
    manager = manager_with(lambda sub: Proxy(User(sub) if sub == "ada" else pending))
    assert (await auth_of(manager, bearer(TOKEN))).user.name == "ada"
    with pytest.raises(TypeError):
        await auth_of(manager, bearer(STRANGER))
    pending.close()


async def test_an_awaitable_is_awaited_also_after_users_of_another_type():
    manager = manager_with(lambda sub: User(sub) if sub == "ada" else find_async("nobody"))
    assert (await auth_of(manager, bearer(TOKEN))).user.name == "ada"
    assert (await auth_of(manager, bearer(STRANGER))).user is None


class Lazy(User):
    """A user who is loaded when awaited."""

    def __await__(self):
        return find(self.name)
        yield


class Himself(User):
    """A user who gives himself when awaited."""

    def __await__(self):
        return self
        yield


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_result_that_can_be_awaited_is_awaited_for_each_user(is_async):
    async def load_async(sub):
        return Lazy(sub)

    manager = manager_with(load_async if is_async else Lazy)
    for _ in range(2):
        assert type((await auth_of(manager, bearer(TOKEN))).user) is User
        assert (await auth_of(manager, bearer(STRANGER))).user is None


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("twice", [lambda sub: Later(Later(find(sub))), Himself], ids=["twice", "himself"])
async def test_what_is_still_awaitable_after_one_await_is_a_mistake_and_no_user(twice, is_async):
    async def load_async(sub):
        return twice(sub)

    manager = manager_with(load_async if is_async else twice)
    for token in (TOKEN, STRANGER, TOKEN, STRANGER):
        with pytest.raises(TypeError, match=r"must return the user.* still awaitable after one await"):
            await send_request(protected(manager), http_scope(headers=[bearer(token)]))


async def test_a_proxy_that_can_be_awaited_is_awaited_also_after_a_user_of_the_class_that_it_claims():
    class Claims:
        """Says that it is a User, as the lazy objects of frameworks do."""

        __class__ = User

        def __init__(self, sub):
            self.sub = sub

        def __await__(self):
            return find(self.sub)
            yield

    manager = manager_with(lambda sub: User(sub) if sub == "ada" else Claims(sub))
    assert (await auth_of(manager, bearer(TOKEN))).user.name == "ada"
    assert (await auth_of(manager, bearer(STRANGER))).user is None


class CallsGenerator:
    def __call__(self, sub):
        yield User(sub)


class CallsAsyncGenerator:
    async def __call__(self, sub):
        yield User(sub)


async def returns_coroutine_of_coroutine(sub):
    async def inner():
        return find_async(sub)

    return inner()


@pytest.mark.parametrize(
    "loader",
    [CallsGenerator(), CallsAsyncGenerator(), lambda sub: (User(sub) for _ in "a"), returns_coroutine_of_coroutine],
    ids=["generator", "async generator", "generator expression", "coroutine of a coroutine of a coroutine"],
)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
async def test_what_nobody_has_run_is_no_user(loader):
    manager = manager_with(loader)
    for _ in range(2):
        with pytest.raises(TypeError, match="must return the user"):
            await auth_of(manager, bearer(STRANGER))
