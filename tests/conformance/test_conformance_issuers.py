"""The tokens of a certified identity provider log in, in every framework."""

import os
from datetime import timedelta

import httpx
import pytest
from conformance.driver import bearer, http
from conformance.logins import User
from issuers.test_oidc_provider import API, FOLDER, HOW_TO_GET, NODE, OLD, OpenIDProvider
from issuers.tls import certificate

from asgi_login import LoginManager
from asgi_login.issuers import Issuer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def provider():
    if NODE is None or not (FOLDER / "node_modules").is_dir():
        assert "CI" not in os.environ, HOW_TO_GET
        pytest.skip(HOW_TO_GET)
    one = OpenIDProvider()
    one.start(OLD)
    yield one
    one.stop()


class Foreign:
    """Logins that another issuer's tokens make."""

    is_shared = False

    def __init__(self, issuer):
        self.manager = LoginManager[User](issuer, audience=API, leeway=timedelta(seconds=5), sessions=None)
        self.manager.user_loader(self._load)

    async def _load(self, sub):
        return User(sub)


class TestIssuers:
    async def test_a_token_of_an_identity_provider_logs_in(self, mounting, provider):
        async with httpx.AsyncClient(verify=certificate().client()) as client:
            app = mounting.app(Foreign(Issuer(provider.url, client=client, timeout=timedelta(seconds=20))))
            connection = await http(app, "/login", headers=[bearer(provider.token())])
            assert (connection.status, connection.json["user"]) == (200, "robot")
            assert (await http(app, "/login", headers=[bearer("nonsense")])).status == 401
