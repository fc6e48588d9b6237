"""What a request would be told about a token, and how to wait for what happens elsewhere."""

import time

import anyio
from stores.tokens import token

from asgi_login.errors import InvalidToken, ServiceUnavailable


async def until(condition, seconds=10):
    """Wait for a condition that the event loop or another process brings about."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - nothing here can tell when it changes
            await anyio.sleep(0.005)


async def verdict(revocation, token):
    """Return what a request with this token would be told: "good", "ended" or "503"."""
    if revocation.clears(token):
        return "good"
    try:
        await revocation.judge(token)
    except InvalidToken:
        return "ended"
    except ServiceUnavailable:
        return "503"
    return "good"


async def following(*revocations):
    """Wait until each follows its store, so that a young token is cleared without a question."""
    for one in revocations:
        await verdict(one, token(time.time() - 60))
        await until(lambda one=one: one.clears(token(time.time() + 3600)))


async def until_told(revocation, wanted, make_token, seconds=10):
    """Wait until a request with such a token would be told this. Each time the token is a new one to the process."""
    with anyio.fail_after(seconds):
        while await verdict(revocation, make_token()) != wanted:  # noqa: ASYNC110 - as above
            await anyio.sleep(0.01)
