"""LoginPlugin: what Litestar calls when the application starts, and the middleware that it gets."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from litestar import WebSocket, asgi
from litestar.config.app import AppConfig
from litestar.middleware import DefineMiddleware
from litestar.plugins import InitPlugin, ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from asgi_login.application import path_prefixes
from asgi_login.asgi_types import ASGIApp
from asgi_login.attributes import FixedAttributes
from asgi_login.config import HasConfig
from asgi_login.litestar.answers import answer_auth_errors, denial
from asgi_login.litestar.openapi import Descriptions
from asgi_login.litestar.response_cache import KeyOfStrangers, keep_responses_to_strangers
from asgi_login.middleware import AuthMiddleware
from asgi_login.oauth import Endpoint, Endpoints
from asgi_login.scope import Receive, Scope, Send


class LoginPlugin(FixedAttributes, InitPlugin, ReceiveRoutePlugin):
    """Everything that an application needs, in one line.

    Args:
        manager: One LoginManager, or several.
        skip: Paths, and everything below them, where requests are not authenticated.
        passive: Paths, and everything below them, at which a session is not renewed.
        end_connections: Whether websockets and streaming responses end with their login: see AuthMiddleware.
        websocket_denial: What is done instead of refusing a websocket; it is accepted first, so that it can be told
            why: `await socket.send_text("not authenticated"); await socket.close()`.
        endpoints: Endpoints of `asgi_login.oauth`, which lie outside of AuthMiddleware.

    `request.user` is the user or None, `request.auth` the Auth with its scopes. The plugin's middleware runs for
    every route; it comes before the application's own. Litestar's response cache (`@get(cache=…)`) serves only GET and
    HEAD requests without a credential: what a user sees is never kept.

    Example:
        >>> app = Litestar([...], plugins=[LoginPlugin(manager)])
    """

    def __init__(
        self,
        manager: HasConfig | Sequence[HasConfig],
        *,
        skip: Iterable[str] = (),
        passive: Iterable[str] = (),
        end_connections: bool = False,
        websocket_denial: Callable[[WebSocket[Any, Any, Any]], Awaitable[None]] | None = None,
        endpoints: Sequence[Endpoint] = (),
    ) -> None:
        self._managers = tuple(manager) if isinstance(manager, Sequence) else (manager,)
        self._skip = path_prefixes("skip", skip)
        self._passive = path_prefixes("passive", passive)
        self._end_connections = end_connections
        self._deny = None if websocket_denial is None else denial(websocket_denial)
        self._endpoints = tuple(endpoints)
        self._descriptions: Descriptions | None = None

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the middleware, the handler and the security schemes; called by Litestar."""
        if sum(isinstance(one, LoginPlugin) for one in app_config.plugins) > 1:
            raise ValueError("one LoginPlugin takes all managers of an application: LoginPlugin([web, api])")
        app_config.middleware.insert(0, DefineMiddleware(self._stack))
        # Middleware runs for paths that have a route; this one itself is never reached.
        app_config.route_handlers.extend(asgi(one.path, copy_scope=False)(_beyond_endpoints) for one in self._endpoints)
        answer_auth_errors(app_config)
        keep_responses_to_strangers(app_config, self._managers)
        self._descriptions = None if app_config.openapi_config is None else Descriptions(app_config, self._managers)
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Say in OpenAPI what a route's guards ask for, and mind its cache; called by Litestar."""
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if self._descriptions is not None:
                    self._descriptions.describe(handler)
                if handler.cache and not isinstance(handler.cache_key_builder, KeyOfStrangers):  # pyright: ignore[reportUnknownMemberType]
                    handler.cache_key_builder = KeyOfStrangers(handler.cache_key_builder, self._managers)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]

    def _stack(self, app: ASGIApp) -> ASGIApp:
        middleware = AuthMiddleware(
            _with_native_user(app),
            self._managers,
            skip=self._skip,
            passive=self._passive,
            end_connections=self._end_connections,
            deny_websocket=self._deny,
        )
        return Endpoints(middleware, *self._endpoints) if self._endpoints else middleware


def _with_native_user(app: ASGIApp) -> ASGIApp:
    """Return the application with what `request.user` and `request.auth` return."""

    # A function, and no coroutine around the application's: this runs for every request.
    def call(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        state = scope["state"]
        scope["user"] = state["user"]
        scope["auth"] = state["auth"]
        return app(scope, receive, send)

    return call


async def _beyond_endpoints(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - Litestar's
    """Refuse a websocket at the path of an endpoint: requests are answered before they come here."""
    assert scope["type"] == "websocket"  # noqa: S101
    await receive()
    await send({"type": "websocket.close", "code": 1000})
