from datetime import timedelta

import pytest
from conformance import contract
from conformance.answers import CROSS_ORIGIN, EXPIRED, INVALID_TOKEN, UNAUTHORIZED, assert_refused
from conformance.contract import EVERY_GATE, LogInFirstError, NotYoursError
from conformance.driver import bearer, cookie, http
from conformance.logins import OTHER_SECRET, SECRET, DatabaseDownError, Logins, bad_tokens, shared

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport

pytestmark = pytest.mark.anyio

WEB = shared(name="web", realm="web")
API = shared(secret=OTHER_SECRET, name="api", realm="api", transports=[BearerTransport()])


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
        assert (api.loads, web.loads) == (["ada"], ["bob"])

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
        return mounting.served(AuthMiddleware(mounting.called(inner), outer.manager))

    async def test_the_inner_one_decides_who_it_is(self, app, inner, outer):
        page = (await http(app, "/login", headers=[bearer(inner.token())])).json
        assert (page["user"], page["manager"], page["current_user"]) == ("ada", "default", "ada")
        assert_refused(await http(app, "/login", headers=[bearer(outer.token())]), INVALID_TOKEN)

    async def test_the_inner_one_decides_that_it_is_nobody(self, mounting, inner):
        outer = Logins(OTHER_SECRET, name="outer", transports=[CookieTransport("__Host-outer")])
        app = mounting.served(AuthMiddleware(mounting.called(inner), outer.manager))
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
