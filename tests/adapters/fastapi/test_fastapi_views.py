"""Views of FastAPI's, behind our decorators and with parameters of their own."""

from typing import Annotated

import pytest
from adapters.fastapi.application import make_logins, with_header
from conformance.logins import User
from fastapi import Body, Depends, FastAPI, Request, Security
from fastapi.testclient import TestClient
from pydantic import BaseModel

from asgi_login import fresh_login_required, login_required, requires_scopes
from asgi_login.fastapi import install


class Item(BaseModel):
    name: str
    price: float = 1.0


MANAGED = make_logins(scopes={"read": "Read items", "write": "Write items"})
CurrentUser = Annotated[User, Depends(MANAGED.manager)]
Reader = Annotated[User, Security(MANAGED.manager, scopes=["read"])]
Anybody = Annotated[User | None, Depends(MANAGED.manager.optional)]


def answer(request: Request) -> int:
    return len(request.url.path)


class TestViews:
    @pytest.fixture
    def client(self):
        MANAGED.forget()
        app = FastAPI()

        @app.get("/annotated/{number}")
        async def annotated(number: int, user: CurrentUser, anybody: Anybody, q: str = "none") -> dict:
            return {"number": number, "user": user.name, "anybody": anybody.name, "q": q}

        # What `from __future__ import annotations` makes of annotations.
        @app.get("/strings/{number}")
        @login_required
        async def strings(number: "int", user: "CurrentUser", reader: "Reader", q: "str" = "none") -> "dict":
            return {"number": number, "user": user.name, "reader": reader.name, "q": q}

        @app.get("/reader")
        def reader(user: Reader) -> str:
            return user.name

        @app.post("/items/{number}")
        @login_required
        async def make(
            number: int,
            item: Item,
            length: Annotated[int, Depends(answer)],
            q: str | None = None,
            *,
            loud: bool = False,
        ) -> dict:
            return {"number": number, "item": item, "length": length, "q": q, "loud": loud}

        @app.post("/items-sync/{number}")
        @requires_scopes("write")
        def make_sync(
            number: int, item: Annotated[Item, Body(embed=True)], length: Annotated[int, Depends(answer)]
        ) -> dict:
            return {"number": number, "item": item, "length": length}

        @app.post("/plain/{number}")
        def not_gated(
            number: int, item: Annotated[Item, Body(embed=True)], length: Annotated[int, Depends(answer)]
        ) -> dict:
            return {}

        @app.get("/fresh")
        @fresh_login_required
        async def fresh(user: CurrentUser) -> str:
            return user.name

        install(app, MANAGED.manager)
        return TestClient(app)

    def test_annotated_dependencies_are_understood(self, client):
        response = client.get("/annotated/7?q=x", headers=with_header(MANAGED.token()))
        assert response.json() == {"number": 7, "user": "ada", "anybody": "ada", "q": "x"}
        assert client.get("/annotated/7").status_code == 401
        assert client.get("/reader", headers=with_header(MANAGED.token("ada", "read"))).json() == "ada"
        assert client.get("/reader", headers=with_header(MANAGED.token())).status_code == 403

    def test_annotations_that_are_strings_are_understood_behind_a_decorator(self, client):
        response = client.get("/strings/7?q=x", headers=with_header(MANAGED.token("ada", "read")))
        assert response.json() == {"number": 7, "user": "ada", "reader": "ada", "q": "x"}
        assert client.get("/strings/7", headers=with_header(MANAGED.token())).status_code == 403
        assert client.get("/strings/7").status_code == 401

    def test_an_asynchronous_view_behind_a_decorator_gets_its_parameters(self, client):
        headers = with_header(MANAGED.token())
        response = client.post("/items/3?q=x&loud=true", json={"name": "cup"}, headers=headers)
        assert response.json() == {
            "number": 3,
            "item": {"name": "cup", "price": 1.0},
            "length": len("/items/3"),
            "q": "x",
            "loud": True,
        }
        assert client.post("/items/3", json={"name": "cup"}).status_code == 401

    def test_a_plain_view_behind_a_decorator_gets_its_parameters(self, client):
        headers = with_header(MANAGED.token("ada", "write"))
        response = client.post("/items-sync/3", json={"item": {"name": "cup", "price": 2}}, headers=headers)
        assert response.json() == {"number": 3, "item": {"name": "cup", "price": 2.0}, "length": len("/items-sync/3")}
        assert client.post("/items-sync/3", json={"item": {"name": "cup"}}).status_code == 401
        headers = with_header(MANAGED.token())
        assert client.post("/items-sync/3", json={"item": {"name": "cup"}}, headers=headers).status_code == 403

    def test_what_is_wrong_with_parameters_is_still_told(self, client):
        response = client.post("/items-sync/x", json={}, headers=with_header(MANAGED.token("ada", "write")))
        assert response.status_code == 422
        assert {tuple(one["loc"]) for one in response.json()["detail"]} == {("path", "number"), ("body", "item")}

    def test_decorator_and_dependency_work_together(self, client):
        assert client.get("/fresh", headers=with_header(MANAGED.fresh_token())).json() == "ada"
        response = client.get("/fresh", headers=with_header(MANAGED.token()))
        assert (response.status_code, response.json()["error"]) == (401, "insufficient_user_authentication")
        assert MANAGED.loads == ["ada", "ada"]

    def test_a_decorator_changes_nothing_about_the_operation_in_openapi(self, client):
        paths = client.get("/openapi.json").json()["paths"]
        gated, plain = paths["/items-sync/{number}"]["post"], paths["/plain/{number}"]["post"]
        assert gated["parameters"] == plain["parameters"]
        assert set(gated["requestBody"]["content"]) == set(plain["requestBody"]["content"])
        assert "422" in gated["responses"]
