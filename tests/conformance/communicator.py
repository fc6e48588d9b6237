"""asgiref's own client for tests of applications: the reference implementation of ASGI speaks to us.

It runs the application in a task and a context of its own, and says its part without being asked. It knows asyncio
only; on trio the driver calls the application itself.
"""

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
        client = ApplicationCommunicator(self.app, connection.scope)
        said = []
        running = client.future
        # What the application says in this silence, it says before it has heard of a connection.
        await settle()
        async for message in words:
            _hear(client, connection, said)
            if running.done():
                break
            said.append(message["type"])
            await client.send_input(message)
            if message["type"].endswith(".disconnect"):
                break
        try:
            await client.wait(patience)
        except Exception as problem:  # noqa: BLE001 - what a server logs, the tests look at
            connection.error = problem
        # The client gives up on an application that hangs without a word.
        assert not running.cancelled(), f"it did not end in {patience} seconds"
        _hear(client, connection, said)


def _hear(client, connection, said):
    """Take what the application has answered, knowing how much it has read by now of what was said."""
    connection.received[:] = said[: len(said) - client.input_queue.qsize()]
    while not client.output_queue.empty():
        connection.hear(client.output_queue.get_nowait())
