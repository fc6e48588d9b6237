"""What becomes of a token that is replaced at each use: on MemoryStore, Redis and Valkey, row by row."""

import time
from datetime import timedelta

import anyio
import pytest
from helpers import Clock
from stores.asking import following, until, verdict
from stores.tokens import token

from asgi_login.stores import MemoryStore, Revocation, Use

DAY = 86_400


def use(generation=1, **changes):
    return Use(**{"sid": "sid", "sub": "ada", "generation": generation, "idle": DAY, "window": 10, **changes})


def process(place, **more):
    """Return a process. A busy machine may be slow; what is told matters here."""
    return place.process(timeout=timedelta(seconds=5), **more)


async def start(one, sid="sid", sub="ada", *, idle=DAY, lifetime=30 * DAY):
    return await one.start_family(sid, sub, idle=idle, lifetime=lifetime)


async def outcomes(one, *uses):
    return [(await one.rotate(use)).outcome for use in uses]


def test_the_newest_generation_wins_each_time(place):
    async def main():
        here, there = process(place), process(place)
        await start(here)
        assert await outcomes(here, use(1), use(2)) == ["won", "won"]
        assert await outcomes(there, use(3), use(4)) == ["won", "won"]

    place.run(main)


def test_the_generation_before_is_good_again_within_the_window_and_makes_no_branch(place):
    async def main():
        here, there = process(place), process(place)
        await start(here)
        assert await outcomes(here, use(1), use(1)) == ["won", "again"]
        assert await outcomes(there, use(1), use(2), use(2), use(3)) == ["again", "won", "again", "won"]

    place.run(main)


@pytest.mark.parametrize("old", [{"generation": 1}, {"generation": 2, "window": 0}, {"generation": -7}])
def test_an_older_generation_ends_the_login_and_everybody_hears_of_it(place, old):
    async def main():
        here, there = process(place), process(place)
        await following(here, there)
        await start(here)
        await outcomes(here, use(1), use(2))
        heard = []
        there.subscribe(heard.append)
        assert await outcomes(here, use(**old)) == ["reused"]
        access = token(time.time(), sid="sid")
        assert here.ends(access)
        await until(lambda: there.ends(access))
        assert {(entry.kind, entry.value) for entry in heard} == {("s", "sid")}
        assert heard[0].until > time.time() + 30 * DAY
        assert await verdict(process(place), access) == "ended"
        assert await outcomes(there, use(3), use(2), use(1)) == ["gone"] * 3

    place.run(main)


def test_a_generation_that_the_store_has_lost_is_taken_up(place):
    async def main():
        here = process(place)
        await start(here)
        assert await outcomes(here, use(5), use(5), use(6)) == ["ahead", "again", "won"]
        assert await outcomes(here, use(4)) == ["reused"]

    place.run(main)


def test_where_there_is_no_family_a_token_is_worth_nothing(place):
    async def main():
        here = process(place)
        await start(here, "another")
        assert await outcomes(here, use(1), use(2), use(2, until=time.time() + DAY)) == ["gone"] * 3
        # It does not end a session either.
        assert await verdict(here, token(time.time(), sid="sid")) == "good"

    place.run(main)


@pytest.mark.parametrize("limit", ["idle", "lifetime"])
def test_a_family_ends_when_it_is_idle_and_at_its_end(place, limit):
    async def main():
        here = process(place)
        await start(here, **{limit: 0.2})
        assert await outcomes(here, use(1, window=60, **({"idle": 0.2} if limit == "idle" else {}))) == ["won"]
        with anyio.fail_after(5):
            # Looks only, so that no use keeps it alive.
            while (await outcomes(here, use(2, advances=False))) == ["won"]:  # noqa: ASYNC110 - only the store can tell
                await anyio.sleep(0.02)
        assert await outcomes(here, use(2)) == ["gone"]

    place.run(main)


def test_a_family_that_is_never_used_ends_when_it_is_idle(place):
    async def main():
        here = process(place)
        await start(here, idle=0.05)
        with anyio.fail_after(5):
            while (await outcomes(here, use(1, advances=False))) == ["won"]:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.02)

    place.run(main)


@pytest.mark.parametrize(("back", "outcome"), [(9.9, "again"), (10, "reused"), (86_400, "reused")])
def test_a_clock_of_the_store_that_is_set_back_opens_no_longer_window(back, outcome):
    clock = Clock()
    revocation = Revocation(MemoryStore(), "default", leeway=0, lives=900, clock=clock)

    async def main():
        await start(revocation)
        await revocation.rotate(use(1))
        clock.now -= back
        assert await outcomes(revocation, use(1)) == [outcome]

    anyio.run(main)


def test_a_memory_store_forgets_families_that_have_ended():
    clock, store = Clock(), MemoryStore()
    revocation = Revocation(store, "default", leeway=0, lives=900, clock=clock)

    async def main():
        for number in range(5_000):
            clock.now += 1
            await start(revocation, f"sid-{number}", idle=10)

    anyio.run(main)
    assert len(store._rooms["default"].families) < 2_000


def test_a_use_keeps_a_family_for_as_long_as_it_says_but_not_beyond_the_end(place):
    async def main():
        here = process(place)
        await start(here, lifetime=100)
        won = await here.rotate(use(1, idle=DAY))
        again = await here.rotate(use(1))
        assert 95 < again.left <= won.left <= 100
        longer = await here.rotate(use(2, until=time.time() + 500))
        assert 490 < longer.left < 510
        assert (await here.rotate(use(3))).left == pytest.approx(longer.left, abs=10)

    place.run(main)


def test_an_ended_session_has_no_family(place):
    async def main():
        here, there = process(place), process(place)
        await start(here)
        await here.end_session("sid", time.time() + DAY)
        assert await outcomes(there, use(1)) == ["gone"]
        # Also if it is begun again by who has not heard of it.
        await start(there)
        assert await outcomes(there, use(1)) == ["gone"]

    place.run(main)


def test_a_family_that_is_ended_leaves_other_tokens_of_the_session_alone(place):
    async def main():
        here = process(place)
        await start(here)
        await here.end_family("sid")
        await here.end_family("sid")
        assert await outcomes(here, use(1)) == ["gone"]
        assert await verdict(here, token(time.time(), sid="sid")) == "good"

    place.run(main)


def test_a_cut_off_ends_the_families_of_logins_before_it_but_the_kept_one(place):
    async def main():
        here, there = process(place), process(place)
        for sid, sub in (("mine", "ada"), ("sid", "ada"), ("bobs", "bob")):
            await start(here, sid, sub)
        await here.end_user("ada", keep="mine")
        uses = use(1), use(1, sid="mine"), use(1, sid="bobs", sub="bob")
        assert await outcomes(there, *uses) == ["gone", "won", "won"]
        await here.end_user("ada", keep=None)
        assert await outcomes(there, use(2, sid="mine")) == ["gone"]

    place.run(main)


@pytest.mark.parametrize("leeway", [0, 5])
def test_a_login_after_a_cut_off_lives_also_in_the_same_second_and_by_who_has_not_heard(place, leeway):
    async def main():
        here, there = process(place, leeway=leeway), process(place, leeway=leeway)
        await here.end_user("ada", keep=None)
        assert await start(there) == here.known_cut_off("ada")
        assert await outcomes(here, use(1)) == ["won"]

    place.run(main)


@pytest.mark.parametrize("leeway", [0, 5])
def test_a_login_between_two_logouts_everywhere_in_one_second_is_ended_by_the_second(place, leeway):
    async def main():
        here = process(place, leeway=leeway)
        for _ in range(3):
            await here.end_user("ada", keep=None)
            await start(here)
            await here.end_user("ada", keep=None)
            assert await outcomes(here, use(1)) == ["gone"]

    place.run(main)


def test_without_a_cut_off_there_is_none_to_know(place):
    async def main():
        assert await start(process(place)) is None

    place.run(main)


def test_who_was_ended_cannot_keep_their_family(place):
    async def main():
        here = process(place)
        await start(here)
        await here.end_user("ada", keep=None)
        await here.end_user("ada", keep="sid")
        assert await outcomes(here, use(1)) == ["gone"]

    place.run(main)


def before(generation=0, *, born=-60, left=DAY, **changes):
    """Return a use of a token that was issued before there were generations."""
    now = time.time()
    return use(generation, born=int(now + born), until=now + left, **changes)


def test_a_token_from_before_there_were_generations_starts_the_family_once(place):
    async def main():
        here, there = process(place), process(place)
        assert await outcomes(here, before(), before()) == ["won", "again"]
        assert await outcomes(there, use(1), before()) == ["won", "reused"]
        assert await outcomes(here, use(2), before()) == ["gone", "gone"]

    place.run(main)


def test_a_token_from_before_there_were_generations_starts_nothing_where_its_login_has_ended(place):
    async def main():
        here = process(place)
        assert await outcomes(here, before(left=-1)) == ["gone"]
        await here.end_session("sid", time.time() + DAY)
        assert await outcomes(here, before()) == ["gone"]
        await here.end_user("ada", keep=None)
        assert await outcomes(here, before(sid="two"), before(sid="new", born=60)) == ["gone", "won"]

    place.run(main)


def test_a_use_that_does_not_advance_only_looks(place):
    async def main():
        here = process(place)
        await start(here)
        assert await outcomes(here, *[use(1, advances=False)] * 3, use(1)) == ["won"] * 4
        assert await outcomes(here, use(1, advances=False), use(9, advances=False)) == ["again", "ahead"]
        assert await outcomes(here, before(sid="old", advances=False), use(1, sid="old")) == ["won", "gone"]
        assert await outcomes(here, use(2), use(1, advances=False), use(3)) == ["won", "reused", "gone"]

    place.run(main)


def test_of_a_hundred_uses_at_once_one_wins_and_all_others_are_given_the_same_generation(place):
    async def main():
        processes = [process(place) for _ in range(2)]
        await start(processes[0])
        told = []

        async def refresh(number):
            rotation = await processes[number % 2].rotate(use(1))
            told.append(rotation.outcome)

        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(refresh, number)
        assert sorted(told) == ["again"] * 99 + ["won"]
        assert await outcomes(processes[1], use(2), use(2)) == ["won", "again"]

    place.run(main)


@pytest.mark.parametrize("text", ["ä:{}\n\r\0", "x" * 5_000, "*", ""])
def test_any_text_may_be_a_sid_or_a_sub_of_a_family(place, text):
    async def main():
        here = process(place)
        await start(here, text, text)
        assert await outcomes(here, use(1, sid=text, sub=text), use(1, sid=text, sub=text)) == ["won", "again"]
        assert await outcomes(here, use(1, sid=text, sub=text, window=0)) == ["reused"]

    place.run(main)


def test_managers_of_other_names_have_families_of_their_own(place):
    async def main():
        await start(process(place))
        place.name += "-other"
        assert await outcomes(process(place), use(1)) == ["gone"]

    place.run(main)
