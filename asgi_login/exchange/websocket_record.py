"""One websocket, with the right close or denial where a gate has refused and the application could not say so."""

from asgi_login.auth import AnyAuth
from asgi_login.errors import AuthError
from asgi_login.exchange.fallback import IN_PLACE, auth_error_in, is_another_failure, log_refusal
from asgi_login.exchange.handshake import Handshake
from asgi_login.exchange.record import RequestRecord
from asgi_login.exchange.response_headers import start_of_response
from asgi_login.exchange.responses import answer, close_accepted
from asgi_login.scope import ASGIApp, Cookies, Message, Receive, Scope, Send


class WebSocketRecord(RequestRecord):
    """The record of a websocket, which watches it and sees to it that none is refused before it has asked to connect.

    Args:
        deny: An ASGI application that refuses in the application's own way a websocket that is not accepted yet.
    """

    __slots__ = ("_accepted", "_deny", "_ended", "_handshake", "_replaced", "receive")

    def __init__(
        self,
        auth: AnyAuth,
        renewed: Cookies,
        scope: Scope,
        send: Send,
        receive: Receive,
        *,
        deny: ASGIApp | None = None,
    ) -> None:
        super().__init__(auth, renewed, scope, send)
        self._deny = deny
        self._handshake = Handshake(receive)
        self.receive: Receive = self._handshake.receive
        self._accepted = False
        self._ended = False
        self._replaced = False

    async def send(self, message: Message) -> None:
        """Pass a message on, or put a refusal's answer in place of a close or a 5xx."""
        if self._replaced:
            return
        kind = message["type"]
        if kind == "websocket.http.response.body":
            await self._send(message)
            return
        refusal = self.take_refusal()
        denies = kind == "websocket.http.response.start"
        closes = kind == "websocket.close"
        # Anything but an end is the application's own handler speaking.
        ends_badly = closes or (denies and message["status"] >= 500)  # noqa: PLR2004
        if refusal is not None and ends_badly and not is_another_failure(self._outside):
            await self._refuse(refusal)
            return
        self._ended = self._ended or closes or denies
        await self._pass_on(message)

    async def handle_exception(self, problem: Exception) -> None:
        """Close with the answer to an exception that escaped the application if it is an AuthError, else raise it."""
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
        if not self._replaced and not self._ended and not self._handshake.has_left:
            await self._refuse(error)

    async def _refuse(self, error: AuthError) -> None:
        self._replaced = True
        if self.writes:
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
            self._accepted = True
        elif not self._accepted and not await self._handshake.is_connected():
            return
        if self.writes and (error := await self.write()) is not None:
            self._accepted = False
            await self._refuse(error)
            return
        if kind == "websocket.close":
            self._ended = True
        if kind in {"websocket.accept", "websocket.http.response.start"}:
            message = start_of_response(message, self)
        await self._send(message)
