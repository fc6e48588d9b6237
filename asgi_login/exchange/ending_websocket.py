"""One websocket that is open, and is closed when its login ends."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from asgi_login.errors import AuthError, InvalidToken
from asgi_login.exchange.event_loop import EventLoop
from asgi_login.exchange.fallback import CLOSED, log_refusal
from asgi_login.exchange.handshake import Handshake
from asgi_login.exchange.open_connections import OpenConnections
from asgi_login.exchange.responses import CLOSE_UNAUTHORIZED, close_accepted
from asgi_login.exchange.watch import LoginEndedError, Watch
from asgi_login.scope import Message, Scope, Send, request_line

if TYPE_CHECKING:
    from anyio import CancelScope

_log = logging.getLogger("asgi_login")

# Seconds for which the application is kept until the close has gone out.
_PATIENCE = 1.0


class EndingWebSocket:
    """A websocket that is closed with 4401 when its login ends.

    Args:
        watch: The login.
        scope: Of the websocket.
        send: The server's.
        handshake: What the application receives by.
        connections: The open ones.

    Attributes:
        is_over: Whether it was closed for that reason.
    """

    __slots__ = (
        "_closed",
        "_connections",
        "_forget",
        "_handshake",
        "_scope",
        "_send",
        "_waiting",
        "_watch",
        "is_over",
    )

    def __init__(
        self, watch: Watch, scope: Scope, send: Send, handshake: Handshake, connections: OpenConnections
    ) -> None:
        # Here, because it takes half as long as the rest of the package, and only websockets need it.
        from anyio import Event  # noqa: PLC0415

        self.is_over: bool = False
        self._watch = watch
        self._connections = connections
        self._scope = scope
        self._send = send
        self._handshake = handshake
        self._forget: Callable[[], None] | None = None
        self._waiting: set[CancelScope] = set()
        self._closed = Event()

    def replace(self, watch: Watch) -> None:
        """Be closed when one of these logins ends, in place of those before."""
        is_open = self._forget is not None
        self.leave()
        self._watch = watch
        if is_open:
            self.join()

    def join(self) -> None:
        """Be closed when the login ends, also while the websocket is silent."""
        self._forget = self._connections.add(self._watch, self._close)

    def leave(self) -> None:
        """Not be closed any more."""
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()

    async def receive(self) -> Message:
        """Return the next message; once the login has ended, a disconnect."""
        from anyio import CancelScope, move_on_after  # noqa: PLC0415

        if not self._ends():
            with CancelScope() as waiting:
                self._waiting.add(waiting)
                try:
                    message = await self._handshake.receive()
                finally:
                    self._waiting.discard(waiting)
                if not self._ends():
                    return message
        # The application must not leave before the client has been told, as far as the client listens.
        with move_on_after(_PATIENCE):
            await self._closed.wait()
        return {"type": "websocket.disconnect", "code": CLOSE_UNAUTHORIZED, "reason": InvalidToken.error}

    def check(self) -> None:
        """Close the websocket if its login has ended.

        Raises:
            LoginEndedError: It has.
        """
        if self._ends():
            raise LoginEndedError("the login of this websocket has ended")

    def _ends(self) -> bool:
        error = None if self.is_over or self._forget is None else self._watch.end()
        if error is not None:
            self._close(error)
        return self.is_over

    def _close(self, error: AuthError) -> None:
        if self.is_over or self._handshake.has_left:
            return
        self.is_over = True
        self.leave()
        log_refusal(self._scope, error, CLOSED)
        self._watch.tell(self._scope, error)
        # First: a server need not end a `receive` when somebody else closes, and granian does not close before it ends.
        for waiting in self._waiting:
            waiting.cancel()
        # By itself: the application may be cancelled at any time, and a client need not take the close.
        EventLoop().start(partial(self._say_so, error))

    async def _say_so(self, error: AuthError) -> None:
        try:
            await self._send(close_accepted(error))
        except Exception as problem:  # noqa: BLE001 - servers raise what they like if the client has gone
            _log.debug("%s: the close did not reach the client: %s", request_line(self._scope), type(problem).__name__)
        finally:
            self._closed.set()
