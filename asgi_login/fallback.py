"""The right answer where a gate has refused and the application could not say so.

A decorator raises AuthError out of a view. A framework that does not know it answers 500, closes the websocket,
or lets it escape. The two classes here watch what one connection sends and put the refusal's own answer there.
"""

import logging
import sys
from collections.abc import Awaitable
from typing import cast

import anyio

from asgi_login._asgi import ASGIApp, Headers, Message, Receive, Scope, Send
from asgi_login.errors import AuthError
from asgi_login.record import Record
from asgi_login.responses import add_vary, answer, close_accepted, set_cookies

_log = logging.getLogger("asgi_login")


class HTTPFallback:
    """Watches one HTTP response."""

    __slots__ = ("_outside", "_record", "_replaced", "_scope", "_send")

    def __init__(self, scope: Scope, send: Send, record: Record) -> None:
        self._scope = scope
        self._send = send
        self._record = record
        self._replaced = False
        self._outside = sys.exception()

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on, or put a refusal's answer in place of a 5xx."""
        # No coroutine of our own around the server's: this runs for every chunk of every response.
        if self._replaced:
            # The rest of the 5xx whose place our answer has taken.
            return _nothing()
        record = self._record
        if message["type"] == "http.response.start":
            refusal = record.refusal
            if refusal is not None:
                record.refusal = None
                # Below 500 the application's own handler has spoken.
                if message["status"] >= 500 and not _is_another_failure(self._outside):  # noqa: PLR2004
                    return self._answer(refusal)
            return self._send(_dressed(message, record))
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            # What runs after this is a background task: no gate can keep anybody out any more.
            record.close()
        return self._send(message)

    async def settle(self, problem: Exception) -> None:
        """Answer an exception that escaped the application if it is an AuthError, else raise it.

        Raises:
            Exception: `problem`, where it is not ours, or where a response had begun that cannot be taken back: the
                server must break it off, or a client would take half a page for the whole.
        """
        if self._replaced and _comes_from_refusal(problem):
            return
        error = _auth_error_in(problem)
        if error is None or self._record.has_started:
            raise problem
        await self._answer(error)

    async def _answer(self, error: AuthError) -> None:
        self._replaced = True
        _log_refusal(error)
        await answer(error, self._scope, self._send_dressed)

    async def _send_dressed(self, message: Message) -> None:
        await self._send(_dressed(message, self._record) if message["type"] == "http.response.start" else message)


class WebSocketFallback:
    """Watches one websocket, and sees to it that none is refused before it has asked to connect.

    Args:
        deny: An ASGI application that refuses in the application's own way a websocket that is not accepted yet.
    """

    __slots__ = (
        "_accepted",
        "_connected",
        "_deny",
        "_ended",
        "_has_left",
        "_outside",
        "_receive",
        "_receiving",
        "_record",
        "_replaced",
        "_scope",
        "_send",
    )

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, record: Record, *, deny: ASGIApp | None = None
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._record = record
        self._deny = deny
        self._connected = anyio.Event()
        self._receiving = False
        self._accepted = False
        self._ended = False
        self._has_left = False
        self._replaced = False
        self._outside = sys.exception()

    async def receive(self) -> Message:
        """Pass a message on to the application."""
        self._receiving = True
        try:
            message = await self._receive()
        finally:
            self._receiving = False
        # Whatever else comes first, nothing is gained by waiting on.
        self._connected.set()
        self._has_left = self._has_left or message["type"] == "websocket.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on, or put a refusal's answer in place of a close or a 5xx."""
        if self._replaced:
            return
        kind = message["type"]
        if kind == "websocket.http.response.body":
            await self._send(message)
            return
        refusal, self._record.refusal = self._record.refusal, None
        denies = kind == "websocket.http.response.start"
        closes = kind == "websocket.close"
        # Anything but an end is the application's own handler speaking.
        ends_badly = closes or (denies and message["status"] >= 500)  # noqa: PLR2004
        if refusal is not None and ends_badly and not _is_another_failure(self._outside):
            await self._refuse(refusal)
            return
        self._ended = self._ended or closes or denies
        await self._pass_on(message)

    async def settle(self, problem: Exception) -> None:
        """Close with the answer to an exception that escaped the application if it is an AuthError, else raise it."""
        error = _auth_error_in(problem)
        if error is None:
            raise problem
        if not self._replaced and not self._ended and not self._has_left:
            await self._refuse(error)

    async def _refuse(self, error: AuthError) -> None:
        self._replaced = True
        _log_refusal(error)
        if not self._accepted and self._deny is not None:
            if await self._is_connected():
                await self._deny(self._scope, self._receive_again(), self._pass_on)
        elif not self._accepted:
            await answer(error, self._scope, self._pass_on)
        if self._accepted and not self._ended:
            await self._send(close_accepted(error))

    async def _pass_on(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
        elif not self._accepted and not await self._is_connected():
            return
        if kind == "websocket.close":
            self._ended = True
        if kind in {"websocket.accept", "websocket.http.response.start"}:
            message = _dressed(message, self._record)
        await self._send(message)

    async def _is_connected(self) -> bool:
        """Wait for `websocket.connect`: granian ends the process on a close that is sent before."""
        if self._receiving:
            # A task of the application's is at it (Quart).
            await self._connected.wait()
        elif not self._connected.is_set():
            await self.receive()
        return not self._has_left

    def _receive_again(self) -> Receive:
        """Return a `receive` that begins with the connect that was received already."""
        first = True

        async def receive() -> Message:
            nonlocal first
            if first:
                first = False
                return {"type": "websocket.connect"}
            return await self._receive()

        return receive


def _is_another_failure(outside: BaseException | None) -> bool:
    """Tell whether what the application is failing with, as it sends this, is something else than a refusal.

    A framework that answers from its `except` block shows us the exception; one that does not has only the
    refusal to fail with, as far as anybody can tell. What was being handled around us before does not count.
    """
    handled = sys.exception()
    return isinstance(handled, Exception) and handled is not outside and _auth_error_in(handled) is None


def _auth_error_in(problem: BaseException) -> AuthError | None:
    """Return the AuthError that `problem` is, or the first of a group of nothing else, as task groups make them."""
    if isinstance(problem, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", problem)
        errors = [_auth_error_in(one) for one in group.exceptions]
        return errors[0] if None not in errors else None
    return problem if isinstance(problem, AuthError) else None


def _comes_from_refusal(problem: BaseException | None) -> bool:
    """Tell whether `problem` is a refusal, or the RuntimeError of a framework that found its response started."""
    while problem is not None:
        if _auth_error_in(problem) is not None:
            return True
        problem = problem.__cause__ if isinstance(problem, RuntimeError) else None
    return False


def _log_refusal(error: AuthError) -> None:
    _log.info("%s (%s) answered in place of the application", type(error).__name__, error.reason)


def _dressed(message: Message, record: Record) -> Message:
    """Return the start of a response with our cookies, and with what caches must know."""
    record.has_started = True
    is_ambient = record.auth.is_ambient
    if not is_ambient and not record.cookies:
        return message
    headers: Headers = list(message.get("headers", ()))
    if is_ambient:
        add_vary(headers, b"Cookie")
    set_cookies(headers, record.cookies, record.renewed)
    return {**message, "headers": headers}


async def _nothing() -> None:
    """Awaited in place of a message that is dropped."""
