"""Tokens of an issuer, when they end before their time."""

from urllib.parse import urlencode

import anyio
import pytest
from helpers import bearer, http_scope, other_rsa_pem, protected
from issuers.providers import Provider, jwk, manager_of, status, timed, token
from oauth.posting import FORM, send_body
from open_sockets import open_socket

from asgi_login import AuthMiddleware, MemoryStore
from asgi_login.oauth import RevocationEndpoint

pytestmark = pytest.mark.anyio


async def test_an_endpoint_ends_a_token_whose_key_was_not_asked_for_yet():
    manager = manager_of(Provider().issuer(), store=MemoryStore())
    issued = token(jti="one")
    answer = await send_body(
        RevocationEndpoint(manager), http_scope("POST", "/auth/revoke", [FORM]), urlencode({"token": issued}).encode()
    )
    assert answer.status == 200
    assert await status(protected(manager), issued) == 401
    assert await status(protected(manager), token(jti="two")) == 200


async def test_a_key_that_is_withdrawn_closes_the_websockets_of_its_tokens():
    provider = Provider()
    issuer = provider.issuer()
    time = timed(issuer)

    async def listen(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    manager = manager_of(issuer)
    app = AuthMiddleware(listen, manager, end_connections=True)
    async with anyio.create_task_group() as tasks:
        socket = await open_socket(tasks, app, bearer(token()))
        provider.keys = [jwk(other_rsa_pem(), "two")]
        time.passes(minutes=11)
        assert await status(protected(manager), token("two", other_rsa_pem())) == 200
        await socket.say("anything")
        assert (await socket.hear("websocket.close"))["code"] == 4401
