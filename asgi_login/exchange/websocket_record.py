"""One websocket, with the right close or denial where a gate has refused and the application could not say so."""

from collections.abc import Awaitable
from typing import Final

from asgi_login.asgi_types import ASGIApp
from asgi_login.auth import AnyAuth
from asgi_login.errors import AuthError, ServiceUnavailable
from asgi_login.exchange.ending_websocket import EndingWebSocket
from asgi_login.exchange.fallback import IN_PLACE, auth_error_in, is_another_failure, log_end, log_refusal
from asgi_login.exchange.handshake import Handshake
from asgi_login.exchange.open_connections import OpenConnections
from asgi_login.exchange.record import RequestRecord
from asgi_login.exchange.response_headers import start_of_response
from asgi_login.exchange.responses import answer, close_accepted
from asgi_login.exchange.watch import is_caused_by_end
from asgi_login.scope import Cookies, Message, Receive, Scope, Send

# How frameworks close a websocket whose handler fails with an exception that they do not know.
_FAILURES: Final = frozenset({1000, 1011, 4500})


class WebSocketRecord(RequestRecord):
    """The record of a websocket, which watches it and sees to it that none is refused before it has asked to connect.

    Args:
        connections: The open ones.
        deny: An ASGI application that refuses in the application's own way a websocket that is not accepted yet.
    """

    __slots__ = ("_accepted", "_connections", "_deny", "_ended", "_handshake", "_open", "_replaced")

    def __init__(  # noqa: PLR0917 - of the one call that is made, in AuthMiddleware
        self,
        auth: AnyAuth,
        renewed: Cookies,
        varying: tuple[bytes, ...],
        scope: Scope,
        send: Send,
        receive: Receive,
        connections: OpenConnections,
        *,
        deny: ASGIApp | None = None,
    ) -> None:
        super().__init__(auth, renewed, varying, scope, send)
        self._deny = deny
        self._handshake = Handshake(receive)
        self._connections = connections
        self._open: EndingWebSocket | None = None
        self._accepted = False
        self._ended = False
        self._replaced = False

    def end_with_login(self, manager: str | None = None) -> None:
        """Close this websocket when a login ends that it has, or the one at the named manager."""
        # An open websocket counts as use.
        self.hold_open()
        super().end_with_login(manager)
        if self.watch is None:
            return
        if self._open is not None:
            self._open.replace(self.watch)
            return
        self._open = EndingWebSocket(self.watch, self._scope, self._send, self._handshake, self._connections)

    def close(self) -> None:
        """End the websocket."""
        if self._open is not None:
            self._open.leave()
        super().close()

    def receive(self) -> Awaitable[Message]:
        """Pass a message on to the application."""
        return self._handshake.receive() if self._open is None else self._open.receive()

    async def send(self, message: Message) -> None:
        """Pass a message on, or put a refusal's answer in place of a close or a 5xx."""
        if self._replaced:
            return
        kind = message["type"]
        if self._open is not None:
            if kind != "websocket.close":
                self._open.check()
            elif self._open.is_over:
                return
        if kind == "websocket.http.response.body":
            await self._send(message)
            return
        refusal = self.take_refusal()
        denies = kind == "websocket.http.response.start"
        closes = kind == "websocket.close"
        # Anything but an end is the application's own handler speaking.
        ends_badly = denies and message["status"] >= 500  # noqa: PLR2004
        if closes:
            ends_badly = not isinstance(refusal, ServiceUnavailable) or message.get("code", 1000) in _FAILURES
        if refusal is not None and ends_badly and not is_another_failure(self._outside):
            await self._refuse(refusal)
            return
        self._ended = self._ended or closes or denies
        await self._pass_on(message)

    async def handle_exception(self, problem: Exception) -> None:
        """Close with the answer to an exception that escaped the application if it is an AuthError, else raise it."""
        if self._open is not None and self._open.is_over and is_caused_by_end(problem):
            log_end(self._scope, problem)
            return
        error = auth_error_in(problem)
        if error is None:
            raise problem
        await self._refuse_if_open(error)

    async def handle_silence(self) -> None:
        """Close with a refusal that the application has swallowed and then returned."""
        refusal = self.take_refusal()
        if refusal is not None:
            await self._refuse_if_open(refusal)

    async def _refuse_if_open(self, error: AuthError) -> None:
        is_over = self._ended or (self._open is not None and self._open.is_over)
        if not self._replaced and not is_over and not self._handshake.has_left:
            await self._refuse(error)

    async def _refuse(self, error: AuthError) -> None:
        self._replaced = True
        # What the application's own denial says is not the end of a login.
        if self._open is not None:
            self._open.leave()
            self._open = None
        self.outlive_login()
        if self.changes is not None:
            error = await self.write() or error
        log_refusal(self._scope, error, IN_PLACE)
        if not self._accepted and self._deny is not None:
            if await self._handshake.is_connected():
                await self._deny(self._scope, self._handshake.receive_again(), self._pass_on)
        elif not self._accepted:
            await answer(error, self._scope, self._pass_on)
        if self._accepted and not self._ended:
            await self._send(close_accepted(error))

    async def _pass_on(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            over = None if self.watch is None else self.watch.end()
            if over is not None:
                await self._refuse(over)
                return
            self._accepted = True
        elif not self._accepted and not await self._handshake.is_connected():
            return
        if self.changes is not None and (error := await self.write()) is not None:
            self._accepted = False
            await self._refuse(error)
            return
        if kind == "websocket.close":
            self._ended = True
        if kind in {"websocket.accept", "websocket.http.response.start"}:
            message = start_of_response(message, self)
        if self._open is not None and self._ended:
            self._open.leave()
        await self._send(message)
        if self._open is not None and kind == "websocket.accept":
            self._open.join()
