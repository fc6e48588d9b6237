"""Attacks that worked once, each held off by name."""

from contextlib import suppress

import pytest
from helpers import (
    SECRET,
    Clock,
    hello,
    make_manager,
    other_rsa_pem,
    protected,
    public_pem,
    request,
    rsa_pem,
)
from starlette.responses import Response

from asgi_login import (
    AuthError,
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Gate,
    InsufficientScope,
    Key,
    LoginManager,
    Sessions,
    login_required,
)
from asgi_login.sessions.fingerprint import fingerprint


@pytest.mark.parametrize("size", [4_097, 1_000_000])
def test_an_accept_header_without_end_is_not_looked_at(size):
    accept = b"text/html" + b"," * size
    answer = request(protected(make_manager(redirect_to="/login")), headers=[("accept", accept)])
    assert answer.status == 401


@pytest.mark.parametrize("query", [b"q=" + b"\xff" * 3_000, b"q=" + b"x" * 3_000])
def test_an_address_without_end_is_not_carried_along(query):
    app = protected(make_manager(redirect_to="/login"))
    answer = request(app, headers=[("accept", "text/html")], query_string=query)
    assert answer.header("location") == "/login?next=%2F"


@pytest.mark.parametrize(
    ("path", "root_path", "status"),
    [
        ("/static/x", "", 200),
        ("/api/static/x", "/api", 200),
        ("/static/x", "/api", 200),
        ("/static/api/admin", "/api", 401),
        ("/static/x/api", "/api", 401),
    ],
)
def test_an_exempt_path_that_holds_the_root_path_further_on_is_not_exempt(path, root_path, status):
    app = AuthMiddleware(Gate(hello, exempt=["/static"]), make_manager())
    assert request(app, path=path, root_path=root_path).status == status


@pytest.mark.parametrize("required", [['a"\r\nset-cookie: x=1'], ["a b"], [""]])
def test_nothing_ends_the_line_of_a_challenge(required):
    with pytest.raises(ValueError, match="required holds scopes"):
        InsufficientScope("", required=required)


def test_long_words_in_the_place_of_an_address_are_not_kept():
    scope = {"type": "http", "headers": [], "client": ("x" * 60_000, 0)}
    assert fingerprint(scope) == fingerprint(scope) != fingerprint({**scope, "client": ("y" * 60_000, 0)})


class FromTheQuery(BearerTransport):
    def extract(self, scope, /):
        return scope["query_string"].removeprefix(b"token=") or None


def test_a_transport_derived_from_ours_may_look_anywhere():
    manager = make_manager(transports=[FromTheQuery()])
    token = manager.create_access_token(data={"sub": "ada"})
    assert request(protected(manager), query_string=b"token=" + token.encode()).status == 200


@pytest.mark.parametrize("value", [b"https://app.example", "https://app.example", ["https://app.example"]])
def test_trusted_origins_of_a_transport_are_a_set(value):
    class Odd(BearerTransport):
        ambient = True
        trusted_origins = value

    with pytest.raises(TypeError, match="trusted_origins"):
        LoginManager(SECRET, transports=[Odd()])


@pytest.mark.parametrize("junk", [7, [b"x"], bytearray(b"x"), memoryview(b"x")])
def test_what_a_transport_returns_is_a_token(junk):
    class Odd(BearerTransport):
        def extract(self, scope, /):
            return junk

    with pytest.raises(TypeError, match="extract"):
        request(AuthMiddleware(hello, make_manager(transports=[Odd()])))


def test_a_public_half_of_an_old_key_neither_protects_nor_stamps():
    clock = Clock()
    settings = {"transports": [CookieTransport()], "clock": clock, "algorithm": "RS256"}
    sessions = Sessions(protection="strong", stamp=lambda user: "stamp")
    old = make_manager(rsa_pem(), sessions=sessions, **settings)

    async def log_in(scope, receive, send):
        old.login_user(scope, "ada", user="ada")
        await hello(scope, receive, send)

    cookies = request(AuthMiddleware(log_in, old), "POST").all("set-cookie")
    session = next(line for line in cookies if "Max-Age=0" not in line).partition(";")[0]
    keys = [Key(other_rsa_pem(), "RS256"), Key(public_pem(rsa_pem()), "RS256")]
    new = make_manager(keys, sessions=sessions, insecure_any_audience=True, **settings)
    assert request(protected(new), headers=[("cookie", session)]).status == 401
    assert request(protected(old), headers=[("cookie", session)]).status == 200


def test_an_exception_that_was_around_us_before_does_not_hide_a_refusal():
    @login_required
    async def view(): ...

    async def answers_500_later(scope, receive, send):
        with suppress(AuthError):
            await view()
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body"})

    async def retry(scope, receive, send):
        try:
            int("x")
        except ValueError:
            await AuthMiddleware(answers_500_later, make_manager())(scope, receive, send)

    assert request(retry).status == 401


def test_caches_with_a_header_of_their_own_keep_no_login():
    manager = make_manager(transports=[CookieTransport()])

    async def log_in(scope, receive, send):
        manager.login_user(scope, "ada")
        headers = [(b"cdn-cache-control", b"public, max-age=600"), (b"surrogate-control", b"max-age=600")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    answer = request(AuthMiddleware(log_in, manager))
    assert (answer.all("cdn-cache-control"), answer.all("surrogate-control")) == ([], [])
    assert answer.header("cache-control") == "no-store"


def test_the_expiry_of_a_token_that_nobody_verified_bounds_a_cookie_at_most():
    manager = make_manager(transports=[CookieTransport(max_age=60)])
    response = Response()
    # {"exp": 1e400-like integer}, signed by nobody.
    manager.set_cookie(response, "e30.eyJleHAiOjEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDB9.x")
    assert "Max-Age=60" in response.headers["set-cookie"]


def test_a_generator_is_no_user_loader():
    manager = LoginManager[str](SECRET)
    with pytest.raises(TypeError, match="generator"):

        @manager.user_loader
        def load_user(sub):
            yield sub
