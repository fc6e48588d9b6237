"""One fetch at a time: whoever waits for it may go, and event loops may end."""

import gc
import threading
import weakref
from contextvars import ContextVar

import anyio
import httpx
import pytest
from helpers import authenticate, bearer, protected
from issuers.providers import Provider, manager_of, ready, settled, status, timed, token


class Slow:
    """A provider that answers when it is told to."""

    def __init__(self):
        self.provider = Provider()
        self.asked = anyio.Event()
        self.released = anyio.Event()
        self.issuer = self.provider.issuer(client=httpx.AsyncClient(transport=httpx.MockTransport(self._answer)))
        self.time = timed(self.issuer)
        self.app = protected(manager_of(self.issuer))

    async def _answer(self, request):
        self.asked.set()
        await self.released.wait()
        return self.provider(request)


@pytest.mark.anyio
async def test_a_waiter_that_is_cancelled_does_not_cancel_the_others():
    slow, found = Slow(), []

    async def wait():
        found.append(await status(slow.app, token()))

    async with anyio.create_task_group() as everyone:
        async with anyio.create_task_group() as first:
            first.start_soon(wait)
            await slow.asked.wait()
            everyone.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            # The one that began it, too.
            first.cancel_scope.cancel()
        slow.released.set()
    assert found == [200]
    assert slow.provider.fetches == 1


@pytest.mark.anyio
async def test_when_all_have_gone_the_keys_come_all_the_same():
    slow = Slow()
    with anyio.move_on_after(0.01):
        await status(slow.app, token())
    slow.released.set()
    await settled(slow.issuer)
    assert await status(slow.app, token()) == 200
    assert slow.provider.fetches == 1


class User:
    pass


@pytest.mark.anyio
async def test_a_fetch_does_not_keep_the_context_of_the_request_that_began_it():
    slow, variable = Slow(), ContextVar("user")

    async def request():
        user = User()
        variable.set(user)
        seen.append(weakref.ref(user))
        with anyio.move_on_after(0.01):
            await status(slow.app, token())

    seen = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(request)
    gc.collect()
    assert slow.issuer._flights.is_under_way()
    assert seen[0]() is None
    slow.released.set()
    await settled(slow.issuer)


class Loops:
    """Requests in event loops of their own, one after the other, as under WSGI."""

    def __init__(self, backend="asyncio"):
        self.backend = backend
        self.provider = Provider()
        self.issuer = self.provider.issuer(client=httpx.AsyncClient(transport=httpx.MockTransport(self._answer)))
        self.time = timed(self.issuer)
        self.app = protected(manager_of(self.issuer))

    async def _answer(self, request):
        # Long enough for a request to be over that does not wait.
        await anyio.sleep(0.02)
        return self.provider(request)

    def status(self):
        return anyio.run(status, self.app, token(), backend=self.backend)


def test_event_loops_share_the_keys(anyio_backend):
    loops = Loops(anyio_backend)
    assert [loops.status() for _ in range(3)] == [200] * 3
    assert loops.provider.fetches == 1


def test_a_fetch_that_was_cut_off_with_its_event_loop_is_waited_for_the_next_time(anyio_backend):
    loops = Loops(anyio_backend)
    loops.status()
    loops.time.passes(minutes=11)
    # The request ends at once, and the event loop with it.
    assert loops.status() == 200
    assert loops.provider.fetches == 1
    assert loops.status() == 200
    assert loops.provider.fetches == 2


def test_if_that_fails_the_keys_go_on(anyio_backend):
    loops = Loops(anyio_backend)
    loops.status()
    loops.time.passes(minutes=11)
    loops.provider.answers[f"{loops.provider.url}/keys"] = httpx.Response(500)
    assert [loops.status() for _ in range(5)] == [200] * 5


def test_event_loops_in_threads_do_not_wait_for_each_other(anyio_backend):
    loops = Loops(anyio_backend)
    found = []
    threads = [threading.Thread(target=lambda: found.append(loops.status())) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [200] * 8


def test_without_an_event_loop_known_keys_count():
    issuer = ready(Provider().issuer())
    manager = manager_of(issuer)
    timed(issuer).now = issuer._source.due_at + 1
    assert authenticate(manager, bearer(token())).user == "ada"
