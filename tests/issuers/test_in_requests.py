"""Tokens of an identity provider in requests, on asyncio and trio."""

import pytest
from helpers import bearer, http_scope, protected, send_request
from issuers.providers import Provider, manager_of, status, token

pytestmark = pytest.mark.anyio


async def test_a_token_of_the_provider_logs_its_user_in():
    provider = Provider()
    app = protected(manager_of(provider.issuer()))
    answer = await send_request(app, http_scope(headers=[bearer(token())]))
    assert (answer.status, answer.body) == (200, b"'ada'")


async def test_the_keys_are_fetched_once_for_many_tokens():
    provider = Provider()
    app = protected(manager_of(provider.issuer()))
    assert [await status(app, token(jti=str(i))) for i in range(5)] == [200] * 5
    assert provider.fetches == 1
