"""Guards: who may call a handler."""

from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.routes import HTTPRoute

from asgi_login.attributes import FixedAttributes
from asgi_login.gates import Check, Rule, check_current
from asgi_login.tokens import check_scope_names

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

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler, /) -> None:
        """Let a connection pass, or raise."""
        # Litestar's own annotations of it are incomplete.
        scope: Any = connection.scope
        is_open = handler.opt.get(_OPEN) or (scope.get("method") == "OPTIONS" and _lists_methods(handler))
        if not is_open:
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


def guards_of(handler: HTTPRouteHandler) -> list[Guard]:
    """Return those of our guards that a handler is behind, of all layers; none for one that is open."""
    if handler.opt.get(_OPEN):
        return []
    layers: list[Any] = list(handler.ownership_layers)
    return [one for layer in layers for one in layer.guards or () if isinstance(one, Guard)]


def _lists_methods(handler: BaseRouteHandler) -> bool:
    """Tell whether Litestar has made a handler to answer OPTIONS: browsers ask what is allowed without a credential."""
    function = cast("Any", handler.fn)
    return bool(function.__module__ == HTTPRoute.__module__)
