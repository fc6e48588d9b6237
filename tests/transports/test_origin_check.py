"""What the log says of a request from an origin that is not the host: often a proxy has rewritten Host."""

import logging

import pytest
from helpers import Clock, cookie, hello, hs256, make_manager, request

from asgi_login import AuthMiddleware, Gate

TOKEN = hs256()
BEHIND_NGINX = [(b"host", b"backend:8000"), (b"origin", b"https://shop.example")]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def manager(clock):
    return make_manager(clock=clock)


@pytest.fixture
def log_in(manager):
    async def login(scope, receive, send):
        manager.login_user(scope, "ada")

    app = AuthMiddleware(login, manager)
    return lambda *lines: request(app, "POST", "/login", headers=lines or BEHIND_NGINX)


def warnings(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]


def test_a_login_behind_a_proxy_that_rewrites_host_is_a_warning_that_says_what_to_configure(log_in, caplog):
    assert log_in().status == 403
    [warning] = warnings(caplog)
    assert warning.startswith("POST '/login': refused, because its Origin 'https://shop.example' is not its Host ")
    for word in ("'backend:8000'", "trusted_origins", "proxy_set_header Host $host"):
        assert word in warning


def test_so_is_a_request_with_the_cookie(manager, caplog):
    app = AuthMiddleware(Gate(hello), manager)
    assert request(app, "POST", "/orders", headers=[cookie(TOKEN), *BEHIND_NGINX]).status == 403
    [warning] = warnings(caplog)
    assert warning.startswith("POST '/orders': ")


def test_it_is_said_once_a_minute_at_most_and_again_if_the_clock_is_set_back(log_in, clock, caplog):
    expected = 0
    for seconds, is_said in [(0, True), (0, False), (59, False), (1, True), (30, False), (-3_600, True), (59, False)]:
        clock.now += seconds
        assert log_in().status == 403
        expected += is_said
        assert len(warnings(caplog)) == expected


def test_each_manager_says_it(clock, caplog):
    for _ in range(2):
        manager = make_manager(clock=clock)
        request(AuthMiddleware(Gate(hello), manager), "POST", headers=[cookie(TOKEN), *BEHIND_NGINX])
    assert len(warnings(caplog)) == 2


@pytest.mark.parametrize(
    "lines",
    [
        [(b"host", b"shop.example"), (b"origin", b"https://evil.example"), (b"sec-fetch-site", b"cross-site")],
        [(b"host", b"shop.example"), (b"host", b"shop.example"), (b"origin", b"https://evil.example")],
    ],
)
def test_what_no_proxy_explains_is_no_warning(log_in, caplog, lines):
    caplog.set_level(logging.INFO)
    assert log_in(*lines).status == 403
    assert warnings(caplog) == []
    assert any(message.startswith("POST '/login': login or logout refused by default") for message in caplog.messages)


def test_what_the_client_sent_is_short_in_the_log_and_makes_no_line_of_its_own(log_in, caplog):
    log_in((b"host", b"a\r\nINFO forged\x1b[2J\x85\xe4" + b"h" * 1_000), (b"origin", b"\n" + b"o" * 1_000))
    [warning] = warnings(caplog)
    assert warning.isascii()
    assert warning.isprintable()
    assert len(warning) < 1_000


def test_without_a_host_it_is_said_too(log_in, caplog):
    log_in((b"origin", b"https://shop.example"))
    [warning] = warnings(caplog)
    assert "is not its Host None" in warning


def test_what_a_gate_refuses_is_one_line_with_method_and_path(manager, caplog):
    caplog.set_level(logging.INFO)
    for lines, reason in [([], "NotAuthenticated"), ([cookie(hs256(secret="x" * 32))], "InvalidToken")]:
        caplog.clear()
        assert request(AuthMiddleware(Gate(hello), manager), path="/orders", headers=lines).status == 401
        [line] = caplog.messages
        assert line.startswith(f"GET '/orders': {reason}")
