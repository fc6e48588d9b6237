"""Sessions and the keys of their manager: rotated, retired, or only able to verify."""

import pytest
from browser_jar import CAFE, HOME, Browser, site
from helpers import OTHER_SECRET, SECRET, make_manager, public_pem, rsa_pem
from sessions.browsing import IDLE

from asgi_login import Key, Sessions


@pytest.mark.parametrize("protection", ["basic", "strong"])
def test_a_session_survives_the_rotation_of_keys(clock, protection):
    sessions = Sessions(protection=protection, stamp=str.upper)
    before = make_manager(SECRET, clock=clock, sessions=sessions)
    browser = Browser.of(before)
    browser.login(before, user="ada", remember=True)
    after = make_manager([OTHER_SECRET, SECRET], clock=clock, sessions=sessions)
    browser.app = site(after)
    assert browser.visit().fresh
    clock.now += IDLE / 2
    browser.visit()
    assert browser.visit().fresh
    browser.app = site(make_manager(OTHER_SECRET, clock=clock, sessions=sessions))
    assert browser.visit().fresh


def test_a_changed_client_is_noticed_across_a_rotation(clock):
    before = make_manager(SECRET, clock=clock)
    browser = Browser.of(before)
    browser.login(before)
    browser.app = site(make_manager([OTHER_SECRET, SECRET], clock=clock))
    elsewhere = browser.copy(client=CAFE)
    assert not elsewhere.visit().fresh
    clock.now += IDLE / 2
    elsewhere.visit()
    assert not elsewhere.visit().fresh
    elsewhere.client = HOME
    clock.now += IDLE / 2
    assert elsewhere.visit().user == "ada"
    assert not elsewhere.auth.fresh


def test_a_retired_key_ends_its_sessions(clock):
    before = make_manager(SECRET, clock=clock)
    browser = Browser.of(before)
    browser.login(before, remember=True)
    browser.app = site(make_manager(OTHER_SECRET, clock=clock))
    assert browser.visit().user is None
    browser.close()
    assert browser.visit().user is None


def test_a_session_near_the_limit_survives_a_rotation_to_a_key_with_longer_signatures(clock, caplog):
    before = make_manager(SECRET, clock=clock)
    browser = Browser.of(before)
    scopes = [f"scope-{i:04}" for i in range(233)]
    browser.login(before, scopes=scopes)
    assert len(browser.token()) > 3700
    browser.app = site(make_manager([Key(rsa_pem(), "RS256"), SECRET], clock=clock))
    clock.now += IDLE / 2
    assert browser.visit().user == "ada"
    [warning] = caplog.messages
    assert warning.startswith("a session cannot be renewed: browsers drop a cookie of ")


@pytest.mark.parametrize(("protection", "user"), [("basic", "ada"), ("strong", None)])
def test_a_client_counts_as_changed_under_a_key_whose_public_half_alone_was_kept(clock, protection, user):
    sessions = Sessions(protection=protection)
    before = make_manager(Key(rsa_pem(), "RS256"), clock=clock, sessions=sessions)
    browser = Browser.of(before)
    browser.login(before)
    assert browser.visit().fresh
    keys = [SECRET, Key(public_pem(rsa_pem()), "RS256")]
    browser.app = site(make_manager(keys, clock=clock, sessions=sessions, insecure_any_audience=True))
    for client in (HOME, CAFE):
        device = browser.copy(client=client)
        assert (device.visit().user, device.auth.fresh, device.auth.error) == (user, False, None)


@pytest.fixture
def issuer_and_verifier(clock):
    settings = {"audience": "app", "algorithm": "RS256", "clock": clock}
    return make_manager(rsa_pem(), **settings), make_manager(public_pem(rsa_pem()), **settings)


def test_a_manager_that_only_verifies_reads_a_session_and_writes_nothing(issuer_and_verifier, clock):
    issuer, verifier = issuer_and_verifier
    browser = Browser.of(issuer)
    browser.login(issuer, remember=True)
    browser.app, browser.client = site(verifier), CAFE
    clock.now += IDLE / 2
    assert browser.send().all("set-cookie") == []
    assert browser.auth.user == "ada"
    browser.close()
    assert browser.visit().user is None


def test_a_manager_that_only_verifies_logs_nobody_in(issuer_and_verifier):
    _, verifier = issuer_and_verifier
    with pytest.raises(ValueError, match="private key"):
        Browser.of(verifier).login(verifier)


def test_strong_protection_needs_a_key_that_signs():
    with pytest.raises(ValueError, match="strong"):
        make_manager(public_pem(rsa_pem()), algorithm="RS256", audience="a", sessions=Sessions(protection="strong"))
