"""The stamp: a user who changes in what counts is logged out everywhere."""

import pytest
from browser_jar import CAFE, REMEMBER, Browser, site
from helpers import OTHER_SECRET, SECRET, make_manager, public_pem, rsa_pem
from sessions.browsing import IDLE, claims_of

from asgi_login import BearerTransport, CookieTransport, InvalidToken, Key, LoginManager, NotAuthenticated, Sessions


class Users(dict):
    """Users whose stamp is their password's hash."""

    def manager(self, clock, secret=SECRET, *, any_audience=False, **settings):
        sessions = Sessions(stamp=lambda user: user["hash"], **settings)
        manager = LoginManager(
            secret,
            transports=[BearerTransport(), CookieTransport()],
            clock=clock,
            sessions=sessions,
            insecure_any_audience=any_audience,
        )

        @manager.user_loader
        async def load(sub):
            return self.get(sub)

        return manager


@pytest.fixture
def users():
    return Users(ada={"hash": "one", "email": "a"})


@pytest.mark.parametrize("jar", ["session", "session and remember", "remember"])
@pytest.mark.parametrize("change", ["password", "user gone"])
def test_a_changed_stamp_or_a_user_who_is_gone_ends_every_login_at_the_next_request(users, clock, jar, change):
    manager = users.manager(clock)
    browser = Browser.of(manager)
    browser.login(manager, user=users["ada"], remember="remember" in jar)
    other_device = browser.copy(client=CAFE)
    if jar == "remember":
        browser.close()
        other_device.close()
    if change == "password":
        users["ada"] = {"hash": "two"}
    else:
        del users["ada"]
    for device in (browser, other_device):
        answer = device.send(path="/private")
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.header("www-authenticate")
        assert device.jar == {}
        assert isinstance(device.visit().error, NotAuthenticated | None)


def test_another_change_of_the_user_ends_nothing(users, clock):
    manager = users.manager(clock)
    browser = Browser.of(manager)
    browser.login(manager, user=users["ada"], remember=True)
    users["ada"] = {"hash": "one", "email": "b"}
    assert browser.visit().is_authenticated
    browser.close()
    assert browser.visit().is_authenticated
    clock.now += IDLE / 2
    browser.visit()
    assert browser.visit().is_authenticated


def test_a_login_after_the_change_is_good(users, clock):
    manager = users.manager(clock)
    browser = Browser.of(manager)
    users["ada"] = {"hash": "two"}
    browser.login(manager, user=users["ada"])
    assert browser.visit().is_authenticated


def test_a_session_issued_before_there_was_a_stamp_is_refused_once_there_is_one(users, clock):
    before = make_manager(clock=clock)
    browser = Browser.of(before)
    browser.login(before, remember=True)
    browser.app = site(users.manager(clock))
    session = browser.copy()
    session.drop(REMEMBER)
    browser.close()
    for one in (session, browser):
        assert isinstance(one.visit().error, InvalidToken)
        assert one.jar == {}


def test_an_access_token_has_no_stamp_to_compare(users, clock):
    manager = users.manager(clock)
    browser = Browser.of(manager)
    browser.put(manager.create_access_token(data={"sub": "ada"}))
    assert browser.visit().is_authenticated


def test_a_stamp_travels_as_a_keyed_hash_of_fixed_length(users, clock):
    stamps = []
    for secret, value in [(SECRET, "one"), (SECRET, "two" * 1000), (OTHER_SECRET, "one")]:
        users["ada"] = {"hash": value}
        manager = users.manager(clock, secret)
        browser = Browser.of(manager)
        browser.login(manager, user=users["ada"], remember=True)
        stamps.append(claims_of(browser.token())["stamp"])
        assert claims_of(browser.token(REMEMBER))["stamp"] == stamps[-1]
    assert len(set(stamps)) == 3
    assert {len(one) for one in stamps} == {22}


def test_a_restored_login_is_stamped_with_the_present_key_in_both_cookies(users, clock):
    before = users.manager(clock, SECRET)
    browser = Browser.of(before)
    browser.login(before, user=users["ada"], remember=True)
    browser.close()
    browser.app = site(users.manager(clock, [OTHER_SECRET, SECRET]))
    assert browser.visit().is_authenticated
    browser.app = site(users.manager(clock, OTHER_SECRET))
    assert browser.visit().is_authenticated
    browser.close()
    assert browser.visit().is_authenticated


@pytest.mark.parametrize("jar", ["session", "remember"])
def test_a_changed_stamp_ends_a_session_under_a_key_whose_public_half_alone_was_kept(users, clock, jar):
    old, new = Key(rsa_pem(), "RS256"), SECRET
    before = users.manager(clock, old)
    browser = Browser.of(before)
    browser.login(before, user=users["ada"], remember=True)
    if jar == "remember":
        browser.close()
    users["ada"] = {"hash": "two"}
    browser.app = site(users.manager(clock, [new, Key(public_pem(rsa_pem()), "RS256")], any_audience=True))
    assert not browser.visit().is_authenticated
