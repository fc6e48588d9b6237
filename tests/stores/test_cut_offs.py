"""The end of all logins of a user: whom it ends, and who stays."""

import pytest
from stores.tokens import token

from asgi_login.stores import CutOff, Entry

SLACK = 11


def ends(cut_off, one):
    return cut_off.ends(one, SLACK)


def test_a_token_issued_until_the_cut_off_is_ended_and_a_later_one_lives():
    assert [ends(CutOff(100), token(iat)) for iat in (99, 100, 100.5, 101)] == [True, True, True, False]


def test_a_token_that_does_not_say_when_it_was_issued_is_ended():
    assert ends(CutOff(100), token(None))
    assert ends(CutOff(100), token(None, rev=100))


def test_a_login_in_the_second_of_the_cut_off_lives_if_its_issuer_knew_of_it():
    assert not ends(CutOff(100), token(100, rev=100))
    assert ends(CutOff(100), token(100, rev=99))


def test_a_session_renewed_after_the_cut_off_by_a_process_that_had_not_heard_of_it_is_ended():
    assert ends(CutOff(100), token(105, mgr="default", auth_time=50))
    assert not ends(CutOff(100, "mine"), token(105, mgr="default", auth_time=50, sid="mine"))
    assert not ends(CutOff(100), token(105, mgr="default", auth_time=100, rev=100))


def test_when_the_user_logged_in_at_another_issuer_is_not_what_counts():
    assert not ends(CutOff(100), token(105, auth_time=50))


@pytest.mark.parametrize("rev", [True, "100", 100.0, 10**12, -1])
def test_a_rev_that_no_honest_issuer_writes_saves_no_token(rev):
    assert ends(CutOff(100), token(100, rev=rev))


def test_the_kept_session_stays_and_no_other():
    assert not ends(CutOff(100, "mine"), token(50, sid="mine"))
    assert ends(CutOff(100, "mine"), token(50, sid="other"))
    assert ends(CutOff(100, "mine"), token(50))


def test_a_session_that_was_ended_before_cannot_keep_itself():
    everywhere = CutOff(100)
    kept = CutOff(102, "thief").succeeding(everywhere)
    assert ends(kept, token(90, sid="thief"))
    assert not ends(kept, token(101, sid="thief"))


def test_a_session_that_keeps_itself_twice_stays():
    kept = CutOff(200, "mine").succeeding(CutOff(100, "mine"))
    assert not ends(kept, token(50, sid="mine"))


def test_a_session_kept_after_another_was_kept_is_ended_if_it_is_older():
    kept = CutOff(300, "b").succeeding(CutOff(200, "a").succeeding(CutOff(100, "b")))
    assert ends(kept, token(150, sid="b"))
    assert not ends(kept, token(250, sid="b"))


def test_a_cut_off_in_the_second_of_another_is_later_than_that_one_but_never_far_ahead():
    cut_off, moments = CutOff(100), []
    for _ in range(4):
        cut_off = CutOff(100).succeeding(cut_off)
        moments.append(cut_off.at)
    assert moments == [101, 102, 102, 102]


def test_a_cut_off_never_moves_back_when_the_clock_of_the_store_does():
    assert CutOff(50).succeeding(CutOff(100)) == CutOff(100)


@pytest.mark.parametrize("cut_off", [CutOff(100), CutOff(100, "a:b,c"), CutOff(100, "a", 90)])
def test_a_cut_off_is_read_as_it_was_written(cut_off):
    assert CutOff.parse(str(cut_off)) == cut_off


def test_a_cut_off_is_written_as_its_moment_and_the_kept_session():
    assert [str(CutOff(100)), str(CutOff(100, "sid"))] == ["100:", "100:sid"]


@pytest.mark.parametrize(
    "entry", [Entry("t", "jti", 5.0), Entry("s", "sid", 5.0), Entry("u", "sub", 5.0, CutOff(1, "sid", 0))]
)
def test_an_entry_is_read_as_it_was_written(entry):
    assert Entry.read(entry.fields()) == entry


def test_an_entry_of_a_kind_that_a_later_release_writes_is_ignored():
    assert Entry.read({"k": "f", "v": "sid", "z": "new"}) is None


@pytest.mark.parametrize(
    "fields", [{"k": "t", "v": "a"}, {"k": "u", "v": "a", "x": "1"}, {"k": "t", "v": "a", "x": "soon"}]
)
def test_a_malformed_entry_is_a_value_error(fields):
    with pytest.raises(ValueError):
        Entry.read(fields)
