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


def client(address, **headers):
    from gql.transport.websockets import WebsocketsTransport  # noqa: PLC0415 - the same

    protocol = WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL
    return gql.Client(
        transport=WebsocketsTransport(
            f"{address.replace('http', 'ws')}/graphql/", headers=headers, subprotocols=[protocol]
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
