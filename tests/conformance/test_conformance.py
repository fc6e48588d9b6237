from datetime import timedelta
from urllib.parse import quote

import anyio
import pytest
from conformance import contract, driver
from conformance.answers import (
    CROSS_ORIGIN,
    EXPIRED,
    INVALID_REQUEST,
    INVALID_TOKEN,
    NOT_FRESH,
    UNAUTHORIZED,
    assert_refused,
    insufficient_scope,
)
from conformance.apps import raw
from conformance.browser import HTML
from conformance.contract import LogInFirstError, NotYoursError, Site
from conformance.driver import bearer, cookie, http
from conformance.logins import OTHER_SECRET, SECRET, DatabaseDownError, Logins, User, bad_tokens, shared

from asgi_login import AuthError, AuthMiddleware, BearerTransport, CookieTransport, Sessions, current_auth

pytestmark = pytest.mark.anyio

ASKING = shared(redirect_to="/login-page", sessions=Sessions(reauthenticate_at="/again?why=fresh"))
REDIRECTING = shared(redirect_to="/login-page")
WEB = shared(name="web", realm="web")
API = shared(secret=OTHER_SECRET, name="api", realm="api", transports=[BearerTransport()])


USERS_ONLY = (
    "/login",
    "/login-sync",
    "/fresh",
    "/fresh-sync",
    "/read",
    "/read-sync",
    "/read-write",
    "/admin/page",
    "/bank/page",
)
EVERY_GATE = (*USERS_ONLY, "/task-group")


class TestIdentity:
    @pytest.mark.parametrize("path", ["/public", "/public-sync"])
    async def test_a_request_without_a_credential_is_explicitly_anonymous(self, app, logins, path):
        page = (await http(app, path)).json
        assert page == {
            "user": None,
            "scopes": [],
            "authenticated": False,
            "fresh": False,
            "manager": None,
            "transport": None,
            "error": None,
            "auth_user": None,
            "auth_scopes": [],
            "current_user": None,
        }
        assert logins.loads == []

    @pytest.mark.parametrize("carry", [bearer, cookie])
    @pytest.mark.parametrize("path", ["/public", "/public-sync", "/login", "/login-sync", "/static/page"])
    async def test_a_good_token_gives_the_user_to_scope_and_context(self, app, logins, path, carry):
        connection = await http(app, path, headers=[carry(logins.token("ada", "b", "a"))])
        assert connection.status == 200
        assert connection.json == {
            "user": "ada",
            "scopes": ["a", "b"],
            "authenticated": True,
            "fresh": False,
            "manager": "default",
            "transport": carry.__name__,
            "error": None,
            "auth_user": "ada",
            "auth_scopes": ["a", "b"],
            "current_user": "ada",
        }
        assert logins.loads == ["ada"]

    @pytest.mark.parametrize("carry", [bearer, cookie])
    async def test_a_bad_token_does_not_stop_a_public_page(self, app, logins, carry):
        for reason, token in bad_tokens(logins).items():
            connection = await http(app, "/public", headers=[carry(token)])
            assert connection.status == 200, reason
            page = connection.json
            assert (page["user"], page["error"], page["transport"]) == (None, "InvalidToken", carry.__name__), reason

    async def test_a_header_comes_before_a_cookie_and_is_never_merged_with_it(self, app, logins):
        headers = [cookie(logins.token("bob", "b")), bearer(logins.token("ada", "a"))]
        page = (await http(app, "/public", headers=headers)).json
        assert (page["user"], page["scopes"], page["transport"]) == ("ada", ["a"], "bearer")
        assert logins.loads == ["ada"]

    async def test_a_good_cookie_does_not_make_up_for_a_bad_header(self, app, logins):
        headers = [bearer("not-a-token"), cookie(logins.token("ada"))]
        assert_refused(await http(app, "/login", headers=headers), INVALID_TOKEN)
        assert logins.loads == []

    @pytest.mark.parametrize("value", ["Basic YWRhOmFkYQ==", "DPoP abc", "Token abc", "Bearerabc", "bearer-ish abc"])
    async def test_another_scheme_leaves_the_cookie_to_speak(self, app, logins, value):
        headers = [("authorization", value), cookie(logins.token("ada"))]
        assert (await http(app, "/login", headers=headers)).json["user"] == "ada"

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "bEaReR"])
    async def test_the_scheme_is_compared_without_case(self, app, logins, scheme):
        connection = await http(app, "/login", headers=[("authorization", f"{scheme} {logins.token()}")])
        assert connection.json["user"] == "ada"

    @pytest.mark.parametrize("where", ["query", "form"])
    async def test_a_token_in_the_query_or_a_form_is_no_credential(self, app, logins, where):
        query = f"access_token={logins.token()}".encode() if where == "query" else b""
        headers = [("content-type", "application/x-www-form-urlencoded")]
        assert_refused(await http(app, "/login", query=query, headers=headers), UNAUTHORIZED)


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
    async def test_an_unsafe_request_gets_the_401(self, app, path):
        assert_refused(await http(app, path, method="POST", headers=[HTML]), UNAUTHORIZED)

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


class TestCrossOrigin:
    FOREIGN = (
        [("origin", "https://evil.example")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("origin", "null")],
        [("origin", "https://site.example"), ("origin", "https://site.example")],
    )

    @pytest.mark.parametrize("headers", FOREIGN)
    @pytest.mark.parametrize("path", ["/public", "/admin/page"])
    async def test_an_unsafe_request_of_another_site_with_a_cookie_is_refused_before_the_application(
        self, app, mounting, logins, headers, path
    ):
        connection = await http(app, path, method="POST", headers=[*headers, cookie(logins.token("ada", "admin"))])
        assert_refused(connection, CROSS_ORIGIN)
        assert {"cookie", "origin", "sec-fetch-site"} <= set(connection.vary)
        assert mounting.site.visits == logins.loads == []

    @pytest.mark.parametrize("headers", FOREIGN)
    async def test_a_safe_request_of_another_site_passes(self, app, logins, headers):
        connection = await http(app, "/login", headers=[*headers, cookie(logins.token())])
        assert connection.json["user"] == "ada"

    @pytest.mark.parametrize("headers", FOREIGN)
    async def test_a_header_is_not_the_browsers_own_doing(self, app, logins, headers):
        connection = await http(app, "/login", method="POST", headers=[*headers, bearer(logins.token())])
        assert connection.json["user"] == "ada"

    @pytest.mark.parametrize("headers", FOREIGN)
    async def test_an_anonymous_request_of_another_site_is_nobodys(self, app, headers):
        assert (await http(app, "/public", method="POST", headers=headers)).json["user"] is None

    @pytest.mark.parametrize(
        "headers",
        [[("origin", "https://site.example")], [("sec-fetch-site", "same-origin")], [("sec-fetch-site", "none")], []],
    )
    async def test_a_request_of_the_sites_own_pages_passes(self, app, logins, headers):
        connection = await http(app, "/login", method="POST", headers=[*headers, cookie(logins.token())])
        assert connection.json["user"] == "ada"

    async def test_an_origin_that_is_trusted_passes(self, mounting):
        transport = CookieTransport(trusted_origins=["https://app.example"])
        logins = Logins(transports=[transport])
        headers = [("origin", "https://app.example"), ("sec-fetch-site", "cross-site"), cookie(logins.token())]
        connection = await http(mounting.app(logins), "/login", method="POST", headers=headers)
        assert connection.json["user"] == "ada"


class TestFailure:
    @pytest.mark.parametrize("carry", [bearer, cookie])
    @pytest.mark.parametrize("path", ["/public", "/public-sync", "/login", "/admin/help", "/admin/page"])
    async def test_a_loader_that_breaks_is_the_applications_5xx_and_nobodys_anonymity(
        self, app, mounting, logins, path, carry
    ):
        connection = await http(app, path, headers=[carry(logins.token("broken", "admin"))])
        assert connection.status == 500
        assert isinstance(connection.error, DatabaseDownError)
        assert mounting.site.visits == []

    async def test_a_loader_that_broke_once_is_asked_again(self, app, logins):
        await http(app, "/login", headers=[bearer(logins.token("broken"))])
        assert (await http(app, "/login", headers=[bearer(logins.token("ada"))])).json["user"] == "ada"
        await http(app, "/login", headers=[bearer(logins.token("broken"))])
        assert logins.loads == ["broken", "ada", "broken"]

    async def test_a_missing_loader_is_a_mistake_and_no_anonymity(self, mounting):
        logins = Logins()
        token = logins.token()
        logins.manager = type(logins.manager)(SECRET, clock=logins.clock)
        app = mounting.app(logins)
        assert (await http(app, "/public")).status == 200
        connection = await http(app, "/public", headers=[bearer(token)])
        assert connection.status == 500
        assert isinstance(connection.error, RuntimeError)
        assert "user_loader" in str(connection.error)

    @pytest.mark.parametrize("path", ["/raises", "/raises-sync"])
    @pytest.mark.parametrize("headers", [[], [bearer("not-a-token")], [cookie("not-a-token")]])
    async def test_a_views_own_exception_passes_through(self, app, path, headers):
        connection = await http(app, path, headers=headers)
        assert connection.status == 500
        assert isinstance(connection.error, contract.OwnError)
        assert connection.header("www-authenticate") == []

    @pytest.mark.parametrize("path", ["/catches-and-fails", "/catches-and-fails-sync"])
    async def test_another_exception_after_a_refusal_stays_what_it_is(self, app, path):
        connection = await http(app, path)
        assert connection.status == 500
        assert isinstance(connection.error, contract.OwnError)
        assert connection.header("www-authenticate") == []


class TestTheApplicationsOwnAnswers:
    @pytest.mark.parametrize("status", [200, 401, 403, 404, 500, 503])
    async def test_what_it_answers_by_itself_is_left_alone(self, app, mounting, logins, status):
        bare = mounting.app(logins, mount="bare")
        for headers in ([], [bearer("not-a-token")], [("authorization", "Basic YTpi")]):
            own = await http(bare, f"/own/{status}", headers=headers)
            assert (own.status, own.body) == (status, contract.own_body(status))
            assert (await http(app, f"/own/{status}", headers=headers)).messages == own.messages

    @pytest.mark.parametrize("status", [401, 403, 404, 500])
    async def test_its_way_to_abort_is_left_alone(self, app, mounting, logins, status):
        own = await http(mounting.app(logins, mount="bare"), f"/abort/{status}")
        assert own.status == status
        assert (await http(app, f"/abort/{status}")).messages == own.messages

    async def test_a_handler_that_catches_a_refusal_has_spoken(self, app, logins):
        connection = await http(app, "/catches")
        assert (connection.status, connection.body) == (418, contract.CAUGHT)
        connection = await http(app, "/catches", headers=[bearer(logins.token())])
        assert (connection.status, connection.body) == (200, contract.PLAIN)

    async def test_a_5xx_after_a_refusal_becomes_the_refusal(self, app):
        connection = await http(app, "/catches-unavailable")
        assert_refused(connection, UNAUTHORIZED)
        assert connection.error is None

    @pytest.mark.parametrize("path", ["/require", "/require-read", "/require-fresh"])
    async def test_require_by_hand_passes_whom_a_gate_would(self, app, logins, path):
        token = logins.fresh_token("ada", "read")
        assert (await http(app, path, headers=[bearer(token)])).json["user"] == "ada"

    @pytest.mark.parametrize(
        ("path", "answer"),
        [("/require", INVALID_TOKEN), ("/require-read", insufficient_scope("read")), ("/require-fresh", NOT_FRESH)],
    )
    async def test_require_by_hand_is_answered_where_the_error_is_known(self, app, mounting, logins, path, answer):
        token = "not-a-token" if path == "/require" else logins.token()
        connection = await http(app, path, headers=[bearer(token)])
        if mounting.cannot("answer for require()"):
            assert connection.status == 500
            assert connection.header("www-authenticate") == []
            # The server must be able to tell what this 500 was.
            assert isinstance(connection.error, AuthError)
        else:
            assert_refused(connection, answer)

    @pytest.mark.parametrize("as_instance", [False, True])
    @pytest.mark.parametrize("headers", [[], [bearer("not-a-token")], [("authorization", "Bearer")]])
    async def test_its_exceptions_are_raised_in_place_of_ours(self, mounting, as_instance, headers):
        exceptions = [LogInFirstError("p"), NotYoursError("n")] if as_instance else [LogInFirstError, NotYoursError]
        logins = Logins(not_authenticated_exception=exceptions[0], out_of_scope_exception=exceptions[1])
        app = mounting.app(logins)
        for path in ("/login", "/login-sync", "/fresh", "/read", "/read-write"):
            connection = await http(app, path, headers=headers)
            assert (connection.status, connection.body) == (418, contract.PLEASE)
        connection = await http(app, "/read", headers=[bearer(logins.token())])
        assert (connection.status, connection.body) == (451, contract.PLEASE)
        assert_refused(await http(app, "/fresh", headers=[bearer(logins.token())]), NOT_FRESH)

    async def test_an_exception_of_its_own_that_nobody_handles_stays_a_500(self, mounting):
        logins = Logins(not_authenticated_exception=contract.OwnError)
        connection = await http(mounting.app(logins), "/login")
        assert connection.status == 500
        assert isinstance(connection.error, contract.OwnError)


class TestStreams:
    @pytest.mark.parametrize("headers", [[], [bearer]])
    async def test_a_stream_passes_unchanged(self, app, mounting, logins, headers):
        headers = [carry(logins.token()) for carry in headers]
        own = await http(mounting.app(logins, mount="bare"), "/stream", headers=headers)
        assert own.body == b"".join(contract.CHUNKS)
        assert (await http(app, "/stream", headers=headers)).messages == own.messages

    async def test_a_stream_whose_gate_fails_midway_is_broken_off(self, app, logins):
        connection = await http(app, "/stream-midway")
        assert connection.is_broken_off
        assert connection.body == contract.CHUNKS[0]
        whole = await http(app, "/stream-midway", headers=[bearer(logins.token())])
        assert (whole.body, whole.is_complete) == (b"".join(contract.CHUNKS), True)

    async def test_a_stream_is_broken_off_where_a_middleware_runs_it_in_another_task(self, mounting, logins):
        connection = await http(mounting.app(logins, in_another_task=True), "/stream-midway")
        assert connection.error is not None
        assert connection.body == contract.CHUNKS[0]
        assert connection.is_broken_off or mounting.cannot("break off what runs in another task")


class TestAfterTheResponse:
    @pytest.mark.parametrize("headers", [[], [bearer]])
    async def test_a_gate_in_a_background_task_is_a_mistake_and_no_refusal(self, app, mounting, logins, headers):
        connection = await http(app, "/background", headers=[carry(logins.token()) for carry in headers])
        assert (connection.status, connection.body, connection.error) == (200, contract.PLAIN, None)
        [outcome] = mounting.site.gate_outcomes
        assert isinstance(outcome, RuntimeError)
        assert "the request is over" in str(outcome)

    @pytest.mark.parametrize("headers", [[], [bearer]])
    async def test_whoever_kept_the_context_finds_the_request_over(self, app, mounting, logins, headers):
        await http(app, "/keep-context", headers=[carry(logins.token()) for carry in headers])
        [context] = mounting.site.contexts
        with pytest.raises(RuntimeError, match="the request is over"):
            context.run(current_auth)
        with pytest.raises(RuntimeError, match="the request is over"):
            context.run(contract.readers_only)


class TestBytes:
    PATHS = ("/plain", "/vary", "/cookies", "/stream", "/nowhere", "/own/404", "/abort/404", "/abort/500")

    @pytest.mark.parametrize("path", PATHS)
    async def test_a_request_without_credentials_gets_the_applications_bytes(self, app, mounting, logins, path):
        bare = mounting.app(logins, mount="bare")
        for method in ("GET", "HEAD", "POST"):
            options = {"method": method, "query": b"Accept-Encoding", "headers": [("cookie", "a=1; b=2")]}
            own, with_us = await http(bare, path, **options), await http(app, path, **options)
            assert with_us.messages == own.messages, method
            assert with_us.received == own.received
            assert type(with_us.error) is type(own.error)

    @pytest.mark.parametrize("path", PATHS)
    async def test_a_header_credential_changes_no_byte_either(self, app, mounting, logins, path):
        options = {"query": b"Accept", "headers": [bearer(logins.token())]}
        own = await http(mounting.app(logins, mount="bare"), path, **options)
        assert (await http(app, path, **options)).messages == own.messages

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("good", [True, False])
    async def test_a_cookie_credential_adds_vary_and_nothing_else(self, app, mounting, logins, path, good):
        options = {"query": b"Accept", "headers": [cookie(logins.token() if good else "not-a-token")]}
        own = await http(mounting.app(logins, mount="bare"), path, **options)
        with_us = await http(app, path, **options)
        assert with_us.vary.count("cookie") == 1
        assert [one for one in with_us.headers if one[0] != b"vary"] == [
            one for one in own.headers if one[0] != b"vary"
        ]
        assert (with_us.status, with_us.messages[1:]) == (own.status, own.messages[1:])
        assert set(own.vary) <= set(with_us.vary)

    @pytest.mark.parametrize(
        "own", [b"Cookie", b"cookie", b"Accept, COOKIE", b"Accept,Cookie ,Origin", b"*", b"Accept, *"]
    )
    async def test_vary_is_not_said_twice(self, app, logins, own):
        connection = await http(app, "/vary", query=own, headers=[cookie(logins.token())])
        assert connection.header("vary") == [own.decode()]

    @pytest.mark.parametrize("path", USERS_ONLY)
    async def test_a_refused_cookie_varies_too(self, app, path):
        connection = await http(app, path, headers=[cookie("not-a-token")])
        assert connection.vary == ["cookie"]

    @pytest.mark.parametrize("path", ["/login", "/read-sync", "/admin/page"])
    @pytest.mark.parametrize("headers", [[], [bearer("not-a-token")], [bearer("not-a-token"), cookie("not-a-token")]])
    async def test_a_refusal_without_a_cookie_credential_does_not_vary(self, app, path, headers):
        assert (await http(app, path, headers=headers)).vary == []

    async def test_a_redirect_of_a_refused_cookie_varies(self, mounting):
        app = mounting.app(REDIRECTING)
        connection = await http(app, "/login", headers=[cookie("not-a-token"), ("accept", "text/html")])
        assert (connection.status, connection.vary) == (303, ["cookie"])


class TestSkip:
    async def test_a_skipped_path_is_anonymous_without_a_look(self, mounting, logins):
        app = mounting.app(logins, skip=["/static"])
        connection = await http(app, "/static/page", headers=[cookie(logins.token())])
        assert (connection.json["user"], connection.json["current_user"]) == (None, None)
        assert connection.vary == logins.loads == []

    async def test_nothing_can_fail_on_a_skipped_path(self, mounting, logins):
        app = mounting.app(logins, skip=["/static"])
        connection = await http(app, "/static/page", headers=[bearer(logins.token("broken"))])
        assert (connection.status, connection.error) == (200, None)
        connection = await http(
            app, "/static/page", method="HEAD", headers=[("origin", "https://evil.example"), cookie(logins.token())]
        )
        assert connection.status != 403

    async def test_skipped_paths_are_whole_segments(self, mounting, logins):
        app = mounting.app(logins, skip=["/static"])
        assert (await http(app, "/staticadmin", headers=[cookie(logins.token())])).json["user"] == "ada"

    async def test_a_gate_on_a_skipped_path_keeps_everybody_out(self, mounting, logins):
        app = mounting.app(logins, skip=["/login", "/admin"])
        assert_refused(await http(app, "/login", headers=[bearer(logins.token())]), UNAUTHORIZED)
        assert_refused(await http(app, "/admin/page", headers=[bearer(logins.token("ada", "admin"))]), UNAUTHORIZED)

    async def test_a_path_with_dots_is_not_skipped(self, mounting, logins):
        app = mounting.app(logins, skip=["/static"])
        connection = await http(app, "/static/../login", headers=[bearer(logins.token("broken"))])
        assert isinstance(connection.error, DatabaseDownError)


class TestSeveralManagers:
    @pytest.fixture
    def web(self):
        WEB.forget()
        return WEB

    @pytest.fixture
    def api(self):
        API.forget()
        return API

    @pytest.fixture
    def app(self, mounting, web, api):
        return mounting.app(web, api)

    async def test_each_users_token_is_found_by_its_manager(self, app, web, api):
        for logins, name in ((web, "web"), (api, "api")):
            page = (await http(app, "/login", headers=[bearer(logins.token(name))])).json
            assert (page["user"], page["manager"], page["current_user"]) == (name, name, name)
        assert (web.loads, api.loads) == (["web"], ["api"])

    async def test_the_first_managers_error_and_realm_are_kept(self, app):
        connection = await http(app, "/login", headers=[bearer("not-a-token")])
        assert connection.status == 401
        assert connection.header("www-authenticate")[0].startswith('Bearer realm="web", error="invalid_token"')

    async def test_an_anonymous_request_is_asked_for_the_first_managers_credential(self, app):
        assert (await http(app, "/login")).header("www-authenticate") == ['Bearer realm="web"']

    async def test_no_cookie_is_tried_where_a_header_was_found_that_nobody_accepts(self, app, web):
        connection = await http(app, "/login", headers=[bearer("not-a-token"), cookie(web.token())])
        assert connection.status == 401
        assert web.loads == []

    async def test_the_headers_of_every_manager_come_before_the_cookies_of_any(self, app, web, api):
        page = (await http(app, "/login", headers=[cookie(web.token("bob")), bearer(api.token("ada"))])).json
        assert (page["user"], page["manager"]) == ("ada", "api")
        assert web.loads == []

    @pytest.mark.parametrize("path", ["/web", "/web/fresh", "/web/read"])
    async def test_a_gate_for_one_managers_users_keeps_the_others_out(self, app, mounting, web, api, path):
        connection = await http(app, path, headers=[bearer(api.fresh_token("ada", "read"))])
        assert connection.status == 401
        assert connection.header("www-authenticate") == ['Bearer realm="web"']
        assert mounting.site.visits == []
        page = (await http(app, path, headers=[bearer(web.fresh_token("ada", "read"))])).json
        assert (page["user"], page["manager"]) == ("ada", "web")

    @pytest.mark.parametrize(("path", "status"), [("/web/fresh", 401), ("/web/read", 403)])
    async def test_a_gate_for_one_managers_users_asks_them_for_the_rest(self, app, web, path, status):
        assert (await http(app, path, headers=[cookie(web.token())])).status == status

    async def test_a_loader_that_breaks_is_not_passed_over_for_the_next_manager(self, mounting, web):
        second = Logins(OTHER_SECRET, name="second", transports=[CookieTransport("__Host-second")])
        app = mounting.app(web, second)
        headers = [cookie(web.token("broken")), cookie(second.token(), "__Host-second")]
        assert isinstance((await http(app, "/public", headers=headers)).error, DatabaseDownError)

    async def test_each_managers_exception_is_raised_for_its_own(self, mounting):
        web = Logins(name="web", not_authenticated_exception=LogInFirstError)
        api = Logins(
            OTHER_SECRET, name="api", transports=[BearerTransport("api")], out_of_scope_exception=NotYoursError
        )
        app = mounting.app(web, api)
        assert (await http(app, "/web", headers=[bearer(api.token())])).status == 418
        assert (await http(app, "/read", headers=[bearer(api.token())])).status == 451
        assert (await http(app, "/read", headers=[bearer(web.token())])).status == 403


class TestNestedMiddlewares:
    @pytest.fixture
    def inner(self, logins):
        return logins

    @pytest.fixture
    def outer(self):
        return Logins(OTHER_SECRET, name="outer")

    @pytest.fixture
    def app(self, mounting, inner, outer):
        return AuthMiddleware(mounting.app(inner), outer.manager)

    async def test_the_inner_one_decides_who_it_is(self, app, inner, outer):
        page = (await http(app, "/login", headers=[bearer(inner.token())])).json
        assert (page["user"], page["manager"], page["current_user"]) == ("ada", "default", "ada")
        assert_refused(await http(app, "/login", headers=[bearer(outer.token())]), INVALID_TOKEN)

    async def test_the_inner_one_decides_that_it_is_nobody(self, mounting, inner):
        outer = Logins(OTHER_SECRET, name="outer", transports=[CookieTransport("__Host-outer")])
        app = AuthMiddleware(mounting.app(inner), outer.manager)
        connection = await http(app, "/public", headers=[cookie(outer.token(), "__Host-outer")])
        assert connection.json["user"] is None
        assert connection.json["current_user"] is None
        assert_refused(await http(app, "/login", headers=[cookie(outer.token(), "__Host-outer")]), UNAUTHORIZED)

    async def test_a_refusal_is_answered_once(self, app):
        for path in EVERY_GATE:
            assert_refused(await http(app, path), UNAUTHORIZED)

    async def test_both_leave_a_failure_alone(self, app, inner):
        assert isinstance((await http(app, "/raises")).error, contract.OwnError)
        token = inner.token("broken")
        assert isinstance((await http(app, "/login", headers=[bearer(token)])).error, DatabaseDownError)


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
        own = driver.Connection({"type": "telepathy"})
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

    async def test_requests_one_after_the_other_on_one_task_never_see_each_others_identity(self, app, visitors):
        for headers, name, _ in visitors:
            page = (await http(app, "/public", headers=headers)).json
            assert (page["user"], page["current_user"]) == (name, name)

    @pytest.mark.parametrize(
        "path", ["/public", "/login", "/raises", "/stream-midway", "/catches", "/admin/page", "/nowhere"]
    )
    async def test_nothing_is_left_in_the_context_of_the_task(self, app, logins, path):
        for headers in ([bearer(logins.token("ada"))], [bearer(logins.token("broken"))], []):
            await http(app, path, headers=headers)
            with pytest.raises(RuntimeError, match="no request is being handled"):
                current_auth()

    async def test_a_skipped_request_does_not_see_the_one_before(self, mounting, logins):
        app = mounting.app(logins, skip=["/static"])
        await http(app, "/public", headers=[bearer(logins.token())])
        assert (await http(app, "/static/page")).json["current_user"] is None


class TestTimeAndKeys:
    async def test_a_short_expiry_is_kept(self, mounting, logins):
        app = mounting.app(logins)
        token = logins.manager.create_access_token(data={"sub": "ada"}, expires=timedelta(seconds=5))
        logins.clock.tick(4)
        assert (await http(app, "/login", headers=[bearer(token)])).status == 200
        logins.clock.tick(1)
        assert_refused(await http(app, "/login", headers=[bearer(token)]), EXPIRED)

    async def test_keys_are_rotated_without_logging_anybody_out(self, mounting, logins):
        rotated = Logins([OTHER_SECRET, SECRET])
        retired = Logins([OTHER_SECRET])
        token = logins.token()
        assert (await http(mounting.app(rotated), "/login", headers=[bearer(token)])).json["user"] == "ada"
        assert_refused(await http(mounting.app(retired), "/login", headers=[bearer(token)]), INVALID_TOKEN)
        assert (await http(mounting.app(rotated), "/login", headers=[bearer(retired.token())])).status == 200
