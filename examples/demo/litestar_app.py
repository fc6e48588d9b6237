"""The Litestar application: its handlers have guards, and `get_auth(request)` returns the visitor."""

import logging
from typing import Any

from litestar import Litestar, MediaType, Request, get
from litestar.exceptions import HTTPException
from litestar.types import Scope

from asgi_login import Auth, AuthError, get_auth
from asgi_login.litestar import guard
from examples.demo.pages import protected_page
from examples.demo.users import User

_log = logging.getLogger("demo")


@get("/me", guards=[guard()])
async def me(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Return who the visitor is."""
    auth: Auth[User] = get_auth(request)
    name = auth.user.name if auth.user else None
    return {"app": "Litestar", "user": name, "scopes": sorted(auth.scopes), "fresh": auth.fresh}


@get(
    "/invoices",
    guards=[guard("invoices:read")],
    media_type=MediaType.HTML,
)
async def invoices(request: Request[Any, Any, Any]) -> str:
    """Show a page to those who may read the invoices."""
    return protected_page("Invoices", request.scope)


async def log_failure(problem: Exception, scope: Scope) -> None:
    """Log errors that become a 500. The AuthMiddleware around the site answers and logs refusals."""
    if not isinstance(problem, (AuthError, HTTPException)):
        _log.error("%s failed", scope["path"], exc_info=problem)


# The server sets up logging for all five applications.
litestar_app = Litestar([me, invoices], after_exception=[log_failure], logging_config=None, openapi_config=None)
