"""What happens when a store is down, slow, frozen, full, emptied or not safe: the rows of the table of faults."""

import asyncio
import logging
import re
import time
from datetime import timedelta
from functools import partial

import pytest
from stores.asking import following, until, until_told, verdict
from stores.proxy import Proxy
from stores.tokens import token

from asgi_login.errors import ServiceUnavailable
from asgi_login.redis import RedisStore, channel
from asgi_login.stores import Entry, Revocation

SOON = 900


def now():
    return time.time()


def process(url, *, lives=900, monotonic=time.monotonic, **options):
    return Revocation(RedisStore(url, **options), "default", leeway=0, lives=lives, monotonic=monotonic)


def young():
    return token(now() + 3600)


def old(**claims):
    return token(now() - 3600, **claims)


class Ahead:
    """The monotonic clock, which can be put forward: what would be a wait is none."""

    def __init__(self):
        self.by = 0.0

    def __call__(self):
        return time.monotonic() + self.by


def test_a_store_that_is_down_at_the_start_refuses_with_503_and_is_back_within_two_seconds(make_server):
    server = make_server()

    async def main():
        one = process(server.url)
        assert [await verdict(one, young()), await verdict(one, old())] == ["503", "503"]
        await asyncio.to_thread(server.start)
        began = time.monotonic()
        await until_told(one, "good", old)
        await until(lambda: one.clears(young()))
        assert time.monotonic() - began < 2.5

    asyncio.run(main())


def test_a_store_that_goes_down_leaves_what_is_known_for_max_staleness(server):
    async def main():
        clock = Ahead()
        one = process(server.url, monotonic=clock)
        await following(one)
        known, unknown = old(), old()
        assert await verdict(one, known) == "good"
        await one.end_session("sid", now() + SOON)
        server.kill()
        assert [await verdict(one, young()), await verdict(one, known)] == ["good", "good"]
        assert await verdict(one, unknown) == "503"
        clock.by = 9
        assert await verdict(one, known) == "good"
        clock.by = 11
        assert [await verdict(one, young()), await verdict(one, known)] == ["503", "503"]
        assert await verdict(one, token(now() + 9, sid="sid")) == "ended"

    asyncio.run(main())


def test_while_a_store_is_down_callers_do_not_pile_up_and_it_is_tried_once_a_second(server, proxy):
    async def main():
        one = process(proxy.url)
        await following(one)
        server.freeze()
        first = await asyncio.gather(*(verdict(one, old()) for _ in range(100)))
        assert set(first) == {"503"}
        await asyncio.sleep(0.3)
        before, began = proxy.opened, time.monotonic()
        while time.monotonic() < began + 2.2:
            at = time.monotonic()
            assert await verdict(one, old()) == "503"
            waited = time.monotonic() - at
            assert waited < 1
            await asyncio.sleep(0.01)
        # One probe each second, of the callers and the follower together.
        assert proxy.opened - before <= 6
        server.thaw()
        await until(lambda: one.clears(young()), seconds=4)
        assert await verdict(one, old()) == "good"

    asyncio.run(main())


def test_a_frozen_store_costs_a_caller_the_timeout_and_no_more(server):
    async def main():
        one = process(server.url, timeout=timedelta(milliseconds=100))
        await following(one)
        server.freeze()
        began = time.monotonic()
        assert await verdict(one, old()) == "503"
        assert time.monotonic() - began < 1
        began = time.monotonic()
        assert await verdict(one, old()) == "503"
        assert time.monotonic() - began < 0.1
        server.thaw()

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["freeze", "half-open"])
def test_a_connection_that_is_silent_is_noticed_and_replaced(server, proxy, fault):
    async def main():
        here, there = process(proxy.url), process(server.url)
        await following(here, there)
        if fault == "freeze":
            server.freeze()
        else:
            proxy.silent = True
        before = proxy.opened
        await until(lambda: proxy.opened > before, seconds=3)
        server.thaw()
        proxy.silent = False
        await there.end_session("sid", now() + SOON)
        await until(lambda: here.ends(token(now(), sid="sid")), seconds=4)
        # Nothing was missed, so that nothing must be asked for again.
        await until(lambda: here.clears(young()))

    asyncio.run(main())


def test_a_connection_that_breaks_is_replaced_without_a_gap(server, proxy):
    async def main():
        here, there = process(proxy.url), process(server.url)
        await following(here, there)
        known, told = old(), []
        assert await verdict(here, known) == "good"
        here.subscribe(told.append)
        proxy.reset()
        await there.end_session("sid", now() + SOON)
        await until(lambda: here.ends(token(now(), sid="sid")))
        await until(lambda: here.clears(known))
        assert None not in told
        # A question on a connection that was closed is put again, at once.
        proxy.reset()
        assert await verdict(here, old()) == "good"

    asyncio.run(main())


def test_an_answer_that_comes_too_late_is_given_to_nobody_else(server, proxy):
    async def main():
        one = process(proxy.url, timeout=timedelta(milliseconds=100))
        await following(one)
        await one.end_session("sid", now() + SOON)
        server.say("DEL", "{asgi-login:default}:log")
        late = process(proxy.url, timeout=timedelta(milliseconds=100))
        await following(late)
        proxy.late = 0.3
        assert await verdict(late, old(sid="sid")) == "503"
        proxy.late = 0
        await until_told(late, "good", old)
        assert [await verdict(late, old()), await verdict(late, old(sid="sid"))] == ["good", "ended"]

    asyncio.run(main())


def test_a_loop_that_stood_still_asks_once_a_request_and_refuses_nobody(server):
    async def main():
        one = process(server.url, max_staleness=timedelta(seconds=2))
        await following(one)
        await one.end_session("sid", now() + SOON)
        asking = asyncio.create_task(verdict(one, old()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(2.5)  # noqa: ASYNC251 - the loop stands still
        assert not one.clears(young())
        assert [await asking, await verdict(one, young())] == ["good", "good"]
        assert await verdict(one, token(now(), sid="sid")) == "ended"
        await until(lambda: one.clears(young()))

    asyncio.run(main())


def test_flushall_is_an_error_in_the_log_and_what_is_known_is_written_again(server, caplog):
    async def main():
        here, there = process(server.url), process(server.url)
        await following(here, there)
        await here.end_session("sid", now() + SOON)
        await here.end_token("jti", now() + SOON)
        await here.end_user("bob", keep="kept")
        server.say("FLUSHALL")
        await until(lambda: "the store has lost its data" in caplog.text)
        late = process(server.url)
        for claims in ({"sid": "sid"}, {"jti": "jti"}, {"sub": "bob"}):
            await until_told(late, "ended", partial(old, **claims))
        assert await verdict(late, old(sub="bob", sid="kept")) == "good"
        # What was good before may have been ended meanwhile: it is asked for again.
        await until(lambda: here.clears(young()))
        assert server.say("XLEN", "{asgi-login:default}:log") == b":3\r\n"

    asyncio.run(main())
    assert next(record.levelno for record in caplog.records if "lost its data" in record.message) == logging.ERROR


def test_a_store_killed_without_persistence_gets_back_what_processes_know(server, caplog):
    async def main():
        here = process(server.url)
        await following(here)
        await here.end_session("sid", now() + SOON)
        server.kill()
        await asyncio.to_thread(server.start)
        late = process(server.url)
        await until_told(late, "ended", partial(old, sid="sid"))

    asyncio.run(main())
    assert "the store has lost its data" in caplog.text


def test_a_store_killed_with_an_append_only_file_has_lost_nothing(make_server, caplog):
    server = make_server("--appendonly", "yes", "--appendfsync", "always").start()

    async def main():
        here = process(server.url)
        await following(here)
        await here.end_session("sid", now() + SOON)
        server.kill()
        await asyncio.to_thread(server.start)
        late = process(server.url)
        await until_told(late, "good", old)
        assert await verdict(late, old(sid="sid")) == "ended"
        await until(lambda: here.clears(young()))

    asyncio.run(main())
    assert "lost its data" not in caplog.text


def test_what_was_known_to_be_good_is_asked_for_again_after_a_loss(server):
    async def main():
        here, known = process(server.url), old()
        await following(here)
        assert await verdict(here, known) == "good"
        assert here.clears(known)
        told = []
        here.subscribe(told.append)
        server.say("FLUSHALL")
        await until(lambda: None in told)
        assert not here.clears(known)
        assert await verdict(here, known) == "good"
        assert here.clears(known)

    asyncio.run(main())


def test_a_store_that_is_full_after_a_loss_is_not_read_without_a_pause(server, caplog):
    async def main():
        here = process(server.url)
        await following(here)
        await here.end_session("sid", now() + SOON)
        server.say("CONFIG", "SET", "maxmemory", "1")
        server.say("FLUSHALL")
        await until(lambda: "cannot be written again yet" in caplog.text)
        before = reads(server)
        await asyncio.sleep(1)
        assert reads(server) - before < 10
        server.say("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: server.say("EXISTS", "{asgi-login:default}:s:sid") == b":1\r\n")

    asyncio.run(main())
    assert caplog.text.count("cannot be written again yet") == 1


def reads(server):
    """Return how often the log was read."""
    found = re.search(rb"cmdstat_xread:calls=(\d+)", server.say("INFO", "commandstats"))
    return int(found[1]) if found else 0


def test_a_server_that_hides_what_must_be_known_is_refused_with_a_sentence(server, monkeypatch):
    # As managed servers do that leave fields out of INFO.
    monkeypatch.setattr(channel, "BEGIN", channel.BEGIN.replace("maxmemory:", "nowhere:"))

    async def main():
        return await verdict(process(server.url), old())

    assert asyncio.run(main()) == "503"


def test_a_cut_off_that_somebody_else_has_written_is_a_503_and_no_failure(server):
    async def main():
        here = process(server.url)
        await following(here)
        server.say("SET", "{asgi-login:default}:u:eve", "soon")
        return await verdict(here, old(sub="eve"))

    assert asyncio.run(main()) == "503"


def test_a_line_of_the_log_in_another_encoding_stops_nobody(server):
    async def main():
        here = process(server.url)
        await following(here)
        server.say_bytes(b"XADD", b"{asgi-login:default}:log", b"*", b"k", b"\xff", b"v", b"\xfe", b"x", b"1")
        await process(server.url).end_session("sid", now() + SOON)
        await until(lambda: here.ends(token(now() + 3600, sid="sid")))

    asyncio.run(main())


def test_a_gap_tells_subscribers_to_judge_again(server):
    async def main():
        here, told = process(server.url), []
        await following(here)
        here.subscribe(told.append)
        server.say("FLUSHALL")
        await until(lambda: None in told)

    asyncio.run(main())


def replica_of(make_server, master):
    replica = make_server().start("--replicaof", "127.0.0.1", str(master.port))
    link = b"master_link_status:up"
    deadline = time.monotonic() + 20
    while link not in replica.say("INFO", "replication"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return replica


def test_a_replica_promoted_after_its_link_was_cut_gets_back_what_it_lost(make_server):
    master = make_server("--repl-diskless-sync-delay", "0").start()
    with Proxy(master.port) as proxy, Proxy(master.port) as link:
        replica = make_server("--repl-diskless-sync-delay", "0").start("--replicaof", "127.0.0.1", str(link.port))
        deadline = time.monotonic() + 20
        while b"master_link_status:up" not in replica.say("INFO", "replication"):
            assert time.monotonic() < deadline
            time.sleep(0.01)

        async def main():
            here = process(proxy.url)
            await following(here)
            await here.end_session("replicated", now() + SOON)
            await until(lambda: replica.say("EXISTS", "{asgi-login:default}:s:replicated") == b":1\r\n")
            link.refuse()
            await here.end_session("lost", now() + SOON)
            replica.say("REPLICAOF", "NO", "ONE")
            proxy.target = replica.port
            proxy.reset()
            late = process(proxy.url)
            for sid in ("replicated", "lost"):
                await until_told(late, "ended", partial(old, sid=sid))
            # The log of the new master has gone other ways, and is followed from its end.
            await late.end_session("next", now() + SOON)
            await until(lambda: here.ends(token(now(), sid="next")))

        asyncio.run(main())


def test_with_replicas_nothing_is_said_to_be_ended_that_could_be_lost(make_server):
    master = make_server("--repl-diskless-sync-delay", "0").start()

    async def main():
        one = process(master.url, replicas=1, timeout=timedelta(seconds=2))
        with pytest.raises(ServiceUnavailable) as refused:
            await one.end_session("sid", now() + SOON)
        assert refused.value.reason.startswith("0 of 1 replicas")
        replica = await asyncio.to_thread(replica_of, make_server, master)
        await one.end_session("sid", now() + SOON)
        assert replica.say("EXISTS", "{asgi-login:default}:s:sid") == b":1\r\n"

    asyncio.run(main())


def test_a_server_that_became_a_replica_is_left_for_the_one_that_writes(make_server):
    first, second = make_server().start(), make_server().start()
    with Proxy(first.port) as proxy:

        async def main():
            one = process(proxy.url)
            await following(one)
            first.say("REPLICAOF", "127.0.0.1", str(second.port))
            proxy.target = second.port
            await until(lambda: b"asgi-login" in second.say("KEYS", "*epoch"))
            # On a connection of before, which goes on to work.
            await one.end_session("sid", now() + SOON)
            assert second.say("EXISTS", "{asgi-login:default}:s:sid") == b":1\r\n"

        asyncio.run(main())


@pytest.mark.parametrize("allow", [False, True])
def test_a_store_that_may_evict_is_refused_with_one_sentence_unless_that_is_allowed(make_server, allow, caplog):
    server = make_server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru").start()

    async def main():
        one = process(server.url, insecure_allow_eviction=allow, insecure_fail_open=True)
        if allow:
            assert await verdict(one, old()) == "good"
            return
        for _ in range(20):
            assert [await verdict(one, old()), await verdict(one, young())] == ["503", "503"]
            await asyncio.sleep(0.05)
        server.say("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await until(lambda: one.clears(young()), seconds=4)
        assert await verdict(one, old()) == "good"

    asyncio.run(main())
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == (0 if allow else 1)
    assert allow or "maxmemory-policy allkeys-lru" in said[0].message


def test_a_policy_without_a_limit_evicts_nothing(make_server):
    server = make_server("--maxmemory-policy", "allkeys-lru").start()

    async def main():
        assert await verdict(process(server.url), old()) == "good"

    asyncio.run(main())


def test_a_store_that_is_full_refuses_writes_and_answers_questions(server):
    async def main():
        one = process(server.url)
        await following(one)
        await one.end_session("sid", now() + SOON)
        server.say("CONFIG", "SET", "maxmemory", "1")
        for write in (
            one.end_session("x", now() + SOON),
            one.end_user("ada", keep=None),
            one.end_token("y", now() + 9),
        ):
            with pytest.raises(ServiceUnavailable):
                await write
        assert await verdict(one, old(sub="ada")) == "good"
        late = process(server.url)
        assert [await verdict(late, old(sid="sid")), await verdict(late, old())] == ["ended", "good"]
        await until(lambda: late.clears(young()))
        server.say("CONFIG", "SET", "maxmemory", "0")
        await one.end_session("x", now() + SOON)

    asyncio.run(main())


def test_a_store_that_is_full_from_the_start_is_followed(make_server):
    server = make_server("--maxmemory", "1").start()

    async def main():
        one = process(server.url)
        assert await verdict(one, old()) == "good"
        await until(lambda: one.clears(young()))

    asyncio.run(main())


def test_a_line_of_a_later_release_and_a_malformed_one_are_skipped(server, caplog):
    async def main():
        one = process(server.url)
        await following(one)
        log = "{asgi-login:default}:log"
        server.say("XADD", log, "*", "k", "f", "v", "sid", "z", "new")
        server.say("XADD", log, "*", "k", "t", "v", "no x")
        server.say("XADD", log, "*", "k", "s", "v", "sid", "x", str(int(now() + SOON)))
        await until(lambda: one.ends(token(now(), sid="sid")))

    asyncio.run(main())
    assert [record.message for record in caplog.records if "malformed" in record.message]


def test_failing_open_is_said_once_a_minute_and_lets_no_known_end_through(server, caplog):
    async def main():
        clock = Ahead()
        one = process(server.url, insecure_fail_open=True, monotonic=clock)
        await following(one)
        await one.end_session("sid", now() + SOON)
        server.kill()
        for _ in range(20):
            assert await verdict(one, old()) == "good"
        assert await verdict(one, old(sid="sid")) == "ended"
        clock.by += 61
        assert await verdict(one, old()) == "good"

    asyncio.run(main())
    assert len([record for record in caplog.records if "insecure_fail_open" in record.message]) == 2


def test_without_a_follower_every_token_is_asked_for_each_time_and_rightly(server):
    # As where the log cannot be read: degraded, and correct.
    async def main():
        one = process(server.url)
        server.say("ACL", "SETUSER", "default", "-xread")
        good, ended = young(), token(now() + 9, sid="sid")
        await one.end_session("sid", now() + SOON)
        clock = Ahead()
        late = process(server.url, monotonic=clock)
        assert await verdict(late, good) == "good"
        clock.by = 11
        for _ in range(3):
            assert not late.clears(good)
            assert [await verdict(late, good), await verdict(late, ended)] == ["good", "ended"]

    asyncio.run(main())


def test_the_log_keeps_an_hour_and_no_more(server):
    async def main():
        one = process(server.url)
        log, hour = "{asgi-login:default}:log", int(now() * 1000) - 3_700_000
        for number in range(400):
            server.say("XADD", log, f"{hour + number}-0", "k", "s", "v", f"s{number}", "x", "9999999999")
        await one.end_session("sid", now() + SOON)
        left = int(server.say("XLEN", log)[1:].strip())
        assert left < 200

    asyncio.run(main())


def test_the_mark_of_a_session_is_not_shortened(server):
    async def main():
        one = process(server.url)
        await one.end_session("sid", now() + SOON)
        ends = server.say("PEXPIRETIME", "{asgi-login:default}:s:sid")
        await one.end_session("sid", now() + 9)
        assert server.say("PEXPIRETIME", "{asgi-login:default}:s:sid") == ends

    asyncio.run(main())


def test_several_loops_one_after_the_other_each_follow(server):
    one = process(server.url)
    there = process(server.url)

    async def main(sid):
        await following(one)
        await there.end_session(sid, now() + SOON)
        await until(lambda: one.ends(token(now(), sid=sid)), seconds=3)

    for sid in ("a", "b", "c"):
        asyncio.run(main(sid))
    assert len(one._follower._tasks) <= 2


def test_what_is_offered_again_does_not_move_a_cut_off_back(server):
    async def main():
        one = process(server.url)
        await one.end_user("ada", keep=None)
        known = one._view.entries(0)
        await one.end_user("ada", keep="mine")
        later = server.say("GET", "{asgi-login:default}:u:ada")
        await one._channel.offer([Entry("s", "new", now() + SOON), *known])
        assert server.say("GET", "{asgi-login:default}:u:ada") == later

    asyncio.run(main())
