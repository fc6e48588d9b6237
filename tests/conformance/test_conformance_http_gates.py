from urllib.parse import quote

import pytest
from conformance.answers import (
    EXPIRED,
    INVALID_REQUEST,
    INVALID_TOKEN,
    NOT_FRESH,
    NOT_PERMITTED,
    UNAUTHORIZED,
    assert_refused,
    insufficient_scope,
)
from conformance.apps import raw
from conformance.browser import HTML
from conformance.contract import EVERY_GATE, USERS_ONLY, LogInFirstError, NotYoursError, Site
from conformance.driver import bearer, cookie, http
from conformance.logins import Logins, bad_tokens, shared

from asgi_login import Sessions

pytestmark = pytest.mark.anyio

ASKING = shared(redirect_to="/login-page", sessions=Sessions(reauthenticate_at="/again?why=fresh"))
REDIRECTING = shared(redirect_to="/login-page")


class TestGates:
    @pytest.mark.parametrize("path", EVERY_GATE)
    async def test_without_a_credential_the_challenge_has_no_error_code(self, app, mounting, path):
        assert_refused(await http(app, path), UNAUTHORIZED)
        assert mounting.site.visits == []

    @pytest.mark.parametrize("path", EVERY_GATE)
    async def test_a_bad_token_is_answered_by_the_gate(self, app, mounting, path):
        assert_refused(await http(app, path, headers=[bearer("not-a-token")]), INVALID_TOKEN)
        assert mounting.site.visits == []

    @pytest.mark.parametrize("carry", [bearer, cookie])
    async def test_every_reason_gives_the_same_bytes(self, app, logins, carry):
        tokens = bad_tokens(logins)
        answers = {
            reason: (await http(app, "/login", headers=[carry(token)])).messages for reason, token in tokens.items()
        }
        assert all(messages == answers["garbage"] for messages in answers.values()), answers

    @pytest.mark.parametrize("path", USERS_ONLY)
    async def test_an_expired_token_is_told_so(self, app, logins, path):
        token = logins.token("ada", "read", "write", "admin")
        logins.clock.tick(15 * 60)
        for carry in (bearer, cookie):
            assert_refused(await http(app, path, headers=[carry(token)]), EXPIRED)
        assert logins.loads == []

    @pytest.mark.parametrize(
        "lines",
        [
            ["Bearer {token}", "Bearer {token}"],
            ["Bearer {token}", "Basic YWRhOmFkYQ=="],
            ["Bearer"],
            ["Bearer "],
            ["Bearer {token} {token}"],
            ["Bearer {token}, Bearer {token}"],
            ["Bearer {token},x"],
        ],
    )
    async def test_a_malformed_authorization_is_a_bad_request(self, app, logins, lines):
        headers = [("authorization", line.format(token=logins.token())) for line in lines]
        for path in ("/login", "/read", "/admin/page"):
            assert_refused(await http(app, path, headers=[*headers, cookie(logins.token())]), INVALID_REQUEST)

    @pytest.mark.parametrize("value", [b"Bearer \xff\xfe", b"Bearer a\xa0b", b"Bearer \xe4.\xe4.\xe4"])
    async def test_bytes_outside_of_ascii_are_only_a_bad_token(self, app, value):
        connection = await http(app, "/login", headers=[("authorization", value)])
        assert connection.status in {400, 401}
        assert connection.error is None

    @pytest.mark.parametrize(
        ("path", "granted", "required"),
        [
            ("/read", (), ["read"]),
            ("/read-sync", ("write",), ["read"]),
            ("/read", ("reader", "rea", "READ", "read:all"), ["read"]),
            ("/read-write", ("read",), ["read", "write"]),
            ("/read-write", ("write",), ["read", "write"]),
            ("/admin/page", ("read",), ["admin"]),
        ],
    )
    async def test_a_missing_scope_is_forbidden_and_all_needed_are_named(self, app, logins, path, granted, required):
        connection = await http(app, path, headers=[bearer(logins.token("ada", *granted))])
        assert_refused(connection, insufficient_scope(*required))

    @pytest.mark.parametrize("path", ["/read", "/read-sync", "/read-write", "/admin/page"])
    async def test_a_token_with_every_scope_passes(self, app, logins, path):
        token = logins.token("ada", "admin", "write", "read")
        assert (await http(app, path, headers=[bearer(token)])).json["user"] == "ada"

    @pytest.mark.parametrize("path", ["/editors", "/editors-sync", "/editors/asked"])
    async def test_a_check_of_the_applications_decides_about_users_only(self, app, logins, path):
        assert_refused(await http(app, path), UNAUTHORIZED)
        assert_refused(await http(app, path, headers=[bearer("not-a-token")]), INVALID_TOKEN)
        assert_refused(await http(app, path, headers=[bearer(logins.token("ada", "admin"))]), NOT_PERMITTED)
        assert (await http(app, path, headers=[bearer(logins.token("bob"))])).json["user"] == "bob"

    @pytest.mark.parametrize("path", ["/fresh", "/fresh-sync", "/bank/page"])
    @pytest.mark.parametrize("age", [None, 601])
    async def test_a_login_that_is_not_fresh_is_asked_to_log_in_again(self, app, logins, path, age):
        token = logins.token() if age is None else logins.fresh_token()
        logins.clock.tick(age or 0)
        assert_refused(await http(app, path, headers=[bearer(token)]), NOT_FRESH)

    @pytest.mark.parametrize("path", ["/fresh", "/fresh-sync", "/bank/page"])
    @pytest.mark.parametrize("age", [0, 600])
    @pytest.mark.parametrize("carry", [bearer, cookie])
    async def test_a_fresh_login_passes(self, app, logins, path, age, carry):
        token = logins.fresh_token()
        logins.clock.tick(age)
        assert (await http(app, path, headers=[carry(token)])).json["user"] == "ada"

    async def test_a_gate_in_a_child_of_a_task_group_answers(self, app, logins):
        assert (await http(app, "/task-group", headers=[bearer(logins.token())])).status == 200
        assert_refused(await http(app, "/task-group"), UNAUTHORIZED)

    async def test_gates_in_several_children_of_a_task_group_answer(self, app, logins):
        assert (await http(app, "/task-group-crowd", headers=[bearer(logins.token())])).status == 200
        assert_refused(await http(app, "/task-group-crowd"), UNAUTHORIZED)

    @pytest.mark.parametrize("path", EVERY_GATE)
    async def test_gates_answer_where_a_middleware_runs_the_views_in_another_task(self, mounting, logins, path):
        app = mounting.app(logins, in_another_task=True)
        assert_refused(await http(app, path), UNAUTHORIZED)
        token = logins.fresh_token("ada", "read", "write", "admin")
        assert (await http(app, path, headers=[bearer(token)])).json["current_user"] == "ada"
        assert (await http(app, "/public")).json["current_user"] is None

    async def test_a_head_request_gets_the_answer_without_its_body(self, app, logins):
        assert_refused(await http(app, "/read", method="HEAD"), UNAUTHORIZED, has_body=False)
        headers = [bearer(logins.token())]
        assert_refused(
            await http(app, "/read", method="HEAD", headers=headers), insufficient_scope("read"), has_body=False
        )
        assert_refused(await http(app, "/admin/page", method="HEAD"), UNAUTHORIZED, has_body=False)

    async def test_the_realm_is_the_managers(self, mounting, logins):
        app = mounting.app(Logins(realm="Orders of Ada & Bob"))
        assert (await http(app, "/login")).header("www-authenticate") == ['Bearer realm="Orders of Ada & Bob"']

    async def test_a_manager_that_nobody_knows_is_a_mistake_and_no_refusal(self, app, logins):
        connection = await http(app, "/web", headers=[bearer(logins.token())])
        assert connection.status == 500
        assert isinstance(connection.error, RuntimeError)
        assert "web" in str(connection.error)

    @pytest.mark.parametrize("path", EVERY_GATE)
    async def test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal(self, mounting, logins, path):
        connection = await http(mounting.app(logins, mount="bare"), path)
        assert connection.status == 500
        problem = connection.error
        while isinstance(problem, ExceptionGroup):
            problem = problem.exceptions[0]
        assert isinstance(problem, RuntimeError)
        assert "AuthMiddleware" in str(problem)

    @pytest.mark.parametrize("path", [*EVERY_GATE, "/catches-unavailable"])
    async def test_the_whole_answer_is_that_of_a_bare_application(self, app, logins, path):
        reference = raw.build(Site([logins.manager], "wrapped"))
        for headers in ([], [bearer("not-a-token")], [cookie("not-a-token")]):
            expected = await http(reference, path, headers=headers)
            assert (await http(app, path, headers=headers)).messages == expected.messages


class TestOptions:
    async def test_an_answer_to_options_that_the_framework_makes_is_that_of_a_view_without_a_gate(self, app, mounting):
        assert_refused(await http(app, "/options/automatic"), UNAUTHORIZED)
        assert (await http(app, "/options/open")).status == 200
        mounting.site.visits.clear()
        lines = [("origin", "https://app.example"), ("access-control-request-method", "GET")]
        for headers in ([], lines, [bearer("not-a-token")]):
            gated = await http(app, "/options/automatic", method="OPTIONS", headers=headers)
            free = await http(app, "/options/open", method="OPTIONS", headers=headers)
            assert (gated.status, gated.body, gated.header("allow")) == (free.status, free.body, free.header("allow"))
            assert gated.status < 500
            assert gated.header("www-authenticate") == []
        assert mounting.site.visits == []

    async def test_a_view_of_ones_own_that_handles_options_stays_behind_its_gate(self, app, mounting, logins):
        for headers in ([], [("origin", "https://app.example"), ("access-control-request-method", "GET")]):
            assert_refused(await http(app, "/options/own", method="OPTIONS", headers=headers), UNAUTHORIZED)
        assert mounting.site.visits == []
        await http(app, "/options/own", method="OPTIONS", headers=[bearer(logins.token())])
        assert mounting.site.visits == ["/options/own"]


class TestGateAroundAMount:
    @pytest.mark.parametrize("path", ["/admin/help", "/admin/help/more"])
    async def test_exempt_paths_are_open_with_all_below_them(self, app, path):
        assert (await http(app, path)).json["user"] is None

    async def test_a_user_on_an_exempt_path_is_still_known(self, app, logins):
        assert (await http(app, "/admin/help", headers=[bearer(logins.token())])).json["user"] == "ada"

    @pytest.mark.parametrize("path", ["/admin/helpdesk", "/admin/help/../page", "/admin/help/./more", "/admin/Help"])
    async def test_exempt_paths_are_whole_segments(self, app, path):
        assert_refused(await http(app, path), UNAUTHORIZED)

    @pytest.mark.parametrize("carry", [None, bearer, cookie])
    async def test_a_cors_preflight_gets_an_empty_204_and_no_view_runs(self, app, mounting, logins, carry):
        headers = [("origin", "https://app.example"), ("access-control-request-method", "POST")]
        if carry is not None:
            headers.append(carry(logins.token("ada", "admin")))
        for path in ("/admin/page", "/bank/page"):
            connection = await http(app, path, method="OPTIONS", headers=headers)
            assert (connection.status, connection.body, connection.is_complete) == (204, b"", True)
            assert connection.header("www-authenticate") == []
            assert not [name for name, _ in connection.headers if name.startswith(b"access-control")]
        assert mounting.site.visits == []

    @pytest.mark.parametrize("missing", ["origin", "access-control-request-method"])
    async def test_other_options_requests_are_gated(self, app, missing):
        headers = {"origin": "https://app.example", "access-control-request-method": "POST"}
        del headers[missing]
        connection = await http(app, "/admin/page", method="OPTIONS", headers=list(headers.items()))
        assert_refused(connection, UNAUTHORIZED)

    async def test_a_preflight_on_an_exempt_path_is_the_applications(self, app):
        headers = [("origin", "https://app.example"), ("access-control-request-method", "POST")]
        assert (await http(app, "/admin/help", method="OPTIONS", headers=headers)).json["user"] is None

    async def test_the_gate_gives_our_answers_even_where_the_application_has_exceptions_of_its_own(self, mounting):
        logins = Logins(not_authenticated_exception=LogInFirstError, out_of_scope_exception=NotYoursError)
        app = mounting.app(logins)
        assert_refused(await http(app, "/admin/page"), UNAUTHORIZED)
        assert_refused(await http(app, "/admin/page", headers=[bearer(logins.token())]), insufficient_scope("admin"))


class TestRedirects:
    @pytest.fixture
    def logins(self):
        ASKING.forget()
        return ASKING

    @pytest.mark.parametrize(
        "path", ["/login", "/login-sync", "/fresh", "/read", "/admin/page", "/bank/page", "/task-group"]
    )
    async def test_a_browser_that_navigates_is_sent_to_log_in(self, app, mounting, path):
        here = quote(f"{path}?page=2&q=a%20b", safe="")
        for credential in ([], [bearer("not-a-token")], [cookie("not-a-token")]):
            connection = await http(app, path, query=b"page=2&q=a%20b", headers=[HTML, *credential])
            assert connection.header("location") == [f"/login-page?next={here}"]
            assert (connection.status, connection.body) == (303, b"")
            assert connection.header("cache-control") == ["no-store"]
            assert connection.header("www-authenticate") == []
        assert mounting.site.visits == []

    async def test_a_head_request_of_a_browser_is_sent_to_log_in(self, app):
        connection = await http(app, "/read", method="HEAD", headers=[HTML])
        assert (connection.status, connection.header("location")) == (303, ["/login-page?next=%2Fread"])

    @pytest.mark.parametrize("accept", ["application/json", "*/*", "text/*", "text/html;q=0", "text/htmlish"])
    async def test_whoever_does_not_ask_for_html_gets_the_401(self, app, accept):
        for path in ("/login", "/read", "/admin/page", "/bank/page"):
            assert_refused(await http(app, path, headers=[("accept", accept)]), UNAUTHORIZED)
            connection = await http(app, path, headers=[("accept", accept), bearer("not-a-token")])
            assert_refused(connection, INVALID_TOKEN)

    @pytest.mark.parametrize("path", ["/login", "/admin/page"])
    async def test_an_unsafe_request_of_a_program_gets_the_401(self, app, path):
        for accept in ("application/json", "*/*", "application/json, text/html"):
            connection = await http(app, path, method="POST", headers=[("accept", accept)])
            assert_refused(connection, UNAUTHORIZED)

    @pytest.mark.parametrize("path", ["/login", "/admin/page"])
    async def test_a_form_that_is_posted_after_expiry_is_sent_to_log_in_and_back_to_its_page(self, app, mounting, path):
        headers = [HTML, ("sec-fetch-site", "same-origin"), ("referer", "https://site.example/cart?item=7")]
        for credential in ([], [cookie("not-a-token")]):
            connection = await http(app, path, method="POST", headers=[*headers, *credential])
            assert connection.header("location") == ["/login-page?next=%2Fcart%3Fitem%3D7"]
            assert (connection.status, connection.body) == (303, b"")
        assert mounting.site.visits == []

    @pytest.mark.parametrize(("path", "method"), [("/read", "GET"), ("/admin/page", "GET"), ("/admin/page", "POST")])
    async def test_htmx_is_told_to_leave_for_the_login_page(self, app, mounting, path, method):
        headers = [("hx-request", "true"), ("hx-current-url", "https://site.example/cart?item=7"), ("accept", "*/*")]
        connection = await http(app, path, method=method, headers=headers)
        assert connection.header("hx-redirect") == ["/login-page?next=%2Fcart%3Fitem%3D7"]
        assert (connection.status, connection.json["error"]) == (401, "unauthorized")
        assert connection.header("location") == []
        assert mounting.site.visits == []

    @pytest.mark.parametrize("path", ["/read", "/admin/page"])
    async def test_a_frame_of_turbo_is_sent_to_log_in_and_back_to_its_page(self, app, path):
        headers = [HTML, ("turbo-frame", "cart"), ("sec-fetch-site", "same-origin"), ("referer", "https://x/cart")]
        connection = await http(app, path, headers=headers)
        assert (connection.status, connection.header("location")) == (303, ["/login-page?next=%2Fcart"])

    @pytest.mark.parametrize(("path", "scope"), [("/read", "read"), ("/admin/page", "admin")])
    async def test_a_missing_scope_is_no_reason_to_log_in(self, app, logins, path, scope):
        connection = await http(app, path, headers=[HTML, bearer(logins.token())])
        assert_refused(connection, insufficient_scope(scope))

    async def test_a_malformed_request_is_no_reason_to_log_in(self, app):
        connection = await http(app, "/login", headers=[HTML, ("authorization", "Bearer")])
        assert_refused(connection, INVALID_REQUEST)

    @pytest.mark.parametrize("path", ["/fresh", "/bank/page"])
    async def test_a_login_that_is_not_fresh_is_sent_to_confirm_it(self, app, logins, path):
        connection = await http(app, path, headers=[HTML, cookie(logins.token())])
        location = f"/again?why=fresh&next={quote(path, safe='')}"
        assert (connection.status, connection.header("location")) == (303, [location])

    @pytest.mark.parametrize("path", ["/fresh", "/bank/page"])
    async def test_without_reauthenticate_at_a_login_that_is_not_fresh_gets_the_401(self, mounting, path):
        REDIRECTING.forget()
        app = mounting.app(REDIRECTING)
        assert_refused(await http(app, path, headers=[HTML, bearer(REDIRECTING.token())]), NOT_FRESH)

    async def test_an_absolute_login_page_is_kept_and_host_is_not_read(self, mounting):
        app = mounting.app(Logins(redirect_to="https://login.example/?tenant=a"))
        scope_headers = iter([(b"Host", b"evil.example"), (b"Accept", b"text/html")])
        connection = await http(app, "/login", headers=scope_headers)
        assert connection.header("location") == ["https://login.example/?tenant=a&next=%2Flogin"]

    async def test_a_path_that_another_site_could_be_read_from_is_not_handed_on(self, mounting, logins):
        reference = raw.build(Site([logins.manager], "wrapped"))
        connection = await http(reference, "/admin//evil.example", headers=[HTML])
        assert connection.header("location") == ["/login-page?next=%2Fadmin%2F%2Fevil.example"]
        app = mounting.app(logins)
        connection = await http(app, "/login", root_path="//evil.example", headers=[HTML])
        assert all("next=%2F%2F" not in location for location in connection.header("location"))
