"""What remembers a login: what it restores, for how long, and for whom."""

from datetime import timedelta

import pytest
from browser_jar import OTHER_ORIGIN, REMEMBER, Browser, site
from helpers import COOKIE, make_manager
from sessions.browsing import DAY, IDLE, MINUTE, claims_of, kind_of, with_sessions

from asgi_login import CookieTransport, InvalidToken, MemoryStore, Sessions


@pytest.fixture(params=["without a store", "with a store"])
def manager(request, clock):
    """Return a manager; with a store nothing is different for an honest browser."""
    store = MemoryStore(keep=timedelta(days=366)) if request.param == "with a store" else None
    return make_manager(clock=clock, store=store)


def test_a_remembered_login_is_restored_when_the_session_is_gone(browser, manager, clock):
    browser.login(manager, remember=True, scopes=["read"])
    first, remembered = claims_of(browser.token()), browser.token(REMEMBER)
    clock.now += 20 * DAY
    browser.close()
    auth = browser.visit()
    assert (auth.user, auth.scopes, auth.fresh) == ("ada", {"read"}, False)
    session = claims_of(browser.token())
    assert kind_of(browser.token()) == "session+jwt"
    assert session["sid"] == first["sid"]
    assert session["auth_time"] == first["auth_time"]
    assert (session["fresh"], session["permanent"]) == (False, False)
    assert browser.token(REMEMBER) != remembered
    assert claims_of(browser.token(REMEMBER))["exp"] == clock.now + 30 * DAY
    assert auth.claims["sid"] == session["sid"]


def test_a_remembered_login_is_restored_when_the_session_is_expired(browser, manager, clock):
    browser.login(manager, remember=True)
    session = browser.token()
    clock.now += IDLE
    browser.put(session)
    assert browser.visit().user == "ada"
    assert browser.token() != session


def test_a_restored_session_starts_a_new_lifetime(clock):
    manager, browser = with_sessions(clock, lifetime=timedelta(hours=1))
    browser.login(manager, remember=True)
    clock.now += 3600
    assert browser.visit().user == "ada"
    clock.now += 10 * MINUTE
    browser.drop(REMEMBER)
    assert browser.visit().user == "ada"


def test_a_restored_session_is_never_fresh_even_right_away(browser, manager):
    browser.login(manager, remember=True)
    browser.close()
    assert browser.send(path="/fresh").status == 401
    assert not browser.visit().fresh
    browser.confirm(manager)
    assert browser.visit().fresh
    assert browser.send(path="/fresh").status == 200


def test_a_login_is_not_remembered_after_its_time(browser, manager, clock):
    browser.login(manager, remember=True)
    token = browser.token(REMEMBER)
    clock.now += 30 * DAY
    assert browser.names == {COOKIE}
    browser.close()
    browser.put(token, REMEMBER)
    assert browser.visit().user is None


def test_a_logout_ends_a_remembered_login(browser, manager, clock):
    browser.login(manager, remember=True)
    browser.close()
    browser.logout(manager)
    clock.now += DAY
    assert browser.names == set()
    assert not browser.visit().is_authenticated


def test_a_restored_session_is_written_once_and_then_read(browser, manager):
    browser.login(manager, remember=True)
    browser.close()
    assert len(browser.send().all("set-cookie")) == 2
    assert browser.send().all("set-cookie") == []


def test_another_site_cannot_use_a_remembered_login(browser, manager):
    browser.login(manager, remember=True)
    browser.close()
    before = dict(browser.jar)
    ran = []
    answer = browser.send(ran.append, headers=OTHER_ORIGIN)
    assert (answer.status, answer.all("set-cookie"), ran) == (403, [], [])
    assert browser.jar == before


def test_a_login_is_restored_only_for_origins_that_the_cookie_which_is_written_trusts(clock):
    trusted, other = ([(b"origin", origin)] for origin in (b"https://app.example.net", b"https://old.example.net"))
    written = CookieTransport(trusted_origins=["https://app.example.net"])
    old = CookieTransport("__Host-old", name="old", trusted_origins=["https://old.example.net"])
    manager = make_manager(clock=clock, transports=[written, old])
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    session = browser.token()
    clock.now += IDLE
    for expired in (False, True):
        browser.close()
        if expired:
            browser.put(session, "__Host-old")
        refused = browser.send(method="POST", headers=other)
        assert (refused.status, refused.all("set-cookie")) == (403, [])
        assert browser.send(method="POST", headers=trusted).status == 200
        assert (browser.auth.user, browser.auth.transport) == ("ada", "cookie")
        assert COOKIE in browser.names


def test_a_broken_session_is_not_made_up_for_by_what_is_remembered(browser, manager):
    browser.login(manager, remember=True)
    browser.put(browser.token()[:-2])
    assert browser.visit().user is None
    assert isinstance(browser.auth.error, InvalidToken)


@pytest.mark.parametrize("value", ["x", "a.b.c", "\xff", "", '"', "a" * 9000])
def test_garbage_that_remembers_nobody_stops_no_public_page(browser, value):
    browser.put(value.encode("latin-1").decode("latin-1"), REMEMBER)
    answer = browser.send()
    assert answer.status == 200
    assert answer.all("set-cookie") == []
    assert browser.auth.user is None


def test_a_remembered_login_is_not_restored_for_longer_than_a_year_after_the_last_password(browser, manager, clock):
    browser.login(manager, remember=True)
    born = clock.now
    restored = []
    for _ in range(40):
        browser.close()
        restored.append(browser.visit().user)
        clock.now += 10 * DAY
    assert restored == ["ada"] * 37 + [None] * 3
    assert clock.now - born > 365 * DAY


def test_a_password_shown_again_lets_a_login_be_remembered_for_another_year(browser, manager, clock):
    browser.login(manager, remember=True)
    for days in (300, 300):
        for _ in range(days // 20):
            clock.now += 20 * DAY
            browser.close()
            assert browser.visit().user == "ada"
        browser.confirm(manager)


def test_a_bound_that_was_lowered_holds_for_logins_that_are_remembered_already(clock):
    manager, browser = with_sessions(clock)
    browser.login(manager, remember=True)
    settings = {"remember_for": timedelta(days=5), "remember_at_most": timedelta(days=5)}
    _, there = with_sessions(clock, **settings)
    there.jar = dict(browser.jar)
    there.close()
    clock.now += 5 * DAY
    assert there.visit().user is None
    assert there.auth.error.reason == "the last proof of identity is older than remember_at_most"


def test_a_remembered_login_that_is_used_outlives_what_the_store_keeps(clock):
    manager = make_manager(clock=clock, store=MemoryStore())
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    for _ in range(12):
        clock.now += 29 * DAY
        browser.close()
        assert browser.visit().user == "ada"


def test_with_a_store_a_used_token_is_good_for_ten_seconds_and_then_ends_the_login(clock, caplog):
    manager = make_manager(clock=clock, store=MemoryStore())
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    browser.close()
    late = browser.copy()
    assert browser.visit().user == "ada"
    for seconds, user in ((9, "ada"), (1, None)):
        clock.now += seconds
        tab = late.copy()
        assert tab.visit().user == user
    assert tab.jar == {}
    assert browser.visit().user is None
    assert browser.jar == {}
    assert "was used again" in caplog.text


def test_a_token_without_a_generation_is_taken_once_though_the_login_it_restores_has_ended_since(clock):
    before = make_manager(clock=clock)
    browser = Browser.of(before)
    browser.login(before, remember=True)
    browser.close()
    thief = browser.copy()
    short = Sessions(remember_for=timedelta(hours=1))
    thief.app = browser.app = site(make_manager(clock=clock, store=MemoryStore(), sessions=short))
    assert browser.visit().user == "ada"
    clock.now += DAY
    assert thief.visit().user is None


@pytest.mark.parametrize("duration", [timedelta(seconds=1), timedelta(days=3), timedelta(days=90)])
def test_a_login_can_be_remembered_for_a_duration_of_its_own(browser, manager, clock, duration):
    browser.login(manager, remember=duration)
    for _ in range(3):
        clock.now += duration.total_seconds() - 1
        browser.close()
        assert browser.visit().user == "ada"
        assert "remember_for" not in claims_of(browser.token())
    clock.now += duration.total_seconds()
    browser.close()
    assert browser.visit().user is None


@pytest.mark.parametrize("duration", [timedelta(0), timedelta(days=-1), timedelta(days=366)])
def test_a_duration_that_is_none_or_beyond_the_bound_is_refused(browser, manager, duration):
    with pytest.raises(ValueError, match="remember_at_most"):
        browser.login(manager, remember=duration)


@pytest.mark.parametrize("name", ["sid", "auth_time"])
def test_a_restored_login_is_still_the_same_login(browser, manager, clock, name):
    browser.login(manager, remember=True)
    first = claims_of(browser.token())[name]
    for _ in range(3):
        clock.now += 7 * DAY
        browser.close()
        assert browser.visit().claims[name] == first
        assert claims_of(browser.token(REMEMBER))[name] == first
