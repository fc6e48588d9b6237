"""What every store does alike: on MemoryStore, Redis and Valkey."""

import logging
import time
from dataclasses import replace

import anyio
import pytest
from stores.asking import following, until, verdict
from stores.tokens import token

from asgi_login.stores import MOST_DEVICES, CutOff, Device, Entry, MemoryStore, Revocation

SOON = 900


def now():
    return time.time()


def test_a_token_that_nobody_ended_is_good_whether_old_or_young(place):
    async def main():
        process = place.process()
        old, young = token(now() - 3600), token(now() + 3600)
        assert [await verdict(process, one) for one in (old, young)] == ["good", "good"]
        await following(process)
        assert [await verdict(process, one) for one in (old, young)] == ["good", "good"]

    place.run(main)


@pytest.mark.parametrize("age", [3600, 0])
def test_an_ended_token_is_refused_in_every_process_and_no_other(place, age):
    async def main():
        here, there = place.process(), place.process()
        await following(here, there)
        one, other = token(now() - age), token(now() - age)
        await here.end_token(one.claims["jti"], now() + SOON)
        assert await verdict(here, one) == "ended"
        await until(lambda: there.ends(one))
        assert [await verdict(there, two) for two in (one, other)] == ["ended", "good"]

    place.run(main)


def test_an_ended_session_takes_every_token_of_it_along_also_renewed_ones(place):
    async def main():
        here, there = place.process(), place.process()
        await following(here, there)
        await here.end_session("sid", now() + SOON)
        await until(lambda: there.ends(token(now(), sid="sid")))
        assert await verdict(there, token(now() + 5, sid="sid")) == "ended"
        assert await verdict(there, token(now(), sid="other")) == "good"

    place.run(main)


def test_a_process_that_starts_later_knows_what_was_ended_before(place):
    async def main():
        here = place.process()
        await here.end_session("sid", now() + SOON)
        await here.end_token("jti", now() + SOON)
        await here.end_user("bob", keep=None)
        late = place.process()
        ended = [token(now(), sid="sid"), token(now(), jti="jti"), token(now() - 5, sub="bob")]
        assert [await verdict(late, one) for one in ended] == ["ended"] * 3
        await following(late)
        again = [replace(one, good_since=0.0) for one in ended]
        assert [await verdict(late, one) for one in again] == ["ended"] * 3
        assert await verdict(late, token(now())) == "good"

    place.run(main)


def test_ending_a_user_ends_every_login_until_now_but_the_kept_one(place):
    async def main():
        here, there = place.process(), place.process()
        await following(here, there)
        await here.end_user("ada", keep="mine")
        mine, other, bare = token(now() - 9, sid="mine"), token(now() - 9, sid="other"), token(now() - 9)
        await until(lambda: there.ends(other))
        for process in (here, there):
            told = [await verdict(process, one) for one in (mine, other, bare, token(now() - 9, sub="bob"))]
            assert told == ["good", "ended", "ended", "good"]

    place.run(main)


def test_a_login_in_the_second_of_a_cut_off_lives_if_it_says_that_it_knew(place):
    async def main():
        here, there = place.process(leeway=2), place.process(leeway=2)
        await following(here, there)
        assert here.known_cut_off("ada") is None
        await here.end_user("ada", keep=None)
        known = here.known_cut_off("ada")
        assert now() + 1 <= known <= now() + 2
        ignorant, knowing = token(int(now())), token(int(now()), rev=known)
        await until(lambda: there.ends(ignorant))
        assert [await verdict(there, one) for one in (ignorant, knowing)] == ["ended", "good"]

    place.run(main)


def test_a_login_between_two_cut_offs_of_one_second_is_ended_and_one_after_them_lives(place):
    async def main():
        here, there = place.process(leeway=2), place.process(leeway=2)
        await following(here, there)
        await here.end_user("ada", keep=None)
        between = token(int(now()), rev=here.known_cut_off("ada"))
        await here.end_user("ada", keep=None)
        after = token(int(now()), rev=here.known_cut_off("ada"))
        await until(lambda: there.ends(between))
        for process in (here, there, place.process(leeway=2)):
            assert [await verdict(process, one) for one in (between, after)] == ["ended", "good"]

    place.run(main)


def test_a_login_between_two_logouts_everywhere_in_one_second_is_ended_by_the_second(place):
    async def main():
        here, there = place.process(), place.process()
        await following(here, there)
        for _ in range(4):
            await here.end_user("ada", keep=None)
            between = token(int(now()), rev=here.known_cut_off("ada"))
            assert await verdict(here, between) == "good"
            await here.end_user("ada", keep=None)
            await until(lambda one=between: there.ends(one))
            assert await verdict(place.process(), between) == "ended"

    place.run(main)


def test_being_logged_out_again_and_again_keeps_nobody_out_for_long(place):
    async def main():
        here, began = place.process(), int(now())
        for _ in range(15):
            await here.end_user("ada", keep=None)
        at_the_bound = token(int(now()), rev=here.known_cut_off("ada"))
        await here.end_user("ada", keep=None)
        assert here.known_cut_off("ada") <= int(now()) + 10
        assert await verdict(here, at_the_bound) == "ended"
        assert await verdict(here, token(began + 12)) == "good"

    place.run(main)


def test_who_was_logged_out_everywhere_cannot_stay_by_keeping_themselves(place):
    async def main():
        here = place.process()
        await here.end_user("ada", keep=None)
        await here.end_user("ada", keep="thief")
        assert await verdict(here, token(now() - 9, sid="thief")) == "ended"
        assert await verdict(place.process(), token(now() - 9, sid="thief")) == "ended"

    place.run(main)


def test_a_mark_never_becomes_shorter(place):
    async def main():
        here = place.process()
        await here.end_session("sid", now() + SOON)
        await here.end_session("sid", now() - 5)
        await here.end_session("sid", now() + 0.01)
        time.sleep(0.05)  # noqa: ASYNC251 - so that the shorter mark would be gone
        assert await verdict(place.process(), token(now(), sid="sid")) == "ended"

    place.run(main)


def test_managers_of_other_names_know_nothing_of_it(place):
    async def main():
        here = place.process()
        place.name += "-other"
        other = place.process()
        await here.end_session("sid", now() + SOON)
        assert await verdict(other, token(now(), sid="sid")) == "good"

    place.run(main)


@pytest.mark.parametrize("text", ["ä:{}\n\r\0", "x" * 5_000, "*", ""])
def test_any_text_may_be_a_jti_a_sid_or_a_sub(place, text):
    async def main():
        here, there = place.process(), place.process()
        await following(here, there)
        await here.end_token(text, now() + SOON)
        await here.end_user(text, keep=text or None)
        ended = [token(now(), jti=text), token(now() - 9, sub=text)]
        await until(lambda: all(map(there.ends, ended)))
        assert [await verdict(place.process(), one) for one in ended] == ["ended", "ended"]
        assert await verdict(place.process(), token(now(), sub="ada")) == "good"

    place.run(main)


def test_what_is_ended_is_told_to_subscribers_in_every_process(place, caplog):
    async def main():
        here, there = place.process(), place.process()
        await following(here, there)
        heard, failing = {here: [], there: []}, [0]

        def fail(entry):
            failing[0] += 1
            raise LookupError("from a subscriber")

        for process, entries in heard.items():
            process.subscribe(fail)
            process.subscribe(entries.append)
        await here.end_session("sid", now() + SOON)
        await until(lambda: all(heard.values()))
        for entries in heard.values():
            assert {(one.kind, one.value) for one in entries} == {("s", "sid")}
        assert failing[0] >= 2
        there.unsubscribe(heard[there].append)
        seen = len(heard[there])
        await here.end_session("another", now() + SOON)
        await until(lambda: there.ends(token(now(), sid="another")))
        assert len(heard[there]) == seen

    place.run(main)
    assert "LookupError: from a subscriber" in caplog.text


def device(sid, *, seen=0, left=SOON, began=-60):
    return Device(sid, now() + began, now() + seen, now() + left, f"Browser {sid}")


def test_the_devices_of_a_user_are_those_that_are_neither_expired_nor_ended(place):
    async def main():
        here, there = place.process(), place.process()
        for one in (device("a", seen=-5), device("b", seen=-1), device("gone", left=-1), device("out")):
            await here.remember_device("ada", one)
        await here.remember_device("bob", device("c"))
        await here.end_session("out", now() + SOON)
        assert [one.session_id for one in await there.devices("ada")] == ["b", "a"]
        assert [one.name for one in await there.devices("bob")] == ["Browser c"]
        assert await there.devices("nobody") == ()

    place.run(main)


def test_a_device_that_is_seen_again_is_listed_once(place):
    async def main():
        here = place.process()
        first, again = device("a", seen=-50), device("a", seen=0)
        await here.remember_device("ada", first)
        await here.remember_device("ada", again)
        assert await here.devices("ada") == (again,)

    place.run(main)


def test_logging_out_everywhere_takes_the_devices_along_but_the_kept_one(place):
    async def main():
        here = place.process()
        for sid in ("mine", "other"):
            await here.remember_device("ada", device(sid))
        await here.end_user("ada", keep="mine")
        # By a process that has not heard of it, which renews a session that was ended.
        await here.remember_device("ada", device("other"))
        await here.remember_device("ada", device("new", began=0))
        assert {one.session_id for one in await here.devices("ada")} == {"mine", "new"}

    place.run(main)


def test_of_too_many_devices_the_one_seen_longest_ago_is_forgotten(place):
    async def main():
        here = place.process()
        for number in range(MOST_DEVICES + 3):
            await here.remember_device("ada", device(f"sid-{number}", seen=-number))
        listed = await here.devices("ada")
        assert len(listed) == MOST_DEVICES
        assert "sid-0" in {one.session_id for one in listed}

    place.run(main)


def test_a_memory_store_says_in_one_line_that_it_is_for_one_process(caplog):
    MemoryStore()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("asgi_login", logging.WARNING)
    assert "this process only" in record.message


def test_a_memory_store_forgets_what_has_expired():
    clock = [1_000_000.0]
    store = MemoryStore()
    revocation = Revocation(store, "default", leeway=0, lives=900, clock=lambda: clock[0], monotonic=lambda: clock[0])

    async def main():
        for number in range(20_000):
            clock[0] += 1
            await revocation.end_session(f"sid-{number}", clock[0] + 10)

    anyio.run(main)
    assert len(store._namespaces["default"].marks) < 2_000
    assert len(revocation._view.entries(0)) < 4_000


def test_an_entry_of_the_log_has_the_fields_of_the_wire():
    assert Entry("u", "ada", 5.2, CutOff(1, "sid")).fields() == {"k": "u", "v": "ada", "x": "6", "c": "1:sid"}
