"""An attribute that is set on a public object does something, or is refused with the place where it belongs."""

import dataclasses
import inspect
import typing
from unittest import mock

import pytest
from helpers import SECRET, authenticate, bearer, hello, make_manager

import asgi_login.fastapi
from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, Gate, Key, LoginManager, Sessions
from asgi_login.litestar import LoginPlugin, guard
from asgi_login.testing import logged_in


def core():
    return LoginManager(SECRET)


def fastapi():
    return asgi_login.fastapi.LoginManager(SECRET, use_cookie=True)


OBJECTS = {
    "LoginManager": core,
    "fastapi.LoginManager": fastapi,
    "optional": lambda: fastapi().optional,
    "Gate": lambda: Gate(hello),
    "AuthMiddleware": lambda: AuthMiddleware(hello, core()),
    "BearerTransport": BearerTransport,
    "CookieTransport": CookieTransport,
    "Key": lambda: Key(SECRET),
    "Sessions": Sessions,
    "Auth": lambda: authenticate(core()),
    "Guard": guard,
    "LoginPlugin": lambda: LoginPlugin(core()),
    "Credentials": lambda: logged_in(core(), "ada"),
}


@pytest.mark.parametrize("what", OBJECTS)
def test_no_public_object_takes_an_attribute_that_it_does_not_have(what):
    one = OBJECTS[what]()
    with pytest.raises(AttributeError, match="no_such_thing"):
        one.no_such_thing = True
    assert not hasattr(one, "no_such_thing")


def settings(*classes):
    return [
        (name, cls)
        for cls in classes
        for name in inspect.signature(cls).parameters
        if name not in {"core", "app", "args", "kwargs"}
    ]


@pytest.mark.parametrize(
    ("name", "cls"),
    settings(LoginManager, asgi_login.fastapi.LoginManager, Gate, AuthMiddleware),
    ids=lambda value: value if isinstance(value, str) else value.__module__,
)
def test_a_setting_of_the_constructor_is_said_to_be_one(name, cls):
    made = {LoginManager: core, asgi_login.fastapi.LoginManager: fastapi, Gate: OBJECTS["Gate"]}
    one = made.get(cls, OBJECTS["AuthMiddleware"])()
    with pytest.raises(AttributeError, match=rf"pass {name}= to {cls.__name__}\(\.\.\.\): it cannot be changed later"):
        setattr(one, name, None)


@pytest.mark.parametrize("make", [core, fastapi])
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Sessions)])
def test_a_setting_of_sessions_is_said_to_be_theirs(name, make):
    with pytest.raises(AttributeError, match=rf"sessions=Sessions\({name}=\.\.\.\)"):
        setattr(make(), name, None)


@pytest.mark.parametrize("name", list(inspect.signature(CookieTransport).parameters))
def test_a_setting_of_the_cookie_is_said_to_be_the_cookies(name):
    with pytest.raises(AttributeError, match=r"CookieTransport\(|pass name="):
        setattr(core(), name, None)


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        # What public applications of fastapi-login do.
        ("default_expiry", fastapi, "pass default_expiry="),
        ("use_cookie", fastapi, "pass use_cookie="),
        ("use_header", fastapi, "pass use_header="),
        ("cookie_name", fastapi, "pass cookie_name="),
        ("tokenUrl", fastapi, "pass token_url="),
        ("use_cookie", core, r"transports=\[BearerTransport\(\), CookieTransport\(\)\]"),
        ("use_header", core, r"transports=\[BearerTransport\(\), CookieTransport\(\)\]"),
        ("cookie_name", core, r'transports=\[CookieTransport\("the-name"\)\]'),
        ("tokenUrl", core, "pass token_url="),
        ("expires_delta", core, "default_expiry="),
        ("user_callback", core, "@manager.user_loader"),
    ],
)
def test_an_older_name_is_told_its_place(name, make, words):
    with pytest.raises(AttributeError, match=f"cannot set {name}: .*{words}"):
        setattr(make(), name, True)


def test_what_is_refused_has_changed_nothing():
    manager = asgi_login.fastapi.LoginManager(SECRET, use_cookie=True)
    with pytest.raises(AttributeError):
        manager.use_header = False
    manager.user_loader(lambda sub: sub)
    assert [one.name for one in manager.config.transports] == ["bearer", "cookie"]


@pytest.mark.parametrize("what", ["Gate", "AuthMiddleware"])
def test_what_belongs_to_the_application_is_sent_there(what):
    with pytest.raises(AttributeError, match=r"\.app"):
        OBJECTS[what]().dependency_overrides = {}


class TestArguments:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("tokenUrl", "tokenUrl= is called token_url= now"),
            ("idle", r"sessions=Sessions\(idle=\.\.\.\)"),
            ("secure", r"CookieTransport\(secure=\.\.\.\)"),
            ("auto_error", "there is no such setting"),
        ],
    )
    def test_an_argument_that_there_is_not_is_told_its_place(self, name, words):
        with pytest.raises(TypeError, match=words):
            asgi_login.fastapi.LoginManager(SECRET, **{name: None})

    def test_the_name_of_a_cookie_that_nobody_reads_is_refused(self):
        with pytest.raises(ValueError, match="pass use_cookie=True"):
            asgi_login.fastapi.LoginManager(SECRET, cookie_name="mine")

    def test_every_argument_of_the_core_is_one_of_fastapis(self):
        own = inspect.signature(asgi_login.fastapi.LoginManager).parameters
        core_settings = typing.get_type_hints(asgi_login.fastapi.manager.CoreSettings)
        assert inspect.signature(LoginManager).parameters.keys() <= own.keys() | core_settings.keys()


class TestReplacingInTests:
    """What tests of applications do: Python lets a method be replaced, and so do these objects."""

    def test_a_method_can_be_replaced_and_comes_back(self, monkeypatch):
        manager = make_manager()
        with mock.patch.object(manager, "create_access_token", return_value="token"):
            assert manager.create_access_token(data={}) == "token"
        assert authenticate(manager, bearer(manager.create_access_token(data={"sub": "ada"}))).user == "ada"
        with monkeypatch.context() as patch:
            patch.setattr(manager, "login_user", lambda connection, sub: sub)
            assert manager.login_user(None, "ada") == "ada"
        assert "login_user" not in vars(manager)

    def test_the_class_can_be_patched(self):
        with mock.patch.object(LoginManager, "token_url", "/patched"):
            assert core().token_url == "/patched"
        with mock.patch.object(LoginManager, "anything", "new", create=True):
            assert core().anything == "new"

    @pytest.mark.parametrize("what", ["Gate", "AuthMiddleware"])
    def test_the_application_behind_can_be_replaced(self, what):
        one = OBJECTS[what]()
        with mock.patch.object(one, "app", other := object()):
            assert one.app is other
        assert one.app is hello

    def test_optional_can_be_replaced(self):
        manager = fastapi()
        with mock.patch.object(manager, "optional", None):
            assert manager.optional is None


class TestSubclasses:
    def test_one_that_declares_an_attribute_can_set_it(self):
        class Tenants(LoginManager[str]):
            tenant: str
            region = "eu"

            def __init__(self, tenant):
                super().__init__(SECRET)
                self.tenant = tenant
                self._private = tenant

        class Own(Tenants):
            pass

        manager = Own("acme")
        manager.region = "us"
        assert (manager.tenant, manager.region, manager._private) == ("acme", "us", "acme")
        with pytest.raises(AttributeError, match="cannot set default_expiry: pass default_expiry="):
            manager.default_expiry = None
        with pytest.raises(AttributeError, match="owner"):
            manager.owner = None

    def test_one_of_a_transport_has_attributes_of_its_own(self):
        class Header(BearerTransport):
            prefix: str

            def __init__(self):
                super().__init__("own")
                self.prefix = "x"

        transport = Header()
        assert transport.prefix == "x"
        with pytest.raises(AttributeError, match="immutable"):
            transport.prefix = "y"
