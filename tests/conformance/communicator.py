"""asgiref's own client for tests of applications: the reference implementation of ASGI speaks to us.

It runs the application in a task and a context of its own, and says its part without being asked. It knows asyncio
only; on trio the driver calls the application itself.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from asgiref.testing import ApplicationCommunicator
from conformance.connection import settle


@dataclass(frozen=True)
class Communicated:
    """An application that the driver speaks to by way of asgiref's client."""

    app: Any

    async def __call__(self, scope, receive, send):
        """Be called as usual, for the lifespan and for a test that plays the server itself."""
        await self.app(scope, receive, send)

    async def converse(self, connection, words, patience):
        """Say `words` until they or the application end; the connection has what became of it."""
        wanted = asyncio.Semaphore(0)

        async def watched(scope, receive, send):
            async def hear_receive():
                wanted.release()
                message = await receive()
                connection.received.append(message["type"])
                return message

            async def hear_send(message):
                connection.hear(message)
                await send(message)

            await self.app(scope, hear_receive, hear_send)

        client = ApplicationCommunicator(watched, connection.scope)
        # What the application says in this silence, it says before it has heard of a connection.
        await settle()
        async for message in words:
            if not await _wants(client, wanted, patience):
                break
            await client.send_input(message)
            if message["type"].endswith(".disconnect"):
                break
        try:
            await client.wait(patience)
        except Exception as problem:  # noqa: BLE001 - what a server logs, the tests look at
            connection.error = problem
        # The client gives up on an application that hangs without a word.
        assert not client.future.cancelled(), f"it did not end in {patience} seconds"


async def _wants(client, wanted, patience):
    """Wait until the application asks for the next message, as it does of a server, and tell whether it does."""
    asking = asyncio.ensure_future(wanted.acquire())
    await asyncio.wait([asking, client.future], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    asks = asking.done()
    asking.cancel()
    return asks
