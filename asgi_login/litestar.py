"""Litestar: a plugin that adds the middleware, the answers to AuthError and the entries in OpenAPI; and guards.

Tested with Litestar 2.24 and later.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from secrets import token_hex
from typing import Any, cast

from asgi_login.application import path_prefixes
from asgi_login.asgi_types import ASGIApp
from asgi_login.attributes import FixedAttributes
from asgi_login.auth import get_auth
from asgi_login.config import HasConfig
from asgi_login.errors import AuthError
from asgi_login.exchange import http_answer, mark_refusal
from asgi_login.gates import Check, Rule, check_current
from asgi_login.middleware import AuthMiddleware
from asgi_login.oauth import Endpoint, Endpoints
from asgi_login.openapi import REFUSALS, Scheme, scheme_names, security_schemes
from asgi_login.scope import Receive, Scope, Send
from asgi_login.tokens import check_scope_names

try:
    from litestar import Request, Response, WebSocket, asgi
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.handlers import HTTPRouteHandler
    from litestar.handlers.base import BaseRouteHandler
    from litestar.middleware import DefineMiddleware
    from litestar.openapi.datastructures import ResponseSpec
    from litestar.openapi.spec import Components, OAuthFlow, OAuthFlows, SecurityScheme
    from litestar.plugins import InitPlugin, ReceiveRoutePlugin
    from litestar.response.base import ASGIResponse
    from litestar.routes import BaseRoute, HTTPRoute
except ImportError as _missing:
    raise ImportError("asgi_login.litestar needs Litestar 2.24 or later: pip install litestar") from _missing


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
        self._schemes: dict[str, list[Scheme]] = {}
        self._names: dict[Scheme, str] = {}
        self._skip = path_prefixes("skip", skip)
        self._passive = path_prefixes("passive", passive)
        self._end_connections = end_connections
        self._deny = None if websocket_denial is None else _denial(websocket_denial)
        self._endpoints = tuple(endpoints)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the middleware, the handler and the security schemes; called by Litestar."""
        if sum(isinstance(one, LoginPlugin) for one in app_config.plugins) > 1:
            raise ValueError("one LoginPlugin takes all managers of an application: LoginPlugin([web, api])")
        app_config.middleware.insert(0, DefineMiddleware(self._stack))
        # Middleware runs for paths that have a route; this one itself is never reached.
        app_config.route_handlers.extend(asgi(one.path, copy_scope=False)(_beyond_endpoints) for one in self._endpoints)
        # Litestar's own annotations of these are incomplete.
        hooks: Any = app_config
        hooks.exception_handlers = {AuthError: _answer_auth_error, **hooks.exception_handlers}
        hooks.after_exception.append(_mark_for_websockets)
        caching = hooks.response_cache_config
        keep = _ResponsesToStrangers(caching.cache_response_filter, self._managers)
        hooks.response_cache_config = replace(caching, cache_response_filter=keep)
        if app_config.openapi_config is not None:
            openapi = app_config.openapi_config = copy(app_config.openapi_config)
            components = openapi.components if isinstance(openapi.components, list) else [openapi.components]
            self._schemes = {one.config.name: security_schemes(one.config) for one in self._managers}
            taken = {name for one in components for name in one.security_schemes or {}}
            self._names = scheme_names((one for found in self._schemes.values() for one in found), taken)
            ours = {name: _scheme(one.definition) for one, name in self._names.items()}
            openapi.components = [*components, Components(security_schemes={**ours})]
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Say in OpenAPI what a route's guards ask for, and mind its cache; called by Litestar."""
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                self._describe(handler)
                if handler.cache and not isinstance(handler.cache_key_builder, _KeyOfStrangers):  # pyright: ignore[reportUnknownMemberType]
                    handler.cache_key_builder = _KeyOfStrangers(handler.cache_key_builder, self._managers)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]

    def _stack(self, app: ASGIApp) -> ASGIApp:
        middleware = AuthMiddleware(
            _NativeUser(app),
            self._managers,
            skip=self._skip,
            passive=self._passive,
            end_connections=self._end_connections,
            deny_websocket=self._deny,
        )
        return Endpoints(middleware, *self._endpoints) if self._endpoints else middleware

    def _describe(self, handler: HTTPRouteHandler) -> None:
        layers: list[Any] = list(handler.ownership_layers)
        guards = [one for layer in layers for one in layer.guards or () if isinstance(one, Guard)]
        if not guards or handler.opt.get(_OPEN):
            return
        scopes = list(dict.fromkeys(scope for one in guards for scope in one.scopes))
        managers = {one.manager for one in guards} - {None}
        schemes = [one for name in self._schemes if not managers or name in managers for one in self._schemes[name]]
        required = [{self._names[one]: scopes} for one in schemes if one in self._names]
        handler.security = [
            *(handler.security or ()),
            *(one for one in required if one not in (handler.security or ())),
        ]
        handler.responses = {**_REFUSALS, **(handler.responses or {})}


_REFUSALS = {
    status: ResponseSpec(dict[str, str], description=description, generate_examples=False)
    for status, description in REFUSALS.items()
}


_OPEN = "exclude_from_auth"


class Guard(FixedAttributes):
    """What `guard` returns."""

    scopes: tuple[str, ...]
    manager: str | None
    _otherwise = "what a guard asks for is said in guard(...)"

    def __init__(self, rule: Rule) -> None:
        self.scopes = rule.scopes
        self.manager = rule.manager
        self._rule = rule

    async def __call__(self, _connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler, /) -> None:
        """Let a connection pass, or raise."""
        if cast("Any", handler.fn).__module__ == HTTPRoute.__module__:
            # Litestar made it to answer OPTIONS: it lists the methods, and browsers ask without a credential.
            return
        if not handler.opt.get(_OPEN):
            await check_current(self._rule)


def guard(*scopes: str, fresh: bool = False, manager: str | None = None, check: Check[Any] | None = None) -> Guard:
    """Return a guard for a handler, controller, router or application.

    A handler with `opt={"exclude_from_auth": True}`, which Litestar's own middleware knows too, is open: so a guard of
    the whole application leaves out the login page.

    Args:
        scopes: OAuth scopes that are all needed; none of them means that any user may pass.
        fresh: Whether a fresh login is needed.
        manager: The name of the manager whose users may pass; None for every manager's.
        check: What else must be true of the user: a function, also an asynchronous one, from the Auth to True or False.

    Example:
        >>> @get("/orders", guards=[guard("orders:read")])
        ... async def orders() -> list[Order]: ...
    """
    if scopes and not isinstance(scopes[0], str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError('guard is called where it is used: write guards=[guard()], or guards=[guard("read")]')
    return Guard(Rule(check_scope_names("guard", scopes), fresh=fresh, manager=manager, check=check))


def _denial(callback: Callable[[WebSocket[Any, Any, Any]], Awaitable[None]]) -> ASGIApp:
    async def deny(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - Litestar has types of its own
        socket = WebSocket[Any, Any, Any](scope, receive, send)
        await socket.accept()
        await callback(socket)

    return deny


async def _beyond_endpoints(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - Litestar's
    """Refuse a websocket at the path of an endpoint: requests are answered before they come here."""
    assert scope["type"] == "websocket"  # noqa: S101
    await receive()
    await send({"type": "websocket.close", "code": 1000})


class _NativeUser:
    """Sets what `request.user` and `request.auth` return."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        auth = get_auth(scope)
        scope["user"] = auth.user
        scope["auth"] = auth
        await self._app(scope, receive, send)


class _KeyOfStrangers:
    """Builds the keys of Litestar's response cache, and for a request with a credential one that is never found.

    The cache is asked after the guards, but before decorators, and by default its keys know the URL only: a page of
    one user would be served to others, and to strangers.
    """

    def __init__(self, own: Callable[[Any], str] | None, managers: Sequence[HasConfig]) -> None:
        self._own = own
        self._managers = managers

    def __call__(self, request: Any, /) -> str:  # noqa: ANN401 - Litestar's request
        key: str = (self._own or request.app.response_cache_config.key_builder)(request)
        # Another plugin may have replaced the filter below, so that even this request's response is kept.
        return key if _is_strangers(request.scope, self._managers) else f"{key} {token_hex(16)}"


class _ResponsesToStrangers:
    """Decides what Litestar's response cache keeps: nothing that a request with a credential is answered with."""

    def __init__(self, keep: Callable[[Any, int], bool], managers: Sequence[HasConfig]) -> None:
        self._keep = keep
        self._managers = managers

    def __call__(self, scope: Any, status: int, /) -> bool:  # noqa: ANN401 - Litestar's scope
        return self._keep(scope, status) and _is_strangers(scope, self._managers)


def _is_strangers(scope: Scope, managers: Sequence[HasConfig]) -> bool:
    """Tell whether a request is without any credential, good or bad, and cannot be one that logs somebody in."""
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    return all(get_auth(scope, manager=one.config.name).transport is None for one in managers)


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


def _scheme(definition: dict[str, Any]) -> SecurityScheme:
    flows = {_snake_case(name): OAuthFlow(**_arguments(flow)) for name, flow in definition.pop("flows", {}).items()}
    arguments = _arguments(definition)
    if "in" in arguments:
        arguments["security_scheme_in"] = arguments.pop("in")
    return SecurityScheme(**arguments, flows=OAuthFlows(**flows) if flows else None)


def _arguments(definition: dict[str, Any]) -> dict[str, Any]:
    return {_snake_case(name): value for name, value in definition.items()}


def _snake_case(name: str) -> str:
    """Return what Litestar's classes call a member of OpenAPI: `tokenUrl` is `token_url`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
