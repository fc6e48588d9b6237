"""`next` where the login page is on another host: what is sent there, and what that page may believe."""

import logging

import pytest
from helpers import cookie, make_manager, protected, request

from asgi_login import LoginManager, Sessions, safe_next

HTML = (b"accept", b"text/html")
SHOP = "https://shop.example.com"
ID = "https://id.example.com"
SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"


def location(path="/orders", **settings):
    more = {key: settings.pop(key) for key in ("root_path", "query_string", "headers") if key in settings}
    answer = request(protected(make_manager(**settings)), path=path, headers=[HTML, *more.pop("headers", ())], **more)
    return answer.header("location")


class TestWhatIsSent:
    def test_a_login_page_on_another_host_gets_the_absolute_url_of_the_request(self):
        found = location(query_string=b"page=2", redirect_to=f"{ID}/login", public_url=SHOP)
        assert found == f"{ID}/login?next=https%3A%2F%2Fshop.example.com%2Forders%3Fpage%3D2"

    def test_so_does_the_page_that_asks_for_the_password_again(self):
        sessions = Sessions(reauthenticate_at=f"{ID}/confirm")
        manager = make_manager(sessions=sessions, public_url=SHOP)
        token = manager.create_access_token(data={"sub": "ada"})
        answer = request(protected(manager, fresh=True), path="/orders", headers=[HTML, cookie(token)])
        assert answer.header("location") == f"{ID}/confirm?next=https%3A%2F%2Fshop.example.com%2Forders"

    def test_the_root_path_is_part_of_it(self):
        found = location(root_path="/api", redirect_to=f"{ID}/login", public_url=SHOP)
        assert found == f"{ID}/login?next=https%3A%2F%2Fshop.example.com%2Fapi%2Forders"

    @pytest.mark.parametrize("name", ["host", "x-forwarded-host", "forwarded", "origin", "referer"])
    def test_no_header_of_the_client_says_what_this_site_is_called(self, name):
        found = location(headers=[(name, "evil.example")], redirect_to=f"{ID}/login", public_url=SHOP)
        assert found == f"{ID}/login?next=https%3A%2F%2Fshop.example.com%2Forders"

    @pytest.mark.parametrize("path", ["//evil.example", "/" + "a" * 2_048])
    def test_an_address_that_is_no_safe_path_is_the_front_page(self, path):
        found = location(path, redirect_to=f"{ID}/login", public_url=SHOP)
        assert found == f"{ID}/login?next=https%3A%2F%2Fshop.example.com%2F"

    @pytest.mark.parametrize(
        "redirect_to", [f"{SHOP}/login", "https://SHOP.example.com/login", f"{SHOP}:443/login", "/login"]
    )
    def test_a_login_page_of_this_site_gets_a_path_and_is_not_sent_to_itself(self, redirect_to):
        assert location(redirect_to=redirect_to, public_url=SHOP) == f"{redirect_to}?next=%2Forders"
        assert location("/login", redirect_to=redirect_to, public_url=SHOP) is None

    @pytest.mark.parametrize(("port", "is_ours"), [(":80", True), (":443", False)])
    def test_a_site_over_plain_http_has_a_default_port_of_its_own(self, port, is_ours):
        found = location("/a", redirect_to=f"http://localhost{port}/login", public_url="http://localhost")
        back = "%2Fa" if is_ours else "http%3A%2F%2Flocalhost%2Fa"
        assert found == f"http://localhost{port}/login?next={back}"

    @pytest.mark.parametrize("elsewhere", [f"{SHOP}:8443/login", "http://shop.example.com/login", f"{ID}/login"])
    def test_another_port_scheme_or_host_is_another_site(self, elsewhere):
        found = location("/login", redirect_to=elsewhere, public_url=SHOP)
        assert found == f"{elsewhere}?next=https%3A%2F%2Fshop.example.com%2Flogin"

    def test_what_is_sent_is_what_the_other_side_accepts(self):
        for path in ("/orders", "/", "/ü b", "/" + "a" * 2_047):
            _, _, sent = location(path, redirect_to=f"{ID}/login", public_url=SHOP).partition("next=")
            value = sent.replace("%3A", ":").replace("%2F", "/").replace("%25", "%")
            assert safe_next(value, "refused", allowed_origins=[SHOP]) == value


class TestTheSetting:
    @pytest.mark.parametrize(
        "url",
        [
            "shop.example.com",
            "https://shop.example.com/",
            "https://shop.example.com/app",
            "https://Shop.example.com",
            "https://shop.example.com:443",
            "https://user@shop.example.com",
            "ftp://shop.example.com",
            "//shop.example.com",
            "null",
            "",
        ],
    )
    def test_what_is_no_origin_is_refused_at_construction(self, url):
        with pytest.raises(ValueError, match="public_url"):
            LoginManager(SECRET, public_url=url)

    @pytest.mark.parametrize("url", [b"https://shop.example.com", 7, ["https://shop.example.com"]])
    def test_what_is_no_string_is_refused(self, url):
        with pytest.raises(TypeError, match="public_url"):
            LoginManager(SECRET, public_url=url)

    @pytest.mark.parametrize(
        ("settings", "argument"),
        [
            ({"redirect_to": f"{ID}/login"}, "redirect_to"),
            ({"sessions": Sessions(reauthenticate_at=f"{ID}/confirm")}, "reauthenticate_at"),
        ],
    )
    def test_an_absolute_login_page_without_public_url_is_told_in_the_log(self, settings, argument, caplog):
        LoginManager(SECRET, **settings)
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("asgi_login", logging.WARNING)
        assert argument in record.getMessage()
        assert "public_url=" in record.getMessage()

    @pytest.mark.parametrize(
        "settings", [{"redirect_to": "/login"}, {"redirect_to": f"{ID}/login", "public_url": SHOP}, {"sessions": None}]
    )
    def test_nothing_is_logged_for_the_others(self, settings, caplog):
        protected(LoginManager(SECRET, **settings))
        assert caplog.records == []

    def test_without_public_url_next_is_a_path_as_before(self):
        assert location(redirect_to=f"{ID}/login") == f"{ID}/login?next=%2Forders"


ALLOWED = [SHOP, "http://localhost:3000", "https://xn--bcher-kva.example", "https://[2001:db8::1]"]


class TestAllowedOrigins:
    @pytest.mark.parametrize("origin", ALLOWED)
    @pytest.mark.parametrize("rest", ["", "/", "/orders?page=2#top", "/" + "a" * 2_047, "/a//b", "/@evil.example"])
    def test_an_absolute_url_of_exactly_such_an_origin_is_given_back(self, origin, rest):
        assert safe_next(origin + rest, "refused", allowed_origins=ALLOWED) == origin + rest
        assert safe_next(origin + rest, "refused") == "refused"

    def test_paths_are_given_back_as_ever(self):
        assert safe_next("/orders", "refused", allowed_origins=ALLOWED) == "/orders"

    @pytest.mark.parametrize(
        "value",
        [
            # The user, of which the allowed origin is only the beginning.
            "https://shop.example.com@evil.example/",
            "https://shop.example.com:pw@evil.example/",
            "https://shop.example.com:@evil.example",
            "https://user@shop.example.com/",
            "https://evil.example@shop.example.com/",
            "https://evil.example/@shop.example.com/",
            # A longer host.
            "https://shop.example.com.evil.example/",
            "https://shop.example.comevil.example/",
            "https://shop.example.com-evil.example",
            "https://evil-shop.example.com/",
            "https://evil.shop.example.com/",
            "https://shop.example.com%2eevil.example/",
            "https://shop.example.com%00.evil.example/",
            # Trailing dots, and what browsers take for a dot.
            "https://shop.example.com./",
            "https://shop.example.com../orders",
            "https://shop.example\u3002com/",
            "https://shop\uff0eexample.com/",
            # Ports.
            "https://shop.example.com:443/",
            "https://shop.example.com:8443/",
            "https://shop.example.com:/",
            "https://shop.example.com:0443/",
            "http://localhost/",
            "http://localhost:30000/",
            "http://localhost:3000:80/",
            # Schemes, slashes and backslashes.
            "http://shop.example.com/",
            "ftp://shop.example.com/",
            "https:/shop.example.com/",
            "https:shop.example.com/",
            "https:///shop.example.com/",
            "https:\\\\shop.example.com\\",
            "https://shop.example.com\\@evil.example/",
            "https://shop.example.com\\evil.example",
            "https://shop.example.com/\\evil.example",
            "https://shop.example.com//evil.example",
            "//shop.example.com/",
            "///shop.example.com/",
            "javascript://shop.example.com/%0aalert(1)",
            "javascript:https://shop.example.com/",
            "data:text/html,https://shop.example.com/",
            # Case: browsers fold it, we do not read what they read in another way.
            "HTTPS://shop.example.com/",
            "https://SHOP.example.com/",
            # White space and controls, which browsers drop or trim.
            " https://shop.example.com/",
            "https://shop.example.com/ \n",
            "https://shop.example.com /",
            "https://shop.example.com\t.evil.example/",
            "https://shop.example.com\n/",
            "https://shop.example.com/\r\nset-cookie: a=b",
            "ht\ttps://shop.example.com/",
            "https://shop.example.com/\0",
            "https://shop.example.com/\x7f",
            "https://shop.example.com/\ud800",
            # No path between the host and the rest.
            "https://shop.example.com?next=/",
            "https://shop.example.com#/",
            "https://shop.example.com;/",
            # The same name written otherwise.
            "https://b\u00fccher.example/",
            "https://XN--bcher-kva.example/",
            "https://xn--bcher-kva.example.evil.example/",
            "https://[2001:db8:0::1]/",
            "https://[2001:db8::1].evil.example/",
            "https://[2001:db8::1/",
            "https://evil.example/?https://shop.example.com/",
            "https://shop.example.com/" + "a" * 2_048,
        ],
    )
    def test_everything_else_is_the_default(self, value):
        assert safe_next(value, "refused", allowed_origins=ALLOWED) == "refused"

    @pytest.mark.parametrize("value", [None, 7, b"https://shop.example.com/", [SHOP], object()])
    def test_what_is_no_string_is_the_default(self, value):
        assert safe_next(value, "refused", allowed_origins=ALLOWED) == "refused"

    @pytest.mark.parametrize(
        "origin", ["*", "null", "shop.example.com", "https://shop.example.com/", "https://*.example.com", "HTTPS://a.b"]
    )
    @pytest.mark.parametrize("value", ["/orders", "https://shop.example.com/", None])
    def test_what_is_no_origin_is_refused_whatever_the_value(self, origin, value):
        with pytest.raises(ValueError, match="allowed_origins"):
            safe_next(value, allowed_origins=[origin])

    def test_one_string_is_refused(self):
        with pytest.raises(TypeError, match=r"allowed_origins=\('https://shop.example.com',\)"):
            safe_next("/orders", allowed_origins=SHOP)
