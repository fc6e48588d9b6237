"""News for logged-in users, by GraphQL subscriptions (Strawberry) and by Socket.IO: both log in with a first message.

python -m pip install . python-socketio starlette strawberry-graphql "uvicorn[standard]"
export SECRET=$(asgi-login secret)
uvicorn examples.messages:app
asgi-login token ada --scope news:write --key-env SECRET

Pass the token as {"token": ...}: in `connection_init` to ws://127.0.0.1:8000/graphql, or as `auth` of Socket.IO.
"""

import os
from collections.abc import AsyncGenerator
from typing import Any

import socketio
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError

from asgi_login import Auth, AuthError, LoginManager, current_auth, requires_scopes

NEWS = ["tea is out", "there is cake"]
# Without SECRET this raises an error that names it and shows the command to make one.
manager = LoginManager[str](os.environ.get("SECRET", ""))


@manager.user_loader
async def load_user(sub: str) -> str | None:
    return {"ada": "Ada", "bob": "Bob"}.get(sub)


@strawberry.type
class Query:
    """What anybody may ask."""

    @strawberry.field
    def site(self) -> str:
        """Return the name of the site."""
        return "news"


@strawberry.type
class Subscription:
    """What users are sent."""

    @strawberry.subscription
    async def news(self, info: strawberry.Info[dict[str, Any], None]) -> AsyncGenerator[str, None]:
        """Yield the news, one by one."""
        auth: Auth[str] = info.context["auth"]
        for one in NEWS:
            # Asked anew each time: the token may have expired, or was revoked.
            auth.require()
            yield f"{auth.user}: {one}"


class GraphQLWithLogin(GraphQL[dict[str, Any], None]):
    """Takes the token from the first message of graphql-transport-ws, as browsers set no header of a websocket."""

    async def on_ws_connect(self, context: dict[str, Any]) -> object:
        """Take a client in, or turn it away."""
        token = (context["connection_params"] or {}).get("token")
        context["auth"] = await manager.authenticate_token(token, scope=context["request"])
        if not context["auth"].is_authenticated:
            raise ConnectionRejectionError
        return await super().on_ws_connect(context)


sio = socketio.AsyncServer(async_mode="asgi")
clients: dict[str, Auth[str]] = {}


@sio.event
async def connect(sid: str, _environ: dict[str, Any], auth: object) -> None:
    token = auth.get("token") if isinstance(auth, dict) else None
    clients[sid] = await manager.authenticate_token(token)
    if not clients[sid].is_authenticated:
        del clients[sid]
        raise ConnectionRefusedError("log in first")


@sio.event
async def disconnect(sid: str, _reason: str) -> None:
    clients.pop(sid, None)


@requires_scopes("news:write")
async def publish(news: str) -> str:
    NEWS.append(news)
    return f"published by {current_auth().user}"


@sio.event
async def write(sid: str, news: str) -> dict[str, str]:
    with clients[sid].active():
        try:
            return {"answer": await publish(news)}
        except AuthError as error:
            return {"error": error.error}


app = Starlette(
    routes=[
        Mount("/graphql", app=GraphQLWithLogin(strawberry.Schema(query=Query, subscription=Subscription))),
        Mount("/socket.io", app=socketio.ASGIApp(sio, socketio_path="")),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)
