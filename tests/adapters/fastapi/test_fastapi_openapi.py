"""What the managers say of themselves in the OpenAPI document."""

import re
from typing import Annotated

import pytest
from adapters.fastapi.application import COOKIE_NAME, application, application_of_two, make_logins, mounted
from conformance.logins import OTHER_SECRET, SECRET, User
from fastapi import Depends
from fastapi.openapi.models import OpenAPI
from fastapi.testclient import TestClient

from asgi_login import CookieTransport
from asgi_login.fastapi import install


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
            "password": {"tokenUrl": "/auth/token", "scopes": {"read": "Read items", "write": "Write items"}}
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
            assert flow == {"tokenUrl": logins.manager.token_url, "scopes": dict(logins.manager.config.scopes)}
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


def check_openapi(schema):
    """Hold a document to the rules of OpenAPI 3.1 that a parser can check."""
    OpenAPI.model_validate(schema)
    assert schema["openapi"].startswith("3.1.")
    schemes = schema.get("components", {}).get("securitySchemes", {})
    for name, scheme in schemes.items():
        # OpenAPI 3.1, Components Object: keys of every component.
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name
        if scheme["type"] == "apiKey":
            assert scheme["in"] == "cookie"
            assert scheme["name"]
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
