"""Clients that others have written: Authlib, oauth4webapi, and what the pages and forms of FastAPI send."""

import asyncio
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urljoin

import httpx2
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from browser.sites import serving_at
from fastapi import Depends, FastAPI, Security
from fastapi.security import OAuth2PasswordRequestForm
from helpers import SECRET, hello, parts

from asgi_login import AuthMiddleware, Gate, Grant, Key, LoginManager, MemoryStore, Refresh
from asgi_login import fastapi as fastapi_adapter
from asgi_login.oauth import Endpoints, KeysEndpoint, RevocationEndpoint, ServerMetadata, TokenEndpoint

SITE = "https://site.example"
NPM = Path(__file__).parent / "npm"


async def check(username, password):
    return Grant("ada", scopes=["read", "write"]) if (username, password) == ("ada", "right") else None


def make_manager(secret=SECRET, *, factory=LoginManager, **settings):
    manager = factory(secret, store=MemoryStore(), refresh=Refresh(), **settings)

    @manager.user_loader
    async def load(sub):
        return sub

    return manager


def make_site(manager, *more):
    tokens = TokenEndpoint(manager, password=check), RevocationEndpoint(manager)
    return Endpoints(AuthMiddleware(Gate(hello), manager), *tokens, *more)


class TestAuthlib:
    """`AsyncOAuth2Client`, which refreshes by itself what expires within a minute."""

    @pytest.fixture
    def manager(self):
        return make_manager(default_expiry=timedelta(seconds=30))

    def client(self, manager, **more):
        return AsyncOAuth2Client(
            "app",
            token_endpoint_auth_method="none",
            token_endpoint=f"{SITE}/auth/token",
            transport=httpx2.ASGITransport(make_site(manager)),
            base_url=SITE,
            **more,
        )

    async def log_in(self, client):
        return await client.fetch_token(f"{SITE}/auth/token", username="ada", password="right", scope="read")

    def test_it_logs_in_and_refreshes_by_itself(self, manager):
        kept = []

        async def keep(token, refresh_token=None, access_token=None):
            kept.append(parts(token["refresh_token"])[1]["gen"])

        async def main():
            async with self.client(manager, update_token=keep) as client:
                first = dict(await self.log_in(client))
                assert (first["token_type"], first["expires_in"], first["scope"]) == ("Bearer", 30, "read")
                for _ in range(3):
                    assert (await client.get("/page")).text == "'ada'"
                assert client.token["access_token"] != first["access_token"]

        asyncio.run(main())
        assert kept == [2, 3, 4]

    def test_it_refreshes_once_for_requests_that_are_made_at_once(self, manager):
        async def main():
            async with self.client(manager) as client:
                await self.log_in(client)
                pages = await asyncio.gather(*(client.get("/page") for _ in range(20)))
                assert {page.status_code for page in pages} == {200}

        asyncio.run(main())

    def test_it_is_told_what_is_wrong(self, manager):
        async def main():
            async with self.client(manager) as client:
                with pytest.raises(OAuthError, match="invalid_grant"):
                    await client.fetch_token(f"{SITE}/auth/token", username="ada", password="wrong")
                token = await self.log_in(client)
                await client.revoke_token(f"{SITE}/auth/revoke", token["refresh_token"], "refresh_token")
                with pytest.raises(OAuthError, match="invalid_grant"):
                    await client.refresh_token(f"{SITE}/auth/token", token["refresh_token"])

        asyncio.run(main())


class TestFastAPI:
    """What the Authorize button of /docs sends, and clients of `OAuth2PasswordRequestForm`."""

    @pytest.fixture
    def app(self):
        app = FastAPI()
        manager = make_manager(factory=fastapi_adapter.LoginManager, scopes={"read": "Read", "write": "Write"})
        fastapi_adapter.install(app, manager, endpoints=[TokenEndpoint(manager, password=check)])

        @app.get("/page")
        async def page(user: Annotated[str, Security(manager, scopes=["read"])]) -> str:
            return user

        @app.post("/form")
        async def form(sent: Annotated[OAuth2PasswordRequestForm, Depends()]) -> str:
            return sent.username

        return app

    async def log_in(self, client, url, form, **more):
        answer = await client.post(url, data=form, **more)
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        page = await client.get("/api/page", headers={"Authorization": f"Bearer {token}"})
        assert (page.status_code, page.json()) == (200, "ada")

    def client(self, app):
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app, root_path="/api"), base_url=SITE)

    @pytest.mark.parametrize("authorization", ["Basic Og==", None])
    def test_the_authorize_button_logs_in(self, app, authorization):
        async def main():
            async with self.client(app) as client:
                schema = (await client.get("/api/openapi.json")).json()
                [scheme] = schema["components"]["securitySchemes"].values()
                flow = scheme["flows"]["password"]
                # As Swagger UI does, with empty fields for the client; `Og==` is a colon.
                url = urljoin(f"{SITE}/api/docs", flow["tokenUrl"])
                form = {"grant_type": "password", "username": "ada", "password": "right"}
                form["scope"] = " ".join(flow["scopes"])
                headers = {"X-Requested-With": "XMLHttpRequest", "Accept": "application/json, text/plain, */*"}
                if authorization is None:
                    form |= {"client_id": "", "client_secret": ""}
                else:
                    headers["Authorization"] = authorization
                await self.log_in(client, url, form, headers=headers)

        asyncio.run(main())

    @pytest.mark.parametrize(
        "more", [{}, {"scope": ""}, {"scope": "read", "client_id": "", "client_secret": ""}, {"client_id": "app"}]
    )
    def test_what_the_form_of_fastapi_takes_is_taken(self, app, more):
        async def main():
            async with self.client(app) as client:
                form = {"grant_type": "password", "username": "ada", "password": "right", **more}
                assert (await client.post("/api/form", data=form)).json() == "ada"
                await self.log_in(client, "/api/auth/token", form)

        asyncio.run(main())


@pytest.fixture(scope="module")
def node():
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs Node.js 20 or later on the PATH: apt-get install nodejs npm, as root on Debian")
    if not (NPM / "node_modules" / "oauth4webapi").exists():
        pytest.skip("needs oauth4webapi: npm ci --prefix tests/oauth/npm")
    return program


def test_oauth4webapi_finds_the_endpoints_refreshes_verifies_and_revokes(node):
    def make(port):
        issuer = f"http://127.0.0.1:{port}"
        manager = make_manager(Key.generate("ES256"), issuer=issuer, audience="https://api.example")
        return make_site(manager, KeysEndpoint(manager), ServerMetadata(manager))

    with serving_at(make) as port:
        client = subprocess.run(  # noqa: S603 - our own script
            [node, "client.mjs", f"http://127.0.0.1:{port}"],
            cwd=NPM,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert client.returncode == 0, client.stderr
    assert json.loads(client.stdout) == {
        "types": ["bearer", "bearer", "bearer"],
        "scopes": ["read write", "read", "read write"],
        "sub": "ada",
        "page": [200, "'ada'"],
        "wider": [400, "invalid_scope"],
        "ended": [400, "invalid_grant"],
    }
