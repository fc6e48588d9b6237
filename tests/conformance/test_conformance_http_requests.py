import anyio
import pytest
from conformance import driver
from conformance.answers import UNAUTHORIZED, assert_refused
from conformance.connection import Connection
from conformance.driver import bearer, cookie, http
from conformance.logins import User

from asgi_login import current_auth

pytestmark = pytest.mark.anyio


class TestScope:
    async def test_state_is_created_where_the_server_sent_none(self, app, logins):
        connection = await http(app, "/login", headers=[bearer(logins.token("ada", "a"))])
        state = connection.scope["state"]
        assert (state["user"], state["scopes"], state["auth"].user) == (User("ada"), frozenset({"a"}), User("ada"))

    async def test_state_of_the_server_is_written_in_place(self, app, logins):
        state = {"pool": "shared", "user": "set by nobody we know"}
        connection = await http(app, "/login", headers=[bearer(logins.token())], state=state)
        assert connection.scope["state"] is state
        assert (state["pool"], state["user"]) == ("shared", User("ada"))

    async def test_state_that_is_the_one_of_the_lifespan_is_copied_first(self, app, logins):
        shared = {}
        assert [one["type"] for one in (await driver.lifespan(app, shared)).messages] == [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
        ]
        assert shared == {"pool": "shared"}
        connection = await http(app, "/login", headers=[bearer(logins.token())], state=shared)
        assert connection.json["user"] == "ada"
        assert connection.scope["state"]["pool"] == "shared"
        assert shared == {"pool": "shared"}

    async def test_the_lifespan_passes_without_a_state(self, app, mounting, logins):
        own = await driver.lifespan(mounting.app(logins, mount="bare"))
        with_us = await driver.lifespan(app)
        # A framework that insists on the state says so with us as without.
        assert [one["type"] for one in with_us.messages] == [one["type"] for one in own.messages]
        assert type(with_us.error) is type(own.error)

    async def test_another_kind_of_scope_passes_untouched(self, app, mounting, logins):
        own = Connection({"type": "telepathy"})
        with pytest.raises((KeyError, AssertionError)) as problem:
            await mounting.app(logins, mount="bare")(own.scope, None, None)
        with pytest.raises(type(problem.value)):
            await app({"type": "telepathy"}, None, None)

    async def test_the_scope_object_is_kept_for_middleware_outside(self, mounting, logins):
        connection = await http(mounting.app(logins), "/public", headers=[bearer(logins.token())])
        assert connection.scope["state"]["user"] == User("ada")
        assert mounting.framework.trace in connection.scope

    @pytest.mark.parametrize("carry", [bearer, cookie])
    @pytest.mark.parametrize("case", [str.upper, str.title])
    async def test_header_names_count_in_any_case(self, app, logins, carry, case):
        name, value = carry(logins.token())
        assert (await http(app, "/login", headers=[(case(name), value)])).json["user"] == "ada"

    async def test_headers_may_be_a_one_shot_iterator(self, app, logins):
        name, value = bearer(logins.token())
        headers = iter([(name.encode(), value.encode()), (b"accept", b"*/*")])
        connection = await http(app, "/login", headers=headers)
        assert connection.json["user"] == "ada"
        assert (b"accept", b"*/*") in connection.scope["headers"]

    async def test_keys_that_servers_leave_out_may_be_missing(self, app, logins):
        omit = ("extensions", "scheme", "client", "root_path", "raw_path", "server")
        connection = await http(app, "/login", headers=[cookie(logins.token())], omit=omit)
        assert connection.json["user"] == "ada"
        connection = await http(app, "/login", omit=omit)
        assert_refused(connection, UNAUTHORIZED)

    @pytest.mark.parametrize(
        "client", [None, ("", 0), ("", "0"), ["203.0.113.7", 1], ("unix:", None), ("2001:db8::1", 1)]
    )
    async def test_a_client_may_be_anything(self, app, logins, client):
        connection = await http(app, "/login", headers=[cookie(logins.token())], client=client)
        assert connection.json["user"] == "ada"

    @pytest.mark.parametrize("path", ["/public", "/login", "/admin/page", "/plain"])
    async def test_receive_is_not_called_by_us(self, app, mounting, logins, path):
        own = await http(mounting.app(logins, mount="bare"), "/plain")
        for headers in ([], [bearer("not-a-token")], [cookie(logins.token("ada", "admin"))]):
            assert (await http(app, path, headers=headers)).received == own.received


class TestIsolation:
    @pytest.fixture
    def visitors(self, logins):
        """Who sends what, and what the page must say."""
        return [
            ([bearer(logins.token("ada", "a"))], "ada", ["a"]),
            ([], None, []),
            ([cookie(logins.token("bob", "b"))], "bob", ["b"]),
            ([bearer("not-a-token")], None, []),
            ([bearer(logins.token("eve"))], "eve", []),
            ([cookie("not-a-token")], None, []),
        ] * 2

    @pytest.mark.parametrize("path", ["/meet", "/meet-sync"])
    async def test_requests_at_the_same_time_never_see_each_others_identity(self, app, mounting, visitors, path):
        mounting.site.expected_at_meeting = len(visitors)
        mounting.site.expect_in_threads(len(visitors))
        pages = {}

        async def visit(number, headers):
            pages[number] = (await http(app, path, headers=headers)).json

        async with anyio.create_task_group() as group:
            for number, (headers, _, _) in enumerate(visitors):
                group.start_soon(visit, number, headers)
        for number, (_, name, scopes) in enumerate(visitors):
            page = pages[number]
            assert (page["user"], page["auth_user"], page["current_user"]) == (name, name, name)
            assert page["scopes"] == page["auth_scopes"] == scopes

    async def test_requests_one_after_the_other_on_one_task_never_see_each_others_identity(
        self, mounting, logins, visitors
    ):
        app = mounting.called(logins)
        for headers, name, _ in visitors:
            page = (await http(app, "/public", headers=headers)).json
            assert (page["user"], page["current_user"]) == (name, name)

    @pytest.mark.parametrize(
        "path", ["/public", "/login", "/raises", "/stream-midway", "/catches", "/admin/page", "/nowhere"]
    )
    async def test_nothing_is_left_in_the_context_of_the_task(self, mounting, logins, path):
        app = mounting.called(logins)
        for headers in ([bearer(logins.token("ada"))], [bearer(logins.token("broken"))], []):
            await http(app, path, headers=headers)
            with pytest.raises(RuntimeError, match="no request is being handled"):
                current_auth()

    async def test_a_skipped_request_does_not_see_the_one_before(self, mounting, logins):
        app = mounting.called(logins, skip=["/static"])
        await http(app, "/public", headers=[bearer(logins.token())])
        assert (await http(app, "/static/page")).json["current_user"] is None
