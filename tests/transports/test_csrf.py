"""Cross-site request forgery: which requests may act with a cookie, row by row of the documented table."""

import re

import pytest
from helpers import COOKIE, authenticate, bearer, claims, cookie, hs256, make_manager, protected, request, websocket

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, CrossOriginRequest

TOKEN = hs256()
HTTPS = {"scheme": "https"}
TRUSTED = "https://app.example.net"
UNSAFE = ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "FOO", "get"]


def manager(*trusted):
    return make_manager(transports=[BearerTransport(), CookieTransport(trusted_origins=trusted)])


def headers(**values):
    """Return header lines; a list of values makes a line of each."""
    lines = []
    for name, value in values.items():
        lines += [(name.replace("_", "-"), one) for one in (value if isinstance(value, list) else [value])]
    return lines


def is_allowed(lines, method="POST", trusted=(), token=TOKEN, **scope):
    """Send a request with a good cookie, and see that it is either served or answered before the application."""
    loaded, ran = [], []
    one = make_manager(loaded=loaded, transports=[BearerTransport(), CookieTransport(trusted_origins=trusted)])

    async def app(scope, receive, send):
        ran.append(scope["state"]["user"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    answer = request(AuthMiddleware(app, one), method, headers=[cookie(token), *lines], **scope)
    if answer.status == 200:
        assert ran == ["ada"]
        return True
    assert answer.status == 403
    assert ran == loaded == []
    return False


def is_websocket_allowed(lines, trusted=(), **scope):
    sent = websocket(protected(manager(*trusted)), headers=[cookie(TOKEN), *lines], **scope)
    if sent[0]["type"] == "websocket.accept":
        return True
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "cross_origin_request"}]
    return False


CROSS_SITE = headers(host="example.com", origin="https://attacker.example", sec_fetch_site="cross-site")


class TestRow0WhoIsChecked:
    def test_an_identity_from_a_header_is_not_checked(self):
        auth = authenticate(make_manager(), bearer(TOKEN), *CROSS_SITE, method="POST")
        assert auth.user == "ada"

    def test_an_identity_from_a_header_is_not_checked_though_a_cookie_is_there(self):
        auth = authenticate(make_manager(), bearer(TOKEN), cookie(TOKEN), *CROSS_SITE, method="POST")
        assert auth.user == "ada"

    def test_nor_is_nobody(self):
        auth = authenticate(make_manager(), *CROSS_SITE, method="POST")
        assert (auth.user, auth.error) == (None, None)

    @pytest.mark.parametrize("token", ["junk", hs256(secret="x" * 32), hs256(claims(exp=1))])
    def test_nor_is_a_cookie_that_is_no_identity(self, token):
        auth = authenticate(make_manager(), cookie(token), *CROSS_SITE, method="POST")
        assert auth.user is None
        assert not isinstance(auth.error, CrossOriginRequest)

    def test_a_forged_request_does_not_reach_the_database(self):
        assert not is_allowed(CROSS_SITE)


class TestRow1SafeMethods:
    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    @pytest.mark.parametrize(
        "lines",
        [
            CROSS_SITE,
            headers(host=["a", "b"], origin=["https://a", "https://b"], sec_fetch_site=["none", "cross-site"]),
        ],
    )
    def test_a_safe_method_is_allowed(self, method, lines):
        assert is_allowed(lines, method)

    @pytest.mark.parametrize("method", UNSAFE)
    def test_every_other_is_checked(self, method):
        assert not is_allowed(CROSS_SITE, method)

    def test_a_websocket_handshake_is_a_get_that_is_checked(self):
        assert not is_websocket_allowed(CROSS_SITE)


class TestRow2HeadersSentTwice:
    GOOD = headers(host="example.com", origin="https://example.com", sec_fetch_site="same-origin")

    def test_sent_once_they_are_allowed(self):
        assert is_allowed(self.GOOD)

    @pytest.mark.parametrize(
        "again",
        [
            ("host", "example.com"),
            ("host", "attacker.example"),
            ("origin", "https://example.com"),
            ("origin", "https://attacker.example"),
            ("origin", ""),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", ""),
            ("Origin", "https://example.com"),
        ],
    )
    @pytest.mark.parametrize("trusted", [(), ("https://example.com",)])
    def test_sent_twice_they_are_refused_even_from_a_trusted_origin(self, again, trusted):
        assert not is_allowed([*self.GOOD, again], trusted=trusted)
        assert not is_allowed([again, *self.GOOD], trusted=trusted)
        assert not is_websocket_allowed([again, *self.GOOD], trusted=trusted)


class TestRow3TrustedOrigins:
    @pytest.mark.parametrize("site", ["cross-site", "same-site", "", "same-origin"])
    def test_a_trusted_origin_is_allowed_whatever_the_browser_says(self, site):
        lines = headers(host="example.com", origin=TRUSTED, sec_fetch_site=site)
        assert is_allowed(lines, trusted=[TRUSTED])
        assert is_websocket_allowed(lines, trusted=[TRUSTED])

    @pytest.mark.parametrize(
        "origin",
        [
            "http://app.example.net",
            "https://app.example.net:8443",
            "https://app.example.net/",
            "https://app.example.net.attacker.example",
            "https://x.app.example.net",
            "https://app.example.ne",
            "HTTPS://APP.EXAMPLE.NET",
            "null",
        ],
    )
    def test_another_origin_is_not(self, origin):
        assert not is_allowed(headers(host="example.com", origin=origin), trusted=[TRUSTED])
        assert not is_allowed(
            headers(host="example.com", origin=origin, sec_fetch_site="cross-site"), trusted=[TRUSTED]
        )

    def test_what_one_cookie_trusts_another_does_not(self):
        transports = [
            CookieTransport("__Host-a", name="a", trusted_origins=[TRUSTED]),
            CookieTransport("__Host-b", name="b"),
        ]
        app = protected(make_manager(transports=transports))
        lines = headers(host="example.com", origin=TRUSTED, sec_fetch_site="cross-site")
        assert request(app, "POST", headers=[cookie(TOKEN, "__Host-a"), *lines]).status == 200
        assert request(app, "POST", headers=[cookie(TOKEN, "__Host-b"), *lines]).status == 403


class TestRows4And5SecFetchSite:
    @pytest.mark.parametrize("site", ["same-origin", "none", "Same-Origin", "NONE"])
    @pytest.mark.parametrize("origin", [None, "https://example.com", "https://attacker.example", "null"])
    def test_same_origin_and_none_are_allowed_whatever_the_origin(self, site, origin):
        lines = headers(host="backend:8000", sec_fetch_site=site, **({"origin": origin} if origin else {}))
        assert is_allowed(lines)
        assert is_websocket_allowed(lines)

    @pytest.mark.parametrize(
        "site",
        [
            "cross-site",
            "same-site",
            "CROSS-SITE",
            "unknown",
            "same-origin, cross-site",
            "same-origin ",
            '"none"',
            "\xff",
        ],
    )
    @pytest.mark.parametrize("origin", [None, "https://example.com"])
    def test_every_other_is_refused_whatever_the_origin(self, site, origin):
        lines = headers(host="example.com", **({"origin": origin} if origin else {}))
        lines.append(("sec-fetch-site", site.encode("latin-1")))
        assert not is_allowed(lines)
        assert not is_websocket_allowed(lines)

    def test_an_empty_one_says_nothing(self):
        assert is_allowed(headers(host="example.com", origin="https://example.com", sec_fetch_site=""))
        assert not is_allowed(headers(host="example.com", origin="https://attacker.example", sec_fetch_site=""))


class TestRow6NoOrigin:
    @pytest.mark.parametrize("lines", [[], headers(host="example.com"), headers(host="example.com", origin="")])
    def test_what_sends_no_origin_is_no_browser_and_allowed(self, lines):
        assert is_allowed(lines)
        assert is_websocket_allowed(lines)


class TestRows7To9OriginAndHost:
    @pytest.mark.parametrize(
        ("scheme", "host", "origin"),
        [
            ("https", "example.com", "https://example.com"),
            ("https", "example.com:443", "https://example.com"),
            ("https", "EXAMPLE.com", "https://example.com"),
            ("https", "example.com:8443", "https://example.com:8443"),
            ("http", "example.com", "http://example.com"),
            ("http", "example.com:80", "http://example.com"),
            ("http", "localhost:8000", "http://localhost:8000"),
            ("http", "[::1]:8000", "http://[::1]:8000"),
            ("http", "[::1]", "http://[::1]"),
            # TLS ended at a proxy.
            ("http", "example.com", "https://example.com"),
            ("http", "example.com:443", "https://example.com"),
            ("http", "example.com:8443", "https://example.com:8443"),
        ],
    )
    def test_the_own_origin_is_allowed(self, scheme, host, origin):
        lines = headers(host=host, origin=origin)
        assert is_allowed(lines, scheme=scheme)
        assert is_websocket_allowed(lines, scheme=scheme.replace("http", "ws"))

    @pytest.mark.parametrize(
        ("scheme", "host", "origin"),
        [
            ("https", "example.com", "https://attacker.example"),
            ("https", "example.com", "http://example.com"),
            ("https", "example.com:80", "http://example.com"),
            ("https", "example.com", "https://example.com:8443"),
            ("https", "example.com:8443", "https://example.com"),
            ("https", "example.com", "https://example.com:443"),
            ("http", "example.com", "http://example.com:80"),
            ("https", "example.com", "https://example.com/"),
            ("https", "example.com", "https://example.com.attacker.example"),
            ("https", "example.com", "https://sub.example.com"),
            ("https", "sub.example.com", "https://example.com"),
            ("https", "example.com", "https://user@example.com"),
            ("https", "example.com", "null"),
            ("https", "example.com", "https://["),
            ("https", "example.com", "example.com"),
            ("https", "example.com", "https:example.com"),
            ("https", "example.com", "chrome-extension://example.com"),
            ("https", "example.com", "wss://example.com"),
            ("https", "example.com", " https://example.com"),
            ("https", "example.com", "https://example.com https://attacker.example"),
            ("http", "example.com", "http://example.com:8000"),
        ],
    )
    def test_another_origin_is_refused(self, scheme, host, origin):
        lines = headers(host=host, origin=origin)
        assert not is_allowed(lines, scheme=scheme)
        assert not is_websocket_allowed(lines, scheme=scheme.replace("http", "ws"))

    @pytest.mark.parametrize("origin", ["https://example.com", "http://example.com", "null"])
    def test_an_origin_without_a_host_to_compare_it_with_is_refused(self, origin):
        assert not is_allowed(headers(origin=origin))

    def test_forwarded_headers_are_not_read(self):
        forwarded = headers(
            x_forwarded_host="attacker.example", x_forwarded_proto="https", forwarded="host=attacker.example"
        )
        assert not is_allowed([*headers(host="example.com", origin="https://attacker.example"), *forwarded])
        assert not is_allowed(headers(host="example.com", origin="http://example.com") + forwarded, scheme="https")

    def test_a_scope_without_a_scheme_is_plain_http(self):
        async def app(scope, receive, send):
            raise AssertionError("the application ran")

        lines = [cookie(TOKEN), *headers(host="example.com", origin="https://attacker.example")]
        middleware = AuthMiddleware(app, make_manager())
        assert request(middleware, "POST", headers=lines, scheme=...).status == 403
        assert is_allowed(headers(host="example.com", origin="http://example.com"), scheme=...)


class TestAnswer:
    def test_a_forged_request_is_answered_before_the_application_runs(self):
        async def app(scope, receive, send):
            raise AssertionError("the application ran")

        answer = request(AuthMiddleware(app, manager()), "POST", headers=[cookie(TOKEN), *CROSS_SITE])
        assert answer.status == 403
        assert answer.json() == {
            "error": "cross_origin_request",
            "error_description": "The request comes from another origin",
        }
        assert answer.header("www-authenticate") is None
        assert answer.header("cache-control") == "no-store"
        varies = {one.strip().lower() for value in answer.all("vary") for one in value.split(",")}
        assert varies == {"origin", "sec-fetch-site", "cookie"}

    def test_a_login_page_does_not_answer_it(self):
        one = make_manager(redirect_to="/login")
        lines = [cookie(TOKEN), *CROSS_SITE, (b"accept", b"text/html")]
        assert request(protected(one), "POST", headers=lines).status == 403

    def test_a_websocket_is_refused_before_it_is_accepted(self):
        sent = websocket(
            protected(manager()),
            headers=[cookie(TOKEN), *CROSS_SITE],
            extensions={"websocket.http.response": {}},
        )
        assert [message["type"] for message in sent] == [
            "websocket.http.response.start",
            "websocket.http.response.body",
        ]
        assert sent[0]["status"] == 403

    def test_cors_headers_are_not_touched(self):
        answer = request(protected(manager()), "GET", headers=[cookie(TOKEN), *CROSS_SITE])
        assert answer.status == 200
        assert not [name for name, _ in answer.headers if name.startswith(b"access-control")]


class TestTrustedOriginsSetting:
    @pytest.mark.parametrize(
        "origin",
        [
            "https://example.com",
            "http://localhost:3000",
            "https://example.com:8443",
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
            "https://xn--bcher-kva.example",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "http://tauri.localhost",
            "tauri://localhost:1430",
            "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
            "moz-extension://4b1f0c1e-6a52-4f3a-9a3e-0d7f7a3c1c55",
            "safari-web-extension://4b1f0c1e-6a52-4f3a-9a3e-0d7f7a3c1c55",
            "app://obsidian.md",
            "app://.",
            "capacitor-electron://-",
            "vscode-webview://1a2b3c",
            "capacitor://localhost:443",
        ],
    )
    def test_an_origin_is_written_as_browsers_do(self, origin):
        lines = headers(host="other.example", origin=origin, sec_fetch_site="cross-site")
        assert is_allowed(lines, trusted=[origin])

    @pytest.mark.parametrize(
        "origin",
        [
            "",
            "null",
            "*",
            "example.com",
            "//example.com",
            "https://",
            "https://example.com/",
            "https://example.com/path",
            "https://example.com?query",
            "https://example.com#fragment",
            "https://user@example.com",
            "https://user:pass@example.com",
            "https://*.example.com",
            "https://Example.com",
            "HTTPS://example.com",
            "https://bücher.example",
            "https://example.com:",
            "https://example.com:port",
            "https://example.com:123456",
            "ftp://example.com",
            "wss://example.com",
            "file://",
            " https://example.com",
            "https://example.com\n",
            "https://a.example https://b.example",
            "https://[::1",
            "capacitor://",
            "capacitor://localhost/",
            "Capacitor://localhost",
            "chrome-extension://ABCDEF",
            "chrome-extension://*",
            "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb/popup.html",
            "app:",
            "1app://localhost",
        ],
    )
    def test_what_no_browser_sends_is_refused(self, origin):
        with pytest.raises(ValueError, match="trusted_origins"):
            CookieTransport(trusted_origins=[origin])

    @pytest.mark.parametrize("origin", ["https://example.com:443", "http://example.com:80", "http://[::1]:80"])
    def test_a_default_port_is_refused(self, origin):
        with pytest.raises(ValueError, match="leave the default port out"):
            CookieTransport(trusted_origins=[origin])

    @pytest.mark.parametrize(
        ("origin", "sentence"),
        [
            (
                "null",
                "'null' is what files, sandboxed frames and others send that belong to no site: any page can send it",
            ),
            ("file://", "'file://' has no origin: its pages send 'null', and that is what files"),
            ("file:///index.html", "its pages send 'null'"),
            ("data:text/html,", "its pages send 'null'"),
            ("ws://example.com", "is a websocket; name the page that opens it, like 'http://example.com'"),
            ("wss://example.com", "is a websocket; name the page that opens it, like 'https://example.com'"),
            ("ftp://example.com", "is no page that a browser shows"),
            ("https://example.com/path", "in lower case, without path, query, user or trailing slash"),
        ],
    )
    def test_what_would_trust_nobody_or_everybody_is_refused_with_the_reason(self, origin, sentence):
        with pytest.raises(ValueError, match=re.escape(sentence)):
            CookieTransport(trusted_origins=[origin])

    @pytest.mark.parametrize(
        ("trusted", "origin"),
        [
            ("capacitor://localhost", "ionic://localhost"),
            ("capacitor://localhost", "http://localhost"),
            ("capacitor://localhost", "capacitor://localhost:8100"),
            ("capacitor://localhost", "CAPACITOR://localhost"),
            ("http://tauri.localhost", "https://tauri.localhost"),
            ("http://tauri.localhost", "tauri://localhost"),
            (
                "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
                "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllclec",
            ),
            ("app://.", "app://x"),
        ],
    )
    def test_an_application_around_a_web_view_is_compared_exactly(self, trusted, origin):
        assert not is_allowed(headers(host="example.com", origin=origin), trusted=[trusted])
        assert is_allowed(headers(host="example.com", origin=trusted), trusted=[trusted])
        assert is_websocket_allowed(headers(host="example.com", origin=trusted), trusted=[trusted])

    def test_one_string_is_no_sequence_of_origins(self):
        with pytest.raises(TypeError, match="takes a sequence of origins"):
            CookieTransport(trusted_origins=TRUSTED)

    @pytest.mark.parametrize(("origin", "kind"), [(None, "NoneType"), (b"https://example.com", "bytes")])
    def test_an_origin_that_is_no_string_is_refused_with_a_sentence(self, origin, kind):
        with pytest.raises(TypeError, match=f"^trusted_origins holds strings like .*, not {kind}$"):
            CookieTransport(trusted_origins=[origin])

    def test_the_cookie_of_the_test_is_the_default_one(self):
        assert CookieTransport().cookie_name == COOKIE
