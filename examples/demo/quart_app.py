"""The Quart application: its views have decorators, and `current_user` is the visitor."""

from typing import Any

from quart import Quart, request

from asgi_login import current_auth, login_required, requires_scopes
from asgi_login.quart import current_user
from examples.demo.pages import protected_page

quart_app = Quart(__name__, static_folder=None)
# The AuthMiddleware around the site answers refusals, and failures go to the server's log.
quart_app.config["PROPAGATE_EXCEPTIONS"] = True


@quart_app.get("/me")
@login_required
async def me() -> dict[str, Any]:
    """Return who the visitor is."""
    auth = current_auth()
    return {"app": "Quart", "user": current_user.name, "scopes": sorted(auth.scopes), "fresh": auth.fresh}


@quart_app.get("/stock")
@requires_scopes("stock:read")
async def stock() -> str:
    """Show a page to those who may read the stock list."""
    return protected_page("Stock", request.scope)
