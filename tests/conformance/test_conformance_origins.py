"""Cross-site request forgery, row by row of the order of its checks: the first that matches decides."""

import pytest
from conformance.answers import CROSS_ORIGIN, assert_refused
from conformance.browser import SESSION, names
from conformance.driver import DENIAL, bearer, cookie, http, websocket
from conformance.logins import shared

from asgi_login import BearerTransport, CookieTransport, HeaderTransport

pytestmark = pytest.mark.anyio

TRUSTED = "https://app.example"
EVIL = "https://evil.example"
BY_A_GATEWAY = shared(transports=[HeaderTransport("X-Token", name="gateway", ambient=True)])
BY_A_PROGRAM = shared(transports=[HeaderTransport("X-Token", name="program", ambient=False), CookieTransport()])
TRUSTING = shared(transports=[BearerTransport(), CookieTransport(trusted_origins=[TRUSTED])])


def sent(*, origin=None, site=None, more=(), **options):
    """Return the options of a request with these headers."""
    headers = [("origin", origin)] if origin is not None else []
    headers += [("sec-fetch-site", site)] if site is not None else []
    return {"headers": [*headers, *more], **options}


ALLOWED = {
    "3 trusted": sent(origin=TRUSTED),
    "3 trusted before Sec-Fetch-Site": sent(origin=TRUSTED, site="cross-site"),
    "4 same-origin": sent(site="same-origin"),
    "4 same-origin before Origin": sent(site="same-origin", origin=EVIL),
    "4 none": sent(site="none"),
    "4 none before Origin": sent(site="none", origin="null"),
    "6 neither": sent(),
    "6 both empty": sent(origin="", site=""),
    "6 no Host either": sent(host=None),
    "7 own": sent(origin="https://site.example"),
    "7 own, Sec-Fetch-Site empty": sent(origin="https://site.example", site=""),
    "7 own, default port in Host": sent(origin="https://site.example", host="site.example:443"),
    "7 own, other port": sent(origin="https://site.example:8443", host="site.example:8443"),
    "7 own, Host in capitals": sent(origin="https://site.example", host="Site.Example"),
    "7 own, http": sent(origin="http://site.example", scheme="http"),
    "7 own, http, default port in Host": sent(origin="http://site.example", host="site.example:80", scheme="http"),
    "8 TLS at a proxy": sent(origin="https://site.example", scheme="http"),
}
DENIED = {
    "2 Origin twice": sent(origin=TRUSTED, more=[("origin", TRUSTED)]),
    "2 Host twice": sent(origin=TRUSTED, more=[("host", "site.example")]),
    "2 Sec-Fetch-Site twice": sent(site="same-origin", more=[("sec-fetch-site", "same-origin")]),
    "5 cross-site": sent(site="cross-site"),
    "5 cross-site before Origin": sent(site="cross-site", origin="https://site.example"),
    "5 same-site": sent(site="same-site", origin="https://site.example"),
    "5 anything else": sent(site="same-origins", origin="https://site.example"),
    "9 other": sent(origin=EVIL),
    "9 null": sent(origin="null"),
    "9 other port": sent(origin="https://site.example:8443"),
    "9 sub-domain": sent(origin="https://www.site.example"),
    "9 longer": sent(origin="https://site.example.evil.example"),
    "9 http of an https site": sent(origin="http://site.example"),
    "9 default port in Origin": sent(origin="https://site.example:443"),
    "9 in capitals": sent(origin="HTTPS://SITE.EXAMPLE"),
    "9 a path": sent(origin="https://site.example/"),
    "9 no Host": sent(origin="https://site.example", host=None),
}
ALLOWED_ROWS = pytest.mark.parametrize("row", ALLOWED)
DENIED_ROWS = pytest.mark.parametrize("row", DENIED)


def with_headers(options, *more):
    return {**options, "headers": [*options["headers"], *more]}


def in_websocket_terms(options):
    """Return the same for a websocket, whose schemes have names of their own."""
    return {**options, "scheme": {"http": "ws", None: "wss"}[options.get("scheme")]}


@pytest.fixture
def logins():
    TRUSTING.forget()
    return TRUSTING


class TestHttp:
    @ALLOWED_ROWS
    async def test_an_unsafe_request_of_the_site_or_of_no_browser_is_its_users(self, app, logins, row):
        options = with_headers(ALLOWED[row], cookie(logins.token()))
        connection = await http(app, "/public", method="POST", **options)
        assert (connection.status, connection.json["user"], connection.json["error"]) == (200, "ada", None)
        connection = await http(app, "/session/in", method="POST", **ALLOWED[row])
        assert (connection.status, SESSION in names(connection)) == (200, True)

    @DENIED_ROWS
    async def test_an_unsafe_request_of_another_site_is_nobodys(self, app, mounting, logins, row):
        options = with_headers(DENIED[row], cookie(logins.token()))
        for path in ("/public", "/admin/page", "/session/out"):
            connection = await http(app, path, method="POST", **options)
            assert_refused(connection, CROSS_ORIGIN)
            assert {"cookie", "origin", "sec-fetch-site"} <= set(connection.vary)
        assert mounting.site.visits == logins.loads == []
        connection = await http(app, "/session/in", method="POST", **DENIED[row])
        assert_refused(connection, CROSS_ORIGIN)

    @DENIED_ROWS
    async def test_a_safe_request_a_header_or_nobody_may_come_from_anywhere(self, app, logins, row):
        options = with_headers(DENIED[row], cookie(logins.token()))
        for method in ("GET", "HEAD", "OPTIONS"):
            connection = await http(app, "/public", method=method, **options)
            assert (connection.status, connection.scope["state"]["user"].name) == (200, "ada")
        options = with_headers(DENIED[row], bearer(logins.token()), cookie(logins.token("bob")))
        assert (await http(app, "/public", method="POST", **options)).json["user"] == "ada"
        connection = await http(app, "/public", method="POST", **DENIED[row])
        assert (connection.json["user"], connection.json["error"]) == (None, None)


class TestWebsocket:
    @ALLOWED_ROWS
    async def test_a_websocket_of_the_site_or_of_no_browser_is_its_users(self, app, logins, row):
        options = in_websocket_terms(with_headers(ALLOWED[row], cookie(logins.token())))
        connection = await websocket(app, "/ws/login", "hello", **options)
        assert (connection.is_accepted, connection.scope["state"]["user"].name) == (True, "ada")

    @DENIED_ROWS
    async def test_a_websocket_of_another_site_is_refused(self, app, mounting, logins, row):
        options = in_websocket_terms(with_headers(DENIED[row], cookie(logins.token("ada", "admin"))))
        for path in ("/ws/echo", "/admin/ws"):
            connection = await websocket(app, path, "hello", extensions=DENIAL, **options)
            assert_refused(connection, CROSS_ORIGIN)
            connection = await websocket(app, path, "hello", **options)
            assert (connection.is_accepted, connection.close_code) == (False, 1008)
        assert mounting.site.visits == logins.loads == []


class TestHeaderTransport:
    @pytest.fixture
    def at_gateway(self, mounting):
        BY_A_GATEWAY.forget()
        return mounting.app(BY_A_GATEWAY)

    @pytest.fixture
    def at_program(self, mounting):
        BY_A_PROGRAM.forget()
        return mounting.app(BY_A_PROGRAM)

    @pytest.mark.parametrize("row", [row for row in ALLOWED if "trusted" not in row])
    async def test_the_header_of_a_gateway_names_the_user_of_the_sites_own_request(self, at_gateway, row):
        options = with_headers(ALLOWED[row], ("X-Token", BY_A_GATEWAY.token()))
        connection = await http(at_gateway, "/login", method="POST", **options)
        assert (connection.status, connection.json["user"], connection.json["transport"]) == (200, "ada", "gateway")

    @DENIED_ROWS
    async def test_the_header_of_a_gateway_is_nobodys_in_a_request_of_another_site(self, at_gateway, mounting, row):
        options = with_headers(DENIED[row], ("X-Token", BY_A_GATEWAY.token("ada", "admin")))
        for path in ("/public", "/login", "/admin/page"):
            assert_refused(await http(at_gateway, path, method="POST", **options), CROSS_ORIGIN)
        assert mounting.site.visits == BY_A_GATEWAY.loads == []

    @DENIED_ROWS
    async def test_the_header_of_a_gateway_opens_no_websocket_to_another_site(self, at_gateway, mounting, row):
        options = in_websocket_terms(with_headers(DENIED[row], ("X-Token", BY_A_GATEWAY.token())))
        assert_refused(await websocket(at_gateway, "/ws/echo", "hello", extensions=DENIAL, **options), CROSS_ORIGIN)
        assert mounting.site.visits == BY_A_GATEWAY.loads == []

    @DENIED_ROWS
    async def test_the_header_of_a_program_may_come_from_anywhere(self, at_program, row):
        lines = ("X-Token", BY_A_PROGRAM.token()), cookie(BY_A_PROGRAM.token("bob"))
        connection = await http(at_program, "/login", method="POST", **with_headers(DENIED[row], *lines))
        assert (connection.status, connection.json["user"], connection.json["transport"]) == (200, "ada", "program")

    @DENIED_ROWS
    async def test_the_header_of_a_program_opens_a_websocket_from_anywhere(self, at_program, row):
        options = in_websocket_terms(with_headers(DENIED[row], ("X-Token", BY_A_PROGRAM.token())))
        connection = await websocket(at_program, "/ws/login", "hello", **options)
        assert (connection.is_accepted, connection.scope["state"]["user"].name) == (True, "ada")

    @pytest.mark.parametrize("logins", [BY_A_GATEWAY, BY_A_PROGRAM], ids=["gateway", "program"])
    async def test_a_header_of_ones_own_that_is_sent_twice_is_a_bad_request(self, mounting, logins):
        logins.forget()
        app = mounting.app(logins)
        for line in (logins.token("bob"), ""):
            twice = [("X-Token", logins.token()), ("X-Token", line)]
            connection = await http(app, "/login", headers=twice)
            assert (connection.status, connection.json["error"]) == (400, "invalid_request")
        assert mounting.site.visits == logins.loads == []
