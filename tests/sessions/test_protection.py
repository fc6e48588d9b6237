"""The protection of sessions: what becomes of one whose client changes."""

from datetime import timedelta

import pytest
from browser_jar import CAFE, HOME, OWN_ORIGIN, REMEMBER, Browser
from helpers import COOKIE, OTHER_SECRET, SECRET, make_manager
from sessions.browsing import DELETED, IDLE, claims_of, with_sessions


@pytest.mark.parametrize("changed", [{"client": CAFE}, {"agent": "Chrome"}, {"agent": None}, {"client": None}])
@pytest.mark.parametrize(
    ("protection", "permanent", "outcome"),
    [
        ("basic", False, ("ada", False)),
        ("basic", True, ("ada", False)),
        ("strong", False, (None, False)),
        ("strong", True, ("ada", False)),
        (None, False, ("ada", True)),
        (None, True, ("ada", True)),
    ],
)
@pytest.mark.parametrize("remember", [False, True])
def test_a_changed_client(clock, protection, permanent, remember, outcome, changed):  # noqa: PLR0917 - a table
    user, fresh = outcome
    manager, browser = with_sessions(clock, protection=protection)
    browser.login(manager, permanent=permanent, remember=remember)
    elsewhere = browser.copy(**changed)
    auth = elsewhere.visit()
    assert (auth.user, auth.fresh) == (user, fresh)
    if user is None:
        assert auth.error is None
        assert elsewhere.jar == {}
        assert elsewhere.send(path="/private").status == 401
    elif fresh:
        assert elsewhere.token() == browser.token()
    else:
        assert claims_of(elsewhere.token())["fresh"] is False
        assert claims_of(elsewhere.token())["fp"] == claims_of(browser.token())["fp"]


def test_a_changed_client_ends_a_strongly_protected_session_by_deleting_both_cookies(clock):
    manager, browser = with_sessions(clock, protection="strong")
    browser.login(manager)
    answer = browser.copy(client=CAFE).send(path="/private")
    assert answer.all("set-cookie") == [COOKIE + DELETED, REMEMBER + DELETED]
    assert answer.header("vary") == "Cookie"
    assert "error" not in answer.header("www-authenticate")


@pytest.mark.parametrize("protection", ["basic", "strong"])
@pytest.mark.parametrize("remember", [False, True])
def test_the_same_client_notices_nothing_of_the_protection(clock, protection, remember):
    manager, browser = with_sessions(clock, protection=protection)
    browser.login(manager, remember=remember)
    for _ in range(5):
        browser.client = ("192.0.2.1", browser.client[1] + 1)
        assert browser.send().all("set-cookie") == []
        assert browser.auth.fresh


@pytest.mark.parametrize("remember", [False, True])
def test_a_session_once_not_fresh_stays_so_back_home_and_through_renewals(clock, remember):
    manager, browser = with_sessions(clock, fresh_for=timedelta(days=1))
    browser.login(manager, remember=remember)
    browser.client = CAFE
    browser.visit()
    browser.client = HOME
    assert not browser.visit().fresh
    clock.now += IDLE / 2
    browser.visit()
    assert not browser.visit().fresh
    browser.confirm(manager)
    assert browser.visit().fresh


def test_a_thief_does_not_become_the_client_that_is_known(clock):
    manager, browser = with_sessions(clock, fresh_for=timedelta(days=1))
    browser.login(manager)
    thief = browser.copy(client=CAFE)
    for _ in range(5):
        clock.now += IDLE / 2
        assert thief.visit().user == "ada"
        assert not thief.auth.fresh
        assert claims_of(thief.token())["fp"] == claims_of(browser.token())["fp"]


def test_a_login_confirmed_elsewhere_belongs_there(clock):
    manager, browser = with_sessions(clock)
    browser.login(manager)
    browser.client = CAFE
    browser.confirm(manager)
    assert browser.visit().fresh
    assert not browser.copy(client=HOME).visit().fresh


def test_a_changed_client_is_written_down_once_and_not_at_each_request(browser, manager):
    browser.login(manager)
    browser.client = CAFE
    assert len(browser.send().all("set-cookie")) == 1
    assert browser.send().all("set-cookie") == []


def test_a_stolen_session_of_somebody_who_is_remembered_is_of_no_use_under_strong_protection(clock):
    manager, browser = with_sessions(clock, protection="strong")
    browser.login(manager, remember=True)
    thief = Browser(browser.app, clock, client=CAFE)
    thief.put(browser.token())
    assert (thief.visit().user, thief.jar) == (None, {})
    assert browser.visit().user == "ada"


@pytest.mark.parametrize("permanent", [False, True])
def test_a_restored_session_is_as_permanent_as_the_login_was(clock, permanent):
    manager, browser = with_sessions(clock, protection="strong")
    browser.login(manager, remember=True, permanent=permanent)
    browser.close()
    browser.visit()
    browser.client = CAFE
    assert (browser.visit().user == "ada") is permanent


def test_a_remembered_login_is_restored_for_a_changed_client_too(clock):
    manager, browser = with_sessions(clock, protection="strong")
    browser.login(manager, remember=True)
    browser.close()
    browser.client = CAFE
    assert [browser.visit().user for _ in range(3)] == ["ada"] * 3


def test_a_fingerprint_of_the_applications_own_decides(clock):
    def device(scope):
        return dict(scope["headers"]).get(b"x-device", b"")

    manager, browser = with_sessions(clock, protection="strong", fingerprint=device)
    browser.send(lambda scope: manager.login_user(scope, "ada"), headers=[*OWN_ORIGIN, (b"x-device", b"1")])
    browser.client, browser.agent = CAFE, "Chrome"
    assert browser.visit(headers=[(b"x-device", b"1")]).user == "ada"
    assert browser.visit(headers=[(b"x-device", b"2")]).user is None


@pytest.mark.parametrize("clue", ["192.0.2.1", None, ("192.0.2.1", 7)])
def test_a_fingerprint_of_another_type_is_said_to_be_no_bytes(clock, clue):
    manager, browser = with_sessions(clock, fingerprint=lambda scope: clues[0])
    clues = [clue]
    with pytest.raises(TypeError, match=rf"fingerprint=\) must return bytes, not {type(clue).__name__}"):
        browser.login(manager)
    clues = [b"192.0.2.1"]
    browser.login(manager)
    clues = [clue]
    with pytest.raises(TypeError, match=rf"fingerprint=\) must return bytes, not {type(clue).__name__}"):
        browser.visit()


def test_a_fingerprint_is_keyed_and_never_the_address_itself(clock):
    tokens = []
    for secret in (SECRET, OTHER_SECRET):
        manager = make_manager(secret, clock=clock)
        browser = Browser.of(manager)
        browser.login(manager)
        tokens.append(claims_of(browser.token())["fp"])
    assert tokens[0] != tokens[1]
    assert all("192" not in one and len(one) == 22 for one in tokens)


@pytest.fixture
def tokens(browser, manager):
    browser.login(manager, remember=True)
    access = manager.create_access_token(data={"sub": "ada"})
    return {"session": browser.token(), "remember": browser.token(REMEMBER), "access": access}
