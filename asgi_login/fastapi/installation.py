"""`install`: one line adds the middleware, the answers to AuthError and what OpenAPI says of them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from fastapi import FastAPI, WebSocket

from asgi_login.config import HasConfig
from asgi_login.fastapi.openapi import complete_openapi
from asgi_login.oauth import Endpoint
from asgi_login.starlette import install as install_starlette


def install(
    app: FastAPI,
    manager: HasConfig | Sequence[HasConfig],
    *,
    skip: Iterable[str] = (),
    passive: Iterable[str] = (),
    end_connections: bool = False,
    websocket_denial: Callable[[WebSocket], Awaitable[None]] | None = None,
    endpoints: Sequence[Endpoint] = (),
) -> None:
    """Add AuthMiddleware to an application, answer AuthError on its routes, and list 401 and 403 in OpenAPI.

    Args:
        app: The application, before its first request. Routes that are declared afterwards cost less: FastAPI solves
            one dependency for a manager, where it would solve one for each of its security schemes.
        manager: One LoginManager, or several.
        skip: Paths, and everything below them, where requests are not authenticated.
        passive: Paths, and everything below them, at which a session is not renewed.
        end_connections: Whether websockets and streaming responses end with their login: see AuthMiddleware.
        websocket_denial: What is done instead of refusing a websocket; the websocket is accepted first.
        endpoints: Endpoints of `asgi_login.oauth`, which lie outside of AuthMiddleware. They are not in OpenAPI.
    """
    install_starlette(
        app,
        manager,
        skip=skip,
        passive=passive,
        end_connections=end_connections,
        websocket_denial=websocket_denial,
        endpoints=endpoints,
    )
    complete_openapi(app, manager if isinstance(manager, Sequence) else (manager,))
