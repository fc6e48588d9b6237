"""What `stores` runs in a process of its own, so that nothing else is counted: a follower that hears nothing."""

import asyncio
import sys
import time

from asgi_login import LoginManager
from asgi_login.redis import RedisStore
from benchmarks.keys import SECRET
from benchmarks.serving import PATIENT


async def idle(url: str, seconds: float) -> float:
    """Return the processor time of following a store for so many seconds, as a part of them."""
    manager = LoginManager(SECRET, store=RedisStore(url, timeout=PATIENT))
    config = manager.config
    revocation = config.revocation
    assert revocation is not None
    token = config.tokens.verify(manager.create_access_token(data={"sub": "ada"}).encode())
    await revocation.judge(token)
    await asyncio.sleep(1)
    await revocation.judge(token)
    before, began = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    used = (time.process_time() - before) / (time.perf_counter() - began)
    assert revocation.clears(token), "the follower must have heard the store"
    return used


if __name__ == "__main__":
    print(asyncio.run(idle(sys.argv[1], float(sys.argv[2]))))
