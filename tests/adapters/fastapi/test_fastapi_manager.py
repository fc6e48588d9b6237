"""The manager of the adapter for FastAPI: its arguments, its cookie and its exceptions."""

import importlib
import sys
from datetime import timedelta

import pytest
from adapters.fastapi.application import COOKIE_NAME, application, make_logins, mounted, with_header
from conformance.driver import bearer, http
from conformance.logins import OTHER_SECRET, SECRET, Clock, User
from fastapi import FastAPI, HTTPException, Response
from fastapi.testclient import TestClient

import asgi_login
from asgi_login import BearerTransport, CookieTransport, Key, Sessions
from asgi_login.fastapi import InvalidCredentialsException, LoginManager


class TestManager:
    def test_the_arguments_stand_in_the_order_of_fastapi_login(self):
        class OwnError(Exception):
            pass

        manager = LoginManager(
            SECRET, "/token", "HS256", True, True, "own-cookie", OwnError, timedelta(minutes=1), {"a": "A"}, OwnError
        )
        assert (manager.token_url, manager.cookie_name) == ("/token", "own-cookie")
        assert (manager.not_authenticated_exception, manager.out_of_scope_exception) == (OwnError, OwnError)
        assert (manager.config.default_expiry, dict(manager.config.scopes)) == (timedelta(minutes=1), {"a": "A"})
        assert [transport.name for transport in manager.config.transports] == ["bearer", "cookie"]

    def test_it_is_a_manager_of_the_core(self):
        manager = LoginManager(
            [Key(SECRET), OTHER_SECRET],
            transports=[BearerTransport(), CookieTransport()],
            issuer="https://issuer.example",
            audience="orders",
            leeway=timedelta(seconds=1),
            sessions=Sessions(fresh_for=timedelta(minutes=1)),
            redirect_to="/login",
            name="web",
            realm="orders",
            token_cache_size=0,
            clock=Clock(),
        )
        assert isinstance(manager, asgi_login.LoginManager)
        assert manager.cookie_name == "__Host-access-token"
        assert LoginManager[User](SECRET).name == "default"

    @pytest.mark.parametrize("settings", [{"use_cookie": True}, {"use_header": False}])
    def test_transports_and_the_arguments_that_they_replace_are_refused_together(self, settings):
        with pytest.raises(ValueError, match="transports= replaces use_cookie= and use_header="):
            LoginManager(SECRET, transports=[BearerTransport()], **settings)

    def test_neither_header_nor_cookie_is_refused(self):
        with pytest.raises(ValueError, match="use_cookie and use_header are both False"):
            LoginManager(SECRET, use_header=False)

    def test_a_manager_without_a_cookie_has_no_name_for_it(self):
        with pytest.raises(ValueError, match="has no cookie"):
            _ = LoginManager(SECRET).cookie_name

    def test_arguments_of_older_releases_are_refused_with_what_to_write(self):
        with pytest.raises(TypeError, match=r"tokenUrl= is called token_url= now"):
            LoginManager(SECRET, tokenUrl="/token")
        manager = LoginManager(SECRET)
        with pytest.raises(TypeError, match=r"expires_delta= is called expires= now"):
            manager.create_access_token(data={"sub": "ada"}, expires_delta=timedelta(minutes=1))
        with pytest.raises(TypeError, match="lifetime"):
            manager.create_access_token(data={"sub": "ada"}, lifetime=timedelta(minutes=1))
        for name in ("not_authenticated_exception", "out_of_scope_exception"):
            with pytest.raises(AttributeError, match=rf"pass {name}= to LoginManager\(\.\.\.\)"):
                setattr(manager, name, ValueError)
            assert getattr(manager, name) is None
        with pytest.raises(TypeError):
            LoginManager(SECRET, unheard_of=1)

    def test_scopes_of_none_are_none(self):
        logins = make_logins()
        token = logins.manager.create_access_token(data={"sub": "ada"}, scopes=None)
        app = application(logins)
        assert TestClient(app).get("/read", headers=with_header(token)).status_code == 403

    def test_the_cookie_is_set_and_deleted_on_fastapis_responses(self, logins):
        app = application(logins)

        @app.post("/in")
        async def log_in(response: Response):
            logins.manager.set_cookie(response, logins.token())
            return "in"

        @app.post("/out")
        async def log_out(response: Response):
            logins.manager.delete_cookie(response)
            return "out"

        browser = TestClient(app, "https://testserver")
        line = browser.post("/in").headers["set-cookie"]
        assert line.startswith(f"{COOKIE_NAME}=")
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        assert browser.get("/me").json() == "ada"
        browser.post("/out")
        assert browser.get("/me").status_code == 401

    def test_credentials_that_are_wrong_have_an_exception(self):
        app = FastAPI()

        @app.post("/class")
        async def raise_class():
            raise InvalidCredentialsException

        @app.post("/instance")
        async def raise_instance():
            raise InvalidCredentialsException("Try again")

        client = TestClient(app)
        for path, detail in (("/class", "Invalid credentials"), ("/instance", "Try again")):
            response = client.post(path)
            assert (response.status_code, response.json()) == (401, {"detail": detail})
            assert response.headers["www-authenticate"].startswith("Bearer realm=")
        assert issubclass(InvalidCredentialsException, HTTPException)

    def test_it_can_stand_in_for_our_401(self, how):
        logins = make_logins(not_authenticated_exception=InvalidCredentialsException)
        response = TestClient(mounted(application(logins), how, logins)).get("/me")
        assert (response.status_code, response.json()) == (401, {"detail": "Invalid credentials"})

    @pytest.mark.anyio
    async def test_a_dependency_writes_no_state_that_servers_share(self, logins):
        shared = {"pool": "shared"}
        connection = await http(application(logins), "/me", headers=[bearer(logins.token())], state=shared)
        assert connection.json == "ada"
        assert shared == {"pool": "shared"}


def test_without_fastapi_the_adapter_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "asgi_login.fastapi")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ImportError, match=r"needs FastAPI .*: pip install fastapi"):
        importlib.import_module("asgi_login.fastapi")
