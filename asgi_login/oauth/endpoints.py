"""Endpoints: answers requests to the library's own endpoints, in front of any ASGI application."""

from typing import overload

from asgi_login.application import Wrapper, path_below_root
from asgi_login.asgi_types import (
    AnyApp,
    ASGIReceive,
    ASGIScope,
    ASGISend,
    FrameworkReceive,
    FrameworkScope,
    FrameworkSend,
)
from asgi_login.oauth.endpoint import Endpoint
from asgi_login.scope import Receive, Scope, Send


class Endpoints(Wrapper):
    """Answers requests whose path is that of an endpoint, and passes everything else on to the application.

    Args:
        app: The application; one of ASGI 2 if its signature says so.
        endpoints: The endpoints. Their paths are below the server's `root_path`, and compared exactly.

    Raises:
        TypeError: One is no endpoint.
        ValueError: There is none, two have the same path, or two cannot stand beside each other.

    They need no user, so they lie outside of AuthMiddleware: an expired credential that a browser sends along is not
    looked at. CORS middleware lies outside of them.

    Example:
        >>> app = Endpoints(AuthMiddleware(app, manager), TokenEndpoint(manager), RevocationEndpoint(manager))
    """

    _otherwise = "set it on the application inside, which is .app, or on the constructor of an endpoint"

    def __init__(self, app: AnyApp, *endpoints: Endpoint) -> None:
        super().__init__(app)
        self._endpoints = by_path(endpoints)

    @overload
    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None: ...
    @overload
    async def __call__(self, scope: FrameworkScope, receive: FrameworkReceive, send: FrameworkSend) -> None: ...
    # A scope or message that is annotated as a TypedDict or a Mapping is a dict all the same.
    async def __call__(  # type: ignore[misc] # pyright: ignore[reportInconsistentOverload]
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one request, or pass a connection on."""
        endpoint = self._endpoints.get(path_below_root(scope)) if scope["type"] == "http" else None
        if endpoint is None:
            await self.app(scope, receive, send)
        else:
            await endpoint(scope, receive, send)


def by_path(endpoints: tuple[Endpoint, ...]) -> dict[str, Endpoint]:
    """Return endpoints that stand beside each other by their paths.

    Raises:
        TypeError: One is no endpoint.
        ValueError: There is none, two have the same path, or two cannot stand beside each other.
    """
    for one in endpoints:
        if not isinstance(one, Endpoint):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"endpoints are made by classes of asgi_login.oauth, like TokenEndpoint(manager); not {one!r:.80}"
            )
    if not endpoints:
        raise ValueError("Endpoints(app, ...) needs at least one endpoint, like TokenEndpoint(manager)")
    found = {one.path: one.among(endpoints) for one in endpoints}
    if len(found) < len(endpoints):
        paths = ", ".join(one.path for one in endpoints)
        raise ValueError(f"two endpoints have the same path ({paths}): pass path= to one of them")
    owners: dict[str, Endpoint] = {}
    for one in endpoints:
        name = one.cookie_name
        if name is not None and owners.setdefault(name, one).config is not one.config:
            raise ValueError(f"two managers keep their refresh tokens in one cookie, {name!r}: name one RefreshCookie")
    return found
