"""The site: its own pages, the five mounted applications, and one AuthMiddleware around all of them."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from asgi_login.fastapi import LoginManager
from asgi_login.starlette import install
from examples.demo.api_docs import docs_routes
from examples.demo.asgi_app import asgi_app
from examples.demo.device_pages import device_routes
from examples.demo.fastapi_app import fastapi_app
from examples.demo.home_page import home
from examples.demo.litestar_app import litestar_app
from examples.demo.login_pages import login_routes
from examples.demo.quart_app import quart_app
from examples.demo.refusal_pages import RefusalPages
from examples.demo.security_headers import SecurityHeaders
from examples.demo.starlette_app import starlette_app
from examples.demo.token_endpoint import token_route
from examples.demo.token_pages import refresh_endpoint, token_routes
from examples.demo.users import User, Users


def make_site(manager: LoginManager[User], users: Users) -> ASGIApp:
    """Return the whole demo as one ASGI application."""
    orders = fastapi_app(manager)
    site = Starlette(
        routes=[
            Route("/", home),
            *login_routes(manager, users),
            *device_routes(manager),
            *token_routes(manager),
            token_route(manager, users),
            *docs_routes("/fastapi", orders),
            Mount("/fastapi", orders),
            Mount("/starlette", starlette_app),
            Mount("/quart", quart_app),
            Mount("/litestar", litestar_app),
            Mount("/asgi", asgi_app),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ]
    )
    # It also answers what the pages let through: a store that does not answer.
    install(site, manager, skip=["/static", "/swagger-ui"], endpoints=[refresh_endpoint(manager)])
    return SecurityHeaders(RefusalPages(site))
