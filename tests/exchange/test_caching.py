"""What caches are told of a response to a credential: a user's page belongs to nobody else."""

import pytest
from helpers import OTHER_SECRET, bearer, cookie, hs256, make_manager, request, websocket

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport

TOKEN = hs256()
BAD = hs256(secret="x" * 32)


def answer(own, *lines, status=200, managers=None):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": own})
        await send({"type": "http.response.body", "body": b"x"})

    return request(AuthMiddleware(app, managers or make_manager()), headers=lines)


class HeaderTransport:
    """A header that a gateway sends."""

    name = "gateway"

    def __init__(self, *, ambient, **vary):
        self.ambient = ambient
        vars(self).update(vary)

    def extract(self, scope):
        return next((value for name, value in scope["headers"] if name == b"x-token"), None)


@pytest.mark.parametrize("line", [cookie(TOKEN), cookie(BAD), cookie("junk")])
@pytest.mark.parametrize("status", [200, 206, 304, 404, 500])
def test_a_page_for_a_cookie_user_is_private_where_the_application_said_nothing_of_caching(line, status):
    # A 304 and a 206 say what the 200 would (RFC 9110 §15.4.5, §15.3.7).
    assert answer([], line, status=status).header("cache-control") == "private"


@pytest.mark.parametrize(
    "said",
    [
        (b"cache-control", b"public, max-age=60"),
        (b"Cache-Control", b"no-cache"),
        (b"CDN-Cache-Control", b"max-age=60"),
        (b"Surrogate-Control", b"max-age=60"),
        (b"Expires", b"Thu, 01 Dec 2033 16:00:00 GMT"),
    ],
)
def test_what_the_application_said_of_caching_is_left(said):
    assert answer([said], cookie(TOKEN)).headers == [said, (b"vary", b"Cookie")]


def test_pragma_says_nothing_in_a_response():
    assert answer([(b"pragma", b"no-cache")], cookie(TOKEN)).header("cache-control") == "private"


@pytest.mark.parametrize("line", [bearer(TOKEN), bearer(BAD), (b"cookie", b"other=1")])
def test_other_responses_are_not_made_private(line):
    assert answer([], line).headers == []


def test_a_response_that_sets_a_cookie_of_ours_is_not_stored_at_all():
    manager = make_manager()

    async def app(scope, receive, send):
        manager.login_user(scope, "ada")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    response = request(AuthMiddleware(app, manager), headers=[cookie(TOKEN)])
    assert response.header("cache-control") == "no-store"


@pytest.mark.parametrize("pair", [list, tuple])
def test_the_lines_of_a_response_may_be_lists(pair):
    own = [pair((b"vary", b"Accept")), pair((b"x-own", b"1"))]
    response = answer(own, cookie(TOKEN))
    assert (response.header("vary"), response.header("x-own")) == ("Accept, Cookie", "1")
    assert response.header("cache-control") == "private"


def test_an_accepted_websocket_varies_and_says_nothing_of_caching():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})

    [accept] = websocket(AuthMiddleware(app, make_manager()), headers=[cookie(TOKEN)])
    assert accept["headers"] == [(b"vary", b"Cookie")]


def test_a_denied_websocket_is_private():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
        await send({"type": "websocket.http.response.body"})

    extensions = {"websocket.http.response": {}}
    start, _ = websocket(AuthMiddleware(app, make_manager()), headers=[cookie(TOKEN)], extensions=extensions)
    assert start["headers"] == [(b"vary", b"Cookie"), (b"cache-control", b"private")]


@pytest.mark.parametrize(
    ("transport", "expected"),
    [
        (HeaderTransport(ambient=True), [(b"vary", b"Cookie"), (b"cache-control", b"private")]),
        (HeaderTransport(ambient=True, vary=b"X-Token"), [(b"vary", b"X-Token"), (b"cache-control", b"private")]),
        (HeaderTransport(ambient=False, vary=b"X-Token"), [(b"vary", b"X-Token"), (b"cache-control", b"private")]),
        (HeaderTransport(ambient=False), []),
        (HeaderTransport(ambient=True, vary=None), []),
    ],
)
def test_a_response_varies_with_the_header_that_a_transport_names(transport, expected):
    manager = make_manager(transports=[transport])
    for token in (TOKEN, BAD):
        assert answer([], (b"x-token", token.encode()), managers=manager).headers == expected


def test_with_several_managers_a_response_varies_with_the_headers_of_all():
    gateway = make_manager(OTHER_SECRET, name="gateway", transports=[HeaderTransport(ambient=True, vary=b"X-Token")])
    web = make_manager(transports=[BearerTransport(), CookieTransport()])
    other = hs256(secret=OTHER_SECRET)
    found = answer([], cookie(TOKEN), (b"x-token", other.encode()), managers=[web, gateway])
    assert sorted(found.header("vary").split(", ")) == ["Cookie", "X-Token"]
    assert found.header("cache-control") == "private"


@pytest.mark.parametrize("vary", ["X-Token", b"", b"X Token", b"X-Token\r\nX: y", 5, [b"X-Token"]])
def test_a_transport_whose_vary_names_no_header_is_refused(vary):
    with pytest.raises(TypeError, match="vary"):
        make_manager(transports=[HeaderTransport(ambient=False, vary=vary)])
