"""FastAPI's page with asgi-login, in both ways to ask for the user: for tight loops, and behind a server.

`install` comes before the routes, as the documentation says: a route that is there first solves one more dependency.
"""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse

from asgi_login import current_auth
from asgi_login.fastapi import install


def with_dependency(manager: Any, *, is_installed: bool = True) -> FastAPI:
    """Return the page with a manager of `asgi_login.fastapi` as a dependency."""
    app = FastAPI()
    if is_installed:
        install(app, manager)

    @app.get("/")
    async def home(user=Depends(manager)):
        return PlainTextResponse("x")

    return app


def with_current_auth(manager: Any) -> FastAPI:
    """Return the page that asks `current_auth()`."""
    app = FastAPI()
    install(app, manager)

    @app.get("/")
    async def home():
        user = current_auth().user
        return PlainTextResponse("x", status_code=401 if user is None else 200)

    return app
