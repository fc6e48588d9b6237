"""The bearer transport: how a token is found in the header Authorization."""

import pytest
from helpers import authenticate, bearer, cookie, hello, http_scope, make_manager, protected, request, run, send_request
from transports.reading import BAD, OTHER, TOKEN, authorization, best_of, error_of, user_of

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, InvalidRequest, InvalidToken


class TestAuthorization:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    def test_a_line_longer_than_any_token_is_refused_and_that_of_another_scheme_is_not_ours(self, scheme):
        assert error_of(authorization(f"{scheme} {TOKEN}{' ' * 33_000}")) is InvalidToken
        assert error_of(authorization(f"Negotiate {'a' * 33_000}")) is type(None)

    def test_a_scope_without_headers_is_anonymous(self):
        scope = http_scope(headers=()) | {"state": {}}
        del scope["headers"]
        assert run(send_request(AuthMiddleware(hello, make_manager()), scope)).body == b"None"
        assert scope["state"]["auth"].error is None

    def test_a_transport_that_is_derived_from_it_reads_the_same_line(self):
        class Derived(BearerTransport):
            pass

        manager = make_manager(transports=[Derived()])
        assert authenticate(manager, (b"x-other-lines", b"Bearer x"), bearer(TOKEN)).user == "ada"

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
            assert best_of(lambda junk=junk: request(app, headers=[bearer(junk)])) < 0.005

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
