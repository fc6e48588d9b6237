"""The endpoints of two processes on one store: MemoryStore, Redis and Valkey, and a store that fails."""

import asyncio
import time
from collections import Counter
from datetime import timedelta
from urllib.parse import urlencode

import anyio
import pytest
from helpers import SECRET, bearer, hello, http_scope, parts, send_request
from oauth.posting import FORM, said, send_body
from stores.asking import following

from asgi_login import AuthMiddleware, Gate, Grant, LoginManager, Refresh
from asgi_login.oauth import Endpoints, RefreshCookie, RevocationEndpoint, TokenEndpoint
from asgi_login.redis import RedisStore

PASSWORD = {"grant_type": "password", "username": "ada", "password": "right"}


async def check(username, password):
    return Grant(username, scopes=["read"]) if password == "right" else None


class Process:
    """One process that serves the endpoints, and a page behind a gate."""

    def __init__(self, store, name="default", **settings):
        self.manager = manager = LoginManager(SECRET, store=store, refresh=Refresh(), name=name, **settings)

        @manager.user_loader
        async def load(sub):
            return sub

        endpoints = TokenEndpoint(manager, password=check), RevocationEndpoint(manager)
        self.app = Endpoints(AuthMiddleware(Gate(hello), manager), *endpoints)

    async def post(self, form, path="/auth/token"):
        return await send_body(self.app, http_scope("POST", path, [FORM]), urlencode(form).encode())

    async def refresh(self, token):
        return await self.post({"grant_type": "refresh_token", "refresh_token": token})

    async def revoke(self, token):
        return await self.post({"token": token}, "/auth/revoke")

    async def lets_in(self, token):
        return (await send_request(self.app, http_scope(headers=[bearer(token)]))).status == 200


def processes(place):
    # A busy machine may be slow; what is answered matters here.
    return [Process(place.make_store(timeout=timedelta(seconds=5)), place.name) for _ in range(2)]


def test_a_pair_of_one_process_is_refreshed_and_revoked_at_the_other(place):
    async def main():
        here, there = processes(place)
        first = (await here.post(PASSWORD)).json()
        second = (await there.refresh(first["refresh_token"])).json()
        third = (await here.refresh(second["refresh_token"])).json()
        assert await there.lets_in(third["access_token"])
        assert (await there.revoke(third["refresh_token"])).status == 200
        assert said(await here.refresh(third["refresh_token"])) == (400, "invalid_grant")
        assert not await Process(place.make_store(), place.name).lets_in(third["access_token"])

    place.run(main)


def test_a_replay_at_one_process_ends_the_login_at_the_other(place):
    async def main():
        here, there = processes(place)
        await following(there.manager.config.revocation)
        first = (await here.post(PASSWORD)).json()
        second = (await here.refresh(first["refresh_token"])).json()
        third = (await here.refresh(second["refresh_token"])).json()
        assert said(await there.refresh(first["refresh_token"])) == (400, "invalid_grant")
        assert said(await here.refresh(third["refresh_token"])) == (400, "invalid_grant")
        assert not await there.lets_in(third["access_token"])

    place.run(main)


def test_a_hundred_refreshes_at_once_make_one_generation_and_every_client_goes_on(place):
    async def main():
        here, there = processes(place)
        first = (await here.post(PASSWORD)).json()
        answers = []

        async def refresh(process):
            answers.append(await process.refresh(first["refresh_token"]))

        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(refresh, here)
                group.start_soon(refresh, there)
        assert Counter(answer.status for answer in answers) == {200: 100}
        tokens = [answer.json()["refresh_token"] for answer in answers]
        assert {parts(token)[1]["gen"] for token in tokens} == {2}
        assert (await there.refresh(tokens[0])).status == 200
        assert (await here.refresh(tokens[-1])).status == 200

    place.run(main)


def test_two_tabs_with_one_cookie_at_two_processes_both_go_on(place):
    async def main():
        cookie = RefreshCookie()
        tabs = [TokenEndpoint(process.manager, cookie=cookie) for process in processes(place)]
        manager = Process(place.make_store(), place.name).manager
        token = (await manager.issue_tokens("ada")).refresh_token
        for _ in range(3):
            sent = (b"cookie", f"{cookie.cookie_name}={token}".encode())
            answers = [await send_body(tab, http_scope("POST", headers=[sent]), b"") for tab in tabs]
            assert [answer.status for answer in answers] == [200, 200]
            token = answers[-1].header("set-cookie").partition("=")[2].partition(";")[0]

    place.run(main)


def test_a_store_that_is_away_is_a_503_and_no_client_loses_its_token(server, proxy):
    async def main():
        process = Process(RedisStore(proxy.url, timeout=timedelta(seconds=5)))
        first = (await process.post(PASSWORD)).json()
        proxy.refuse()
        for request in (
            process.refresh(first["refresh_token"]),
            process.post(PASSWORD),
            process.revoke(first["refresh_token"]),
            process.revoke(first["access_token"]),
        ):
            answer = await request
            assert said(answer) == (503, "temporarily_unavailable")
            assert answer.header("retry-after") == "1"
        proxy.listen()
        deadline = time.monotonic() + 8
        while (answer := await process.refresh(first["refresh_token"])).status == 503:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert answer.status == 200

    asyncio.run(main())


@pytest.mark.parametrize("form", [{}, {"grant_type": "x"}, {"grant_type": "refresh_token", "refresh_token": "x"}])
def test_what_is_wrong_in_itself_is_said_without_the_store(server, proxy, form):
    async def main():
        process = Process(RedisStore(proxy.url))
        proxy.refuse()
        assert (await process.post(form)).status == 400

    asyncio.run(main())
