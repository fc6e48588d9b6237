"""How long a session lasts: from a login, through its renewals, to its end."""

from datetime import timedelta

import pytest
from browser_jar import CAFE, HOME, REMEMBER, Browser, page, site
from helpers import NOW, make_manager
from sessions.browsing import DAY, IDLE, MINUTE, claims_of, with_sessions

from asgi_login import AuthMiddleware, Gate, InvalidToken, Sessions, get_auth


def test_a_login_begins_a_new_session_even_for_the_same_user(browser, manager):
    browser.login(manager)
    first = claims_of(browser.token())
    browser.login(manager)
    second = claims_of(browser.token())
    assert first["sid"] != second["sid"]
    assert first["jti"] != second["jti"]


def test_a_planted_session_is_not_what_the_victim_gets(browser, manager):
    browser.login(manager, scopes=["planted"])
    planted = browser.token()
    victim = browser.copy()
    victim.login(manager, "user1")
    assert victim.token() != planted
    assert claims_of(victim.token())["sid"] != claims_of(planted)["sid"]
    assert victim.visit().scopes == frozenset()


@pytest.mark.parametrize("remember", [False, True])
def test_a_login_as_another_user_leaves_nothing_of_the_first(browser, manager, clock, remember):
    browser.login(manager, "ada", remember=True, scopes=["admin"])
    browser.login(manager, "user1", remember=remember)
    browser.close()
    auth = browser.visit()
    assert auth.user == ("user1" if remember else None)
    assert auth.scopes == frozenset()


def test_a_session_dies_when_it_is_idle(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE - 1
    assert browser.copy().visit().user == "ada"
    clock.now += 1
    auth = browser.visit()
    assert auth.user is None
    assert isinstance(auth.error, InvalidToken)
    assert auth.error.expired


@pytest.mark.parametrize(("age", "renewed"), [(0, False), (IDLE / 2 - 1, False), (IDLE / 2, True), (IDLE - 1, True)])
def test_a_session_is_renewed_once_half_of_idle_is_gone(browser, manager, clock, age, renewed):
    browser.login(manager, scopes=["read"])
    before = browser.token()
    clock.now += age
    browser.visit()
    assert (browser.token() != before) is renewed
    old, new = claims_of(before), claims_of(browser.token())
    assert {name: old[name] for name in old.keys() - {"exp", "iat", "jti"}} == {
        name: new[name] for name in new.keys() - {"exp", "iat", "jti"}
    }
    assert new["exp"] == (NOW + int(age) + IDLE if renewed else old["exp"])
    assert browser.auth.expires_at == new["exp"]


def test_a_session_in_use_goes_on_until_its_lifetime_ends_and_no_longer(clock):
    manager, browser = with_sessions(clock, lifetime=timedelta(hours=1))
    browser.login(manager)
    while clock.now < NOW + 3600:
        assert browser.visit().user == "ada"
        assert claims_of(browser.token())["exp"] <= NOW + 3600
        clock.now += MINUTE
    assert browser.visit().user is None


def test_a_session_that_cannot_live_longer_is_not_written_again(clock):
    manager, browser = with_sessions(clock, lifetime=timedelta(minutes=15))
    browser.login(manager)
    clock.now += 14 * MINUTE
    assert browser.send().all("set-cookie") == []


def test_a_lifetime_that_was_shortened_ends_sessions_that_are_out_already(clock):
    manager, browser = with_sessions(clock, idle=timedelta(days=2), lifetime=timedelta(days=30))
    browser.login(manager)
    clock.now += DAY
    browser.app = site(make_manager(clock=clock, sessions=Sessions(lifetime=timedelta(days=1))))
    assert browser.visit().error.expired


def test_concurrent_renewals_are_all_good(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    tabs = [browser.copy() for _ in range(3)]
    assert [tab.visit().user for tab in tabs] == ["ada"] * 3
    assert len({tab.token() for tab in [*tabs, browser]}) == 4
    clock.now += IDLE / 2 - 1
    assert [tab.visit().user for tab in [*tabs, browser]] == ["ada"] * 4


def test_a_copied_token_lives_on_after_logout_until_it_expires(browser, manager, clock):
    browser.login(manager)
    thief = browser.copy()
    browser.logout(manager)
    assert thief.visit().user == "ada"
    clock.now += IDLE
    assert thief.visit().user == "ada" or thief.auth.error.expired


@pytest.mark.parametrize("jump", [10 * 365 * DAY, -10 * 365 * DAY])
def test_a_clock_that_jumps_ten_years_ends_sessions_and_breaks_nothing(browser, manager, clock, jump):
    browser.login(manager, remember=True)
    clock.now += jump
    assert browser.copy().visit().user is None
    browser.put(browser.token() or "a.b.c", REMEMBER)
    assert browser.visit().user is None


def test_a_gate_around_a_page_is_closed_then_open_then_closed(manager, clock):
    browser = Browser(AuthMiddleware(Gate(page, exempt=["/login"]), manager), clock)
    assert browser.send().status == 401
    browser.send(lambda scope: manager.login_user(scope, "ada"), path="/login")
    assert browser.send().status == 200
    browser.send(manager.logout_user)
    assert browser.send().status == 401


def test_the_state_of_a_request_tells_the_renewed_session(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    seen = []
    browser.send(lambda scope: seen.append(get_auth(scope).expires_at))
    assert seen == [clock.now + IDLE]


def slow_manager(clock, wait, **sessions):
    """Return a manager whose loader takes some seconds, or turns the clock back."""
    manager = make_manager(clock=clock, sessions=Sessions(**sessions))

    @manager.user_loader
    async def load(sub):
        clock.now += wait[0]
        return sub

    return manager, Browser.of(manager)


@pytest.mark.parametrize("client", [HOME, CAFE])
@pytest.mark.parametrize("lifetime", [IDLE, IDLE + 2])
def test_a_session_that_ends_while_its_user_is_loaded_still_counted(clock, client, lifetime):
    wait = [0]
    manager, browser = slow_manager(clock, wait, lifetime=timedelta(seconds=lifetime))
    browser.login(manager)
    clock.now += IDLE - 1
    wait[0] = 5
    browser.client = client
    assert browser.visit().user == "ada"
    assert browser.visit().user is None


@pytest.mark.parametrize("client", [HOME, CAFE])
@pytest.mark.parametrize("remember", [False, True])
def test_a_clock_that_goes_back_while_the_user_is_loaded_breaks_nothing(clock, client, remember):
    wait = [0]
    manager, browser = slow_manager(clock, wait)
    browser.login(manager, remember=remember)
    if remember:
        browser.drop()
    clock.now += 1
    wait[0] = -5
    browser.client = client
    assert browser.visit().user == "ada"


@pytest.mark.parametrize("size", [0, 4096])
def test_what_is_left_of_a_session_does_not_depend_on_the_cache(clock, size):
    sessions = Sessions(lifetime=timedelta(seconds=1_000))
    manager = make_manager(clock=clock, leeway=timedelta(minutes=5), token_cache_size=size, sessions=sessions)
    browser = Browser.of(manager)
    browser.login(manager)
    clock.now += 600
    renewing = browser.visit()
    following = browser.visit()
    for auth in (renewing, following):
        auth.require()
    clock.now += 400
    for auth in (renewing, following):
        with pytest.raises(InvalidToken):
            auth.require()
