"""Set-Cookie: what is written, and how it gets onto a response of any framework."""

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
from helpers import COOKIE, NOW, SECRET, Clock, claims, hs256, http_scope, make_manager, run
from quart.utils import encode_headers
from transports.reading import TOKEN
from transports.set_cookie_line import parse

from asgi_login import BearerTransport, CookieTransport


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
        assert parse(line)[2].get("max-age") == written

    def test_deleting_repeats_every_attribute(self):
        for transport in TRANSPORTS.values():
            name, _, attributes = parse(transport.set_cookie_header("t")[1])
            deleted_name, value, deleted = parse(transport.delete_cookie_header()[1])
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
        name, value, attributes = parse(transport.set_cookie_header(TOKEN, expires_in=expires_in)[1])
        assert value == TOKEN
        assert _folded(parse(line)) == _folded((name, value, attributes))

    @pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
    def test_every_framework_deletes_with_the_same_attributes(self, framework, transport):
        manager = make_manager(transports=[transport])
        response = framework.make()
        manager.delete_cookie(response)
        [line] = framework.cookies(response)
        name, value, attributes = parse(line)
        assert (name, value.strip('"')) == (transport.cookie_name, "")
        assert attributes.pop("max-age") == "0"
        assert parsedate(attributes.pop("expires"))[0] == 1970
        _, _, expected = parse(transport.set_cookie_header(TOKEN)[1])
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
        _, value, attributes = parse(line)
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
        assert sorted(parse(line)[0] for line in lines) == ["__Host-a", "__Host-b"]
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
        assert sorted(parse(line)[0] for line in framework.cookies(response)) == [COOKIE, "theme"]

    def test_an_own_line_for_our_cookie_is_replaced(self, framework):
        response = framework.make()
        framework.set_own(response, COOKIE, "x")
        make_manager().set_cookie(response, TOKEN)
        [line] = framework.cookies(response)
        assert parse(line)[1] == TOKEN

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
        assert parse(line)[2].get("max-age") == written

    def test_a_token_that_has_aged_shortens_its_cookie(self, framework):
        clock = Clock()
        manager = make_manager(clock=clock, transports=[CookieTransport(max_age=3_600)])
        token = manager.create_access_token(data={"sub": "ada"}, expires=timedelta(seconds=600))
        for passed, written in ((100, "500"), (599.5, "0"), (10_000, "0")):
            clock.now = NOW + passed
            response = framework.make()
            manager.set_cookie(response, token)
            [line] = framework.cookies(response)
            assert parse(line)[2]["max-age"] == written

    @pytest.mark.parametrize(
        ("exp", "written"), [(NOW + 600, "600"), (NOW + 600.5, "600"), ("soon", "3600"), (None, "3600"), (True, "3600")]
    )
    def test_an_expiry_of_any_kind_of_number_shortens_the_cookie(self, framework, exp, written):
        response = framework.make()
        make_manager(transports=[CookieTransport(max_age=3_600)]).set_cookie(response, hs256(claims(exp=exp)))
        [line] = framework.cookies(response)
        assert parse(line)[2]["max-age"] == written

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
                assert "partitioned" in parse(line)[2]
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
        assert parse(line)[0] == transport.cookie_name
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


def _folded(parsed):
    name, value, attributes = parsed
    return name, value, {key: content.lower() for key, content in attributes.items()}
