"""The horizon against an oracle that knows everything: what was ended before the store was last heard never passes.

One process follows a store; others, which may not have heard for a while, go on renewing sessions that were ended. The
clock of each issuer is off by up to the leeway, and the time of day of the process that follows is set at will.
"""

import math
import random
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores.tokens import token

from asgi_login.stores import CutOff, Entry
from asgi_login.stores.revocation.view import View

STALENESS, LEEWAY, LIVES = 4.0, 1.0, 6.0
MARGIN = STALENESS + LEEWAY + 1
AHEAD = int(STALENESS)


class World:
    """A store, the processes around it, and one that follows. Time is the store's clock; `ours` is monotonic."""

    def __init__(self, margin, view):
        self.time, self.daytime_error, self.margin = 10_000.3, 0.0, margin
        # PROMPT is not what is tested here: the oracle says what was heard.
        self.view = view(margin=margin, window=LIVES + margin, max_staleness=math.inf, monotonic=lambda: 0.0)
        self.log, self.read_until, self.heard_at = [], 0, -math.inf
        self.tokens, self.logins = [], []
        self.ended = {"t": {}, "s": {}}
        self.cut_offs = defaultdict(list)
        self.violations, self.cleared = [], 0

    @property
    def ours(self):
        return self.time - 9_000

    def now(self):
        return max(self.time, self.time + self.daytime_error)

    def pass_time(self, seconds, _):
        self.time += (0.2, 1, 3, 6, 14)[seconds]

    def set_time_of_day(self, error, _):
        self.daytime_error = error * 20 - 40

    def log_in(self, skew, which):
        self.logins.append((f"sid-{len(self.logins)}", f"user-{which % 2}", math.floor(self.time + skew % 2 - LEEWAY)))
        self.renew(skew, len(self.logins) - 1)

    def renew(self, skew, which):
        """Issue a token for a login, if it lives, or ended so short ago that some process has not heard of it."""
        if not self.logins:
            return
        sid, sub, began = self.logins[which % len(self.logins)]
        last_end = self.ended["s"].get(sid, math.inf)
        for at, cut_off in self.cut_offs[sub]:
            if cut_off.ends(token(began, sid=sid), self.margin):
                last_end = min(last_end, at)
        if self.time <= last_end + STALENESS:
            iat = max(began, math.floor(self.time + skew % 2 - LEEWAY))
            self.tokens.append(token(iat, sub=sub, sid=sid, mgr="default", auth_time=began))

    def end_token(self, _, which):
        if self.tokens:
            jti = self.tokens[which % len(self.tokens)].claims["jti"]
            self.ended["t"].setdefault(jti, self.time)
            self.log.append(Entry("t", jti, math.inf))

    def end_session(self, _, which):
        if self.logins:
            sid = self.logins[which % len(self.logins)][0]
            self.ended["s"].setdefault(sid, self.time)
            self.log.append(Entry("s", sid, math.inf))

    def end_user(self, keep, which):
        sub = f"user-{which % 2}"
        kept = f"sid-{which}" if keep > 2 else None
        earlier = self.cut_offs[sub][-1][1] if self.cut_offs[sub] else None
        cut_off = CutOff(math.floor(self.time) + math.ceil(LEEWAY), kept).succeeding(earlier, ahead=AHEAD)
        self.cut_offs[sub].append((self.time, cut_off))
        self.log.append(Entry("u", sub, math.inf, cut_off))

    def begin(self, *_):
        """Start, or start again after a gap: what is in the log until now is never read."""
        self.read_until = len(self.log)
        self.view.begin(now=self.now(), sent=self.ours, received=self.ours)
        self.heard_at = self.time

    def read(self, part, _):
        """Read what is in the log, or only a part of it."""
        complete = part > 1
        until = len(self.log) if complete else min(len(self.log), self.read_until + 1)
        for entry in self.log[self.read_until : until]:
            self.view.apply(entry)
        self.read_until = until
        self.view.heard(now=self.now(), sent=self.ours, received=self.ours, complete=complete)
        if complete:
            self.heard_at = self.time

    def ask(self, _, which):
        if self.tokens:
            one = self.tokens[which % len(self.tokens)]
            if self.ended_at(one) == math.inf:
                one.good_since = max(one.good_since, self.ours)

    def use(self, *_):
        """Look at every token as a request does."""
        for one in self.tokens:
            if self.view.clears(one):
                self.cleared += 1
                if self.ended_at(one) <= self.heard_at:
                    self.violations.append(one)

    def ended_at(self, one):
        """Return when the token was ended, which the oracle knows of the whole history."""
        found = [self.ended["t"].get(one.claims["jti"], math.inf), self.ended["s"].get(one.claims["sid"], math.inf)]
        cuts = self.cut_offs[one.sub]
        if cuts and cuts[-1][1].ends(one, self.margin):
            found.append(next(at for at, cut_off in cuts if cut_off.ends(one, self.margin)))
        return min(found)


STEPS = [
    "pass_time", "pass_time", "pass_time", "set_time_of_day", "log_in", "renew", "renew", "end_token", "end_session",
    "end_user", "begin", "read", "read", "ask", "use", "use",
]  # fmt: skip
HISTORIES = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 4), st.integers(0, 5)), min_size=5, max_size=60)


def run(history, margin=MARGIN, view=View):
    world = World(margin, view)
    for step, amount, which in (("begin", 0, 0), *history, ("use", 0, 0)):
        # No two things happen at the same moment, or nobody could say which came first.
        world.time += 0.001
        getattr(world, step)(amount, which)
    return world


def found(wrong):
    """Return a history for which something is true, of some thousand that are the same in each run."""
    for seed in range(5_000):
        draw = random.Random(seed)  # noqa: S311 - no secrets
        history = [(draw.choice(STEPS), draw.randint(0, 4), draw.randint(0, 5)) for _ in range(80)]
        if wrong(history):
            return history
    raise AssertionError("the model finds nothing")


@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_no_token_passes_that_was_ended_before_the_store_was_last_heard(history):
    assert run(history).violations == []


def test_without_the_margin_a_renewed_token_of_an_ended_session_would_pass():
    # The model can fail: this is what it finds.
    history = found(lambda history: run(history, margin=0).violations)
    assert run(history).violations == []


class ForgetsTheHorizon(View):
    __slots__ = ()

    def vouches(self, token):
        return True


class ForgetsTheSet(View):
    __slots__ = ()

    def ends(self, token):
        return False


class OverlooksGaps(View):
    __slots__ = ()

    def begin(self, *, now, sent, received):
        if self.is_begun():
            self.heard(now=now, sent=sent, received=received)
        else:
            super().begin(now=now, sent=sent, received=received)


class KeepsTheHorizonWhenItForgets(View):
    __slots__ = ()

    def heard(self, **heard):
        horizon = self._issued_after, self._asked_after
        super().heard(**heard)
        self._issued_after, self._asked_after = horizon


@pytest.mark.parametrize("broken", [ForgetsTheHorizon, ForgetsTheSet, OverlooksGaps, KeepsTheHorizonWhenItForgets])
def test_the_model_notices_a_view_that_is_broken(broken):
    history = found(lambda history: run(history, view=broken).violations)
    assert run(history).violations == []


def test_the_model_does_let_tokens_pass():
    # A view that clears nothing would never be wrong.
    found(lambda history: run(history).cleared > 3)
