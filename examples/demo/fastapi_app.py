"""The FastAPI application: the manager is a dependency, and OpenAPI lists its scopes."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request, Security
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from asgi_login import current_auth
from asgi_login.fastapi import LoginManager
from examples.demo.pages import protected_page
from examples.demo.users import PASSWORDS, User

DESCRIPTION = (
    f"Authorize as ada ({PASSWORDS['ada']}), who may read the orders, or as bob ({PASSWORDS['bob']}), who may not.\n\n"
    "[All five pages](/)"
)


class Me(BaseModel):
    """Who the visitor is."""

    app: str
    user: str
    scopes: list[str]
    fresh: bool


def fastapi_app(manager: LoginManager[User]) -> FastAPI:
    """Return the application that the site mounts at /fastapi."""
    app = FastAPI(title="asgi-login demo", description=DESCRIPTION, docs_url=None, redoc_url=None)

    @app.get("/me", summary="Who you are")
    async def me(user: Annotated[User, Depends(manager)]) -> Me:
        auth = current_auth()
        return Me(app="FastAPI", user=user.name, scopes=sorted(auth.scopes), fresh=auth.fresh)

    @app.get(
        "/orders",
        summary="A page for the scope orders:read",
        response_class=HTMLResponse,
        dependencies=[Security(manager, scopes=["orders:read"])],
    )
    async def orders(request: Request) -> str:
        return protected_page("Orders", request.scope)

    return app
