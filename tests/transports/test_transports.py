"""Transports: how a token is found in a request, and how a cookie is written onto a response of any framework."""

import logging
import time
from datetime import timedelta
from email.utils import parsedate

import django.http
import fastapi
import fastapi.responses
import litestar
import pytest
import quart
import starlette.responses
from django.core.handlers.asgi import ASGIHandler
from helpers import (
    COOKIE,
    NOW,
    SECRET,
    Clock,
    authenticate,
    bearer,
    claims,
    cookie,
    hs256,
    http_scope,
    make_manager,
    protected,
    request,
    run,
    send_request,
)
from quart.utils import encode_headers

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, InvalidRequest, InvalidToken, Transport

TOKEN = hs256()
OTHER = hs256(claims(sub="user1"))
BAD = hs256(secret="x" * 32)


def user_of(*headers, **scope):
    return authenticate(make_manager(), *headers, **scope).user


def error_of(*headers, **scope):
    return type(authenticate(make_manager(), *headers, **scope).error)


def authorization(value):
    return (b"authorization", value if isinstance(value, bytes) else value.encode("latin-1"))


class TicketTransport:
    """Takes the token out of the query."""

    name = "ticket"
    ambient = False

    def extract(self, scope):
        return scope["query_string"].partition(b"ticket=")[2]


class AmbientTicketTransport(TicketTransport):
    ambient = True


class TestAuthorization:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
    def test_the_scheme_is_compared_without_case(self, scheme):
        assert user_of(authorization(f"{scheme} {TOKEN}")) == "ada"

    @pytest.mark.parametrize("name", [b"authorization", b"Authorization", b"AUTHORIZATION"])
    def test_so_is_the_name_of_the_header(self, name):
        assert user_of((name, b"Bearer " + TOKEN.encode())) == "ada"

    @pytest.mark.parametrize(
        "value", ["Bearer {}", "Bearer   {}", "  Bearer {}", "Bearer {}  ", "\tBearer {}\t", " \t Bearer  {} \t"]
    )
    def test_spaces_follow_the_scheme_and_white_space_surrounds_the_value(self, value):
        assert user_of(authorization(value.format(TOKEN))) == "ada"

    @pytest.mark.parametrize(
        "character", ["\xa0", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\0", "\n", "\r"]
    )
    @pytest.mark.parametrize(
        "value", ["Bearer{0}{1}", "Bearer {0}{1}", "Bearer {1}{0}", "{0}Bearer {1}", "Bearer{0} {1}"]
    )
    def test_what_only_python_calls_white_space_is_none(self, value, character):
        assert user_of(authorization(value.format(character, TOKEN))) is None

    def test_a_tab_does_not_end_the_scheme(self):
        assert user_of(authorization(f"Bearer\t{TOKEN}")) is None

    @pytest.mark.parametrize(
        "values",
        [
            (f"Bearer {TOKEN}", f"Bearer {TOKEN}"),
            (f"Bearer {TOKEN}", f"Bearer {OTHER}"),
            (f"Bearer {BAD}", f"Bearer {TOKEN}"),
            ("Basic YTpi", f"Bearer {TOKEN}"),
            (f"Bearer {TOKEN}", ""),
            ("Basic YTpi", "Basic YTpi"),
        ],
    )
    def test_two_lines_are_a_malformed_request(self, values):
        assert error_of(*map(authorization, values)) is InvalidRequest

    @pytest.mark.parametrize(
        "value",
        [
            "Bearer",
            "Bearer ",
            "bearer  ",
            "Bearer a b",
            "Bearer {0} {0}",
            "Bearer {0}, Bearer {0}",
            "Bearer {0},Bearer {0}",
            "Bearer {0},",
            "Bearer ,{0}",
            "Bearer Bearer {0}",
            "Bearer {0}\tx y",
        ],
    )
    def test_other_than_one_token_after_bearer_is_a_malformed_request(self, value):
        assert error_of(authorization(value.format(TOKEN))) is InvalidRequest

    @pytest.mark.parametrize(
        "value", ['Bearer "{}"', "Bearer token={}", "Bearer {}=", "Bearer a:b", "Bearer <{}>", "Bearer {}\x7f"]
    )
    def test_one_word_that_is_no_token_of_ours_is_an_invalid_token(self, value):
        assert error_of(authorization(value.format(TOKEN))) is InvalidToken

    @pytest.mark.parametrize("byte", range(0x80, 0x100))
    def test_a_byte_beyond_ascii_breaks_nothing(self, byte):
        for value in (b"Bearer %b%c", b"Bearer %c%b", b"%cBearer %b"):
            order = (byte, TOKEN.encode()) if value.index(b"%c") < value.index(b"%b") else (TOKEN.encode(), byte)
            assert user_of(authorization(value % order)) is None

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "Basic YTpi",
            "DPoP {}",
            "JWT {}",
            "Token {}",
            "Bearer2 {}",
            "Bearer:{}",
            "Bearer={}",
            "{}",
            "Digest a=b, c=d",
        ],
    )
    def test_another_scheme_is_not_ours_to_judge(self, value):
        other = authorization(value.format(TOKEN))
        auth = authenticate(make_manager(), other)
        assert (auth.user, auth.error) == (None, None)
        assert user_of(other, cookie(OTHER)) == "user1"

    @pytest.mark.parametrize("value", [f"Bearer {BAD}", "Bearer", "Bearer a b", f"Bearer {TOKEN}, Bearer {TOKEN}"])
    def test_a_bad_bearer_never_falls_back_to_a_good_cookie(self, value):
        auth = authenticate(make_manager(), authorization(value), cookie(TOKEN))
        assert auth.user is None
        assert auth.transport == "bearer"

    @pytest.mark.parametrize(
        "transports", [(BearerTransport(), CookieTransport()), (CookieTransport(), BearerTransport())]
    )
    @pytest.mark.parametrize("other", [OTHER, BAD, "junk", ""])
    def test_the_header_comes_before_the_cookie(self, transports, other):
        manager = make_manager(transports=transports)
        auth = authenticate(manager, cookie(other), bearer(TOKEN))
        assert (auth.user, auth.transport) == ("ada", "bearer")
        assert auth.claims["sub"] == "ada"

    def test_tokens_in_query_and_form_are_ignored(self):
        query = b"access_token=" + TOKEN.encode()
        form = (b"content-type", b"application/x-www-form-urlencoded")
        auth = authenticate(make_manager(), form, query_string=query, method="POST")
        assert (auth.user, auth.error) == (None, None)
        assert authenticate(make_manager(), bearer(TOKEN), query_string=b"access_token=" + OTHER.encode()).user == "ada"

    def test_a_header_of_a_megabyte_is_refused_in_no_time(self):
        app = protected(make_manager())
        for junk in (b"a" * 1_000_000, b"." * 1_000_000, TOKEN.encode() + b"a" * 1_000_000, b"a.b." + b"a" * 1_000_000):
            assert _best_of(lambda junk=junk: request(app, headers=[bearer(junk)])) < 0.005

    def test_headers_may_be_a_one_shot_iterator_and_the_application_still_reads_them(self):
        lines = [bearer(TOKEN), (b"x-other", b"1")]
        seen = []

        async def app(scope, receive, send):
            seen.extend(scope["headers"])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        scope = http_scope() | {"headers": iter(lines)}
        assert run(send_request(AuthMiddleware(app, make_manager()), scope)).status == 204
        assert scope["state"]["user"] == "ada"
        assert seen == lines


class TestReadingCookies:
    @pytest.mark.parametrize(
        "lines",
        [
            [f"{COOKIE}={TOKEN}"],
            [f"a=b; {COOKIE}={TOKEN}; c=d"],
            [f"a=b;{COOKIE}={TOKEN};c=d"],
            [f"a=b;\t {COOKIE}\t=\t{TOKEN} \t; c=d"],
            ["a=b", f"{COOKIE}={TOKEN}"],
            [f"{COOKIE}={TOKEN}", "a=b"],
            [f"{COOKIE}={TOKEN}", f"a=b; {COOKIE}={TOKEN}"],
            [f"{COOKIE}={TOKEN}; {COOKIE}={TOKEN}"],
            [f"{COOKIE.lower()}=x; {COOKIE}={TOKEN}"],
        ],
    )
    def test_all_lines_are_one_list_of_pairs(self, lines):
        assert user_of(*[(b"cookie", line.encode()) for line in lines]) == "ada"

    @pytest.mark.parametrize(
        "neighbour",
        [
            b'g_state={"i_l":0,"i_b":"x, y"}',
            b"bad name with spaces=1",
            b"a[]=1",
            b"a=b,c",
            b'"=1',
            b'x="unterminated',
            b'x=\\"',
            b"x=\xff\xfe",
            b"x=\xe2\x82",
            b"x=a\x7fb",
            b"x=a\x01b",
            b"$Version=1",
            b"$Path=/",
            b"=nameless",
            b"=",
            b"novalue",
            b";;;",
            b"x=" + b"y" * 7_000,
            b"x" * 7_000,
            b"__Host-access-toke=x",
            b"__Host-access-token2=x",
            b"X__Host-access-token=x",
        ],
    )
    def test_no_neighbour_hides_ours(self, neighbour):
        ours = f"{COOKIE}={TOKEN}".encode()
        for line in (neighbour + b"; " + ours, ours + b"; " + neighbour, neighbour + b";" + ours + b";" + neighbour):
            assert user_of((b"cookie", line)) == "ada"
        assert user_of((b"cookie", neighbour), (b"cookie", ours)) == "ada"

    def test_quotes_do_not_hold_pairs_together(self):
        # A "cookie sandwich": a parser that honours quotes lets two neighbours swallow what lies between.
        line = f'$Version=1; x="a; {COOKIE}={TOKEN}; y=b"'
        assert user_of((b"cookie", line.encode())) == "ada"

    @pytest.mark.parametrize(
        "lines",
        [
            [f"{COOKIE}={TOKEN}; {COOKIE}={OTHER}"],
            [f"{COOKIE}={OTHER}; {COOKIE}={TOKEN}"],
            [f"{COOKIE}=junk; {COOKIE}={TOKEN}"],
            [f"{COOKIE}={TOKEN}; {COOKIE}="],
            [f"{COOKIE}=; {COOKIE}={TOKEN}"],
            [f"{COOKIE}={TOKEN}", f"{COOKIE}={OTHER}"],
            [f"{COOKIE}={TOKEN}; {COOKIE}={OTHER}; {COOKIE}={TOKEN}"],
        ],
    )
    def test_two_values_that_differ_are_none(self, lines):
        auth = authenticate(make_manager(), *[(b"cookie", line.encode()) for line in lines])
        assert (auth.user, auth.error) == (None, None)

    @pytest.mark.parametrize(
        "line",
        [
            f"={COOKIE}={TOKEN}",
            f"=={COOKIE}={TOKEN}",
            f'"{COOKIE}"={TOKEN}',
            f"X{COOKIE}={TOKEN}",
            f"{COOKIE}X={TOKEN}",
            f"{COOKIE.upper()}={TOKEN}",
            f"{COOKIE.lower()}={TOKEN}",
            f"a=b, {COOKIE}={TOKEN}",
            f"\xa0{COOKIE}={TOKEN}",
            f"{COOKIE}\x1f={TOKEN}",
            f"\x85{COOKIE}={TOKEN}",
            f"\x0b{COOKIE}={TOKEN}",
            f"{COOKIE}\x0c={TOKEN}",
            f"{COOKIE}\n={TOKEN}",
            f"%5F%5FHost-access-token={TOKEN}",
            COOKIE,
            f"{COOKIE} {TOKEN}",
        ],
    )
    def test_the_name_is_compared_byte_by_byte(self, line):
        auth = authenticate(make_manager(), (b"cookie", line.encode("latin-1")))
        assert (auth.user, auth.error) == (None, None)

    @pytest.mark.parametrize(
        "value", [f'"{TOKEN}"', TOKEN.replace(".", "%2E"), f"{TOKEN}, {COOKIE}={OTHER}", f"{TOKEN}\xa0", f"{TOKEN}\x1f"]
    )
    def test_the_value_is_neither_unquoted_nor_decoded(self, value):
        auth = authenticate(make_manager(), (b"cookie", f"{COOKIE}={value}".encode("latin-1")))
        assert auth.user is None
        assert isinstance(auth.error, InvalidToken)

    def test_an_empty_value_is_none(self):
        auth = authenticate(make_manager(), (b"cookie", f"{COOKIE}=".encode()))
        assert (auth.user, auth.error) == (None, None)

    def test_more_than_16_kilobytes_of_cookies_are_not_read(self):
        ours = f"; {COOKIE}={TOKEN}".encode()
        for size, user in ((16_384, "ada"), (16_385, None)):
            line = b"x=" + b"y" * (size - 2 - len(ours)) + ours
            assert len(line) == size
            assert user_of((b"cookie", line)) == user
            half = len(line) // 2
            assert user_of((b"cookie", b"x=" + b"y" * (half - 2)), (b"cookie", line[half:])) == user

    def test_more_than_3000_pairs_are_not_read(self):
        ours = f"{COOKIE}={TOKEN}".encode()
        assert user_of((b"cookie", b"a;" * 2_999 + ours)) == "ada"
        assert user_of((b"cookie", b"a;" * 3_000 + ours)) is None
        assert user_of((b"cookie", ours + b";a" * 3_000)) is None

    @pytest.mark.parametrize("credential", [bearer(TOKEN), cookie(TOKEN)])
    def test_nobody_is_looked_for_in_more_than_1000_header_lines(self, credential):
        others = [(b"x-more", b"1")] * 999
        assert user_of(*others, credential) == "ada"
        assert user_of(*others, (b"x-more", b"1"), credential) is None
        assert user_of(credential, *others, (b"x-more", b"1")) is None

    @pytest.mark.parametrize("transport", [TicketTransport, AmbientTicketTransport])
    def test_nor_by_a_transport_of_ones_own(self, transport):
        manager = make_manager(transports=[BearerTransport(), transport()])
        ticket = {"query_string": b"ticket=" + TOKEN.encode()}
        lines = [(b"x-more", b"1")] * 1_000
        assert authenticate(manager, *lines, **ticket).user == "ada"
        auth = authenticate(manager, *lines, bearer("a.b.c"), **ticket)
        assert (auth.user, auth.error) == (None, None)

    def test_empty_pairs_are_counted_in_many_lines_too(self):
        ours = (b"cookie", f"{COOKIE}={TOKEN}".encode())
        assert user_of(*[(b"cookie", b";;;")] * 600, ours) == "ada"
        assert user_of(*[(b"cookie", b";;;")] * 750, ours) is None

    @pytest.mark.parametrize("pair", [b";", b"a=b;", COOKIE.encode() + b"=;", b"__Host-access-token", b"="])
    def test_16_kilobytes_of_cookies_are_read_in_no_time(self, pair):
        app = protected(make_manager())
        line = (pair * 16_384)[:16_384]
        assert _best_of(lambda: request(app, headers=[(b"cookie", line)])) < 0.005

    def test_a_bad_cookie_is_no_news(self, caplog):
        with caplog.at_level(logging.DEBUG):
            auth = authenticate(make_manager(), cookie(BAD))
        assert auth.user is None
        assert {record.levelno for record in caplog.records} == {logging.INFO}
        assert not any(part in caplog.text for part in BAD.split("."))

    @pytest.mark.parametrize("typ", ["session+jwt", "remember+jwt", "refresh+jwt"])
    def test_a_token_of_another_kind_in_the_cookie_is_refused(self, typ):
        token = hs256(header={"alg": "HS256", "typ": typ})
        assert error_of(cookie(token)) is InvalidToken


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


class TestOwnTransports:
    class Query:
        name = "query"
        ambient = False

        def extract(self, scope):
            for pair in scope["query_string"].decode().split("&"):
                name, _, value = pair.partition("=")
                if name == "ticket":
                    if not value:
                        raise InvalidRequest("an empty ticket")
                    return value
            return None

    def test_a_transport_is_whatever_has_its_three_members(self):
        for transport in (BearerTransport(), CookieTransport(), self.Query()):
            assert isinstance(transport, Transport)
        assert not isinstance(object(), Transport)

    def test_one_of_ones_own_works_like_ours(self):
        manager = make_manager(transports=[self.Query(), BearerTransport()])
        auth = authenticate(manager, query_string=b"ticket=" + TOKEN.encode())
        assert (auth.user, auth.transport) == ("ada", "query")
        assert authenticate(manager, bearer(OTHER), query_string=b"").user == "user1"
        assert type(authenticate(manager, query_string=b"ticket=").error) is InvalidRequest
        assert type(authenticate(manager, query_string=b"ticket=\xc3\xa9").error) is InvalidToken

    def test_an_ambient_one_is_origin_checked(self):
        class Ambient(self.Query):
            ambient = True

        app = protected(make_manager(transports=[Ambient()]))
        scope = {"query_string": b"ticket=" + TOKEN.encode()}
        assert request(app, "POST", **scope).status == 200
        assert request(app, "POST", headers=[(b"sec-fetch-site", b"cross-site")], **scope).status == 403

    def test_of_several_cookies_each_is_read_and_the_first_is_written(self):
        manager = make_manager(
            transports=[CookieTransport("__Host-a", name="a"), CookieTransport("__Host-b", name="b")]
        )
        assert authenticate(manager, cookie(TOKEN, "__Host-a")).transport == "a"
        assert authenticate(manager, cookie(TOKEN, "__Host-b")).transport == "b"
        response = starlette.responses.Response()
        manager.set_cookie(response, TOKEN)
        assert response.headers["set-cookie"].startswith("__Host-a=")


class TestConstruction:
    def test_the_default_cookie_is_the_safest(self):
        name, line = CookieTransport().set_cookie_header("t")
        assert name == b"set-cookie"
        assert _parse(line) == (
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
        assert _parse(transport.set_cookie_header("t")[1]) == (
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
        name, _, attributes = _parse(transport.set_cookie_header("t")[1])
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


class TestHeaderPairs:
    @pytest.mark.parametrize(
        "value",
        ["a b", 'a"b', "a,b", "a;b", "a\\b", "a\r\nSet-Cookie: x=y", "a\nb", "a\0", "é", "\x7f", "\u2028", "a\t"],
    )
    def test_a_value_that_a_cookie_cannot_hold_is_refused(self, value):
        with pytest.raises(ValueError, match="a cookie's value is ASCII"):
            CookieTransport().set_cookie_header(value)

    def test_no_refusal_quotes_the_value(self):
        with pytest.raises(ValueError) as caught:
            CookieTransport().set_cookie_header(TOKEN + " ")
        assert TOKEN[-20:] not in str(caught.value)

    def test_name_and_value_hold_4096_bytes_and_no_more(self):
        room = 4_096 - len(COOKIE)
        assert CookieTransport().set_cookie_header("a" * room)
        with pytest.raises(ValueError, match="4096 is the limit"):
            CookieTransport().set_cookie_header("a" * (room + 1))

    @pytest.mark.parametrize(
        ("max_age", "expires_in", "written"),
        [
            (None, None, None),
            (None, 60, None),
            (60, None, "60"),
            (60, 3_600, "60"),
            (3_600, 60, "60"),
            (3_600, 60.9, "60"),
            (60, 0.5, "0"),
            (60, 0, "0"),
            (60, -5, "0"),
        ],
    )
    def test_a_cookie_lives_no_longer_than_its_token(self, max_age, expires_in, written):
        line = CookieTransport(max_age=max_age).set_cookie_header("t", expires_in=expires_in)[1]
        assert _parse(line)[2].get("max-age") == written

    def test_deleting_repeats_every_attribute(self):
        for transport in TRANSPORTS.values():
            name, _, attributes = _parse(transport.set_cookie_header("t")[1])
            deleted_name, value, deleted = _parse(transport.delete_cookie_header()[1])
            assert (deleted_name, value) == (name, "")
            assert deleted.pop("max-age") == "0"
            assert parsedate(deleted.pop("expires"))[0] == 1970
            attributes.pop("max-age", None)
            assert deleted == attributes


TRANSPORTS = {
    "default": CookieTransport(),
    "every attribute": CookieTransport(
        "__Secure-t", path="/app", domain="example.com", httponly=False, samesite="none", max_age=60
    ),
    "strict": CookieTransport("t", samesite="strict", max_age=10**6),
    "development": CookieTransport.insecure_for_development(),
}


class Framework:
    """A response class, and how its framework turns an object of it into header lines."""

    def __init__(self, name, make, render, set_own):
        self.name = name
        self.make = make
        self.render = render
        self.set_own = set_own

    def cookies(self, response):
        return [value.decode("latin-1") for key, value in self.render(response) if key.lower() == b"set-cookie"]

    def values(self, response, name):
        return [value.decode("latin-1") for key, value in self.render(response) if key.lower() == name]

    def __repr__(self):
        return self.name


def _render_asgi(response):
    messages = []

    async def send(message):
        messages.append(message)

    run(response(http_scope(), None, send))
    return messages[0]["headers"]


def _render_litestar(response):
    connection = litestar.Request(http_scope())
    return _render_asgi(response.to_asgi_response(app=None, request=connection))


def _render_django(response):
    messages = []

    async def send(message):
        messages.append(message)

    run(ASGIHandler.send_response(ASGIHandler, response, send))
    return messages[0]["headers"]


def _set_own(response, key, value):
    response.set_cookie(key, value, max_age=5, path="/own")


FRAMEWORKS = [
    Framework("starlette", starlette.responses.Response, _render_asgi, _set_own),
    Framework("starlette stream", lambda: starlette.responses.JSONResponse({"a": 1}), _render_asgi, _set_own),
    Framework("fastapi", lambda: fastapi.responses.JSONResponse({"a": 1}), _render_asgi, _set_own),
    Framework("fastapi parameter", fastapi.Response, _render_asgi, _set_own),
    Framework("quart", lambda: quart.Response("hello"), lambda r: encode_headers(r.headers), _set_own),
    Framework("litestar", lambda: litestar.Response("hello"), _render_litestar, _set_own),
    Framework(
        "django", lambda: django.http.HttpResponse(content_type="text/plain; charset=utf-8"), _render_django, _set_own
    ),
]


@pytest.fixture(params=FRAMEWORKS, ids=repr)
def framework(request):
    return request.param


class TestResponses:
    @pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
    def test_every_framework_writes_the_same_attributes(self, framework, transport):
        manager = make_manager(transports=[transport])
        response = framework.make()
        manager.set_cookie(response, TOKEN)
        [line] = framework.cookies(response)
        expires_in = claims()["exp"] - NOW
        name, value, attributes = _parse(transport.set_cookie_header(TOKEN, expires_in=expires_in)[1])
        assert value == TOKEN
        assert _folded(_parse(line)) == _folded((name, value, attributes))

    @pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
    def test_every_framework_deletes_with_the_same_attributes(self, framework, transport):
        manager = make_manager(transports=[transport])
        response = framework.make()
        manager.delete_cookie(response)
        [line] = framework.cookies(response)
        name, value, attributes = _parse(line)
        assert (name, value.strip('"')) == (transport.cookie_name, "")
        assert attributes.pop("max-age") == "0"
        assert parsedate(attributes.pop("expires"))[0] == 1970
        _, _, expected = _parse(transport.set_cookie_header(TOKEN)[1])
        expected.pop("max-age", None)
        assert _folded((name, "", attributes)) == _folded((name, "", expected))

    @pytest.mark.parametrize("calls", ["ss", "sd", "ds", "dd", "ssd", "sds", "dsds"])
    def test_the_last_call_is_the_only_line(self, framework, calls):
        manager = make_manager()
        response = framework.make()
        tokens = []
        for i, call in enumerate(calls):
            if call == "s":
                tokens.append(hs256(claims(n=i)))
                manager.set_cookie(response, tokens[-1])
            else:
                manager.delete_cookie(response)
        [line] = framework.cookies(response)
        _, value, attributes = _parse(line)
        if calls.endswith("s"):
            assert value == tokens[-1]
            assert not {"max-age", "expires"} & attributes.keys()
        else:
            assert value.strip('"') == ""
            assert attributes["max-age"] == "0"

    def test_the_cookies_of_two_managers_stand_side_by_side(self, framework):
        response = framework.make()
        for name in ("__Host-a", "__Host-b"):
            make_manager(transports=[CookieTransport(name)]).set_cookie(response, TOKEN)
        lines = framework.cookies(response)
        assert sorted(_parse(line)[0] for line in lines) == ["__Host-a", "__Host-b"]
        assert not any(", __Host" in line for line in lines)

    def test_the_applications_own_cookies_stay_byte_for_byte(self, framework):
        own = {"theme": "dark", f"{COOKIE}2": "x", COOKIE.lower(): "y", "json": "a b,c"}
        untouched, response = framework.make(), framework.make()
        for one in (untouched, response):
            for key, value in own.items():
                framework.set_own(one, key, value)
        manager = make_manager()
        manager.set_cookie(response, TOKEN)
        manager.delete_cookie(response)
        manager.set_cookie(response, TOKEN)
        lines = [line for line in framework.cookies(response) if not line.startswith(f"{COOKIE}=")]
        assert lines == framework.cookies(untouched)
        assert len(framework.cookies(response)) == len(own) + 1

    def test_cookies_that_the_application_sets_afterwards_stay_too(self, framework):
        response = framework.make()
        make_manager().set_cookie(response, TOKEN)
        framework.set_own(response, "theme", "dark")
        assert sorted(_parse(line)[0] for line in framework.cookies(response)) == [COOKIE, "theme"]

    def test_an_own_line_for_our_cookie_is_replaced(self, framework):
        response = framework.make()
        framework.set_own(response, COOKIE, "x")
        make_manager().set_cookie(response, TOKEN)
        [line] = framework.cookies(response)
        assert _parse(line)[1] == TOKEN

    @pytest.mark.parametrize("method", ["set_cookie", "delete_cookie"])
    def test_no_cache_may_keep_the_response(self, framework, method):
        response = framework.make()
        response.headers["Cache-Control"] = "public, max-age=600"
        manager = make_manager()
        for _ in range(2):
            manager.set_cookie(response, TOKEN) if method == "set_cookie" else manager.delete_cookie(response)
        assert framework.values(response, b"cache-control") == ["no-store"]

    @pytest.mark.parametrize(
        ("max_age", "lifetime", "written"), [(None, 600, None), (60, 600, "60"), (3_600, 600, "600"), (600, 600, "600")]
    )
    def test_the_browser_forgets_a_token_when_it_is_dead(self, framework, max_age, lifetime, written):
        clock = Clock()
        manager = make_manager(clock=clock, transports=[CookieTransport(max_age=max_age)])
        response = framework.make()
        manager.set_cookie(
            response, manager.create_access_token(data={"sub": "ada"}, expires=timedelta(seconds=lifetime))
        )
        [line] = framework.cookies(response)
        assert _parse(line)[2].get("max-age") == written

    def test_a_token_that_has_aged_shortens_its_cookie(self, framework):
        clock = Clock()
        manager = make_manager(clock=clock, transports=[CookieTransport(max_age=3_600)])
        token = manager.create_access_token(data={"sub": "ada"}, expires=timedelta(seconds=600))
        for passed, written in ((100, "500"), (599.5, "0"), (10_000, "0")):
            clock.now = NOW + passed
            response = framework.make()
            manager.set_cookie(response, token)
            [line] = framework.cookies(response)
            assert _parse(line)[2]["max-age"] == written

    def test_a_cookie_that_browsers_would_drop_is_an_error_and_leaves_the_response_alone(self, framework):
        response = framework.make()
        manager = make_manager()
        manager.set_cookie(response, TOKEN)
        before = framework.render(response)
        with pytest.raises(ValueError, match="browsers drop a cookie of"):
            manager.set_cookie(response, manager.create_access_token(data={"sub": "ada", "pad": "a" * 4_000}))
        assert framework.render(response) == before

    def test_a_partitioned_cookie_is_written_as_such_or_not_at_all(self, framework):
        manager = make_manager(transports=[CookieTransport(samesite="none", partitioned=True)])
        for call in (lambda r: manager.set_cookie(r, TOKEN), manager.delete_cookie):
            response = framework.make()
            refusal = _refusal(call, response)
            if refusal is None:
                [line] = framework.cookies(response)
                assert "partitioned" in _parse(line)[2]
            else:
                # Both write with http.cookies, which knows the attribute since Python 3.14.
                assert framework.name in {"django", "litestar"}
                assert "use transport.set_cookie_header()" in refusal
                assert framework.cookies(response) == []

    @pytest.mark.parametrize(
        "transport",
        [
            CookieTransport("partitioned-token"),
            CookieTransport("__Secure-t", path="/partitioned"),
            CookieTransport("__Secure-t", domain="partitioned.example"),
        ],
        ids=["name", "path", "domain"],
    )
    def test_partitioned_may_be_part_of_a_name(self, framework, transport):
        manager = make_manager(transports=[transport])
        response = framework.make()
        manager.set_cookie(response, TOKEN)
        [line] = framework.cookies(response)
        assert _parse(line)[0] == transport.cookie_name
        manager.delete_cookie(response)
        assert len(framework.cookies(response)) == 1

    def test_a_cookie_of_every_character_that_a_name_may_have_is_written(self, framework):
        name = "aZ09!#$%&'*+-.^_`|~"
        manager = make_manager(transports=[CookieTransport(name)])
        response = framework.make()
        manager.set_cookie(response, TOKEN)
        [line] = framework.cookies(response)
        assert line.startswith(f"{name}={TOKEN};")

    @pytest.mark.parametrize("response", [None, object(), {}, [], "response", SECRET])
    def test_what_is_no_response_is_refused_with_the_way_out(self, response):
        manager = make_manager()
        for call in (lambda r: manager.set_cookie(r, TOKEN), manager.delete_cookie):
            with pytest.raises(TypeError, match=r"transport\.set_cookie_header\(token\)"):
                call(response)

    def test_a_manager_without_a_cookie_says_so(self):
        manager = make_manager(transports=[BearerTransport()])
        for call in (lambda r: manager.set_cookie(r, TOKEN), manager.delete_cookie):
            with pytest.raises(ValueError, match="this manager has no cookie"):
                call(starlette.responses.Response())


def _refusal(call, *arguments):
    try:
        call(*arguments)
    except ValueError as refusal:
        return str(refusal)
    return None


def _parse(line):
    """Take a Set-Cookie line apart as browsers do (RFC 6265bis §5.6)."""
    line = line.decode() if isinstance(line, bytes) else line
    pair, *attributes = line.split(";")
    name, _, value = pair.partition("=")
    parsed = {}
    for attribute in attributes:
        key, _, content = attribute.strip().partition("=")
        assert key.lower() not in parsed
        parsed[key.lower()] = content
    return name.strip(), value.strip(), parsed


def _folded(parsed):
    name, value, attributes = parsed
    return name, value, {key: content.lower() for key, content in attributes.items()}


def _best_of(call, repeats=15):
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best
