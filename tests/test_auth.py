import contextvars
import gc
import types
from collections import deque
from datetime import timedelta

import anyio
import anyio.to_thread
import pytest
from conformance import driver
from conformance.driver import bearer, cookie, http
from conformance.logins import OTHER_SECRET, Logins, User

from asgi_login import (
    Auth,
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    InsufficientScope,
    InvalidToken,
    LoginNotFresh,
    NotAuthenticated,
    Sessions,
    current_auth,
    get_auth,
    login_required,
)

pytestmark = pytest.mark.anyio


async def no_app(scope, receive, send):
    pass


async def auth_of(logins, *headers, app=no_app):
    """Return what the middleware makes of a request."""
    connection = await http(AuthMiddleware(app, logins.manager), "/", headers=headers)
    return connection.scope["state"]["auth"]


@pytest.fixture
def logins():
    return Logins()


class TestAuth:
    async def test_an_identity_tells_all_about_itself(self, logins):
        auth = await auth_of(logins, bearer(logins.fresh_token("ada", "b", "a")))
        assert isinstance(auth, Auth)
        assert (auth.user, auth.is_authenticated, auth.error) == (User("ada"), True, None)
        assert (auth.transport, auth.manager, auth.fresh) == ("bearer", "default", True)
        assert auth.scopes == frozenset({"a", "b"})
        assert isinstance(auth.scopes, frozenset)
        assert auth.expires_at == logins.clock() + 15 * 60
        assert auth.claims["sub"] == "ada"
        assert auth.claims["scope"] == "b a"

    async def test_an_anonymous_request_is_an_explicit_nobody(self, logins):
        auth = await auth_of(logins)
        assert (auth.user, auth.is_authenticated, auth.error) == (None, False, None)
        assert (auth.transport, auth.manager, auth.fresh, auth.expires_at) == (None, None, False, None)
        assert (auth.scopes, dict(auth.claims)) == (frozenset(), {})

    @pytest.mark.parametrize("token", ["not-a-token", "gone"])
    async def test_a_refused_credential_is_kept_apart_from_none(self, logins, token):
        auth = await auth_of(logins, cookie(logins.token("gone", "a") if token == "gone" else token))
        assert (auth.user, auth.is_authenticated, type(auth.error)) == (None, False, InvalidToken)
        assert (auth.transport, auth.manager, auth.fresh, auth.expires_at) == ("cookie", "default", False, None)
        assert (auth.scopes, dict(auth.claims)) == (frozenset(), {})

    async def test_the_state_holds_user_and_scopes_next_to_it(self, logins):
        connection = await http(AuthMiddleware(no_app, logins.manager), "/", headers=[bearer(logins.token("ada", "a"))])
        state = connection.scope["state"]
        assert set(state) == {"user", "scopes", "auth"}
        assert state["user"] is state["auth"].user
        assert state["scopes"] is state["auth"].scopes

    @pytest.mark.parametrize(
        "name",
        ["user", "claims", "scopes", "error", "transport", "manager", "fresh", "expires_at", "is_authenticated", "new"],
    )
    async def test_it_is_immutable(self, logins, name):
        for auth in (await auth_of(logins), await auth_of(logins, bearer(logins.token()))):
            before = getattr(auth, name, "missing")
            with pytest.raises(AttributeError):
                setattr(auth, name, "somebody else")
            with pytest.raises(AttributeError):
                delattr(auth, name)
            assert getattr(auth, name, "missing") == before
            assert not hasattr(auth, "__dict__")

    async def test_claims_are_read_only_at_every_depth(self, logins):
        token = logins.token("ada", roles=["a", {"b": ["c"]}], address={"city": {"name": "x"}})
        claims = (await auth_of(logins, bearer(token))).claims
        for mapping in (claims, claims["address"], claims["address"]["city"], claims["roles"][1]):
            with pytest.raises(TypeError):
                mapping["sub"] = "eve"
        assert claims["roles"] == ("a", {"b": ("c",)})

    async def test_its_repr_tells_no_user_claim_or_token(self, logins):
        token = logins.token("ada-lovelace", "orders", note="secret")
        for headers in ([bearer(token)], [bearer(token + "x")], []):
            text = repr(await auth_of(logins, *headers))
            assert not [word for word in ("ada-lovelace", "orders", "secret", token) if word in text]

    async def test_its_repr_tells_the_outcome_and_where_the_credential_was(self, logins):
        token = logins.token()
        name = logins.manager.name
        texts = [repr(await auth_of(logins, *headers)) for headers in ([bearer(token)], [cookie(token + "x")], [])]
        assert texts == [
            f"<Auth authenticated manager={name!r} transport='bearer'>",
            f"<Auth InvalidToken manager={name!r} transport='cookie'>",
            "<Auth anonymous manager=None transport=None>",
        ]

    @pytest.mark.parametrize("carry", [None, bearer, cookie, lambda _: bearer("not-a-token")])
    async def test_nothing_in_it_leads_back_to_the_request(self, logins, carry):
        connection = await http(
            AuthMiddleware(no_app, logins.manager),
            "/",
            headers=[carry(logins.token())] if carry else [],
            state={"of the server": object()},
        )
        scope = connection.scope
        request = {id(one): name for name, one in scope.items() if isinstance(one, (dict, list))}
        request |= {id(scope): "scope", id(connection): "connection"}
        seen, todo = set(), deque([scope["state"]["auth"]])
        while todo:
            one = todo.popleft()
            if id(one) in seen or isinstance(one, (types.ModuleType, type)):
                continue
            seen.add(id(one))
            assert id(one) not in request, request[id(one)]
            if isinstance(one, types.FunctionType):
                # Through its globals a function leads everywhere.
                todo.extend([*(one.__closure__ or ()), *(one.__defaults__ or ())])
            else:
                todo.extend(gc.get_referents(one))
        assert len(seen) > 10

    async def test_its_error_is_never_the_one_that_is_raised(self, logins):
        raised = []

        @login_required
        async def view():
            pass

        async def app(scope, receive, send):
            for _ in range(2):
                with pytest.raises(InvalidToken) as problem:
                    await view()
                raised.append(problem.value)

        auth = await auth_of(logins, bearer("not-a-token"), app=app)
        assert auth.error not in raised
        assert raised[0] is not raised[1]
        assert (auth.error.__traceback__, auth.error.__context__) == (None, None)
        assert [str(one) for one in raised] == [str(auth.error)] * 2


class TestRequire:
    async def test_it_passes_whoever_has_everything(self, logins):
        auth = await auth_of(logins, bearer(logins.fresh_token("ada", "a", "b")))
        assert auth.require() == User("ada")
        assert auth.require("a", "b", fresh=True) == User("ada")

    async def test_it_raises_the_error_that_says_what_is_missing(self, logins):
        auth = await auth_of(logins, bearer(logins.token("ada", "a")))
        with pytest.raises(InsufficientScope) as problem:
            auth.require("a", "b")
        assert (problem.value.required, problem.value.status) == (("a", "b"), 403)
        with pytest.raises(LoginNotFresh):
            auth.require("a", fresh=True)
        with pytest.raises(NotAuthenticated):
            (await auth_of(logins)).require()
        with pytest.raises(InvalidToken):
            (await auth_of(logins, bearer("not-a-token"))).require("a")

    async def test_it_looks_at_the_clock_again(self, logins):
        auth = await auth_of(logins, bearer(logins.fresh_token("ada", "a")))
        logins.clock.tick(10 * 60)
        auth.require("a", fresh=True)
        logins.clock.tick(1)
        assert not auth.fresh
        with pytest.raises(LoginNotFresh):
            auth.require(fresh=True)
        logins.clock.tick(5 * 60 - 2)
        auth.require("a")
        logins.clock.tick(1)
        with pytest.raises(InvalidToken) as problem:
            auth.require()
        assert problem.value.expired
        assert problem.value.description == "The token has expired"

    async def test_it_looks_at_the_clock_with_the_managers_leeway(self):
        logins = Logins(leeway=timedelta(seconds=60))
        auth = await auth_of(logins, bearer(logins.token()))
        logins.clock.tick(15 * 60 + 59)
        auth.require()
        logins.clock.tick(1)
        with pytest.raises(InvalidToken):
            auth.require()

    async def test_freshness_ends_after_fresh_for_and_not_after_the_last_use(self):
        logins = Logins(sessions=Sessions(fresh_for=timedelta(minutes=5)))
        auth = await auth_of(logins, bearer(logins.fresh_token()))
        for _ in range(5):
            logins.clock.tick(60)
            auth.require(fresh=True)
        logins.clock.tick(1)
        with pytest.raises(LoginNotFresh):
            auth.require(fresh=True)

    @pytest.mark.parametrize(
        ("scopes", "error"), [([["a"]], TypeError), ([None], TypeError), (["a b"], ValueError), ([""], ValueError)]
    )
    async def test_what_is_no_scope_is_a_mistake_and_no_refusal(self, logins, scopes, error):
        for auth in (await auth_of(logins), await auth_of(logins, bearer(logins.token("ada", "a", "b")))):
            with pytest.raises(error, match="require"):
                auth.require(*scopes)

    async def test_each_refusal_is_an_exception_of_its_own(self, logins):
        auth = await auth_of(logins, bearer("not-a-token"))
        problems = []
        for _ in range(2):
            with pytest.raises(InvalidToken) as problem:
                auth.require()
            problems.append(problem.value)
        assert problems[0] is not problems[1]

    async def test_whoever_is_let_in_is_returned(self, logins):
        auth = await auth_of(logins, bearer(logins.fresh_token("ada", "a")))
        assert auth.require("a", fresh=True) == User("ada")

    async def test_the_subject_is_returned_where_it_is_the_user(self, logins):
        logins.manager.user_loader(lambda sub: sub)
        assert (await auth_of(logins, bearer(logins.token("ada")))).require() == "ada"


class TestGetAuth:
    async def test_it_takes_a_scope_or_whatever_has_one(self, logins):
        connection = await http(AuthMiddleware(no_app, logins.manager), "/", headers=[bearer(logins.token())])
        assert get_auth(connection.scope) is get_auth(connection) is connection.scope["state"]["auth"]

    @pytest.mark.parametrize("state", [driver.ABSENT, None, {}, {"auth": None}, {"auth": "somebody"}, {"user": "ada"}])
    def test_without_the_middleware_it_is_a_mistake_and_nobodys_anonymity(self, state):
        scope = driver.make_scope("http", "/", state=state)
        with pytest.raises(RuntimeError, match="did not pass through AuthMiddleware"):
            get_auth(scope)
        with pytest.raises(RuntimeError, match="did not pass through AuthMiddleware"):
            get_auth(driver.Connection(scope))


class TestCurrentAuth:
    def test_outside_of_a_request_it_is_a_mistake(self):
        with pytest.raises(RuntimeError, match="no request is being handled here"):
            current_auth()

    async def test_it_is_the_one_of_the_scope(self, logins):
        seen = []

        async def app(scope, receive, send):
            seen.append(current_auth() is get_auth(scope))
            seen.append(await anyio.to_thread.run_sync(current_auth) is get_auth(scope))

        await auth_of(logins, bearer(logins.token()), app=app)
        await auth_of(logins, app=app)
        assert seen == [True] * 4

    async def test_a_thread_that_lost_its_context_is_told_what_to_do(self, logins):
        async def app(scope, receive, send):
            with pytest.raises(RuntimeError, match=r'pass scope\["state"\]\["auth"\] along'):
                await anyio.to_thread.run_sync(contextvars.Context().run, current_auth)

        await auth_of(logins, bearer(logins.token()), app=app)

    @pytest.mark.parametrize("fails", [False, True])
    async def test_a_task_that_outlives_the_request_finds_it_over(self, logins, fails):
        outcomes = []
        done = anyio.Event()

        async def outlive():
            outcomes.append(current_auth().user)
            await done.wait()
            with pytest.raises(RuntimeError, match="the request is over"):
                current_auth()
            outcomes.append("over")

        async with anyio.create_task_group() as group:

            async def app(scope, receive, send):
                group.start_soon(outlive)
                await anyio.lowlevel.checkpoint()
                while not outcomes:
                    await anyio.lowlevel.checkpoint()
                if fails:
                    raise LookupError

            await auth_of(logins, bearer(logins.token()), app=app)
            done.set()
        assert outcomes == [User("ada"), "over"]

    async def test_after_the_inner_middleware_the_outer_ones_identity_is_back(self, logins):
        outer = Logins(OTHER_SECRET, name="outer", transports=[CookieTransport("__Host-outer"), BearerTransport()])
        seen = []

        async def app(scope, receive, send):
            seen.append(current_auth().user)

        async def between(scope, receive, send):
            seen.append(current_auth().user)
            await AuthMiddleware(app, logins.manager)(scope, receive, send)
            seen.append(current_auth().user)

        await auth_of(outer, cookie(outer.token("bob"), "__Host-outer"), bearer(logins.token("ada")), app=between)
        # The header was meant for the inner one, and refused by the outer one.
        assert seen == [None, User("ada"), None]
        seen.clear()
        await auth_of(outer, cookie(outer.token("bob"), "__Host-outer"), cookie(logins.token("ada")), app=between)
        assert seen == [User("bob"), User("ada"), User("bob")]


class TestActive:
    async def test_a_kept_auth_makes_decorators_work_after_its_request(self):
        logins = Logins()
        auth = await auth_of(logins, bearer(logins.token("ada")))

        @login_required
        async def handler():
            return current_auth().user

        with auth.active():
            assert await handler() == User("ada")
        with pytest.raises(RuntimeError, match="no request is being handled"):
            await handler()

    async def test_a_kept_auth_looks_at_the_clock_again(self):
        logins = Logins()
        auth = await auth_of(logins, bearer(logins.token("ada")))
        logins.clock.now += timedelta(hours=1).total_seconds()
        with auth.active(), pytest.raises(InvalidToken):
            login_required(lambda: None)()
