"""Open websockets and a store that processes share: they are closed wherever their login was ended."""

import time
from contextlib import asynccontextmanager

import anyio
from conformance.driver import bearer
from open_sockets import open_socket
from stores.asking import following, until
from stores.tokens import token

from asgi_login import AuthMiddleware, LoginManager, get_auth
from asgi_login.redis import RedisStore

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"


def process(url):
    """Return the manager of one process."""
    manager = LoginManager(SECRET, store=RedisStore(url))

    @manager.user_loader
    async def load_user(sub):
        return sub

    return manager


async def listen(scope, receive, send):
    get_auth(scope).require()
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@asynccontextmanager
async def connected(manager, *subs):
    """Open a websocket for each user."""
    app = AuthMiddleware(listen, manager, end_connections=True)
    async with anyio.create_task_group() as tasks:
        headers = [bearer(manager.create_access_token(data={"sub": sub})) for sub in subs]
        yield [await open_socket(tasks, app, one) for one in headers]
        tasks.cancel_scope.cancel()


def is_closed(socket):
    return socket.sent[-1].get("code") == 4401


def test_a_websocket_is_closed_by_an_end_in_another_process(server):
    async def main():
        here, there = process(server.url), process(server.url)
        await following(here.config.revocation)
        async with connected(here, "ada", "bob") as (ada, bob):
            began = time.monotonic()
            await there.revoke_user("ada")
            await until(lambda: is_closed(ada), 1)
            assert time.monotonic() - began < 1
            assert not is_closed(bob)

    anyio.run(main)


def test_websockets_stay_open_while_the_store_does_not_answer_and_are_judged_afterwards(server):
    async def main():
        here = process(server.url)
        await following(here.config.revocation)
        async with connected(here, "ada", "bob") as (ada, bob):
            server.say("SET", "{asgi-login:default}:u:ada", f"{int(time.time()) + 1}:")
            # As another process would have done it, without the line of the log, which is lost.
            server.say("SAVE")
            server.kill()
            await until(lambda: not here.config.revocation.clears(token(time.time() + 3600)))
            assert not is_closed(ada)
            await anyio.to_thread.run_sync(server.start)
            await until(lambda: is_closed(ada))
            assert not is_closed(bob)

    anyio.run(main)
