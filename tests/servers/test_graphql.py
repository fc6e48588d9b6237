"""Subscriptions of GraphQL end with the login of their websocket: a real server, and a real client."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from servers.in_threads import served
from starlette.applications import Starlette
from starlette.routing import Mount

from asgi_login import Gate, LoginManager, MemoryStore
from asgi_login.starlette import install

strawberry = pytest.importorskip("strawberry", reason="strawberry-graphql is not installed: make test installs it")
gql = pytest.importorskip("gql", reason="gql is not installed: make test installs it")

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"


@strawberry.type
class Query:
    @strawberry.field
    def name(self) -> str:
        return "graphs"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def name(self, info: strawberry.Info) -> AsyncGenerator[str, None]:
        auth = info.context["auth"]
        auth.require()
        yield auth.user

    @strawberry.subscription
    async def waits(self) -> AsyncGenerator[str, None]:
        """Say one thing, and then be silent."""
        yield "open"
        await asyncio.Event().wait()


def application(manager):
    from strawberry.asgi import GraphQL  # noqa: PLC0415 - it is not there where strawberry is not

    graphql = GraphQL(strawberry.Schema(query=Query, subscription=Subscription))
    app = Starlette(routes=[Mount("/graphql", app=Gate(graphql, end_connections=True))])
    install(app, manager)
    return app


def application_with_a_first_message(manager):
    """Return an application whose clients log in with `connection_init`, as browsers do that have no cookie."""
    from strawberry.asgi import GraphQL  # noqa: PLC0415 - the same
    from strawberry.exceptions import ConnectionRejectionError  # noqa: PLC0415

    class WithLogin(GraphQL):
        async def on_ws_connect(self, context):
            params = context["connection_params"] or {}
            context["auth"] = await manager.authenticate_token(params.get("token", ""), scope=context["request"])
            if not context["auth"].is_authenticated:
                raise ConnectionRejectionError
            return await super().on_ws_connect(context)

    return WithLogin(strawberry.Schema(query=Query, subscription=Subscription))


def client(address, *, init=None, path="/graphql/", **headers):
    from gql.transport.websockets import WebsocketsTransport  # noqa: PLC0415 - the same

    protocol = WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL
    return gql.Client(
        transport=WebsocketsTransport(
            f"{address.replace('http', 'ws')}{path}",
            headers=headers,
            subprotocols=[protocol],
            init_payload=init or {},
        )
    )


@pytest.fixture
def manager():
    manager = LoginManager[str](SECRET, store=MemoryStore())
    manager.user_loader(lambda sub: sub)
    return manager


def test_a_silent_subscription_is_closed_with_4401_when_its_login_is_ended(manager):
    token = manager.create_access_token(data={"sub": "ada"})

    async def main(address):
        async with client(address, Authorization=f"Bearer {token}") as session:
            waits = session.subscribe(gql.gql("subscription { waits }"))
            assert await anext(waits) == {"waits": "open"}
            websocket = session.transport.adapter.websocket
            await manager.revoke_token(token)
            async with asyncio.timeout(2):
                with pytest.raises(gql.transport.exceptions.TransportError):
                    await anext(waits)
            assert websocket.close_code == 4401

    with served(application(manager)) as address:
        asyncio.run(main(address))


def test_a_client_logs_in_with_its_first_message(manager):
    token = manager.create_access_token(data={"sub": "ada"})

    async def main(address):
        async with client(address, path="/", init={"token": token}) as session:
            assert [one async for one in session.subscribe(gql.gql("subscription { name }"))] == [{"name": "ada"}]
        with pytest.raises(gql.transport.exceptions.TransportError):
            await client(address, path="/", init={"token": "nonsense"}).connect_async()

    with served(application_with_a_first_message(manager)) as address:
        asyncio.run(main(address))
