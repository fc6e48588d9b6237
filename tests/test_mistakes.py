"""What people get wrong in the first hour, and the sentence that tells them how to mend it."""

import logging

import pytest
from browser_jar import Browser
from fastapi import FastAPI
from helpers import COOKIE, OTHER_SECRET, SECRET, Clock, http_scope, make_manager
from litestar import Litestar
from quart import Quart
from starlette.applications import Starlette
from starlette.responses import Response

import asgi_login.fastapi
import asgi_login.quart
import asgi_login.starlette
from asgi_login import AuthMiddleware, CookieTransport, get_auth, login_required
from asgi_login.litestar import LoginPlugin, guard

INSTALLS = [
    (Starlette, asgi_login.starlette.install),
    (FastAPI, asgi_login.fastapi.install),
    (lambda: Quart("app"), asgi_login.quart.install),
]


async def hello(scope, receive, send):
    """Answer nothing at all."""


@pytest.mark.parametrize(("make", "install"), INSTALLS, ids=["Starlette", "FastAPI", "Quart"])
class TestInstall:
    def test_a_second_install_says_that_one_takes_all_managers(self, make, install):
        app = make()
        install(app, make_manager(SECRET, name="web"))
        with pytest.raises(ValueError, match=r"install\(app, \[web, api\]\)"):
            install(app, make_manager(OTHER_SECRET, name="api"))

    def test_swapped_arguments_are_told_apart(self, make, install):
        with pytest.raises(TypeError, match="the application first, not LoginManager"):
            install(make_manager(), make())


def test_a_second_plugin_says_that_one_takes_all_managers():
    plugins = [LoginPlugin(make_manager(SECRET, name="web")), LoginPlugin(make_manager(OTHER_SECRET, name="api"))]
    with pytest.raises(ValueError, match=r"LoginPlugin\(\[web, api\]\)"):
        Litestar([], plugins=plugins)


@pytest.mark.parametrize("arguments", [("a secret",), (["a secret"],), (None,)])
def test_something_else_than_a_manager_is_named(arguments):
    with pytest.raises(TypeError, match=r"AuthMiddleware\(app, manager\) takes a LoginManager"):
        AuthMiddleware(hello, *arguments)


def test_a_scope_that_met_no_middleware_names_every_way_to_install_it():
    with pytest.raises(RuntimeError, match=r"install\(\).*LoginPlugin.*AuthMiddleware\(app, manager\)"):
        get_auth(http_scope("GET", "/", []))


@pytest.mark.parametrize("wrong", [Response(), "ada", None], ids=["response", "str", "None"])
@pytest.mark.parametrize("call", ["login_user", "logout_user", "confirm_login"])
def test_something_else_than_a_request_is_named(wrong, call):
    manager = make_manager()
    with pytest.raises(TypeError, match=f"pass the request.*not {type(wrong).__name__}"):
        getattr(manager, call)(wrong, *(["ada"] if call == "login_user" else []))


def test_a_token_that_is_a_response_is_named():
    with pytest.raises(TypeError, match=r"set_cookie\(response, token\) takes the token as a str, not Response"):
        make_manager().set_cookie("a.b.c", Response())


def test_claims_that_are_no_mapping_are_named():
    with pytest.raises(TypeError, match=r"data maps claims to values.*not str"):
        make_manager().create_access_token(data="ada")


@pytest.mark.parametrize("claims", [{"sub": 7}, {}])
def test_a_user_id_that_is_no_str_is_told_how_to_be_one(claims):
    with pytest.raises(TypeError, match=r"str\(user\.id\)"):
        make_manager().create_access_token(data=claims)


def test_the_name_of_a_manager_goes_by_name():
    with pytest.raises(TypeError, match=r'login_required\(manager="web"\)'):
        login_required("web")


def test_a_guard_is_called():
    with pytest.raises(TypeError, match=r"guards=\[guard\(\)\]"):
        guard(object(), object())


class TestPlainHTTP:
    def login(self, origin, transport=None):
        clock = Clock()
        manager = make_manager(clock=clock, transports=[transport or CookieTransport()])
        host = origin.rpartition("/")[2]
        browser = Browser.of(manager)
        headers = [(b"origin", origin.encode()), (b"host", host.encode())]
        scheme = origin.partition(":")[0]
        answer = browser.send(lambda scope: manager.login_user(scope, "ada"), headers=headers, scheme=scheme)
        assert answer.all("set-cookie")

    @pytest.mark.parametrize("origin", ["http://shop.example", "http://192.168.1.7:8000", "http://localhost.example"])
    def test_a_login_whose_cookie_the_browser_drops_is_warned_of(self, origin, caplog):
        self.login(origin)
        (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
        assert "insecure_for_development" in record.message
        assert "example" not in caplog.text
        assert COOKIE not in caplog.text

    @pytest.mark.parametrize(
        "origin",
        [
            "https://shop.example",
            "http://localhost",
            "http://localhost:8000",
            "http://a.localhost",
            "http://127.0.0.1:8080",
        ],
    )
    def test_one_whose_cookie_is_kept_is_not(self, origin, caplog):
        self.login(origin)
        assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []

    def test_nor_is_one_with_a_cookie_for_development(self, caplog):
        self.login("http://shop.example", CookieTransport.insecure_for_development())
        assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
