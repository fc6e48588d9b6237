"""The class of an application's users in each framework; read by mypy and pyright, never run.

The decorators and routers of the frameworks have Any in their own types, so `assert_type` says what must have none:
what is ours, and what a framework makes of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, assert_type

from django.core.handlers.asgi import ASGIRequest  # pyright: ignore[reportMissingTypeStubs]
from django.http import HttpResponse  # pyright: ignore[reportMissingTypeStubs]
from fastapi import Depends, FastAPI, Security, WebSocket
from fastapi.requests import HTTPConnection
from litestar import Controller, Litestar, Request, Response, get
from litestar.datastructures import State
from quart import Quart
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import asgi_login.fastapi
import asgi_login.quart
import asgi_login.starlette
from asgi_login import Auth, AuthMiddleware, LoginManager, current_auth, get_auth, login_required, requires_scopes
from asgi_login.django import LoginMiddleware
from asgi_login.litestar import LoginPlugin, guard
from asgi_login.quart import current_user


@dataclass
class User:
    name: str


manager = LoginManager[User]("k" * 32)


def is_ada(auth: Auth[User]) -> bool:
    return auth.require().name == "ada"


def is_text(auth: Auth[str]) -> bool:
    return auth.require().isascii()


# Plain ASGI.


async def application(scope: dict[str, Any], receive: object, send: object) -> None:
    assert_type(get_auth(scope, manager), Auth[User])
    assert_type(get_auth(scope, manager).require("hello"), User)


AuthMiddleware(application, manager)


# Starlette: its own `request.user` is Any.


@login_required
async def starlette_view(request: StarletteRequest) -> PlainTextResponse:
    assert_type(request.user, Any)
    assert_type(get_auth(request, manager).user, User | None)
    return PlainTextResponse(current_auth(manager).require().name)


@requires_scopes("orders:read")
def plain_starlette_view(request: StarletteRequest) -> PlainTextResponse:
    manager.login_user(request, "ada", user=User("ada"))
    return PlainTextResponse()


starlette = Starlette(routes=[Route("/", starlette_view), Route("/plain", plain_starlette_view)])
asgi_login.starlette.install(starlette, manager)
asgi_login.starlette.install("app", manager)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
asgi_login.starlette.install(starlette, "manager")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


# FastAPI: Depends() is Any for every dependency; what it is given is not.

logins = asgi_login.fastapi.LoginManager[User]("k" * 32, "/token", use_cookie=True)
untold = asgi_login.fastapi.LoginManager("k" * 32, store=None, clock=lambda: 0.0)
assert_type(untold, asgi_login.fastapi.LoginManager[object])
core: LoginManager[User] = logins
fastapi = FastAPI()
logins.attach_middleware(fastapi)


@logins.user_loader
async def load_user(sub: str) -> User | None:
    return User(sub)


async def dependencies(connection: HTTPConnection) -> None:
    assert_type(await logins(connection), User)
    assert_type(await logins.optional(connection), User | None)
    assert_type(await logins.subject(connection), str)
    assert_type(await logins.requires(is_ada)(connection), User)
    assert_type(await logins.requires(lambda auth: auth.require().name == "ada")(connection), User)
    assert_type(await logins.authenticate(connection), Auth[User])
    assert_type(current_auth(logins), Auth[User])
    assert_type(await load_user("ada"), User | None)
    assert_type(logins.create_access_token(data={"sub": "ada"}, expires=timedelta(hours=1)), str)


logins.requires(is_text)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
asgi_login.fastapi.LoginManager[User]("k" * 32, relm="shop")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


@fastapi.get("/me")
async def me(user: Annotated[User, Depends(logins)]) -> str:
    return user.name


@fastapi.get("/orders")
async def orders(
    user: Annotated[User, Security(logins, scopes=["orders:read"])],
    visitor: Annotated[User | None, Depends(logins.optional)],
    sub: Annotated[str, Depends(logins.subject)],
    ada: Annotated[User, Depends(logins.requires(is_ada))],
) -> str:
    return user.name + str(visitor) + sub + ada.name


@fastapi.websocket("/live")
async def live(websocket: WebSocket, user: Annotated[User, Depends(logins)]) -> None:
    assert_type(get_auth(websocket, logins), Auth[User])
    await websocket.send_text(user.name)


# A route is what FastAPI makes of the function: the function itself.
route: Callable[[User], object] = me


# Quart: the proxy `current_user` is Any.

quart = Quart(__name__)
asgi_login.quart.install(quart, manager)
asgi_login.quart.install(starlette, manager)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@quart.get("/")
@login_required
async def quart_view() -> str:
    assert_type(current_user, Any)
    assert_type(get_auth(quart_request, manager).user, User | None)
    return current_auth(manager).require().name


@quart.get("/plain")
@requires_scopes("orders:read")
def plain_quart_view() -> Mapping[str, str]:
    return {"name": current_auth(manager).require().name}


# Litestar: a request says in brackets what its user and its auth are.


@get("/", guards=[guard("orders:read", check=is_ada)])
async def litestar_view(request: Request[User, Auth[User], State]) -> str:
    assert_type(request.user, User)
    assert_type(request.auth, Auth[User])
    assert_type(request.auth.require().name, str)
    return get_auth(request, manager).require().name


@get("/open", opt={"exclude_from_auth": True}, sync_to_thread=False)
@login_required
def plain_litestar_view(request: Request[User | None, Auth[User], State]) -> Response[str]:
    assert_type(request.user, User | None)
    return Response("")


class Orders(Controller):
    path = "/orders"
    guards = [guard("orders:read")]  # noqa: RUF012 - Litestar's form


Litestar([litestar_view, plain_litestar_view, Orders], plugins=[LoginPlugin(manager)], guards=[guard()])
LoginPlugin("manager")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
guard(litestar_view)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


# Django: it has no types of its own, so that `request.user` is Any.


def respond(request: ASGIRequest) -> HttpResponse:
    return HttpResponse()


LoginMiddleware(respond)


@login_required
def django_view(request: ASGIRequest) -> HttpResponse:
    assert_type(get_auth(request, manager).user, User | None)
    assert_type(current_auth(manager).require(), User)
    return HttpResponse()


@login_required
async def async_django_view(request: ASGIRequest, number: int) -> str:
    return current_auth(manager).require().name * number


async def django_views_are_what_they_were(request: ASGIRequest) -> None:
    assert_type(await async_django_view(request, number=1), str)
