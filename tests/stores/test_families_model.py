"""Families in Redis and Valkey against those of MemoryStore, call by call: both decide alike, whatever the order.

Redis has a clock of its own. Here its scripts read another one out of a key, and keys expire when the test says so.
"""

import asyncio
import os
import time
from collections import Counter
from itertools import count

import pytest
from helpers import run
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from asgi_login.redis import RedisStore, channel
from asgi_login.stores import MemoryStore, Use

SCRIPTS = ("END", "CUT_OFF", "START_FAMILY", "ROTATE")
# 10,000 take half a minute: FAMILY_STEPS=10000.
STEPS = int(os.environ.get("FAMILY_STEPS", "1500"))
OWNERS = {"a": "ada", "b": "ada", "c": "bob"}
FAR = 32 * 86_400
_NAMES = count()
PLACES = st.sampled_from(sorted(OWNERS))
IDLE = st.sampled_from([60, 500, 5_000])


class FamilyMachine(RuleBasedStateMachine):
    """Does the same to both stores, and compares what they say and what they keep."""

    runner: asyncio.Runner
    stores: tuple[MemoryStore, RedisStore]
    seen: Counter

    @initialize(leeway=st.sampled_from([0, 2]))
    def open(self, leeway):
        self.now = int(time.time())
        self.name = f"model-{next(_NAMES)}"
        self.memory, self.redis = (
            store.open(self.name, leeway=leeway, clock=lambda: float(self.now)) for store in self.stores
        )
        self.deadlines, self.sids = {}, {place: place for place in OWNERS}
        self.on_redis("SET", "fake-clock", self.now)

    def teardown(self):
        self.runner.run(self.redis.close())

    def on_redis(self, *command):
        return self.runner.run(self.redis._connections.do(*command))

    def both(self, method, *arguments, **named):
        """Call a method of both channels, and compare what they return and what they keep."""
        self.seen["calls"] += 1
        said = run(getattr(self.memory, method)(*arguments, **named))
        assert self.runner.run(getattr(self.redis, method)(*arguments, **named)) == said
        self.compare()
        return said

    def compare(self):
        room = self.stores[0]._rooms[self.name]
        # As Redis does by itself, so that nothing comes back when the clock is set back.
        room.sweep_at = 0
        room.sweep(self.now)
        for place, sub in OWNERS.items():
            sid = self.sids[place]
            key = self.redis._family(sid)
            found = self.on_redis("HGETALL", key)
            kept = room.families.get(sid)
            assert bool(found) == (kept is not None)
            if kept is not None:
                facts = {name.decode(): int(value) for name, value in found.items()}
                assert facts == {"g": kept.generation, "at": kept.at, "end": kept.end, "born": kept.born}
                assert self._expiry(key) * 1000 == kept.until
            is_marked = room.marks.get(("s", sid), 0) > self.now
            assert self.on_redis("EXISTS", self.redis._keys + f"s:{sid}") == is_marked
            cut_off = self.on_redis("GET", self.redis._keys + f"u:{sub}")
            assert cut_off == (str(room.cut_offs[sub][1]).encode() if sub in room.cut_offs else None)

    def _expiry(self, key):
        """Return when a family expires by the clock of the test, and let it not expire by another."""
        left = self.on_redis("PTTL", key)
        if left > 0:
            self.on_redis("PERSIST", key)
            # All durations are whole seconds.
            self.deadlines[key] = self.now + -(-left // 1000)
        return self.deadlines[key]

    @rule(seconds=st.sampled_from([0, 1, 9, 10, 11, 60, 400, 2_000, -5, -60]))
    def pass_time(self, seconds):
        self.now += seconds
        self.on_redis("SET", "fake-clock", self.now)
        for key, until in self.deadlines.items():
            if until <= self.now:
                self.on_redis("DEL", key)
        self.compare()

    @rule(place=PLACES, idle=IDLE, lifetime=st.sampled_from([30, 3_000, 9_000]), is_new=st.booleans())
    def start(self, place, idle, lifetime, is_new):
        if is_new:
            self.sids[place] = f"{place}-{next(_NAMES)}"
        self.both("start_family", self.sids[place], OWNERS[place], idle=idle, lifetime=lifetime)

    @rule(
        place=PLACES,
        behind=st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, -1, -3]),
        window=st.sampled_from([10, 10, 0, 60]),
        idle=IDLE,
        until=st.sampled_from([None, None, -1, 0, 700, 20_000]),
        advances=st.sampled_from([True, True, True, False]),
    )
    def use(self, *, place, behind, window, idle, until, advances):
        family = self.stores[0]._rooms[self.name].families.get(self.sids[place])
        if family is None:
            self.start(place, 5_000, 9_000, is_new=behind >= 0)
        generation = max(0, (1 if family is None else family.generation) - behind)
        self._use(place, generation, window, idle, until, advances, 0)

    @rule(
        place=PLACES, age=st.sampled_from([0, 1, 3, 500]), left=st.sampled_from([0, 100, 5_000]), advances=st.booleans()
    )
    def use_from_before(self, place, age, left, advances):
        self._use(place, 0, 10, 500, left, advances, self.now - age)

    def _use(self, place, generation, window, idle, until, advances, born):  # noqa: PLR0917
        use = Use(
            sid=self.sids[place],
            sub=OWNERS[place],
            generation=generation,
            idle=idle,
            window=window,
            until=0 if until is None else self.now + until,
            born=born,
            advances=advances,
        )
        self.seen[self.both("rotate", use).outcome] += 1

    @rule(place=PLACES, left=st.sampled_from([-1, FAR]))
    def end_session(self, place, left):
        self.both("end", "s", self.sids[place], self.now + left)

    @rule(place=PLACES)
    def end_family(self, place):
        self.both("end_family", self.sids[place])

    @rule(sub=st.sampled_from(["ada", "bob"]), keep=st.sampled_from([None, *OWNERS]))
    def cut_off(self, sub, keep):
        self.both("cut_off", sub, keep=self.sids.get(keep))


@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_both_stores_decide_alike_about_every_use(kind, shared_servers, monkeypatch):
    url = shared_servers(kind).url
    for name in SCRIPTS:
        text = getattr(channel, name)
        faked = text.replace("redis.call('TIME')", "{redis.call('GET', 'fake-clock'), '0'}")
        assert faked != text
        monkeypatch.setattr(channel, name, faked)
    with asyncio.Runner() as runner:
        FamilyMachine.runner = runner
        FamilyMachine.stores = MemoryStore(), RedisStore(url)
        FamilyMachine.seen = Counter()
        each = 50
        run_state_machine_as_test(
            FamilyMachine,
            settings=settings(
                max_examples=STEPS // each,
                stateful_step_count=each,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert set(FamilyMachine.seen) == {"calls", "won", "again", "ahead", "reused", "gone"}
