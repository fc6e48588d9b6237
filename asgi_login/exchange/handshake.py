"""The opening of one websocket: nothing may be sent before the client has asked to connect."""

from asgi_login.scope import Message, Receive


class Handshake:
    """Watches what the application receives, and can wait for the connect in its place.

    Args:
        receive: The server's.

    Attributes:
        has_left: Whether the client is gone.
    """

    __slots__ = ("_connected", "_receive", "_receiving", "has_left")

    def __init__(self, receive: Receive) -> None:
        # Here, because it takes half as long as the rest of the package, and only websockets need it.
        from anyio import Event  # noqa: PLC0415

        self._receive = receive
        self._connected = Event()
        self._receiving = False
        self.has_left: bool = False

    async def receive(self) -> Message:
        """Pass a message on to the application."""
        self._receiving = True
        try:
            message = await self._receive()
        finally:
            self._receiving = False
        # Whatever else comes first, nothing is gained by waiting on.
        self._connected.set()
        self.has_left = self.has_left or message["type"] == "websocket.disconnect"
        return message

    async def is_connected(self) -> bool:
        """Wait for `websocket.connect`: granian ends the process on a close that is sent before."""
        if self._receiving:
            # A task of the application's is at it (Quart).
            await self._connected.wait()
        elif not self._connected.is_set():
            await self.receive()
        return not self.has_left

    def receive_again(self) -> Receive:
        """Return a `receive` that begins with the connect that was received already."""
        first = True

        async def receive() -> Message:
            nonlocal first
            if first:
                first = False
                return {"type": "websocket.connect"}
            return await self._receive()

        return receive
