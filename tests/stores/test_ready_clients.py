"""Clients of redis-py that an application has already, and is what a store does with them."""

import asyncio
import time

import pytest
import redis.asyncio
from stores.asking import following, until, verdict
from stores.tokens import token

from asgi_login.redis import RedisStore
from asgi_login.stores import Revocation

SOON = 900


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decode", [False, True])
def test_a_client_is_taken_as_it_is_and_left_open(server, protocol, decode):
    async def main():
        async with redis.asyncio.Redis.from_url(server.url, protocol=protocol, decode_responses=decode) as client:
            here, there = (Revocation(RedisStore(client), "default", leeway=0, lives=900) for _ in range(2))
            await following(here, there)
            await here.end_session("sid", time.time() + SOON)
            await here.end_user("ada", keep="mine")
            await until(lambda: there.ends(token(time.time(), sid="sid")))
            assert await verdict(there, token(time.time() - 60, sid="mine")) == "good"
            late = Revocation(RedisStore(client), "default", leeway=0, lives=900)
            assert await verdict(late, token(time.time() - 60)) == "ended"
            for task in [task for task in asyncio.all_tasks() if "follower" in task.get_name()]:
                task.cancel()
            await asyncio.sleep(0.05)
            assert not client.connection_pool._in_use_connections
            assert await client.ping()

    asyncio.run(main())


def test_a_cluster_keeps_everything_of_a_manager_in_one_slot(make_server):
    server = make_server("--cluster-enabled", "yes").start()
    server.say("CLUSTER", "ADDSLOTSRANGE", "0", "16383")

    async def main():
        await until(lambda: b"cluster_state:ok" in server.say("CLUSTER", "INFO"))
        async with redis.asyncio.RedisCluster(host="127.0.0.1", port=server.port) as client:
            here, there = (Revocation(RedisStore(client), "default", leeway=0, lives=900) for _ in range(2))
            await following(here, there)
            await here.end_session("sid", time.time() + SOON)
            await here.end_user("ada", keep="mine")
            await until(lambda: there.ends(token(time.time(), sid="sid")))
            assert await there.devices("ada") == ()
            late = Revocation(RedisStore(client), "default", leeway=0, lives=900)
            assert await verdict(late, token(time.time() - 60)) == "ended"
            for task in [task for task in asyncio.all_tasks() if "follower" in task.get_name()]:
                task.cancel()
            await asyncio.sleep(0.05)

    asyncio.run(main())
