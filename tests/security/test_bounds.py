"""What a client may make us look at: beyond each bound of docs/reference/bounds.md the outcome is fixed, and closed."""

import pytest
from helpers import COOKIE, authenticate, bearer, cookie, hello, hs256, make_manager, protected, request

from asgi_login import AuthMiddleware, InvalidRequest, InvalidToken

TOKEN = hs256()
OTHER = hs256({"sub": "user1", "exp": 1_700_000_600})
HTML = (b"accept", b"text/html")
MANY = [(b"x-more", b"1")] * 1_000


class TestCookies:
    @pytest.mark.parametrize(("others", "user"), [(99, "ada"), (100, None)])
    @pytest.mark.parametrize("other", [f"x{COOKIE}=1", f"x={COOKIE}", f" {COOKIE}", f"{COOKIE}-x=1"])
    def test_among_more_than_a_hundred_cookies_called_like_ours_it_is_not_looked_for(self, other, others, user):
        line = f"{'; '.join([other] * others)}; {COOKIE}={TOKEN}"
        assert authenticate(make_manager(), (b"cookie", line)).user == user

    @pytest.mark.parametrize("others", [99, 100])
    def test_nor_among_a_hundred_lines(self, others):
        lines = [(b"cookie", f"x{COOKIE}=1")] * others
        assert authenticate(make_manager(), *lines, cookie(TOKEN)).user == ("ada" if others == 99 else None)

    def test_a_second_value_behind_the_bound_does_not_let_the_first_count(self):
        line = f"{COOKIE}={TOKEN}; {'; '.join([f'x{COOKIE}=1'] * 99)}; {COOKIE}={OTHER}"
        assert authenticate(make_manager(), (b"cookie", line)).user is None


class TestAuthorization:
    @pytest.mark.parametrize("end", [b" " * 32_768, b" " * 40_000 + TOKEN.encode(), b"," * 40_000, b"a" * 40_000])
    def test_bearer_with_more_than_32_kilobytes_is_an_invalid_token(self, end):
        auth = authenticate(make_manager(), (b"authorization", b"Bearer " + end), cookie(TOKEN))
        assert isinstance(auth.error, InvalidToken)

    def test_32_kilobytes_are_read(self):
        size = 32_768 - len(b"Bearer ") - len(TOKEN)
        assert authenticate(make_manager(), bearer(b" " * size + TOKEN.encode())).user == "ada"
        auth = authenticate(make_manager(), bearer(b" " * (size + 1) + TOKEN.encode()))
        assert isinstance(auth.error, InvalidToken)
        assert isinstance(authenticate(make_manager(), bearer(b" " * size)).error, InvalidRequest)

    @pytest.mark.parametrize("line", [b"Basic " + b"a" * 40_000, b" " * 40_000 + b"Bearer " + TOKEN.encode()])
    def test_another_scheme_of_any_length_leaves_the_cookie_to_speak(self, line):
        assert authenticate(make_manager(), (b"authorization", line), cookie(TOKEN)).user == "ada"
        assert authenticate(make_manager(), (b"authorization", line)).user is None


class TestOrigin:
    OWN = ((b"host", b"example.com"), (b"origin", b"https://example.com"))

    def status(self, *lines):
        return request(AuthMiddleware(hello, make_manager()), "POST", headers=[cookie(TOKEN), *lines]).status

    def test_an_origin_or_a_host_of_more_than_a_kilobyte_is_refused(self):
        assert self.status(*self.OWN) == 200
        host = b"h" * 1_016
        for size, expected in ((1_016, 200), (1_017, 403)):
            host = b"h" * size
            assert self.status((b"host", host), (b"origin", b"https://" + host)) == expected
        assert self.status(*self.OWN, (b"sec-fetch-site", b"same-origin")) == 200
        assert self.status(*self.OWN, (b"sec-fetch-site", b" " * 1_025)) == 403

    def test_a_login_in_more_than_a_thousand_header_lines_is_refused(self):
        manager = make_manager()

        async def login(scope, receive, send):
            manager.login_user(scope, "ada")
            await hello(scope, receive, send)

        app = AuthMiddleware(login, manager)
        assert request(app, "POST", headers=[*self.OWN, *MANY[:998]]).status == 200
        assert request(app, "POST", headers=[*self.OWN, *MANY[:999]]).status == 403


class TestAccept:
    APP = protected(make_manager(redirect_to="/login"))

    @pytest.mark.parametrize(("more", "status"), [(4_096 - len(b"text/html"), 303), (4_097 - len(b"text/html"), 401)])
    def test_more_than_4_kilobytes_are_no_browsers(self, more, status):
        for accept in (b"text/html" + b"," * more, b"," * more + b"text/html", b"text/html" + b";" * more):
            assert request(self.APP, headers=[(b"accept", accept)]).status == status
        half = more // 2
        lines = [(b"accept", b"," * half), (b"accept", b"," * (more - half - 1) + b"text/html")]
        assert request(self.APP, headers=lines).status == status

    def test_nor_is_it_looked_for_in_more_than_a_thousand_header_lines(self):
        assert request(self.APP, headers=[HTML, *MANY[:999]]).status == 303
        assert request(self.APP, headers=[HTML, *MANY]).status == 401

    @pytest.mark.parametrize(
        ("accept", "status"),
        [
            (b"a/b,text/html", 303),
            (b"a/b;q=0, \ttext/html ; level=1;q=0.5 ,c/d;q=0", 303),
            (b"text/html;q=0,text/html", 303),
            (b"text/html; q=0 ", 401),
            (b"text/html;level=1; q=0.0 ;x=y", 401),
            (b"text/html;xq=0", 303),
            (b"text/html;q=00", 303),
            (b"text/html5", 401),
            (b"x-text/html", 401),
            (b"text/html x", 401),
            (b"a/b;text/html", 401),
        ],
    )
    def test_what_it_says_is_read_as_a_list(self, accept, status):
        assert request(self.APP, headers=[(b"accept", accept)]).status == status


def test_a_preflight_in_more_than_a_thousand_header_lines_is_a_request_like_any_other():
    preflight = [(b"origin", b"https://a.example"), (b"access-control-request-method", b"POST")]
    app = protected(make_manager())
    assert request(app, "OPTIONS", headers=[*preflight, *MANY[:998]]).status == 204
    assert request(app, "OPTIONS", headers=[*preflight, *MANY[:999]]).status == 401
