"""The client's end of a websocket, for tests of when it is closed."""

import anyio
from conformance.driver import make_scope

OWN = ("origin", "https://site.example")
# Within so many seconds a websocket is closed whose login has ended.
SOON = 2


class Socket:
    """The client's end of a websocket, and the application's task."""

    def __init__(self, app, headers, path="/ws", **more):
        self.scope = make_scope("websocket", path, headers=[OWN, *headers], subprotocols=[], **more)
        self.sent, self.waiting, self._changed = [], anyio.Event(), anyio.Event()
        self._out, self._in = anyio.create_memory_object_stream(10)
        self._app = app
        self.error = None
        self.takes_close, self.refused_close = True, anyio.Event()
        self.left = anyio.Event()

    async def run(self):
        try:
            await self._app(self.scope, self._receive, self._send)
        except Exception as problem:  # noqa: BLE001 - what a server logs, the tests look at
            self.error = problem
        finally:
            self.left.set()
            self._out.close()
            self._in.close()

    async def _receive(self):
        self.waiting.set()
        return await self._in.receive()

    async def _send(self, message):
        if message["type"] == "websocket.close" and not self.takes_close:
            self.refused_close.set()
            await anyio.sleep_forever()
        self.sent.append(message)
        self._changed.set()

    async def hear(self, kind):
        """Wait until the application has sent a message of a kind, and return the last."""
        with anyio.fail_after(SOON):
            while not any(message["type"] == kind for message in self.sent):
                self._changed = anyio.Event()
                await self._changed.wait()
        return self.sent[-1]

    async def say(self, text):
        await self._out.send({"type": "websocket.receive", "text": text})

    async def opened(self):
        await self._out.send({"type": "websocket.connect"})


async def open_socket(tasks, app, *headers, **more):
    socket = Socket(app, headers, **more)
    tasks.start_soon(socket.run)
    await socket.opened()
    await socket.hear("websocket.accept")
    return socket
