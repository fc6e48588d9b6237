"""Refresh tokens where a store or a network fails, and where much happens at once: on real servers."""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from helpers import SECRET, http_scope, parts
from stores.asking import following, until

from asgi_login import InvalidToken, LoginManager, Refresh, ServiceUnavailable
from asgi_login.redis import RedisStore
from asgi_login.refresh import refresh_pair

SCOPE = http_scope("POST", "/auth/token")


def manager_on(url, *, refresh=None, prefix="asgi-login", **options):
    """Return the manager of another process. A busy machine may be slow, unless the deadline is what matters."""
    options.setdefault("timeout", timedelta(seconds=5))
    manager = LoginManager(SECRET, store=RedisStore(url, prefix=prefix, **options), refresh=refresh or Refresh())

    @manager.user_loader
    async def load(sub):
        return sub

    return manager


async def refresh(manager, pair):
    return await refresh_pair(manager.config, pair.refresh_token, scopes=None, client_id=None, scope=SCOPE)


async def refresh_when_it_is_back(manager, pair):
    """Try until the store answers, as a client does that is told 503."""
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        with suppress(ServiceUnavailable):
            return await refresh(manager, pair)
        await asyncio.sleep(0.05)
    raise AssertionError("the store does not come back")


def generation(pair):
    return parts(pair.refresh_token)[1]["gen"]


def test_a_store_that_is_down_costs_no_client_its_token(server, proxy):
    async def main():
        manager = manager_on(proxy.url)
        first = await manager.issue_tokens("ada")
        proxy.refuse()
        for _ in range(3):
            with pytest.raises(ServiceUnavailable):
                await refresh(manager, first)
        with pytest.raises(ServiceUnavailable):
            await manager.issue_tokens("ada")
        proxy.listen()
        second = await refresh_when_it_is_back(manager, first)
        assert generation(second) == 2
        assert generation(await refresh(manager, second)) == 3

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["late", "silent"])
def test_an_answer_that_is_lost_after_the_store_has_done_it_costs_no_client_its_token(server, proxy, fault):
    async def main():
        manager = manager_on(proxy.url, timeout=timedelta(milliseconds=300))
        # One refresh, so that the store has been looked at, and the next is a single question.
        first = await refresh(manager, await manager.issue_tokens("ada"))
        key = f"{{asgi-login:default}}:f:{parts(first.refresh_token)[1]['sid']}"
        if fault == "late":
            proxy.late = 2
        else:
            server.freeze()
        with pytest.raises(ServiceUnavailable):
            await refresh(manager, first)
        proxy.late = 0
        server.thaw()
        # It has been done, or is about to be.
        await until(lambda: b"3" in server.say("HGET", key, "g"))
        second = await refresh_when_it_is_back(manager, first)
        assert generation(second) == 3
        assert generation(await refresh(manager, second)) == 4

    asyncio.run(main())


def test_a_store_that_is_killed_and_has_kept_its_data_costs_no_client_its_token(make_server):
    server = make_server("--appendonly", "yes", "--appendfsync", "always").start()

    async def main():
        manager = manager_on(server.url)
        first = await manager.issue_tokens("ada")
        second = await refresh(manager, first)
        server.kill()
        with pytest.raises(ServiceUnavailable):
            await refresh(manager, second)
        await asyncio.to_thread(server.start)
        assert generation(await refresh_when_it_is_back(manager, second)) == 3

    asyncio.run(main())


def test_a_store_that_has_lost_its_data_ends_every_refresh_token(server):
    async def main():
        manager = manager_on(server.url)
        first = await manager.issue_tokens("ada")
        server.say("FLUSHALL")
        with pytest.raises(InvalidToken):
            await refresh(manager, first)

    asyncio.run(main())


def test_a_store_that_is_full_refuses_with_503_and_uses_nothing_up(server):
    async def main():
        manager = manager_on(server.url, refresh=Refresh(reuse_window=timedelta(0)))
        first, other = await manager.issue_tokens("ada"), await manager.issue_tokens("ada")
        second = await refresh(manager, other)
        server.say("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(ServiceUnavailable):
            await manager.issue_tokens("ada")
        for pair in (first, second, other):
            with pytest.raises(ServiceUnavailable):
                await refresh(manager, pair)
        server.say("CONFIG", "SET", "maxmemory", "0")
        assert [generation(await refresh(manager, pair)) for pair in (first, second)] == [2, 3]
        with pytest.raises(InvalidToken):
            await refresh(manager, other)

    asyncio.run(main())


def test_a_store_that_may_evict_refreshes_nothing(make_server):
    server = make_server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru").start()

    async def main():
        manager = manager_on(server.url)
        pair = await manager.issue_tokens("ada")
        with pytest.raises(ServiceUnavailable) as caught:
            await refresh(manager, pair)
        assert "maxmemory-policy" in caught.value.reason
        assert generation(await refresh(manager_on(server.url, insecure_allow_eviction=True), pair)) == 2

    asyncio.run(main())


def test_failing_open_refreshes_nothing_while_the_store_is_down(server):
    async def main():
        manager = manager_on(server.url, insecure_fail_open=True)
        pair = await manager.issue_tokens("ada")
        server.kill()
        with pytest.raises(ServiceUnavailable):
            await refresh(manager, pair)

    asyncio.run(main())


def test_with_replicas_a_refresh_that_could_be_lost_is_not_answered(make_server):
    server = make_server().start()

    async def main():
        pair = await manager_on(server.url).issue_tokens("ada")
        waiting = manager_on(server.url, replicas=1, timeout=timedelta(seconds=2))
        with pytest.raises(ServiceUnavailable, match="temporarily") as caught:
            await refresh(waiting, pair)
        assert caught.value.reason.startswith("0 of 1 replicas")

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_of_a_hundred_refreshes_at_once_every_client_goes_on_with_one_generation(kind, shared_servers, name):
    url = shared_servers(kind).url

    async def main():
        managers = [manager_on(url, prefix=name) for _ in range(2)]
        first = await managers[0].issue_tokens("ada", scopes=["read"])
        pairs = await asyncio.gather(*(refresh(managers[number % 2], first) for number in range(100)))
        assert {generation(pair) for pair in pairs} == {2}
        assert len({pair.refresh_token for pair in pairs}) == 100
        again = await asyncio.gather(*(refresh(managers[number % 2], pair) for number, pair in enumerate(pairs)))
        assert {generation(pair) for pair in again} == {3}

    asyncio.run(main())


class Race:
    """Two processes: in one a client refreshes, and in the other the login is ended at the same moment."""

    def __init__(self, url, name, ending):
        self.here, self.there = manager_on(url, prefix=name), manager_on(url, prefix=name)
        self.ending, self.told = ending, Counter()
        self.chance = random.Random(7)  # noqa: S311 - when what happens

    async def hesitate(self):
        for _ in range(self.chance.randrange(12)):
            await asyncio.sleep(0)

    async def refresh(self, manager, pair):
        await self.hesitate()
        with suppress(InvalidToken):
            return await refresh(manager, pair)

    async def end(self, sub, pair):
        await self.hesitate()
        if self.ending == "session":
            await self.there.revoke_session(parts(pair.refresh_token)[1]["sid"])
        else:
            await self.there.revoke_user(sub)

    async def play(self, sub):
        pair = await self.here.issue_tokens(sub)
        both = [self.refresh(self.here, pair), self.end(sub, pair)]
        raced = next(filter(None, await asyncio.gather(*both[:: self.chance.choice([1, -1])])), None)
        self.told["before" if raced else "after"] += 1
        for left in filter(None, (pair, raced)):
            for manager in (self.here, self.there):
                assert await self.refresh(manager, left) is None
                token, revocation = manager.config.tokens.verify(left.access_token.encode()), manager.config.revocation
                # The other process hears of it within milliseconds.
                await until(lambda token=token, revocation=revocation: revocation.ends(token))

    async def play_all(self, rounds):
        await following(self.here.config.revocation, self.there.config.revocation)
        for start in range(0, rounds, 20):
            await asyncio.gather(*(self.play(f"user-{start + number}") for number in range(20)))


@pytest.mark.parametrize("ending", ["session", "user"])
@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_in_a_thousand_rounds_no_token_survives_a_refresh_at_the_moment_of_a_logout(kind, shared_servers, name, ending):
    race = Race(shared_servers(kind).url, name, ending)
    asyncio.run(race.play_all(1_000))
    assert sum(race.told.values()) == 1_000
    assert min(race.told["before"], race.told["after"]) > 50
