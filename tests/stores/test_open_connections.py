"""Open websockets and a store that processes share: they are closed wherever their login was ended."""

import time
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from conformance.driver import bearer, make_scope
from open_sockets import open_socket
from stores.asking import following, until
from stores.tokens import token

from asgi_login import AuthMiddleware, LoginManager, get_auth
from asgi_login.redis import RedisStore

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"


def process(url, **options):
    """Return the manager of one process."""
    manager = LoginManager(SECRET, store=RedisStore(url, **options))

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
            # As another process would have written it, without the line of the log, which is lost.
            server.say("SET", "{asgi-login:default}:u:ada", f"{int(time.time()) + 1}:")
            server.say("SAVE")
            server.kill()
            await until(lambda: not here.config.revocation.clears(token(time.time() + 3600)))
            assert not is_closed(ada)
            await anyio.to_thread.run_sync(server.start)
            await until(lambda: is_closed(ada))
            assert not is_closed(bob)

    anyio.run(main)


def test_a_stream_whose_end_was_missed_is_broken_off_at_its_next_part(server):
    async def main():
        here = process(server.url)
        await following(here.config.revocation)
        sent, goes_on = [], anyio.Event()

        async def stream(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            await goes_on.wait()
            await send({"type": "http.response.body", "body": b"two", "more_body": True})

        async def hear(message):
            sent.append(message)

        token_of_ada = here.create_access_token(data={"sub": "ada"})
        app = AuthMiddleware(stream, here, end_connections=True)
        told = []
        here.config.revocation.subscribe(told.append)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app, make_scope("http", "/", headers=[bearer(token_of_ada)], method="GET"), None, hear)
            await until(lambda: len(sent) == 2)
            server.say("FLUSHALL")
            server.say("SET", "{asgi-login:default}:u:ada", f"{int(time.time()) + 1}:")
            await until(lambda: None in told)
            goes_on.set()
        assert [message.get("body") for message in sent] == [None, b"one"]

    anyio.run(main)


def test_one_login_that_cannot_be_judged_keeps_no_other_websocket_open(server):
    async def main():
        here, there = process(server.url), process(server.url)
        await following(here.config.revocation)
        async with connected(here, "eve", "ada") as (eve, ada):
            server.say("FLUSHALL")
            server.say("SET", "{asgi-login:default}:u:eve", "soon")
            await there.revoke_user("ada")
            await until(lambda: is_closed(ada))
            server.say("SET", "{asgi-login:default}:u:eve", f"{int(time.time()) + 1}:")
            await until(lambda: is_closed(eve))

    anyio.run(main)


def test_a_websocket_that_was_let_in_while_the_store_was_down_is_judged_when_it_is_back(server):
    async def main():
        here = process(server.url, insecure_fail_open=True)
        ended = here.create_access_token(data={"sub": "ada"})
        await process(server.url).revoke_token(ended)
        server.freeze()
        app = AuthMiddleware(listen, here, end_connections=True)
        async with anyio.create_task_group() as tasks:
            socket = await open_socket(tasks, app, bearer(ended))
            server.thaw()
            await until(lambda: is_closed(socket))

    anyio.run(main)


def test_a_loop_on_which_nothing_but_a_websocket_is_follows_the_store_too(server):
    async def main():
        here, there = process(server.url), process(server.url)

        def warm_up():
            anyio.run(following, here.config.revocation)

        async with connected(here, "ada"):
            # The first loop has ended, and with it what followed there.
            await anyio.to_thread.run_sync(warm_up)
        async with connected(here, "bob") as (bob,):
            await there.revoke_user("bob")
            await until(lambda: is_closed(bob), 2)

    anyio.run(main)
