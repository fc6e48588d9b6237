"""Starlette: one line installs the middleware, the answers to AuthError, and `request.user` and `request.auth`.

Tested with Starlette 0.46 and later.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cached_property
from typing import TypedDict

from asgi_login.application import path_prefixes
from asgi_login.asgi_types import ASGIApp
from asgi_login.auth import AnyAuth
from asgi_login.config import HasConfig
from asgi_login.errors import AuthError
from asgi_login.exchange import answer, mark_refusal
from asgi_login.middleware import AuthMiddleware
from asgi_login.oauth import Endpoint, Endpoints
from asgi_login.scope import Receive, Scope, Send

try:
    from starlette.applications import Starlette
    from starlette.authentication import AuthCredentials, UnauthenticatedUser
    from starlette.requests import HTTPConnection
    from starlette.types import ExceptionHandler
    from starlette.websockets import WebSocket, WebSocketState
except ImportError as _missing:
    raise ImportError("asgi_login.starlette needs Starlette 0.46 or later: pip install starlette") from _missing


def install(
    app: Starlette,
    manager: HasConfig | Sequence[HasConfig],
    *,
    skip: Iterable[str] = (),
    passive: Iterable[str] = (),
    end_connections: bool = False,
    websocket_denial: Callable[[WebSocket], Awaitable[None]] | None = None,
    endpoints: Sequence[Endpoint] = (),
) -> None:
    """Add AuthMiddleware to an application and answer AuthError in its HTTP and WebSocket endpoints.

    Args:
        app: The application, before its first request. Middleware that is added later lies outside, where CORS belongs.
        manager: One LoginManager, or several.
        skip: Paths, and everything below them, where requests are not authenticated.
        passive: Paths, and everything below them, at which a session is not renewed.
        end_connections: Whether websockets and streaming responses end with their login: see AuthMiddleware.
        websocket_denial: What is done instead of refusing a websocket; it is accepted first, so that it can be told
            why: `await websocket.send_text("not authenticated"); await websocket.close()`.
        endpoints: Endpoints of `asgi_login.oauth`, which lie outside of AuthMiddleware.

    A handler that the application itself has for AuthError stays.

    `redirect_to` may be the name of one of the application's routes; it is looked up when the application starts.

    Example:
        >>> app = Starlette(routes=[...])
        >>> install(app, manager)
    """
    if not isinstance(app, Starlette):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"install(app, manager) takes the application first, not {type(app).__name__}")
    if any(isinstance(one.cls, _Stack) for one in app.user_middleware):
        raise ValueError("install() takes all managers of an application at once: install(app, [web, api])")
    if endpoints:
        # Starlette builds its stack at the first request. What is wrong with them is said here.
        Endpoints(app, *endpoints)
    settings = _Settings(
        skip=path_prefixes("skip", skip),
        passive=path_prefixes("passive", passive),
        end_connections=end_connections,
        deny_websocket=None if websocket_denial is None else _denial(websocket_denial),
        resolve_route=app.url_path_for,
    )
    app.add_middleware(_Stack(manager, settings, tuple(endpoints)))
    # A handler that the application has registered for this is what it wants.
    app.exception_handlers.setdefault(AuthError, answer_auth_error)


class _Settings(TypedDict):
    skip: tuple[str, ...]
    passive: tuple[str, ...]
    end_connections: bool
    deny_websocket: ASGIApp | None
    resolve_route: Callable[[str], str]


class _Stack:
    """What Starlette calls with the rest of the application once all of its routes are known."""

    def __init__(
        self, manager: HasConfig | Sequence[HasConfig], settings: _Settings, endpoints: tuple[Endpoint, ...]
    ) -> None:
        self._manager = manager
        self._settings = settings
        self._endpoints = endpoints

    def __call__(self, app: ASGIApp) -> ASGIApp:
        middleware = AuthMiddleware(_with_native_user(app), self._manager, **self._settings)
        return Endpoints(middleware, *self._endpoints) if self._endpoints else middleware


async def _answer_auth_error(connection: HTTPConnection, error: Exception) -> "_Answer | None":
    """Answer an AuthError that left an endpoint."""
    assert isinstance(error, AuthError)  # noqa: S101 - what it is registered for
    if not isinstance(connection, WebSocket):
        return _Answer(error)
    if mark_refusal(error):
        # The middleware knows whether the websocket is accepted, and how to end it.
        await connection.send({"type": "websocket.close"})
        return None
    if connection.client_state is WebSocketState.CONNECTING:
        await connection.receive()
    await answer(error, connection.scope, connection.send)
    return None


# Starlette asks for a Response, but all it does with what it gets is to await it as an ASGI application.
answer_auth_error: ExceptionHandler = _answer_auth_error  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]


class _Answer:
    """What Starlette sends: our own answer, the same as everywhere."""

    def __init__(self, error: AuthError) -> None:
        self._error = error

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(self._error, scope, send)


def _denial(callback: Callable[[WebSocket], Awaitable[None]]) -> ASGIApp:
    async def deny(scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        await callback(websocket)

    return deny


def _with_native_user(app: ASGIApp) -> ASGIApp:
    """Return the application with what `request.user` and `request.auth` return, and Starlette's `@requires` reads."""

    # A function, and no coroutine around the application's: this runs for every request.
    def call(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] in {"http", "websocket"}:
            state = scope["state"]
            user: object = state["user"]
            scope["user"] = UnauthenticatedUser() if user is None else user
            scope["auth"] = _Credentials(state["auth"])
        return app(scope, receive, send)

    return call


class _Credentials(AuthCredentials):
    """What `request.auth` returns; few requests ask for its scopes, which are sorted only then."""

    def __init__(self, auth: AnyAuth) -> None:
        # Not by super(), which would set the scopes.
        self._auth = auth

    @cached_property
    def scopes(self) -> list[str]:  # type: ignore[override]
        """The scopes of the token, behind Starlette's own."""
        return ["authenticated", *sorted(self._auth.scopes)] if self._auth.is_authenticated else []
