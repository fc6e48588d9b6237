"""The task that follows a store: with whom it lives and ends, and what it survives."""

import asyncio
import logging
import subprocess
import sys
import time
from contextvars import ContextVar

import pytest
import trio
from stores.asking import until, verdict
from stores.tokens import token

from asgi_login.stores import Answer, Batch, Beginning, CutOff, Entry, Revocation, StoreOptions

user = ContextVar("user", default=None)


class Channel:
    """A store that other processes share, as somebody else may write one: the least that the protocol asks for."""

    def __init__(self):
        self.log, self.asked, self.begun, self.closed, self.seen = [], 0, 0, 0, []
        self.swallows, self.breaks, self.hangs, self.takes = False, None, False, 0.0

    async def end(self, kind, value, until):
        self.log.append(Entry(kind, value, until))

    async def cut_off(self, sub, *, keep):
        self.log.append(Entry("u", sub, 4e9, CutOff(int(time.time()), keep)))
        return self.log[-1].cut_off

    async def ask(self, jti, sid, sub):
        self.asked += 1
        await asyncio.sleep(self.takes)
        marks = {(entry.kind, entry.value) for entry in self.log}
        return Answer("s" if ("s", sid) in marks else "t" if ("t", jti) in marks else None, None)

    async def begin(self):
        self.begun += 1
        self.seen.append(user.get())
        while self.swallows:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise ConnectionError("swallowed") from None
        return Beginning(str(len(self.log)), time.time(), "epoch", "writer")

    async def read(self, position, *, wait):
        if self.breaks:
            problem, self.breaks = self.breaks, None
            raise problem
        if self.hangs:
            self.hangs = False
            await asyncio.sleep(60)
        for _ in range(50):
            if len(self.log) > int(position):
                break
            await asyncio.sleep(0.01)
        return Batch(self.log[int(position) :], str(len(self.log)), True, time.time(), "epoch", "writer")

    async def offer(self, entries):
        pass

    async def close(self):
        self.closed += 1


class OwnStore:
    def __init__(self, channel):
        self.options, self.channel = StoreOptions(), channel

    def open(self, name, *, leeway, clock):
        return self.channel


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
def one(channel):
    return Revocation(OwnStore(channel), "default", leeway=0, lives=900)


def young():
    return token(time.time() + 3600)


def test_nothing_is_begun_before_the_first_credential(one, channel):
    async def main():
        one.clears(young())
        await asyncio.sleep(0)
        assert channel.begun == 0
        await verdict(one, young())
        await until(lambda: one.clears(young()))
        assert channel.begun == 1

    asyncio.run(main())


def test_it_ends_with_its_loop_and_closes_what_belongs_to_it(one, channel):
    async def main():
        await verdict(one, young())
        await until(lambda: one.clears(young()))

    asyncio.run(main())
    assert channel.closed == 1


def test_it_ends_with_its_loop_even_where_a_client_library_swallows_the_cancellation(one, channel):
    async def main():
        channel.swallows = True
        await verdict(one, young())
        await until(lambda: channel.begun)

    asyncio.run(main())
    assert channel.closed == 1


def test_a_new_loop_has_a_follower_of_its_own_and_misses_nothing(one, channel):
    async def main(sid):
        await verdict(one, young())
        await until(lambda: one.clears(young()))
        channel.log.append(Entry("s", sid, 4e9))
        await until(lambda: one.ends(token(time.time(), sid=sid)))

    asyncio.run(main("a"))
    channel.log.append(Entry("s", "between", 4e9))
    asyncio.run(main("b"))
    assert one.ends(token(time.time(), sid="between"))
    assert len(one._follower._tasks) == 1


def test_it_does_not_keep_the_context_of_the_request_that_started_it(one, channel):
    async def main():
        user.set("ada")
        await verdict(one, young())
        await until(lambda: channel.begun)

    asyncio.run(main())
    assert channel.seen == [None]


def test_what_is_stale_is_counted_from_when_a_read_was_sent(channel):
    put_forward = 0.0

    def clock():
        return time.monotonic() + put_forward

    one = Revocation(OwnStore(channel), "default", leeway=0, lives=900, monotonic=clock)

    async def main():
        nonlocal put_forward
        await verdict(one, young())
        await until(lambda: one.clears(young()))
        reading, answers = asyncio.Event(), asyncio.Event()

        async def slow(position, *, wait):
            reading.set()
            await answers.wait()
            return Batch([], position, True, time.time(), "epoch", "writer")

        channel.read = slow
        await reading.wait()
        # The answer comes nine seconds after the question, and another two go by.
        put_forward += 9
        answers.set()
        reading.clear()
        answers = asyncio.Event()
        await reading.wait()
        put_forward += 2
        channel.asked = 0
        await verdict(one, young())
        assert channel.asked == 1

    asyncio.run(main())


def test_it_survives_an_error_of_the_store_that_nobody_expected(one, channel, caplog):
    async def main():
        await verdict(one, young())
        await until(lambda: one.clears(young()))
        channel.breaks = LookupError("a bug")
        channel.log.append(Entry("s", "sid", 4e9))
        await until(lambda: one.ends(token(time.time(), sid="sid")))

    asyncio.run(main())
    assert [record.levelno for record in caplog.records if "following a store failed" in record.message] == [
        logging.ERROR
    ]


def test_a_read_that_is_overdue_is_given_up_and_the_store_is_begun_anew(one, channel):
    async def main():
        channel.hangs = True
        await verdict(one, young())
        await until(lambda: channel.begun == 2, seconds=5)
        channel.log.append(Entry("s", "sid", 4e9))
        await until(lambda: one.ends(token(time.time(), sid="sid")))

    asyncio.run(main())


def test_a_deadline_that_passed_while_the_loop_stood_still_says_nothing_about_the_store(one, channel):
    async def main():
        channel.takes = 0.1
        asking = asyncio.create_task(verdict(one, token(time.time() - 3600)))
        await until(lambda: channel.asked)
        time.sleep(0.8)  # noqa: ASYNC251 - the loop stands still
        assert await asking == "good"

    asyncio.run(main())


def test_on_trio_a_sentence_says_what_to_use(one):
    async def main():
        await verdict(one, young())

    with pytest.raises(RuntimeError, match=r"needs asyncio.*MemoryStore"):
        trio.run(main)


def test_an_ended_token_that_is_sent_again_and_again_is_asked_for_once(one, channel):
    async def main():
        channel.log.append(Entry("t", "jti", 4e9))
        for _ in range(5):
            assert await verdict(one, token(time.time() - 3600, jti="jti")) == "ended"

    asyncio.run(main())
    assert channel.asked == 1


def test_an_old_token_is_asked_for_once(one, channel):
    async def main():
        await verdict(one, young())
        await until(lambda: one.clears(young()))
        asked, old = channel.asked, token(time.time() - 3600)
        for _ in range(5):
            assert await verdict(one, old) == "good"
        assert channel.asked == asked + 1

    asyncio.run(main())


def test_importing_the_stores_starts_nothing_and_imports_no_redis():
    code = "import asgi_login.stores, sys, threading; print('redis' in sys.modules, threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split() == ["False", "1"]
