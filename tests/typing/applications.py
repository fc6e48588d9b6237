"""Whose annotations the public API fits; read by mypy and pyright, never run."""

from typing import Any, assert_type

from asgiref.typing import (
    ASGI2Application,
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPScope,
)
from asgiref.typing import Scope as ASGIScope
from django.core.asgi import get_asgi_application  # pyright: ignore[reportMissingTypeStubs]
from django.core.handlers.asgi import ASGIRequest  # pyright: ignore[reportMissingTypeStubs]
from fastapi import FastAPI
from hypercorn.typing import ASGIFramework as HypercornApplication
from hypercorn.typing import Scope as HypercornScope
from litestar import Litestar, Request, WebSocket, asgi
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp as LitestarApplication
from litestar.types import Receive as LitestarReceive
from litestar.types import Scope as LitestarScope
from litestar.types import Send as LitestarSend
from quart import Quart
from quart import request as quart_request
from quart import websocket as quart_websocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as StarletteRequest
from starlette.routing import Mount
from starlette.types import ASGIApp as StarletteApplication
from starlette.types import Receive as StarletteReceive
from starlette.types import Scope as StarletteScope
from starlette.types import Send as StarletteSend
from starlette.websockets import WebSocket as StarletteWebSocket

from asgi_login import Auth, AuthMiddleware, BearerTransport, CookieTransport, Gate, LoginManager, Transport, get_auth

manager = LoginManager[str]("k" * 32)


async def asgiref_function(scope: ASGIScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None: ...
async def starlette_function(scope: StarletteScope, receive: StarletteReceive, send: StarletteSend) -> None: ...
async def litestar_function(scope: LitestarScope, receive: LitestarReceive, send: LitestarSend) -> None: ...


class ASGI2Class:
    def __init__(self, scope: ASGIScope) -> None: ...
    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None: ...


class StarletteLikeASGI2Class:
    def __init__(self, scope: StarletteScope) -> None: ...
    async def __call__(self, receive: StarletteReceive, send: StarletteSend) -> None: ...


def asgi2_function(scope: ASGIScope) -> ASGI2Class:
    return ASGI2Class(scope)


asgi2_application: ASGI2Application = ASGI2Class
starlette = Starlette()
quart = Quart(__name__)
litestar = Litestar()
django = get_asgi_application()

# Every kind of application can be wrapped.
AuthMiddleware(asgiref_function, manager)
AuthMiddleware(starlette_function, manager)
AuthMiddleware(litestar_function, manager)
AuthMiddleware(FastAPI(), manager)
AuthMiddleware(starlette, manager)
AuthMiddleware(quart, manager)
AuthMiddleware(quart.asgi_app, manager)
AuthMiddleware(litestar, manager)
AuthMiddleware(django, manager)
AuthMiddleware(ASGI2Class, manager)
AuthMiddleware(StarletteLikeASGI2Class, manager)
AuthMiddleware(asgi2_function, manager)
AuthMiddleware(asgi2_application, manager)
Gate(asgiref_function)
Gate(starlette_function)
Gate(litestar_function)
Gate(FastAPI())
Gate(starlette)
Gate(quart)
Gate(quart.asgi_app)
Gate(litestar)
Gate(django)
Gate(ASGI2Class)
Gate(StarletteLikeASGI2Class)
Gate(asgi2_function)
Gate(asgi2_application)

# What is no application cannot.
AuthMiddleware(len, manager)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
AuthMiddleware("app:app", manager)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Gate(FastAPI)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

# What comes out is an application to everybody.
wrapped = AuthMiddleware(asgiref_function, manager)
gated = Gate(starlette_function)
asgiref_applications: list[ASGI3Application] = [wrapped, gated]
starlette_applications: list[StarletteApplication] = [wrapped, gated]
litestar_applications: list[LitestarApplication] = [wrapped, gated]
hypercorn_applications: list[HypercornApplication] = [wrapped, gated]
Mount("/wrapped", app=wrapped)
Mount("/gated", app=gated)
Starlette(middleware=[Middleware(AuthMiddleware, manager), Middleware(Gate, scopes=["admin"])])
starlette.add_middleware(AuthMiddleware, manager)
starlette.add_middleware(Gate, exempt=["/static"])
FastAPI().mount("/gated", gated)
asgi("/wrapped", is_mount=True)(wrapped)
asgi("/gated", is_mount=True)(gated)
Litestar(middleware=[DefineMiddleware(AuthMiddleware, manager=manager)])
# As Quart's documentation has it; mypy lets nobody assign to a method.
quart.asgi_app = AuthMiddleware(quart.asgi_app, manager)  # type: ignore[method-assign]
quart.asgi_app = Gate(quart.asgi_app)  # type: ignore[method-assign]


async def call_as_a_server(scope: ASGIScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await wrapped(scope, receive, send)
    await gated(scope, receive, send)


async def call_as_starlette(scope: StarletteScope, receive: StarletteReceive, send: StarletteSend) -> None:
    await wrapped(scope, receive, send)
    await gated(scope, receive, send)


async def call_as_litestar(scope: LitestarScope, receive: LitestarReceive, send: LitestarSend) -> None:
    await wrapped(scope, receive, send)
    await gated(scope, receive, send)


async def call_with_what_is_no_scope(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await wrapped("/path", receive, send)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    await gated("/path", receive, send)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]


# A request is known by its scope, whoever has annotated it, and by the object that a framework makes of it.


def know_scopes(
    asgiref: ASGIScope, http: HTTPScope, starlette: StarletteScope, litestar: LitestarScope, hypercorn: HypercornScope
) -> None:
    for auth in (get_auth(asgiref), get_auth(http), get_auth(starlette), get_auth(litestar), get_auth(hypercorn)):
        assert_type(auth, Auth[object])
    manager.login_user(asgiref, "ada")
    manager.login_user(starlette, "ada", remember=True)
    manager.login_user(litestar, "ada")
    manager.login_user(hypercorn, "ada")
    manager.confirm_login(http)
    manager.logout_user(asgiref)


def know_connections(
    starlette: StarletteRequest,
    socket: StarletteWebSocket,
    litestar: Request[Any, Any, Any],
    litestar_socket: WebSocket[Any, Any, Any],
    django: ASGIRequest,
) -> None:
    get_auth(starlette)
    get_auth(socket)
    get_auth(litestar)
    get_auth(litestar_socket)
    get_auth(django)
    get_auth(quart_request)
    get_auth(quart_websocket)
    manager.login_user(starlette, "ada")
    manager.login_user(socket, "ada")
    manager.login_user(litestar, "ada")
    manager.login_user(django, "ada")
    manager.login_user(quart_request, "ada")
    manager.confirm_login(quart_request)
    manager.logout_user(litestar_socket)
    get_auth("/path")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]


# A transport is one whichever scope it reads.


class Named:
    name = "query"
    ambient = False


class ASGITransport(Named):
    def extract(self, scope: ASGIScope, /) -> bytes | None:
        return None if scope["type"] == "lifespan" else scope["query_string"]


class StarletteTransport(Named):
    def extract(self, scope: StarletteScope, /) -> str | None:
        return str(scope["path"])


class LitestarTransport(Named):
    def extract(self, scope: LitestarScope, /) -> str | None:
        return scope["path"]


class Derived(BearerTransport):
    def extract(self, scope: ASGIScope, /) -> bytes | None:
        return super().extract(scope)


class NoTransport(Named):
    def extract(self) -> str | None: ...


transports: list[Transport] = [
    BearerTransport(),
    CookieTransport(),
    ASGITransport(),
    StarletteTransport(),
    LitestarTransport(),
    Derived(),
]
transports.append(NoTransport())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def extract(transport: Transport, asgiref: ASGIScope, starlette: StarletteScope) -> None:
    assert_type(transport.extract(asgiref), str | bytes | None)
    assert_type(transport.extract(starlette), str | bytes | None)
    BearerTransport().extract(asgiref)
    CookieTransport().extract(starlette)
