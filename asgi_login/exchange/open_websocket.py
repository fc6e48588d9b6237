"""One websocket that is open, and is closed when its login ends."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from asgi_login.errors import AuthError, InvalidToken
from asgi_login.exchange.fallback import CLOSED, log_refusal
from asgi_login.exchange.handshake import Handshake
from asgi_login.exchange.open_connections import OpenConnections
from asgi_login.exchange.responses import CLOSE_UNAUTHORIZED, close_accepted
from asgi_login.exchange.watch import LoginEndedError, Watch
from asgi_login.scope import Message, Scope, Send, request_line

if TYPE_CHECKING:
    from anyio import CancelScope

_log = logging.getLogger("asgi_login")


class OpenWebSocket:
    """A websocket that is closed with 4401 when its login ends.

    Args:
        watch: The login.
        scope: Of the websocket.
        send: The server's.
        handshake: What the application receives by.

    Attributes:
        is_over: Whether it was closed for that reason.
    """

    __slots__ = ("_closed", "_forget", "_handshake", "_scope", "_send", "_waiting", "is_over", "watch")

    def __init__(self, watch: Watch, scope: Scope, send: Send, handshake: Handshake) -> None:
        # Here, because it takes half as long as the rest of the package, and only websockets need it.
        from anyio import Event  # noqa: PLC0415

        self.watch: Watch = watch
        self.is_over: bool = False
        self._scope = scope
        self._send = send
        self._handshake = handshake
        self._forget: Callable[[], None] | None = None
        self._waiting: set[CancelScope] = set()
        self._closed = Event()

    def join(self, connections: OpenConnections) -> None:
        """Be closed when the login ends, also while the websocket is silent."""
        self._forget = connections.add(self.watch, self._close)

    def leave(self) -> None:
        """Not be closed any more."""
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()

    async def receive(self) -> Message:
        """Return the next message; once the login has ended, a disconnect."""
        from anyio import CancelScope  # noqa: PLC0415

        if not await self._ends():
            with CancelScope() as waiting:
                self._waiting.add(waiting)
                try:
                    message = await self._handshake.receive()
                finally:
                    self._waiting.discard(waiting)
                if not await self._ends():
                    return message
        await self._closed.wait()
        return {"type": "websocket.disconnect", "code": CLOSE_UNAUTHORIZED, "reason": InvalidToken.error}

    async def check(self) -> None:
        """Close the websocket if its login has ended.

        Raises:
            LoginEndedError: It has.
        """
        if await self._ends():
            raise LoginEndedError("the login of this websocket has ended")

    async def _ends(self) -> bool:
        if self.is_over:
            return True
        error = self.watch.end()
        if error is not None and self._forget is not None:
            await self._close(error)
        return self.is_over

    async def _close(self, error: AuthError) -> None:
        if self.is_over or self._handshake.has_left:
            return
        self.is_over = True
        self.leave()
        log_refusal(self._scope, error, CLOSED)
        # First: a server need not end a `receive` when somebody else closes, and granian does not close before it ends.
        for waiting in self._waiting:
            waiting.cancel()
        try:
            await self._send(close_accepted(error))
        except Exception as problem:  # noqa: BLE001 - servers raise what they like if the client has gone
            _log.debug("%s: the close did not reach the client: %s", request_line(self._scope), type(problem).__name__)
        finally:
            self._closed.set()
