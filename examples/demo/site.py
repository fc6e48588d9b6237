"""The site: its own pages, the five mounted applications, and one AuthMiddleware around all of them."""

from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from asgi_login import Auth, get_auth
from asgi_login.fastapi import LoginManager
from asgi_login.starlette import install
from examples.demo.asgi_app import asgi_app
from examples.demo.device_pages import device_routes
from examples.demo.fastapi_app import fastapi_app
from examples.demo.litestar_app import litestar_app
from examples.demo.login_pages import login_routes
from examples.demo.pages import page, visitor
from examples.demo.quart_app import quart_app
from examples.demo.security_headers import SecurityHeaders
from examples.demo.starlette_app import starlette_app
from examples.demo.token_endpoint import token_route
from examples.demo.token_pages import refresh_endpoint, token_routes
from examples.demo.users import User, Users


def make_site(manager: LoginManager[User], users: Users) -> ASGIApp:
    """Return the whole demo as one ASGI application."""
    site = Starlette(
        routes=[
            Route("/", home),
            *login_routes(manager, users),
            *device_routes(manager),
            *token_routes(manager),
            token_route(manager, users),
            Mount("/fastapi", fastapi_app(manager)),
            Mount("/starlette", starlette_app),
            Mount("/quart", quart_app),
            Mount("/litestar", litestar_app),
            Mount("/asgi", asgi_app),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ]
    )
    # It also answers what the pages let through: a store that does not answer.
    install(site, manager, skip=["/static"], endpoints=[refresh_endpoint(manager)])
    return SecurityHeaders(site)


async def home(request: Request) -> Response:
    """Show who the visitor is, and the links to the applications."""
    auth: Auth[User] = get_auth(request)
    return HTMLResponse(
        page(
            "home",
            title="One login, five applications",
            user=auth.user,
            note="" if auth.error is None else f"{auth.error.description}.",
            transport=auth.transport or "none",
            remembered="yes" if "demo-remember-token" in request.cookies else "no",
            until=_time_of_day(auth.expires_at) if auth.expires_at else "none",
            **visitor(auth),
        )
    )


def _time_of_day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC).astimezone():%H:%M:%S}"
