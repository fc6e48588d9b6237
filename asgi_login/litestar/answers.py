"""The answers to AuthError, as Litestar sends them."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from litestar import Request, Response, WebSocket
from litestar.config.app import AppConfig
from litestar.response.base import ASGIResponse

from asgi_login.asgi_types import ASGIApp
from asgi_login.errors import AuthError
from asgi_login.exchange import http_answer, mark_refusal
from asgi_login.scope import Scope


def answer_auth_errors(app_config: AppConfig) -> None:
    """Add the handler for AuthError to an application; one that it has itself stays."""
    # Litestar's own annotations of these are incomplete.
    hooks: Any = app_config
    hooks.exception_handlers = {AuthError: _answer_auth_error, **hooks.exception_handlers}
    hooks.after_exception.append(_mark_for_websockets)


def denial(callback: Callable[[WebSocket[Any, Any, Any]], Awaitable[None]]) -> ASGIApp:
    """Return what accepts a websocket and leaves the rest to the application's callback."""

    async def deny(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - Litestar has types of its own
        socket = WebSocket[Any, Any, Any](scope, receive, send)
        await socket.accept()
        await callback(socket)

    return deny


class _Answer(Response[bytes]):
    """What Litestar sends: its own Response has one line of each header, and a 401 may have several challenges."""

    def __init__(self, status: int, lines: list[tuple[str, str]], body: bytes) -> None:
        headers = dict(lines)
        super().__init__(body, status_code=status, headers=headers, media_type=headers.get("content-type", ""))
        self._lines = lines

    def to_asgi_response(self, *_arguments: object, **_more: object) -> ASGIResponse:
        """Return what is sent; called by Litestar."""
        return ASGIResponse(
            body=self.content, headers=self._lines, status_code=self.status_code, media_type=self.media_type
        )


def _answer_auth_error(request: Request[Any, Any, Any], error: AuthError) -> Response[bytes]:
    start, body = http_answer(error, cast("Scope", request.scope))
    return _Answer(start["status"], [(name.decode(), value.decode()) for name, value in start["headers"]], body)


async def _mark_for_websockets(problem: Exception, scope: Any) -> None:  # noqa: ANN401 - Litestar's scope
    """Leave the end of a websocket to the middleware: Litestar asks no handler and closes with 4500."""
    if scope["type"] == "websocket" and isinstance(problem, AuthError):
        mark_refusal(problem)
