"""The connections to a store: how they are made, given up and closed, and what their errors mean."""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol, cast

import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from asgi_login.errors import ServiceUnavailable
from asgi_login.redis.reader import Command, Reader

BLOCK_MS = 500
"""So long a read waits for the first entry."""

# redis-py would open a connection for each question that is waiting.
_CONNECTIONS = 32
# Of the deadline, what the store may spend waiting for its replicas.
_WAIT_PART = 0.8


class Pipeline(Protocol):
    """Several commands that are sent at once."""

    def execute_command(self, *command: object) -> object:
        """Add a command."""
        ...

    async def execute(self, *, raise_on_error: bool) -> list[Any]:
        """Send them all."""
        ...


class Client(Protocol):
    """What is used of redis-py's clients, also of those for Sentinel and Cluster."""

    def execute_command(self, *command: object) -> Awaitable[Any]:
        """Send a command."""
        ...

    def pipeline(self, *, transaction: bool) -> Pipeline:
        """Return an empty pipeline."""
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...


def connector(
    url_or_client: "str | redis.asyncio.Redis | redis.asyncio.RedisCluster", timeout: float, replicas: int
) -> Callable[[], Client]:
    """Return what makes a client for a loop."""
    if isinstance(url_or_client, redis.asyncio.RedisCluster) and replicas:
        raise ValueError("replicas= needs a client of one server: in a cluster, redis-py cannot wait for replicas")
    if isinstance(url_or_client, (redis.asyncio.Redis, redis.asyncio.RedisCluster)):
        ready = cast("Client", url_or_client)
        return lambda: ready
    if not isinstance(url_or_client, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            "RedisStore takes a URL like redis://localhost:6379/0, or a client of redis.asyncio; not "
            f"{type(url_or_client).__module__}.{type(url_or_client).__qualname__}"
        )

    def connect() -> Client:
        pool = redis.asyncio.BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
            url_or_client,
            max_connections=_CONNECTIONS,
            timeout=timeout,
            socket_connect_timeout=timeout,
            # By default redis-py waits for an answer for ever, or some minutes, and tries again.
            socket_timeout=BLOCK_MS / 1000 + max(timeout, 0.5),
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.exceptions.ConnectionError,)),
        )
        return cast("Client", redis.asyncio.Redis.from_pool(pool))

    # A URL that is wrong is told now. Nothing is connected yet.
    connect()
    return connect


class Connections:
    """The clients of a channel: one for each event loop, because connections belong to theirs."""

    def __init__(self, connect: Callable[[], Client], *, is_ready: bool, timeout: timedelta, replicas: int) -> None:
        self._connect = connect
        self._is_ready = is_ready
        self._replicas = replicas
        self._wait_ms = math.ceil(timeout.total_seconds() * 1000 * _WAIT_PART)
        self._clients: dict[asyncio.AbstractEventLoop, Client] = {}
        # Those that nobody reads from at this moment.
        self._readers: dict[asyncio.AbstractEventLoop, Reader] = {}
        self._lock = threading.Lock()

    def _client(self) -> Client:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            with self._lock:
                self._clients = {loop: client for loop, client in self._clients.items() if not loop.is_closed()}
                client = self._clients[loop] = self._connect()
        return client

    async def do(self, *command: object) -> Any:  # noqa: ANN401 - what redis-py gives
        """Return what the store answers to a command."""
        return await self._send(lambda: self._client().execute_command(*command))

    async def read(self, *commands: Command) -> list[Any]:
        """Return what the store answers to several commands of one slot, the first of which may wait.

        They go out at once, on a connection that is kept for the next time. In a cluster each goes out by itself.
        """
        loop, client = asyncio.get_running_loop(), self._client()
        if not isinstance(client, redis.asyncio.Redis):
            return [await self.do(*command) for command in commands]
        reader = self._readers.pop(loop, None)
        if reader is None:
            for gone in [one for one in tuple(self._readers) if one.is_closed()]:
                self._readers.pop(gone, None)
            reader = Reader(client)
        try:
            with _in_words_of_the_protocol():
                answers = await reader.send(commands)
        except BaseException:
            await reader.close()
            raise
        self._readers[loop] = reader
        return answers

    async def write(self, *command: object) -> Any:  # noqa: ANN401
        """The same, and wait until the replicas have it."""
        if not self._replicas:
            return await self.do(*command)
        answer, reached = await self._send(lambda: self._with_replicas(command))
        if reached < self._replicas:
            raise ServiceUnavailable(f"{reached} of {self._replicas} replicas have it: it may be lost in a failover")
        return answer

    async def _with_replicas(self, command: tuple[object, ...]) -> list[Any]:
        pipeline = self._client().pipeline(transaction=False)
        pipeline.execute_command(*command)
        # On the same connection, or it would not know what to wait for.
        pipeline.execute_command("WAIT", self._replicas, self._wait_ms)
        # An error that the pipeline raises quotes the command.
        answers = await pipeline.execute(raise_on_error=False)
        for one in answers:
            if isinstance(one, Exception):
                raise one
        return answers

    async def _send(self, command: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
        with _in_words_of_the_protocol():
            try:
                return await command()
            except redis.exceptions.ReadOnlyError:
                # The connection is older than a failover, and its server is a replica now.
                await self.leave()
                return await command()
            except RuntimeError as problem:
                if not _is_of_uvloop(problem):
                    raise
                # Nothing was sent. Other connections in the pool broke at the same moment, and redis-py cannot tell.
                await self.leave()
                return await command()

    async def leave(self) -> None:
        """Drop the connections to a server that became a replica, so that the next ones find the one that writes."""
        client = self._client()
        await self._close_reader()
        if isinstance(client, redis.asyncio.Redis):
            await client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """Close the client of the running event loop, unless it is the application's own."""
        await self._close_reader()
        with self._lock:
            client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None and not self._is_ready:
            await client.aclose()

    async def _close_reader(self) -> None:
        reader = self._readers.pop(asyncio.get_running_loop(), None)
        if reader is not None:
            await reader.close()


@contextmanager
def _in_words_of_the_protocol() -> Generator[None]:
    """Raise what the protocol of stores says in place of an error of redis-py."""
    try:
        yield
    except redis.exceptions.TimeoutError as problem:
        raise TimeoutError(str(problem)) from None
    except redis.exceptions.ConnectionError as problem:
        raise ConnectionError(str(problem)) from None
    except (redis.exceptions.RedisError, redis.exceptions.RedisClusterException) as problem:
        raise ServiceUnavailable(f"{type(problem).__name__}: {problem}") from None
    except RuntimeError as problem:
        if not _is_of_uvloop(problem):
            raise
        raise ConnectionError(str(problem)) from None


def _is_of_uvloop(problem: RuntimeError) -> bool:
    """Tell whether uvloop says that a connection is closed, where asyncio has an OSError and redis-py expects one."""
    return "the handler is closed" in str(problem)
