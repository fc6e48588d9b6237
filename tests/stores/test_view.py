"""What a process knows by itself: the rows of the table that decides about a token, and the two generations."""

import math
from types import MappingProxyType

import pytest
from stores.tokens import token

from asgi_login.stores import CutOff, Entry
from asgi_login.stores.revocation.view import PROMPT, View

MARGIN, WINDOW, STALENESS = 11.0, 900.0, 10.0
START = 1_000_000.0


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


class Hearing:
    """A view that hears the store, whose clock runs as ours does, `START` later."""

    def __init__(self):
        self.clock = Clock()
        self.view = View(margin=MARGIN, window=WINDOW, max_staleness=STALENESS, monotonic=self.clock)

    def begin(self):
        here = self.clock.now
        self.view.begin(now=here + START, sent=here, received=here)
        return self

    def hear(self, *entries, after=0.0, complete=True):
        self.clock.now += after
        for entry in entries:
            self.view.apply(entry)
        here = self.clock.now
        self.view.heard(now=here + START, sent=here, received=here, complete=complete)

    def issue(self, ago=0.0, **claims):
        return token(self.clock.now + START - ago, **claims)


@pytest.fixture
def hearing():
    return Hearing().begin()


def later(hearing, seconds):
    """Let time pass, and hear the store every second."""
    for _ in range(int(seconds)):
        hearing.hear(after=1.0)


def test_a_token_issued_after_horizon_and_margin_is_cleared(hearing):
    later(hearing, MARGIN + 1)
    assert hearing.view.clears(hearing.issue())


def test_a_token_issued_before_horizon_and_margin_must_be_asked_for(hearing):
    later(hearing, MARGIN + 1)
    old = hearing.issue(ago=2)
    assert not hearing.view.clears(old)
    assert not hearing.view.ends(old)


def test_a_token_without_iat_must_be_asked_for(hearing):
    later(hearing, 100)
    assert not hearing.view.clears(token(None))


def test_a_token_that_was_asked_for_since_the_horizon_is_cleared(hearing):
    old = hearing.issue(ago=3600)
    old.good_since = hearing.clock.now
    assert hearing.view.clears(old)


def test_a_token_that_was_asked_for_before_the_horizon_must_be_asked_for_again(hearing):
    old = hearing.issue(ago=3600)
    old.good_since = hearing.clock.now
    hearing.clock.now += 1
    hearing.begin()
    assert not hearing.view.clears(old)


def test_nothing_is_cleared_before_the_store_was_heard():
    assert not Hearing().view.clears(token(START + 1e6))


@pytest.mark.parametrize("kind", ["jti", "sid"])
def test_a_token_whose_jti_or_sid_is_in_the_set_is_ended_however_young_it_is(hearing, kind):
    later(hearing, MARGIN + 1)
    young = hearing.issue(jti="this", sid="this")
    hearing.hear(Entry("t" if kind == "jti" else "s", "this", math.inf))
    assert (hearing.view.clears(young), hearing.view.ends(young)) == (False, True)


def test_a_jti_in_the_set_is_no_sid_and_the_other_way_round(hearing):
    later(hearing, MARGIN + 1)
    hearing.hear(Entry("t", "sid-1", math.inf), Entry("s", "jti-x", math.inf))
    assert hearing.view.clears(hearing.issue(jti="jti-x", sid="sid-1"))


def test_a_cut_off_ends_the_tokens_of_its_user_and_of_nobody_else(hearing):
    later(hearing, MARGIN + 1)
    hearing.hear(Entry("u", "ada", math.inf, CutOff(int(hearing.clock.now + START))))
    assert hearing.view.ends(hearing.issue(sub="ada"))
    assert hearing.view.clears(hearing.issue(sub="bob"))


def test_what_is_in_the_set_is_ended_however_old_the_view_is(hearing):
    young = hearing.issue(sid="this")
    hearing.hear(Entry("s", "this", math.inf))
    hearing.clock.now += 3600
    assert hearing.view.ends(young)


def test_nothing_is_cleared_once_the_store_was_not_heard_for_a_moment(hearing):
    later(hearing, MARGIN + 1)
    young = hearing.issue()
    hearing.clock.now += PROMPT
    assert hearing.view.clears(young)
    hearing.clock.now += 0.01
    assert not hearing.view.clears(young)
    assert hearing.view.is_current()


def test_a_view_counts_for_max_staleness_after_the_last_complete_read_was_sent(hearing):
    hearing.hear(after=1.0)
    hearing.hear(after=3.0, complete=False)
    hearing.clock.now += STALENESS - 3
    assert hearing.view.is_current()
    hearing.clock.now += 0.01
    assert not hearing.view.is_current()


@pytest.mark.parametrize("claim", [[], MappingProxyType({}), 7, None, True])
def test_a_foreign_token_whose_sid_is_no_text_is_no_error(hearing, claim):
    later(hearing, MARGIN + 1)
    hearing.hear(Entry("s", "this", math.inf))
    assert hearing.view.clears(token(hearing.clock.now + START, jti="x", sid=claim))


def test_entries_are_dropped_after_two_windows_and_their_tokens_must_be_asked_for(hearing):
    later(hearing, MARGIN + 1)
    ended = hearing.issue(sid="this")
    hearing.hear(Entry("s", "this", math.inf))
    later(hearing, WINDOW)
    assert hearing.view.ends(ended)
    later(hearing, WINDOW)
    assert not hearing.view.ends(ended)
    assert not hearing.view.clears(ended)


def test_an_ordinary_token_is_never_asked_for_once_a_process_runs_longer_than_a_window(hearing):
    later(hearing, WINDOW)
    lives = WINDOW - MARGIN
    oldest = [hearing.issue(ago=lives - 1)]
    for _ in range(3 * int(WINDOW)):
        hearing.hear(after=1.0)
        assert hearing.view.clears(hearing.issue(ago=lives - 1))
    assert not hearing.view.clears(oldest[0])


def test_a_long_lived_token_in_use_is_asked_for_once(hearing):
    old = hearing.issue(ago=3600)
    assert not hearing.view.clears(old)
    old.good_since = hearing.clock.now
    for _ in range(4 * int(WINDOW)):
        hearing.hear(after=1.0)
        assert hearing.view.clears(old)


def test_a_long_lived_token_that_is_not_used_for_two_windows_is_asked_for_again(hearing):
    old = hearing.issue(ago=3600)
    old.good_since = hearing.clock.now
    assert hearing.view.clears(old)
    later(hearing, 2 * WINDOW + 2)
    assert not hearing.view.clears(old)


def test_what_was_ended_before_a_gap_stays_ended(hearing):
    ended = hearing.issue(sid="this")
    hearing.hear(Entry("s", "this", math.inf))
    hearing.clock.now += 60
    hearing.begin()
    assert hearing.view.ends(ended)


def test_the_later_of_two_cut_offs_counts_in_whichever_order_they_are_heard(hearing):
    early, late = (Entry("u", "ada", math.inf, cut_off) for cut_off in (CutOff(100, "a"), CutOff(200, "b", 100)))
    hearing.hear(late, early)
    assert hearing.view.cut_off_of("ada") == late.cut_off


def test_an_earlier_cut_off_that_is_heard_again_does_not_hide_one_of_the_old_generation(hearing):
    hearing.hear(Entry("u", "ada", math.inf, CutOff(200)))
    later(hearing, WINDOW)
    hearing.hear(Entry("u", "ada", math.inf, CutOff(100)))
    assert hearing.view.cut_off_of("ada") == CutOff(200)


def test_a_mark_that_is_heard_again_does_not_become_shorter(hearing):
    hearing.hear(Entry("s", "this", START + 500), Entry("s", "this", START + 100))
    assert hearing.view.entries(START) == [Entry("s", "this", START + 500)]


def test_what_is_offered_again_is_everything_in_both_generations_that_has_not_expired(hearing):
    cut_off = CutOff(100, "mine")
    hearing.hear(Entry("t", "one", math.inf), Entry("s", "gone", START))
    later(hearing, WINDOW)
    hearing.hear(Entry("s", "two", math.inf), Entry("u", "ada", math.inf, cut_off))
    assert sorted(map(repr, hearing.view.entries(START + 1))) == sorted(
        map(repr, [Entry("t", "one", math.inf), Entry("s", "two", math.inf), Entry("u", "ada", math.inf, cut_off)])
    )
