"""The Litestar application: guards on its handlers, the visitor from `get_auth(request)`."""

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
    """Tell who the visitor is."""
    auth: Auth[User] = get_auth(request)
    name = auth.user.name if auth.user else None
    return {"app": "Litestar", "user": name, "scopes": sorted(auth.scopes), "fresh": auth.fresh}


@get("/invoices", guards=[guard("invoices:read")], media_type=MediaType.HTML)
async def invoices(request: Request[Any, Any, Any]) -> str:
    """Show a page to those who may read the invoices."""
    return protected_page(get_auth(request), title="Invoices", app="Litestar", scope="invoices:read")


async def log_failure(problem: Exception, scope: Scope) -> None:
    """Log what Litestar answers with a 500; a refusal is answered and logged by the AuthMiddleware around the site."""
    if not isinstance(problem, (AuthError, HTTPException)):
        _log.error("%s failed", scope["path"], exc_info=problem)


# Logging is set up by the server, for all five.
litestar_app = Litestar([me, invoices], after_exception=[log_failure], logging_config=None, openapi_config=None)
