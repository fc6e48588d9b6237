"""What the managers say of themselves in Litestar's OpenAPI document: the same as in FastAPI's."""

import pytest
from helpers import OTHER_SECRET, SECRET, public_pem, rsa_pem
from litestar import Litestar, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from asgi_login import BasicTransport, BearerTransport, CookieTransport, HeaderTransport, LoginManager
from asgi_login.litestar import LoginPlugin, guard


class Gateway:
    name = "gateway"
    ambient = False

    def __init__(self, scheme):
        self.scheme = scheme

    def extract(self, scope, /):
        return None

    def openapi_scheme(self):
        return self.scheme


def document(*managers, guards=None, config=None):
    @get("/orders", guards=[guard("read")] if guards is None else guards, sync_to_thread=False)
    def orders() -> None: ...

    openapi = config or OpenAPIConfig(title="shop", version="1")
    return Litestar([orders], plugins=[LoginPlugin(managers)], openapi_config=openapi).openapi_schema.to_schema()


def schemes_of(*managers, **settings):
    return document(*managers, **settings)["components"].get("securitySchemes", {})


def test_schemes_are_called_as_fastapi_calls_them():
    manager = LoginManager(SECRET, transports=[BearerTransport(), CookieTransport("token")], scopes={"read": "Read"})
    schema = document(manager)
    assert schema["components"]["securitySchemes"] == {
        "OAuth2PasswordBearer": {
            "type": "oauth2",
            "flows": {"password": {"tokenUrl": "/auth/token", "scopes": {"read": "Read"}}},
        },
        "APIKeyCookie": {"type": "apiKey", "in": "cookie", "name": "token"},
    }
    security = schema["paths"]["/orders"]["get"]["security"]
    assert security == [{"OAuth2PasswordBearer": ["read"]}, {"APIKeyCookie": ["read"]}]


def test_a_key_and_basic_are_alternatives_to_the_token():
    manager = LoginManager(SECRET)

    @get("/orders", guards=[guard("read", check=lambda auth: True)], sync_to_thread=False)
    def orders() -> None: ...

    # The plugin is there before the credential loaders are.
    plugin = LoginPlugin(manager)
    for transport in (HeaderTransport("X-API-Key", name="api-key", ambient=False), BasicTransport()):
        manager.credential_loader(transport)(lambda credential: None)
    openapi = OpenAPIConfig(title="shop", version="1")
    schema = Litestar([orders], plugins=[plugin], openapi_config=openapi).openapi_schema.to_schema()
    schemes = schema["components"]["securitySchemes"]
    assert schemes.pop("OAuth2PasswordBearer")["type"] == "oauth2"
    assert schemes == {
        "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "HTTPBasic": {"type": "http", "scheme": "basic"},
    }
    security = schema["paths"]["/orders"]["get"]["security"]
    assert security == [{"OAuth2PasswordBearer": ["read"]}, {"APIKeyHeader": ["read"]}, {"HTTPBasic": ["read"]}]


def test_a_handler_that_is_left_out_of_an_application_s_guard_requires_nothing():
    @get("/orders", sync_to_thread=False)
    def orders() -> None: ...

    @get("/login", opt={"exclude_from_auth": True}, sync_to_thread=False)
    def login() -> None: ...

    openapi = OpenAPIConfig(title="shop", version="1")
    plugins = [LoginPlugin(LoginManager(SECRET))]
    app = Litestar([orders, login], plugins=plugins, guards=[guard()], openapi_config=openapi)
    paths = app.openapi_schema.to_schema()["paths"]
    assert paths["/orders"]["get"]["security"] == [{"OAuth2PasswordBearer": []}]
    assert "security" not in paths["/login"]["get"]
    assert "401" not in paths["/login"]["get"]["responses"]


def test_two_that_would_be_called_the_same_are_told_apart_and_guards_name_theirs():
    web = LoginManager(SECRET, "/web/token", name="web")
    api = LoginManager(OTHER_SECRET, "/api/token", name="api")
    schema = document(web, api, guards=[guard(manager="api")])
    schemes = schema["components"]["securitySchemes"]
    assert {name: one["flows"]["password"]["tokenUrl"] for name, one in schemes.items()} == {
        "OAuth2PasswordBearer-web": "/web/token",
        "OAuth2PasswordBearer-api": "/api/token",
    }
    assert schema["paths"]["/orders"]["get"]["security"] == [{"OAuth2PasswordBearer-api": []}]


def test_a_scheme_of_the_applications_own_keeps_its_name():
    own = Components(security_schemes={"OAuth2PasswordBearer": SecurityScheme(type="http", scheme="basic")})
    schemes = schemes_of(LoginManager(SECRET), config=OpenAPIConfig(title="shop", version="1", components=own))
    assert schemes["OAuth2PasswordBearer"] == {"type": "http", "scheme": "basic"}
    assert schemes["OAuth2PasswordBearer-default"]["type"] == "oauth2"


@pytest.mark.parametrize(
    "manager",
    [
        lambda: LoginManager(SECRET, token_url=None),
        lambda: LoginManager(public_pem(rsa_pem()), algorithm="RS256", audience="api"),
    ],
    ids=["no token_url", "verifies only"],
)
def test_a_manager_that_logs_nobody_in_is_no_password_form(manager):
    assert schemes_of(manager()) == {"HTTPBearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ({"type": "apiKey", "in": "header", "name": "X-Token"}, "APIKeyHeader"),
        ({"type": "http", "scheme": "basic", "description": "The staff's"}, "HTTPBasic"),
        ({"type": "openIdConnect", "openIdConnectUrl": "https://id.example/x"}, "OpenIdConnect"),
        (
            {
                "type": "oauth2",
                "flows": {"clientCredentials": {"tokenUrl": "/t", "refreshUrl": "/r", "scopes": {"a": "A"}}},
            },
            "OAuth2",
        ),
    ],
)
def test_a_transport_of_the_applications_own_says_it_itself(scheme, name):
    assert schemes_of(LoginManager(SECRET, transports=[Gateway(scheme)])) == {name: scheme}


def test_a_transport_that_says_nothing_is_left_out():
    assert schemes_of(LoginManager(SECRET, transports=[Gateway(None)])) == {}
