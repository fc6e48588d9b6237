"""What a page's own requests get once the session has expired: those of htmx, of Turbo, and a form."""

import pytest
from helpers import cookie, make_manager, protected, request

from asgi_login import AuthMiddleware, Sessions, login_required

HTML = (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
STREAM = (b"accept", b"text/vnd.turbo-stream.html, text/html, application/xhtml+xml")
OURS = (b"sec-fetch-site", b"same-origin")
CART = "https://shop.example.com/cart?item=7#top"
BACK = "/login?next=%2Fcart%3Fitem%3D7"
FRONT = "/login?next=%2F"


def ask(*lines, method="POST", path="/orders", gate=None, **settings):
    more = {key: settings.pop(key) for key in ("root_path", "query_string") if key in settings}
    manager = make_manager(**{"redirect_to": "/login", **settings})
    return request(protected(manager, **(gate or {})), method, path=path, headers=lines, **more)


def htmx(*lines, url=CART, method="GET", **settings):
    address = [] if url is None else [(b"hx-current-url", url)]
    return ask((b"hx-request", b"true"), (b"accept", b"*/*"), *address, *lines, method=method, **settings)


def form(*lines, referer=CART, **settings):
    return ask(HTML, OURS, *([] if referer is None else [(b"referer", referer)]), *lines, **settings)


def frame(*lines, method="GET", **settings):
    return ask((b"turbo-frame", b"cart"), HTML, OURS, (b"referer", CART), *lines, method=method, **settings)


class TestForms:
    def test_a_form_goes_to_the_login_page_which_sends_the_browser_back_to_the_form(self):
        answer = form()
        assert (answer.status, answer.header("location"), answer.body) == (303, BACK, b"")
        assert answer.header("cache-control") == "no-store"

    @pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html", "text/plain", ""])
    def test_a_program_that_posts_gets_the_401(self, accept):
        answer = ask((b"accept", accept), OURS, (b"referer", CART))
        assert (answer.status, answer.json()["error"]) == (401, "unauthorized")

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    def test_forms_have_no_other_methods(self, method):
        assert form(method=method).status == 401

    @pytest.mark.parametrize("site", [None, b"cross-site", b"same-site", b"none", b""])
    def test_a_referer_that_the_browser_does_not_call_ours_is_not_read(self, site):
        lines = [HTML, (b"referer", CART), *([] if site is None else [(b"sec-fetch-site", site)])]
        assert ask(*lines).header("location") == FRONT

    @pytest.mark.parametrize("site", [None, b"same-site", b"cross-site"])
    def test_a_referer_of_public_url_is_ours_whatever_the_browser_says(self, site):
        lines = [HTML, (b"referer", CART), *([] if site is None else [(b"sec-fetch-site", site)])]
        assert ask(*lines, public_url="https://shop.example.com").header("location") == BACK
        assert ask(*lines, public_url="https://id.example.com").header("location") == FRONT

    @pytest.mark.parametrize(
        "referer",
        [
            None,
            "",
            "https://shop.example.com//evil.example/x",
            "https://shop.example.com////evil.example",
            "//evil.example",
            "javascript:alert(1)",
            "cart",
            "http://[",
            "https://shop.example.com",
            "https://shop.example.com/" + "a" * 2_048,
        ],
    )
    def test_what_is_no_page_of_ours_is_the_front_page(self, referer):
        assert form(referer=referer).header("location") == FRONT

    @pytest.mark.parametrize(
        ("referer", "expected"),
        [
            ("https://evil.example/cart", "/login?next=%2Fcart"),
            ("https://shop.example.com/%2e%2e//evil.example", "/login?next=%2F%252e%252e%2F%2Fevil.example"),
            ("https://shop.example.com/\\evil.example", "/login?next=%2F%255Cevil.example"),
            (b"https://shop.example.com/\xfc b", "/login?next=%2F%25FC%2520b"),
            ("https://shop.example.com/a%20b?q=%C3%BC", "/login?next=%2Fa%2520b%3Fq%3D%25C3%25BC"),
        ],
    )
    def test_only_a_path_is_kept_and_it_stays_on_this_site(self, referer, expected):
        assert form(referer=referer).header("location") == expected

    def test_the_weight_of_html_and_the_length_of_an_ordinary_address_do_not_matter(self):
        page = "https://shop.example.com/"
        accept = (b"accept", b"text/html;q=0.9, */*")
        for length, expected in ((2_048, 2_048 - len(page) + 1), (2_049, 1)):
            answer = ask(accept, OURS, (b"referer", page.ljust(length, "a")))
            assert answer.status == 303
            assert len(answer.header("location").removeprefix("/login?next=%2F")) == expected - 1

    def test_a_login_that_is_not_fresh_goes_to_the_page_that_confirms_it(self):
        manager = make_manager(redirect_to="/login", sessions=Sessions(reauthenticate_at="/confirm"))
        token = manager.create_access_token(data={"sub": "ada"})
        lines = [HTML, OURS, (b"referer", CART), cookie(token)]
        answer = request(protected(manager, fresh=True), "POST", path="/password", headers=lines)
        assert answer.header("location") == "/confirm?next=%2Fcart%3Fitem%3D7"

    def test_without_a_login_page_it_is_401(self):
        assert form(redirect_to=None).status == 401
        assert "hx-redirect" not in [name.decode() for name, _ in htmx(redirect_to=None).headers]

    def test_a_missing_scope_is_no_reason_to_log_in(self):
        manager = make_manager(redirect_to="/login")
        token = manager.create_access_token(data={"sub": "ada"})
        for lines in ([HTML, OURS], [(b"hx-request", b"true"), OURS]):
            answer = request(protected(manager, scopes=["a"]), "POST", headers=[*lines, cookie(token)])
            assert (answer.status, answer.header("location"), answer.header("hx-redirect")) == (403, None, None)

    def test_a_form_of_another_site_with_the_cookie_is_refused_as_ever(self):
        manager = make_manager(redirect_to="/login")
        token = manager.create_access_token(data={"sub": "ada"})
        lines = [HTML, (b"sec-fetch-site", b"cross-site"), (b"referer", CART), cookie(token)]
        answer = request(protected(manager), "POST", headers=lines)
        assert (answer.status, answer.json()["error"]) == (403, "cross_origin_request")


class TestHtmx:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_it_gets_the_401_with_the_page_to_leave_for(self, method):
        answer = htmx(method=method)
        assert (answer.status, answer.json()["error"]) == (401, "unauthorized")
        assert (answer.header("hx-redirect"), answer.header("location")) == (BACK, None)
        assert answer.header("www-authenticate") == 'Bearer realm="api"'

    def test_one_that_asks_for_html_gets_no_redirect_either(self):
        # The browser would follow it, and htmx put the login page into the middle of the page.
        answer = ask((b"hx-request", b"true"), HTML, (b"hx-current-url", CART), method="GET")
        assert (answer.status, answer.header("hx-redirect")) == (401, BACK)

    @pytest.mark.parametrize("name", [b"hx-boosted", b"hx-history-restore-request"])
    def test_a_request_for_the_whole_next_page_comes_back_to_that_page(self, name):
        assert htmx((name, b"true")).header("hx-redirect") == "/login?next=%2Forders"
        assert htmx((name, b"true"), method="POST").header("hx-redirect") == BACK

    @pytest.mark.parametrize("value", [b"false", b"", b"1", b"TRUE"])
    def test_what_does_not_say_true_is_not_htmx(self, value):
        answer = ask((b"hx-request", value), (b"hx-current-url", CART), method="GET")
        assert (answer.status, answer.header("hx-redirect")) == (401, None)

    @pytest.mark.parametrize(
        ("site", "public_url", "expected"),
        [
            (None, None, BACK),
            (b"same-origin", None, BACK),
            (b"same-origin", "https://www.example.com", BACK),
            (None, "https://shop.example.com", BACK),
            (None, "https://evil.example", FRONT),
            (b"cross-site", None, FRONT),
            (b"same-site", None, FRONT),
            (b"cross-site", "https://shop.example.com", BACK),
        ],
    )
    def test_the_page_of_another_site_is_not_come_back_to(self, site, public_url, expected):
        lines = [] if site is None else [(b"sec-fetch-site", site)]
        assert htmx(*lines, public_url=public_url).header("hx-redirect") == expected

    @pytest.mark.parametrize("url", [None, "", "https://shop.example.com//evil.example", "javascript:alert(1)", "x"])
    def test_what_is_no_page_of_ours_is_the_front_page(self, url):
        assert htmx(OURS, url=url).header("hx-redirect") == FRONT

    def test_a_client_that_lies_about_its_page_goes_nowhere_else(self):
        answer = htmx(url="https://evil.example/phishing")
        assert answer.header("hx-redirect") == "/login?next=%2Fphishing"

    def test_a_login_page_on_another_site_is_told_the_absolute_url(self):
        answer = htmx(redirect_to="https://id.example.com/login", public_url="https://shop.example.com")
        expected = "https://id.example.com/login?next=https%3A%2F%2Fshop.example.com%2Fcart%3Fitem%3D7"
        assert answer.header("hx-redirect") == expected

    @pytest.mark.parametrize("url", ["https://shop.example.com/login", "https://shop.example.com/login?next=%2F"])
    def test_a_part_of_the_login_page_does_not_load_the_page_again_and_again(self, url):
        for answer in (htmx(url=url), form(referer=url), htmx(OURS, url=url, path="/login")):
            assert (answer.status, answer.header("hx-redirect"), answer.header("location")) == (401, None, None)


class TestTurbo:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_a_frame_comes_back_to_the_page_around_it(self, method):
        answer = frame(method=method)
        assert (answer.status, answer.header("location")) == (303, BACK)

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_so_does_a_form_or_link_that_takes_a_stream(self, method):
        answer = ask(STREAM, OURS, (b"referer", CART), method=method)
        assert (answer.status, answer.header("location")) == (303, BACK)

    def test_a_visit_comes_back_to_the_page_that_it_was_for(self):
        answer = ask((b"accept", b"text/html, application/xhtml+xml"), OURS, (b"referer", CART), method="GET")
        assert answer.header("location") == "/login?next=%2Forders"

    def test_a_referer_that_the_browser_keeps_back_is_the_front_page(self):
        answer = ask((b"turbo-frame", b"cart"), HTML, OURS, method="GET")
        assert answer.header("location") == FRONT


class TestWhoeverAnswers:
    def test_a_decorator_answers_like_a_gate(self):
        @login_required
        async def view(scope, receive, send):
            raise AssertionError

        app = AuthMiddleware(view, make_manager(redirect_to="/login"))
        lines = [(b"hx-request", b"true"), (b"hx-current-url", CART)]
        answer = request(app, "POST", path="/orders", headers=lines)
        assert (answer.status, answer.header("hx-redirect")) == (401, BACK)
        answer = request(app, "POST", path="/orders", headers=[HTML, OURS, (b"referer", CART)])
        assert (answer.status, answer.header("location")) == (303, BACK)

    def test_header_lines_without_end_are_not_looked_through(self):
        lines = [(b"x", b"y")] * 1_001
        answer = htmx(*lines)
        assert answer.status == 401
        assert answer.header("hx-redirect") is None
