"""The settings of the transports: their defaults, what they refuse, and that they stay."""

from datetime import timedelta

import pytest
import starlette.responses
from helpers import COOKIE, make_manager, request
from transports.reading import TOKEN
from transports.set_cookie_line import parse

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, Transport


class TestImmutability:
    @pytest.mark.parametrize(
        ("transport", "name"),
        [
            (BearerTransport(), "name"),
            (BearerTransport(), "ambient"),
            (CookieTransport(), "name"),
            (CookieTransport(), "ambient"),
            (CookieTransport(), "trusted_origins"),
            (CookieTransport(), "cookie_name"),
        ],
        ids=str,
    )
    def test_a_transport_stays_what_it_was_made(self, transport, name):
        before = getattr(transport, name)
        with pytest.raises(AttributeError, match="immutable"):
            setattr(transport, name, "another")
        with pytest.raises(AttributeError, match="immutable"):
            delattr(transport, name)
        assert getattr(transport, name) is before


class TestConstruction:
    def test_the_default_cookie_is_the_safest(self):
        name, line = CookieTransport().set_cookie_header("t")
        assert name == b"set-cookie"
        assert parse(line) == (
            COOKIE,
            "t",
            {"path": "/", "secure": "", "httponly": "", "samesite": "Lax"},
        )

    def test_every_attribute_is_written(self):
        transport = CookieTransport(
            "__Secure-t",
            path="/app",
            domain="example.com",
            httponly=False,
            samesite="none",
            max_age=60,
            partitioned=True,
        )
        assert parse(transport.set_cookie_header("t")[1]) == (
            "__Secure-t",
            "t",
            {
                "path": "/app",
                "domain": "example.com",
                "secure": "",
                "samesite": "None",
                "partitioned": "",
                "max-age": "60",
            },
        )

    def test_the_cookie_for_development_is_the_only_one_that_is_not_secure(self):
        transport = CookieTransport.insecure_for_development(samesite="strict", path="/x", max_age=5)
        name, _, attributes = parse(transport.set_cookie_header("t")[1])
        assert name == "access-token"
        assert attributes == {"path": "/x", "httponly": "", "samesite": "Strict", "max-age": "5"}

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_secure_cookie_stays_secure_whatever_the_scheme(self, scheme):
        async def login(scope, receive, send):
            response = starlette.responses.Response()
            manager.set_cookie(response, TOKEN)
            await response(scope, receive, send)

        manager = make_manager()
        line = request(AuthMiddleware(login, manager), "POST", scheme=scheme).header("set-cookie")
        assert "; Secure" in line

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"path": "/app"}, "with a path or domain"),
            ({"domain": "example.com"}, "with a path or domain"),
            ({"secure": False}, "without secure=True"),
            ({"cookie_name": "__host-t", "path": "/app"}, "with a path or domain"),
            ({"cookie_name": "__HOST-t", "secure": False}, "without secure=True"),
            ({"cookie_name": "__Secure-t", "secure": False}, "without secure=True"),
            ({"cookie_name": "__SECURE-t", "secure": False}, "without secure=True"),
            ({"cookie_name": "__Http-t", "secure": False}, "without secure=True"),
            ({"cookie_name": "__Http-t", "httponly": False}, "without httponly=True"),
            ({"cookie_name": "__Host-Http-t", "httponly": False}, "without httponly=True"),
            ({"cookie_name": "__Host-Http-t", "path": "/app"}, "with a path or domain"),
            ({"cookie_name": "t", "samesite": "none", "secure": False}, "samesite='none'"),
            ({"cookie_name": "t", "partitioned": True, "secure": False}, "partitioned=True"),
        ],
    )
    def test_what_browsers_drop_is_refused(self, arguments, words):
        with pytest.raises(ValueError, match=words):
            CookieTransport(**arguments)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"cookie_name": "__Secure-t", "path": "/app", "domain": "example.com"},
            {"cookie_name": "__Http-t", "path": "/app"},
            {"cookie_name": "__Host-Http-t"},
            {"cookie_name": "t", "secure": False},
            {"cookie_name": "__Hosted"},
        ],
    )
    def test_what_browsers_keep_is_not(self, arguments):
        assert isinstance(CookieTransport(**arguments), Transport)

    @pytest.mark.parametrize("arguments", [{"cookie_name": "__Host-t"}, {"samesite": "none"}, {"partitioned": True}])
    def test_the_cookie_for_development_promises_nothing_that_needs_tls(self, arguments):
        with pytest.raises(ValueError, match="browsers drop"):
            CookieTransport.insecure_for_development(**arguments)

    @pytest.mark.parametrize(
        "name", ["", "a b", "a=b", "a;b", "a,b", 'a"b', "a\r\nb", "a\0", "é", "a/b", "a@b", "(a)", "a\\b", "a:b", "\ta"]
    )
    def test_a_cookie_name_is_a_token(self, name):
        with pytest.raises(ValueError, match="is no cookie name"):
            CookieTransport(name)

    @pytest.mark.parametrize("path", ["", "app", "/a;b", "/a\r\nSet-Cookie: x=y", "/a\0", "/é", "/\x7f", "https://a/"])
    def test_a_path_starts_with_a_slash_and_ends_nothing(self, path):
        with pytest.raises(ValueError, match="the cookie's path"):
            CookieTransport("t", path=path)

    @pytest.mark.parametrize(
        "domain",
        ["", ".example.com", "example.com.", "a b", "a;b", "a\r\nb", "https://a.example", "a:80", "é.example", "-a"],
    )
    def test_a_domain_is_a_host_name(self, domain):
        with pytest.raises(ValueError, match="the cookie's domain"):
            CookieTransport("t", domain=domain)

    @pytest.mark.parametrize("samesite", ["Lax", "", None, "no_restriction", True, "lax; Domain=x"])
    def test_samesite_is_one_of_three(self, samesite):
        with pytest.raises(ValueError, match="samesite is"):
            CookieTransport(samesite=samesite)

    @pytest.mark.parametrize("max_age", [0, -1, 1.5, "60", True, timedelta(seconds=60)])
    def test_a_max_age_is_a_positive_number_of_seconds(self, max_age):
        with pytest.raises(ValueError, match="max_age"):
            CookieTransport(max_age=max_age)

    @pytest.mark.parametrize("make", [BearerTransport, lambda name: CookieTransport(name=name)])
    @pytest.mark.parametrize("name", ["", None, 5, b"x"])
    def test_the_name_of_a_transport_is_a_string(self, make, name):
        with pytest.raises(ValueError, match="name is a non-empty string"):
            make(name)

    def test_a_repr_says_what_it_does(self):
        assert repr(BearerTransport("api")) == "BearerTransport('api')"
        assert "__Host-access-token" in repr(CookieTransport())


class Own:
    name, ambient = "own", "no"

    def extract(self, scope):
        return None


@pytest.mark.parametrize(
    ("transports", "error", "sentence"),
    [
        ([CookieTransport(), CookieTransport(name="other")], ValueError, "have the same cookie"),
        ([CookieTransport("a"), CookieTransport("b")], ValueError, "have the same name"),
        ([Own()], TypeError, "must say ambient = True or False"),
    ],
)
def test_transports_that_do_not_go_together_are_told(transports, error, sentence):
    with pytest.raises(error, match=sentence):
        make_manager(transports=transports)
