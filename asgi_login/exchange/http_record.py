"""One HTTP response, with the right answer where a gate has refused and the application could not say so."""

from collections.abc import Awaitable, Generator
from contextlib import contextmanager, suppress
from typing import Final

from asgi_login.current import CURRENT
from asgi_login.errors import AuthError, ServiceUnavailable
from asgi_login.exchange.fallback import (
    BROKEN_OFF,
    IN_PLACE,
    auth_error_in,
    is_another_failure,
    log_end,
    log_refusal,
    refusal_in,
)
from asgi_login.exchange.record import RequestRecord
from asgi_login.exchange.response_headers import start_of_response
from asgi_login.exchange.responses import answer
from asgi_login.exchange.watch import LoginEndedError, Watch, is_caused_by_end
from asgi_login.scope import Message

_PARTS: Final = frozenset({"http.response.body", "http.response.zerocopysend"})
_ENDED: Final = "the login of this request has ended"


class HTTPRecord(RequestRecord):
    """The record of an HTTP request, which watches its response."""

    __slots__ = ()

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on, or put a refusal's answer in place of a 5xx."""
        # No coroutine of our own around the server's: this runs for every chunk of every response.
        kind = message["type"]
        send = self._send
        if kind == "http.response.start":
            if self.refusal is not None:
                refusal = self.take_refusal()
                if refusal is not None and _is_failure(message, refusal) and not is_another_failure(self._outside):
                    return self._answer(refusal)
            if "trailers" in message:
                self._has_trailers = bool(message["trailers"])
            if self.changes is None and not self.varying:
                self.has_started = True
                return send(message)
            return self._start(message)
        if kind == "http.response.body":
            is_last = self.has_started and not (message.get("more_body", False) or self._has_trailers)
        else:
            is_last = _ends_response(message, has_trailers=self._has_trailers)
        if is_last:
            # What runs after this is a background task: no gate can keep anybody out any more.
            self.is_open = False
            # In most requests there is nothing to be dropped. What there is leads back to this record.
            if self.changes is not None or self.refusal is not None:
                self.close()
        if self.watch is not None and kind in _PARTS and self.watch.concerns(message):
            return self._send_while_logged_in(self.watch, message)
        return send(message)

    def _start(self, message: Message) -> Awaitable[None]:
        """Start a response that we add to."""
        if self.changes is not None and self.changes.writes:
            return self._write_and_start(message)
        return self._send(start_of_response(message, self))

    async def _write_and_start(self, message: Message) -> None:
        """Start the response once the store knows; a logout never claims what was not done."""
        error = await self.write()
        if error is None:
            self.keep_answering()
            await self._send(start_of_response(message, self))
        else:
            await self._answer(error)

    def keep_answering(self) -> None:
        """Let the response of a request that has ended its own login be sent whole."""
        if not self.has_started and self.watch is not None and self.watch.end() is not None:
            self.outlive_login()

    async def _send_while_logged_in(self, watch: Watch, message: Message) -> None:
        """Send a part of a response, or break the response off if its login has ended.

        Raises:
            LoginEndedError: It has; so that the application stops.
        """
        error = watch.end()
        if error is None and not watch.clears():
            # While nobody knows, what is open stays open.
            with suppress(ServiceUnavailable):
                error = await watch.judge()
        if error is None:
            await self._send(message)
            return
        if self._send is not _refuse_more:
            log_refusal(self._scope, error, BROKEN_OFF)
            watch.tell(self._scope, error)
        self._send = _refuse_more
        raise LoginEndedError(_ENDED)

    async def handle_exception(self, problem: Exception) -> None:
        """Answer an exception that escaped the application if it is an AuthError, else raise it.

        A response that has started cannot be taken back. To return without its end has servers break off the
        connection, so that no client takes half a page for the whole; raising would do that too, and fill the log.

        Raises:
            Exception: `problem`, where it is not ours, or where the response was complete.
        """
        if self._send is _discard and refusal_in(problem) is not None:
            return
        if self._send is _refuse_more and is_caused_by_end(problem):
            log_end(self._scope, problem)
            return
        if not self.has_started:
            error = auth_error_in(problem)
            if error is not None:
                await self._answer(error)
                return
        elif self.is_open and (error := refusal_in(problem)) is not None:
            log_refusal(self._scope, error, BROKEN_OFF)
            return
        raise problem

    async def handle_silence(self) -> None:
        """Answer a refusal that the application has swallowed and then returned without a response."""
        refusal = self.take_refusal()
        if refusal is not None and not self.has_started:
            await self._answer(refusal)

    async def _answer(self, error: AuthError) -> None:
        # The rest of the 5xx whose place our answer takes goes nowhere.
        send, self._send = self._send, _discard
        # A logout that was asked for before something failed is done all the same.
        if self.changes is not None:
            error = await self.write() or error
        log_refusal(self._scope, error, IN_PLACE)

        async def send_dressed(message: Message) -> None:
            await send(start_of_response(message, self) if message["type"] == "http.response.start" else message)

        await answer(error, self._scope, send_dressed)


def _is_failure(message: Message, refusal: AuthError) -> bool:
    """Tell whether a response is what a framework makes of an exception that it does not know.

    Below 500 the application's own handler has spoken; and of a store that does not answer also where it says 503.
    """
    status: int = message["status"]
    return status == 500 if isinstance(refusal, ServiceUnavailable) else status >= 500  # noqa: PLR2004


def _ends_response(message: Message, *, has_trailers: bool) -> bool:
    """Tell whether a message of one of ASGI's extensions is the last of a response, as most bodies are.

    Args:
        message: Not a body.
        has_trailers: Whether the start of the response has promised trailers.
    """
    kind = message["type"]
    if kind == "http.response.trailers":
        return not message.get("more_trailers", False)
    if kind == "http.response.zerocopysend":
        return not (message.get("more_body", False) or has_trailers)
    return kind == "http.response.pathsend" and not has_trailers


async def _discard(_message: Message) -> None:
    """Drop a message."""


async def _refuse_more(_message: Message) -> None:
    raise LoginEndedError(_ENDED)


@contextmanager
def answering_own_end() -> Generator[None]:
    """Let the request being handled answer, if what is ended inside of the block is its own login."""
    record = CURRENT.get(None)
    is_logged_in = isinstance(record, HTTPRecord) and record.watch is not None and record.watch.end() is None
    yield
    if is_logged_in and isinstance(record, HTTPRecord) and record.is_open:
        record.keep_answering()
