"""A connection that is kept for reading the log: to take one out of the pool each time costs more than to read."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, cast

import redis.asyncio

Command = tuple[object, ...]


class _Connection(Protocol):
    """What is used of redis-py's connections."""

    socket_timeout: float | None

    def pack_commands(self, commands: Iterable[Command]) -> list[bytes]: ...

    async def send_packed_command(self, command: list[bytes]) -> None: ...

    async def disconnect(self, nowait: bool = False) -> None: ...  # noqa: FBT001, FBT002 - as redis-py has it


class Reader:
    """One connection out of a client's pool.

    Args:
        client: Of one server. Its pool makes the connection, so that Sentinel is asked where it has to go.
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        # This client shares the pool, and keeps what it takes from there.
        self._client = redis.asyncio.Redis(connection_pool=client.connection_pool, single_connection_client=True)
        self._connection: _Connection | None = None
        self._socket_timeout: float | None = None

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once, and return what the server answers to each, one after the other.

        It waits for ever, and is cancelled by who has waited enough. After an exception, answers may be on their way
        still: the reader must be closed.
        """
        connection = self._connection or await self._connect()
        await connection.send_packed_command(connection.pack_commands(commands))
        answer = cast("Any", self._client).parse_response
        return [await answer(connection, command[0]) for command in commands]

    async def _connect(self) -> _Connection:
        await self._client.initialize()
        connection = self._connection = cast("_Connection", self._client.connection)
        # One deadline is enough. With one of its own for each step, redis-py makes a task each time.
        self._socket_timeout, connection.socket_timeout = connection.socket_timeout, None
        return connection

    async def close(self) -> None:
        """Close the connection, and give it back to the pool."""
        if self._connection is not None:
            self._connection.socket_timeout = self._socket_timeout
            await self._connection.disconnect(nowait=True)
        await self._client.aclose()
