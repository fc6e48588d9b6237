"""Fresh logins: for how long they are, and how they are confirmed."""

from datetime import timedelta

import pytest
from browser_jar import REMEMBER
from sessions.browsing import MINUTE, claims_of, with_sessions


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (599, True), (600, True), (601, False)])
def test_a_login_is_fresh_for_a_while_after_it(browser, manager, clock, age, fresh):
    browser.login(manager)
    clock.now += age
    assert browser.visit().fresh is fresh
    assert browser.send(path="/fresh").status == (200 if fresh else 401)


def test_use_does_not_keep_a_login_fresh(browser, manager, clock):
    browser.login(manager)
    for _ in range(11):
        clock.now += MINUTE
        browser.visit()
    assert not browser.auth.fresh


def test_a_confirmed_login_is_fresh_from_the_next_request_on(browser, manager, clock):
    browser.login(manager, scopes=["read"])
    sid = claims_of(browser.token())["sid"]
    clock.now += 12 * MINUTE
    browser.confirm(manager)
    assert not browser.auth.fresh
    auth = browser.visit()
    assert (auth.fresh, auth.scopes, auth.claims["sid"]) == (True, {"read"}, sid)
    assert auth.claims["auth_time"] == clock.now


def test_a_restored_login_that_is_confirmed_has_its_whole_lifetime_before_it(clock):
    manager, browser = with_sessions(clock, idle=timedelta(hours=1), lifetime=timedelta(hours=1))
    browser.login(manager, remember=True)
    browser.close()
    assert browser.visit().user == "ada"
    clock.now += 50 * MINUTE
    browser.confirm(manager)
    browser.drop(REMEMBER)
    clock.now += 59 * MINUTE
    assert browser.visit().user == "ada"


@pytest.mark.parametrize("permanent", [False, True])
def test_a_confirmed_login_stays_as_permanent_as_it_was(browser, manager, permanent):
    browser.login(manager, permanent=permanent)
    browser.confirm(manager)
    assert claims_of(browser.token())["permanent"] is permanent


def test_a_login_that_is_not_fresh_is_told_so_or_sent_to_confirm_it(clock):
    manager, browser = with_sessions(clock, reauthenticate_at="/confirm", manager={"redirect_to": "/login"})
    browser.login(manager)
    clock.now += 11 * MINUTE
    answer = browser.send(path="/fresh")
    assert answer.status == 401
    assert 'error="insufficient_user_authentication"' in answer.header("www-authenticate")
    answer = browser.send(path="/fresh", headers=[(b"accept", b"text/html")], query_string=b"a=1")
    assert (answer.status, answer.header("location")) == (303, "/confirm?next=%2Ffresh%3Fa%3D1")
