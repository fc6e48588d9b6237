"""A proxy between a client and a server, which makes the network bad: late, silent, or broken."""

import asyncio
import socket
import struct
import threading
from contextlib import suppress


class Proxy:
    """Listens on a port of its own, in a thread of its own.

    Attributes:
        target: The port to which new connections go.
        late: Seconds by which answers come late.
        silent: Whether everything sent in either direction vanishes while the connections stay open.
        opened: How many connections there were.
    """

    def __init__(self, target):
        self.target, self.late, self.silent, self.opened = target, 0.0, False, 0
        self._writers, self._port, self._server = set(), None, None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def port(self):
        return self._port

    @property
    def url(self):
        return f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self):
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_):
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def refuse(self):
        """Close everything, and accept nothing more."""
        self._do(self._close())

    def listen(self):
        """Accept connections again, on the same port."""
        self._do(self._listen())

    def reset(self):
        """Break off every connection."""
        self._do(self._reset())

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port or 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self):
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _reset(self):
        for writer in list(self._writers):
            # With no time to linger, closing sends RST. It may have been closed already.
            with suppress(OSError):
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self.opened += 1
        self._writers.add(writer)
        there = None
        try:
            from_there, there = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(there)
            await asyncio.gather(self._pass(reader, there, answers=False), self._pass(from_there, writer, answers=True))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in (writer, there):
                if one is not None:
                    self._writers.discard(one)
                    one.transport.abort()

    async def _pass(self, reader, writer, *, answers):
        while data := await reader.read(65536):
            if answers and self.late:
                await asyncio.sleep(self.late)
            if not self.silent:
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
