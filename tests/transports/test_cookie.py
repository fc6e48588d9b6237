"""The cookie transport: how a token is found among a browser's cookies."""

import logging

import pytest
from helpers import COOKIE, authenticate, bearer, cookie, hs256, make_manager, protected, request
from transports.reading import BAD, OTHER, TOKEN, best_of, error_of, user_of

from asgi_login import BearerTransport, InvalidToken


class TicketTransport:
    """Takes the token out of the query."""

    name = "ticket"
    ambient = False

    def extract(self, scope):
        return scope["query_string"].partition(b"ticket=")[2]


class AmbientTicketTransport(TicketTransport):
    ambient = True


class TestReadingCookies:
    @pytest.mark.parametrize(("others", "user"), [(99, "ada"), (100, None)])
    def test_more_cookies_that_are_called_like_it_than_browsers_keep_are_nobody(self, others, user):
        namesakes = [f"x-{COOKIE}=1"] * others
        assert user_of((b"cookie", "; ".join([f"{COOKIE}={TOKEN}", *namesakes]))) == user

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
        assert best_of(lambda: request(app, headers=[(b"cookie", line)])) < 0.005

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
