"""On uvloop, which uvicorn uses where it is installed, connections break in words of their own."""

import asyncio
import time

import pytest
from stores.asking import following, until, verdict
from stores.tokens import token

from asgi_login.redis import RedisStore
from asgi_login.stores import Revocation

uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed, or not made for this system")


def process(url):
    return Revocation(RedisStore(url), "default", leeway=0, lives=900)


def old():
    return token(time.time() - 3600)


def test_questions_on_connections_that_were_reset_are_put_again(server, proxy):
    async def main():
        one = process(proxy.url)
        await following(one)
        for _ in range(5):
            # So many connections are open, and idle.
            assert await asyncio.gather(*(verdict(one, old()) for _ in range(5))) == ["good"] * 5
            proxy.reset()
            await asyncio.sleep(0.02)
            assert await asyncio.gather(*(verdict(one, old()) for _ in range(5))) == ["good"] * 5

    uvloop.run(main())


def test_the_log_is_followed_again_without_a_gap_and_without_an_error(server, proxy, caplog):
    async def main():
        one = process(proxy.url)
        await following(one)
        known, told = old(), []
        assert await verdict(one, known) == "good"
        one.subscribe(told.append)
        for number in range(5):
            proxy.reset()
            await process(server.url).end_session(f"sid-{number}", time.time() + 900)
            await until(lambda number=number: one.ends(token(time.time(), sid=f"sid-{number}")), seconds=2)
        await until(lambda: one.clears(known))
        assert None not in told

    uvloop.run(main())
    assert not [record.message for record in caplog.records if record.levelname == "ERROR"]
