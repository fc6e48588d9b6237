"""A login service with our endpoints, and services that name it as their Issuer."""

import httpx
import pytest
from helpers import Clock, ec_pem, make_manager, other_rsa_pem, protected, rsa_pem
from issuers.providers import manager_of, settled, status, timed

from asgi_login import Key
from asgi_login.issuers import Issuer
from asgi_login.oauth import Endpoints, KeysEndpoint, ServerMetadata

pytestmark = pytest.mark.anyio

URL = "https://login.example/accounts"


class LoginService:
    def __init__(self, *keys):
        self.clock = Clock()
        self.rotate(*keys)

    def rotate(self, *keys):
        self.manager = make_manager(keys, issuer=URL, audience="orders", clock=self.clock, public_url=URL[:21])
        self._app = Endpoints(self._nothing, KeysEndpoint(self.manager), ServerMetadata(self.manager))

    async def _nothing(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def __call__(self, scope, receive, send):
        await self._app(scope, receive, send)

    def token(self):
        return self.manager.create_access_token(data={"sub": "ada"})


@pytest.mark.parametrize("key", [Key(ec_pem(), "ES256"), Key(rsa_pem(), "RS256")], ids=["ES256", "RS256"])
async def test_a_service_verifies_what_the_login_service_issues_over_a_rotation(key):
    login, new = LoginService(key), Key(other_rsa_pem(), "RS256")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(login))
    issuer = Issuer(URL, client=client, access_token_types=("at+jwt",))
    app, clock = protected(manager_of(issuer, audience="orders")), timed(issuer)
    old = login.token()
    assert await status(app, old) == 200
    # Published first, so that nobody is surprised when it signs.
    login.rotate(key, new)
    clock.passes(minutes=11)
    assert await status(app, old) == 200
    await settled(issuer)
    login.rotate(new, key)
    assert [await status(app, one) for one in (login.token(), old)] == [200, 200]
    login.rotate(new)
    clock.passes(minutes=11)
    assert await status(app, login.token()) == 200
    await settled(issuer)
    assert [await status(app, one) for one in (login.token(), old)] == [200, 401]
