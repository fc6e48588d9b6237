"""What people get wrong in the first hour, and the sentence that tells them how to mend it."""

import inspect
import json
import logging
import traceback
import uuid
from datetime import UTC, datetime

import pytest
from browser_jar import Browser
from fastapi import Depends, FastAPI
from helpers import COOKIE, OTHER_SECRET, SECRET, Clock, authenticate, bearer, cookie, http_scope, make_manager, request
from litestar import Litestar
from pydantic import SecretStr
from quart import Quart
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.testclient import TestClient

import asgi_login.fastapi
import asgi_login.quart
import asgi_login.starlette
from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Gate,
    Sessions,
    fresh_login_required,
    get_auth,
    login_required,
    requires_scopes,
)
from asgi_login.litestar import LoginPlugin, guard

INSTALLS = [
    (Starlette, asgi_login.starlette.install),
    (FastAPI, asgi_login.fastapi.install),
    (lambda: Quart("app"), asgi_login.quart.install),
]


EVERY_WAY = r"install\(app, manager\).*LoginPlugin\(manager\).*AuthMiddleware\(app, manager\)"


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
    with pytest.raises(RuntimeError, match=EVERY_WAY):
        get_auth(http_scope("GET", "/", []))


def test_a_decorated_view_that_met_no_middleware_names_every_way_to_install_it():
    @login_required
    def view():
        return "in"

    with pytest.raises(RuntimeError, match=EVERY_WAY):
        view()


def test_a_manager_of_the_core_as_a_dependency_names_the_one_that_is():
    app = FastAPI()
    core = make_manager()
    with pytest.raises(TypeError, match=r"write `from asgi_login.fastapi import LoginManager`"):
        app.get("/", dependencies=[Depends(core)])(lambda: None)
    with pytest.raises(TypeError, match=r"write `from asgi_login.fastapi import LoginManager`"):
        core(object())
    # The class itself, and the one that is a dependency, have their signatures.
    assert "secret" in inspect.signature(asgi_login.LoginManager).parameters
    assert "connection" in inspect.signature(asgi_login.fastapi.LoginManager(SECRET)).parameters


JWK = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1",
    "e": "AQAB",
}


@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
@pytest.mark.parametrize("document", [JWK, {"keys": [JWK]}], ids=["JWK", "JWKS"])
@pytest.mark.parametrize("write", [dict, json.dumps, str], ids=["dict", "text", "repr"])
def test_a_jwk_or_a_set_as_secret_is_named(document, write, algorithm):
    with pytest.raises(ValueError, match=r"this is a JWK.*PEM"):
        asgi_login.LoginManager(write(document), algorithm=algorithm, audience="api")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (uuid.UUID(int=7), "UUID"),
        ([uuid.UUID(int=7)], "UUID"),
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "datetime"),
        ({1}, "set"),
        (b"bytes", "bytes"),
        ({(1, 2): 3}, "tuple"),
    ],
)
def test_a_claim_without_a_json_form_is_named_and_not_shown(value, kind):
    with pytest.raises(TypeError, match=rf"data\['tenant'\] has no JSON form \(.*{kind}.*like str\(value\)") as caught:
        make_manager().create_access_token(data={"sub": "ada", "tenant": value})
    assert "00000007" not in str(caught.value)


@pytest.mark.parametrize("data", [{"x": uuid.UUID(int=7)}, {"x": float("nan")}, {"x": "\ud800"}, {"scope": 7}])
def test_a_token_that_cannot_be_issued_is_explained_once(data):
    # What a parser says of the claims would show them.
    with pytest.raises((TypeError, ValueError)) as caught:
        make_manager().create_access_token(data={"sub": "ada", **data})
    assert "".join(traceback.format_exception(caught.value)).count("Traceback") == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], (circle := {})])
def test_a_claim_that_no_json_can_hold_is_named(value):
    circle["itself"] = circle
    with pytest.raises(ValueError, match=r"data\['tenant'\] holds NaN, an infinite number or itself"):
        make_manager().create_access_token(data={"sub": "ada", "tenant": value})


def test_a_claim_whose_name_is_no_str_is_told_so():
    with pytest.raises(TypeError, match="name is a tuple: names are str"):
        make_manager().create_access_token(data={"sub": "ada", (1, 2): 3})


@pytest.mark.parametrize("argument", ["redirect_to", "reauthenticate_at"])
@pytest.mark.parametrize(("make", "install"), INSTALLS[:2], ids=["Starlette", "FastAPI"])
def test_the_name_of_a_route_that_there_is_not_names_the_setting(make, install, argument):
    app = make()
    sessions = Sessions(reauthenticate_at="log-in") if argument == "reauthenticate_at" else Sessions()
    install(app, make_manager(sessions=sessions, redirect_to="log-in" if argument == "redirect_to" else None))
    with pytest.raises(Exception, match="log-in") as caught, TestClient(app):
        pass
    assert f"{argument}='log-in' is taken for the name of a route" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("secret", ["", b"", " \n", SecretStr("")], ids=repr)
def test_an_empty_secret_asks_for_the_environment_variable(secret):
    with pytest.raises(ValueError, match=r"environment variable set that it comes from, like SECRET\? make one"):
        asgi_login.LoginManager(secret)


@pytest.mark.parametrize(
    ("how", "words"), [("session", "than this login has"), ("token", "than the token grants")], ids=["session", "token"]
)
def test_a_403_for_a_session_does_not_speak_of_a_token(how, words):
    manager = make_manager(transports=[BearerTransport(), CookieTransport()])
    if how == "session":
        browser = Browser.of(manager)
        browser.send(lambda scope: manager.login_user(scope, "ada", scopes=["orders:read"]))
        headers = [cookie(browser.token())]
    else:
        headers = [bearer(manager.create_access_token(data={"sub": "ada"}, scopes=["orders:read"]))]
    answer = request(AuthMiddleware(Gate(hello, scopes=["orders:write"]), manager), headers=headers)
    assert (answer.status, answer.json()["error"]) == (403, "insufficient_scope")
    assert answer.json()["error_description"] == f"The request requires higher privileges {words}"
    assert words in answer.header("www-authenticate")


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


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: authenticate(make_manager()).require(5), "require"),
        (lambda: requires_scopes(5), "requires_scopes"),
        (lambda: Gate(hello, scopes=[5]), r"Gate\(scopes=\)"),
        (lambda: make_manager().create_access_token(data={"sub": "ada"}, scopes=[5]), "scopes"),
    ],
)
def test_scopes_that_are_no_strings_are_told_by_the_call_they_were_passed_to(call, name):
    with pytest.raises(TypeError, match=f"^{name} takes strings, not int"):
        call()


def test_a_decorator_around_a_class_names_itself():
    for decorate in (login_required, fresh_login_required, requires_scopes("read")):
        name = "requires_scopes" if decorate not in {login_required, fresh_login_required} else decorate.__name__
        with pytest.raises(TypeError, match=f"^{name} decorates a function or method"):
            decorate(Starlette)
