"""What the managers say of themselves in the OpenAPI document."""

import re
from collections import defaultdict
from inspect import signature
from typing import Annotated
from urllib.parse import urljoin
from weakref import WeakSet

import pytest
from adapters.fastapi.application import (
    COOKIE_NAME,
    add_views,
    application,
    application_of_two,
    make_logins,
    mounted,
)
from conformance.logins import OTHER_SECRET, SECRET, User
from fastapi import APIRouter, Depends, FastAPI, Security, params
from fastapi.openapi.models import OpenAPI
from fastapi.security import APIKeyQuery, OAuth2PasswordBearer
from fastapi.testclient import TestClient
from helpers import public_pem, rsa_pem

from asgi_login import BasicTransport, BearerTransport, CookieTransport, HeaderTransport
from asgi_login.fastapi import LoginManager, install
from asgi_login.fastapi.openapi import SecurityScheme


class TestOpenAPI:
    def schema(self, app):
        schema = TestClient(app).get("/openapi.json").json()
        check_openapi(schema)
        return schema

    def test_the_header_is_an_oauth2_password_flow_and_the_cookie_an_api_key(self, how):
        logins = make_logins(token_url="/auth/token", scopes={"read": "Read items", "write": "Write items"})
        app = application(logins)
        mounted(app, how, logins)
        schema = self.schema(app)
        schemes = schema["components"]["securitySchemes"]
        assert len(schemes) == 2
        by_type = {scheme["type"]: (name, scheme) for name, scheme in schemes.items()}
        oauth2, key = by_type["oauth2"], by_type["apiKey"]
        assert oauth2[1]["flows"] == {
            "password": {"tokenUrl": "auth/token", "scopes": {"read": "Read items", "write": "Write items"}}
        }
        assert {name: key[1][name] for name in ("in", "name")} == {"in": "cookie", "name": COOKIE_NAME}
        # Each requirement stands alone: one of them is enough.
        required = schema["paths"]["/read"]["get"]["security"]
        assert sorted(map(list, required)) == sorted([[oauth2[0]], [key[0]]])
        assert {oauth2[0]: ["read"]} in required
        assert {oauth2[0]: []} in schema["paths"]["/me"]["get"]["security"]

    @pytest.mark.parametrize(
        ("settings", "types"),
        [
            ({"use_cookie": False}, ["oauth2"]),
            ({"use_cookie": True, "use_header": False}, ["apiKey"]),
            ({"use_cookie": True}, ["apiKey", "oauth2"]),
            ({"transports": [CookieTransport(), CookieTransport("__Host-other", name="other")]}, ["apiKey", "apiKey"]),
        ],
    )
    def test_only_what_is_read_is_listed(self, settings, types):
        schema = self.schema(application(make_logins(**settings)))
        assert sorted(one["type"] for one in schema["components"]["securitySchemes"].values()) == types

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"name": "web"}, {"name": "api"}),
            ({"name": "web", "token_url": "/same"}, {"name": "api", "token_url": "/same"}),
            ({"name": "a", "token_url": "/b/c"}, {"name": "a-b", "token_url": "/c"}),
            ({"name": "a", "token_url": "/b.c"}, {"name": "a", "token_url": "/b/c"}),
            ({"name": "a", "token_url": "/x"}, {"name": "a", "token_url": "/y"}),
        ],
    )
    def test_two_managers_never_collide(self, one, other):
        first = make_logins(SECRET, use_cookie=False, **one)
        second = make_logins(OTHER_SECRET, use_cookie=False, **other)
        app = application_of_two(first, second)
        schema = self.schema(app)
        schemes = schema["components"]["securitySchemes"]
        assert len(schemes) == 2, schemes
        flows = []
        for path, logins in (("/web", first), ("/api", second)):
            [requirement] = schema["paths"][path]["get"]["security"]
            flow = schemes[next(iter(requirement))]["flows"]["password"]
            url = "auth/token" if logins.manager.token_url == "/auth/token" else logins.manager.token_url
            assert flow == {"tokenUrl": url, "scopes": dict(logins.manager.config.scopes)}
            flows.append(next(iter(requirement)))
        assert flows[0] != flows[1]

    @pytest.mark.parametrize(
        ("token_url", "cookie_name"),
        [("/auth/token", "auth-token"), ("/auth/token", "auth.token"), ("token", "token"), ("/", "-")],
    )
    def test_the_header_and_the_cookie_of_one_manager_never_collide(self, token_url, cookie_name):
        app = application(make_logins(token_url=token_url, cookie_name=cookie_name))
        schemes = self.schema(app)["components"]["securitySchemes"].values()
        assert sorted(scheme["type"] for scheme in schemes) == ["apiKey", "oauth2"]

    @pytest.mark.parametrize("how", ["attached", "installed"])
    def test_401_and_403_are_listed_for_what_is_behind_a_manager(self, how, logins):
        app = application(logins)

        @app.get("/open")
        async def open_to_all():
            pass

        @app.get("/own", responses={401: {"description": "Own words"}})
        async def own(user: Annotated[User, Depends(logins.manager)]):
            pass

        mounted(app, how, logins)
        paths = self.schema(app)["paths"]
        for path in ("/me", "/me-sync", "/read", "/all"):
            assert {"200", "401", "403"} <= set(paths[path]["get"]["responses"])
        assert {"401", "403"} <= set(paths["/write"]["post"]["responses"])
        assert {"401", "403"}.isdisjoint(paths["/open"]["get"]["responses"])
        assert paths["/own"]["get"]["responses"]["401"] == {"description": "Own words"}
        # A scope may be missing, and a check may say no.
        assert paths["/read"]["get"]["responses"]["403"] == {"description": "Not permitted"}

    @pytest.mark.parametrize("included", [False, True], ids=["routes", "routers"])
    def test_it_is_the_same_whether_install_comes_before_the_routes_or_after_them(self, included):
        documents = []
        for is_first in (True, False):
            manager = LoginManager(SECRET, use_cookie=True)
            manager.credential_loader(BasicTransport())(lambda credential: None)
            app = FastAPI()
            if is_first:
                install(app, manager)
            routes = APIRouter() if included else app
            add_views(routes, manager)
            routes.get("/subject")(view_for(Security(manager.subject, scopes=["read"])))
            routes.get("/editors")(view_for(Depends(manager.requires(lambda auth: True))))
            routes.get("/nested")(view_for(Depends(view_for(Depends(manager)))))
            if included:
                app.include_router(routes, prefix="/v1", dependencies=[Depends(manager)])
            if not is_first:
                install(app, manager)
            documents.append(self.schema(app))
        assert documents[0] == documents[1]
        alternatives = {"OAuth2PasswordBearer", "APIKeyCookie", "HTTPBasic"}
        assert documents[0]["components"]["securitySchemes"].keys() == alternatives
        for path in ("/me", "/subject", "/editors", "/nested"):
            required = documents[0]["paths"][f"/v1{path}" if included else path]["get"]["security"]
            assert {name for one in required for name in one} == alternatives

    def test_a_route_behind_install_has_one_dependency_for_every_way_to_log_in(self):
        manager = LoginManager(SECRET, use_cookie=True)
        manager.credential_loader(BasicTransport())(lambda credential: None)
        dependencies = {"user": manager, "subject": manager.subject, "editor": manager.requires(lambda auth: True)}

        def solved_with():
            # FastAPI asks for the signature when a route is declared, and solves what it finds there at each request.
            return {
                name: sum(isinstance(one.default, params.Depends) for one in signature(dependency).parameters.values())
                for name, dependency in dependencies.items()
            }

        assert solved_with() == dict.fromkeys(dependencies, 2)
        install(FastAPI(), manager)
        assert solved_with() == dict.fromkeys(dependencies, 0)

    def test_it_is_the_same_at_every_call(self, logins):
        app = application(logins)
        install(app, logins.manager)
        assert app.openapi() == app.openapi()
        assert app.openapi() is app.openapi()
        check_openapi(app.openapi())

    def test_the_documentation_page_offers_the_login(self, logins):
        app = application(logins)
        install(app, logins.manager)
        client = TestClient(app)
        assert client.get("/docs").status_code == 200
        assert client.get("/openapi.json").status_code == 200

    def test_the_managers_do_not_show_up_as_parameters(self, logins):
        for path in self.schema(application(logins))["paths"].values():
            for operation in path.values():
                assert "parameters" not in operation
                assert "requestBody" not in operation


class Gateway:
    """A transport of the application's own that says how it stands in OpenAPI."""

    name = "gateway"
    ambient = False
    scheme: object = {"type": "apiKey", "in": "header", "name": "X-Token"}

    def extract(self, scope, /):
        return None

    def openapi_scheme(self):
        return self.scheme


class Silent:
    name = "silent"
    ambient = False

    def extract(self, scope, /):
        return None


def document(*managers, installed=True, root_path=""):
    """Return the document of an application with a view for each manager's users."""
    app = FastAPI()
    for i, manager in enumerate(managers):
        app.get(f"/{i}")(view_for(Depends(manager)))
        app.get(f"/{i}/optional")(view_for(Depends(manager.optional)))
    if installed:
        install(app, managers)
    schema = TestClient(app, root_path=root_path).get(f"{root_path}/openapi.json").json()
    check_openapi(schema)
    return schema


def view_for(dependency):
    async def view(user: Annotated[object, dependency]):
        return None

    return view


def schemes_of(*managers, **settings):
    return document(*managers, **settings)["components"]["securitySchemes"]


@pytest.fixture(autouse=True)
def _no_other_managers(monkeypatch):
    """Let no manager of another test, which waits to be collected, have the name that one of this test would have."""
    monkeypatch.setattr(SecurityScheme, "_holders", defaultdict(WeakSet))


INSTALLED_OR_NOT = pytest.mark.parametrize("installed", [True, False], ids=["installed", "bare"])


class TestWhatASchemeSays:
    @pytest.mark.parametrize("token_url", ["/token", "token", "https://auth.example.com/token"])
    def test_a_token_url_that_is_set_stays_as_it_is(self, token_url):
        (scheme,) = schemes_of(LoginManager(SECRET, token_url)).values()
        assert scheme["flows"]["password"]["tokenUrl"] == token_url

    def test_the_default_token_url_is_found_below_a_prefix(self):
        manager = LoginManager(SECRET)
        schema = document(manager, root_path="/api/v1")
        (scheme,) = schema["components"]["securitySchemes"].values()
        # Swagger UI resolves what is relative against the page that it is on.
        page = "https://shop.example/api/v1/docs"
        assert urljoin(page, scheme["flows"]["password"]["tokenUrl"]) == "https://shop.example/api/v1/auth/token"
        assert manager.token_url == "/auth/token"

    @INSTALLED_OR_NOT
    def test_without_a_token_url_the_header_is_a_bearer_scheme(self, installed):
        manager = LoginManager(SECRET, token_url=None, scopes={"read": "Read"})
        assert manager.token_url is None
        schemes = schemes_of(manager, installed=installed)
        assert schemes == {"HTTPBearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}

    def test_a_manager_that_only_verifies_is_no_password_form(self):
        public = public_pem(rsa_pem())
        schemes = schemes_of(LoginManager(public, algorithm="RS256", audience="api"))
        assert schemes == {"HTTPBearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}

    def test_one_that_only_verifies_and_says_where_tokens_come_from_is_one(self):
        url = "https://auth.example.com/token"
        (scheme,) = schemes_of(LoginManager(public_pem(rsa_pem()), url, algorithm="RS256", audience="api")).values()
        assert scheme["flows"]["password"]["tokenUrl"] == url

    def test_a_transport_of_the_applications_own_says_it_itself(self):
        schemes = schemes_of(LoginManager(SECRET, transports=[Gateway()]))
        assert schemes == {"APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Token"}}

    @pytest.mark.parametrize(
        ("scheme", "name"),
        [
            ({"type": "http", "scheme": "basic"}, "HTTPBasic"),
            ({"type": "http", "scheme": "digest"}, "HTTPDigest"),
            ({"type": "apiKey", "in": "query", "name": "token"}, "APIKeyQuery"),
            ({"type": "openIdConnect", "openIdConnectUrl": "https://id.example/x"}, "OpenIdConnect"),
        ],
    )
    def test_any_kind_of_scheme_can_be_said_and_is_called_as_fastapi_calls_it(self, scheme, name, monkeypatch):
        monkeypatch.setattr(Gateway, "scheme", scheme)
        manager = LoginManager(SECRET, transports=[Gateway()])
        app = FastAPI()
        app.get("/")(view_for(Depends(manager)))
        install(app, manager)
        assert app.openapi()["components"]["securitySchemes"] == {name: scheme}

    @pytest.mark.parametrize("transport", [Silent(), type("Nothing", (Gateway,), {"scheme": None})()])
    def test_a_transport_that_says_nothing_is_left_out(self, transport):
        schema = document(LoginManager(SECRET, transports=[transport]))
        assert "securitySchemes" not in schema.get("components", {})
        assert [*schemes_of(LoginManager(SECRET, transports=[transport, BearerTransport()]))] == [
            "OAuth2PasswordBearer"
        ]

    @pytest.mark.parametrize("scheme", ["apiKey", {}, {"in": "header"}, {"type": 5}, [], 5])
    def test_a_scheme_that_is_none_is_refused_with_an_example(self, scheme, monkeypatch):
        monkeypatch.setattr(Gateway, "scheme", scheme)
        with pytest.raises(
            TypeError, match=r"openapi_scheme\(\) of the transport 'gateway' returns.*\"type\": \"apiKey\""
        ):
            LoginManager(SECRET, transports=[Gateway()])


KEY = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
BASIC = {"type": "http", "scheme": "basic"}
ALTERNATIVES = [{"OAuth2PasswordBearer": ["read"]}, {"APIKeyHeader": ["read"]}, {"HTTPBasic": ["read"]}]


class TestCredentialLoaders:
    def register(self, manager):
        for transport in (HeaderTransport("X-API-Key", name="api-key", ambient=False), BasicTransport()):
            manager.credential_loader(transport)(lambda credential: None)

    def app(self, manager, *, installed):
        app = FastAPI()
        app.get("/")(view_for(Security(manager, scopes=["read"])))
        app.get("/editors")(view_for(Security(manager.requires(lambda auth: True), scopes=["read"])))
        app.get("/subject")(view_for(Security(manager.subject, scopes=["read"])))
        app.get("/optional")(view_for(Depends(manager.optional)))
        if installed:
            install(app, manager)
        return app

    @INSTALLED_OR_NOT
    def test_a_key_and_basic_are_alternatives_to_the_token(self, installed):
        manager = LoginManager(SECRET)
        self.register(manager)
        schema = self.app(manager, installed=installed).openapi()
        check_openapi(schema)
        schemes = schema["components"]["securitySchemes"]
        assert (schemes.pop("APIKeyHeader"), schemes.pop("HTTPBasic")) == (KEY, BASIC)
        assert [*schemes] == ["OAuth2PasswordBearer"]
        for path in ("/", "/editors", "/subject"):
            assert schema["paths"][path]["get"]["security"] == ALTERNATIVES
        assert "security" not in schema["paths"]["/optional"]["get"]

    @INSTALLED_OR_NOT
    def test_it_is_soon_enough_before_the_first_route(self, installed):
        manager = LoginManager(SECRET)
        editor = Security(manager.requires(lambda auth: True), scopes=["read"])
        self.register(manager)
        app = FastAPI()
        app.get("/editors")(view_for(editor))
        if installed:
            install(app, manager)
        assert app.openapi()["paths"]["/editors"]["get"]["security"] == ALTERNATIVES

    def test_one_that_is_registered_after_the_routes_is_there_too(self):
        manager = LoginManager(SECRET)
        app = self.app(manager, installed=True)
        self.register(manager)
        schema = app.openapi()
        check_openapi(schema)
        assert schema["components"]["securitySchemes"]["APIKeyHeader"] == KEY
        for path in ("/", "/editors", "/subject"):
            assert schema["paths"][path]["get"]["security"] == ALTERNATIVES
        assert "security" not in schema["paths"]["/optional"]["get"]

    @pytest.mark.parametrize("late", [True, False])
    def test_opaque_tokens_in_the_managers_own_header_are_no_password_form(self, late):
        bearer = BearerTransport()
        manager = LoginManager(SECRET, transports=[bearer])
        app = self.app(manager, installed=True) if late else None
        manager.credential_loader(bearer)(lambda credential: None)
        schema = (app or self.app(manager, installed=True)).openapi()
        assert schema["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
        assert schema["paths"]["/"]["get"]["security"] == [{"HTTPBearer": ["read"]}]

    def test_a_requirement_of_the_applications_own_stays_another_alternative(self):
        manager = LoginManager(SECRET)
        app = FastAPI()

        @app.get("/")
        async def view(
            user: Annotated[object, Depends(manager)], own: Annotated[object, Depends(APIKeyQuery(name="k"))]
        ):
            pass

        install(app, manager)
        self.register(manager)
        security = app.openapi()["paths"]["/"]["get"]["security"]
        assert sorted(name for one in security for name in one) == [
            "APIKeyHeader",
            "APIKeyQuery",
            "HTTPBasic",
            "OAuth2PasswordBearer",
        ]


class TestNames:
    @INSTALLED_OR_NOT
    @pytest.mark.parametrize("name", ["default", "web"])
    @pytest.mark.parametrize("token_url", ["/auth/token", "/api/v1/login/access-token"])
    def test_a_scheme_is_called_as_fastapi_calls_it(self, token_url, name, installed):
        manager = LoginManager(SECRET, token_url, use_cookie=True, name=name)
        assert schemes_of(manager, installed=installed).keys() == {"OAuth2PasswordBearer", "APIKeyCookie"}

    def test_managers_elsewhere_in_the_process_change_no_name_where_there_is_an_install(self):
        elsewhere = LoginManager(OTHER_SECRET, "/elsewhere", name="elsewhere")
        assert [*schemes_of(LoginManager(SECRET))] == ["OAuth2PasswordBearer"]
        assert elsewhere.name == "elsewhere"

    def test_after_an_install_elsewhere_an_application_lists_all_schemes_if_its_routes_came_first(self):
        manager = LoginManager(SECRET, use_cookie=True)
        earlier, installed, later, both = (FastAPI() for _ in range(4))
        earlier.get("/")(view_for(Depends(manager)))
        install(installed, manager)
        for app in (later, both):
            app.get("/")(view_for(Depends(manager)))
        install(both, manager)
        every, first = {"OAuth2PasswordBearer", "APIKeyCookie"}, {"OAuth2PasswordBearer"}
        for app, listed in {earlier: every, later: first, both: every}.items():
            assert app.openapi()["components"]["securitySchemes"].keys() == listed

    def test_two_that_would_be_called_the_same_are_told_apart_by_their_managers(self):
        web = LoginManager(SECRET, "/same", name="web", use_cookie=True)
        api = LoginManager(OTHER_SECRET, "/same", name="api")
        schema = document(web, api)
        names = {"OAuth2PasswordBearer-web", "OAuth2PasswordBearer-api", "APIKeyCookie"}
        assert schema["components"]["securitySchemes"].keys() == names
        assert [*map(list, schema["paths"]["/1"]["get"]["security"])] == [["OAuth2PasswordBearer-api"]]

    def test_without_an_install_the_first_of_two_has_the_usual_name(self):
        web = LoginManager(SECRET, "/web", name="web")
        managers = [web, LoginManager(OTHER_SECRET, "/api", name="api"), LoginManager(OTHER_SECRET, "/v2", name="api")]
        names = [*schemes_of(*managers, installed=False)]
        assert names[:2] == ["OAuth2PasswordBearer", "OAuth2PasswordBearer-api"]
        assert re.fullmatch("OAuth2PasswordBearer-api-[0-9a-f]{6}", names[2])

    def test_without_an_install_an_application_that_is_made_again_has_the_same_names(self):
        made = [LoginManager(SECRET, "/same") for _ in range(3)]
        assert [[*schemes_of(one, installed=False)] for one in made] == [["OAuth2PasswordBearer"]] * 3

    def test_two_of_one_manager_are_told_apart_too(self):
        names = [*schemes_of(LoginManager(SECRET, transports=[CookieTransport(), CookieTransport("b", name="b")]))]
        assert len(names) == len(set(names)) == 2
        assert all(re.fullmatch("APIKeyCookie-default-[0-9a-f]{6}", name) for name in names)

    def test_a_scheme_of_the_applications_own_keeps_its_name(self):
        app, manager = FastAPI(), LoginManager(SECRET)
        app.get("/ours")(view_for(Depends(manager)))
        app.get("/theirs")(view_for(Depends(OAuth2PasswordBearer("theirs"))))
        install(app, manager)
        schemes = app.openapi()["components"]["securitySchemes"]
        assert schemes["OAuth2PasswordBearer"]["flows"]["password"]["tokenUrl"] == "theirs"
        assert schemes["OAuth2PasswordBearer-default"]["flows"]["password"]["tokenUrl"] == "auth/token"
        assert [*app.openapi()["paths"]["/ours"]["get"]["security"][0]] == ["OAuth2PasswordBearer-default"]
        assert "401" not in app.openapi()["paths"]["/theirs"]["get"]["responses"]

    def test_scopes_of_several_dependencies_are_one_requirement(self):
        manager = LoginManager(SECRET)
        app = FastAPI()

        @app.get("/")
        async def view(
            one: Annotated[object, Security(manager, scopes=["a"])],
            other: Annotated[object, Security(manager, scopes=["b"])],
        ):
            pass

        install(app, manager)
        assert app.openapi()["paths"]["/"]["get"]["security"] == [{"OAuth2PasswordBearer": ["a", "b"]}]


class TestOptional:
    @INSTALLED_OR_NOT
    def test_a_login_that_is_optional_is_not_required_and_refuses_nobody(self, installed):
        schema = document(LoginManager(SECRET), installed=installed)
        operation = schema["paths"]["/0/optional"]["get"]
        assert "security" not in operation
        assert {"401", "403"}.isdisjoint(operation["responses"])
        assert schema["paths"]["/0"]["get"]["security"] == [{"OAuth2PasswordBearer": []}]

    def test_a_view_that_needs_the_user_too_says_so(self, logins):
        app = application(logins)
        install(app, logins.manager)
        operation = app.openapi()["paths"]["/all"]["get"]
        assert operation["security"]
        assert {"401", "403"} <= operation["responses"].keys()


def check_openapi(schema):
    """Hold a document to the rules of OpenAPI 3.1 that a parser can check."""
    OpenAPI.model_validate(schema)
    assert schema["openapi"].startswith("3.1.")
    schemes = schema.get("components", {}).get("securitySchemes", {})
    for name, scheme in schemes.items():
        # OpenAPI 3.1, Components Object: keys of every component.
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name
        if scheme["type"] == "apiKey":
            assert scheme["in"] in {"cookie", "header", "query"}
            assert scheme["name"]
        elif scheme["type"] == "http":
            assert scheme["scheme"]
        else:
            assert scheme["type"] == "oauth2"
            assert set(scheme["flows"]["password"]) >= {"tokenUrl", "scopes"}
            assert all(isinstance(text, str) for text in scheme["flows"]["password"]["scopes"].values())
    for path in schema["paths"].values():
        for operation in path.values():
            for requirement in operation.get("security", ()):
                assert requirement.keys() <= schemes.keys()
                assert all(isinstance(scopes, list) for scopes in requirement.values())
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", status)
                assert response["description"]
    identifiers = [one["operationId"] for path in schema["paths"].values() for one in path.values()]
    assert len(set(identifiers)) == len(identifiers)
