"""Tokens of sessions, tokens that remember and access tokens never stand in for one another."""

import pytest
from browser_jar import REMEMBER, Browser
from helpers import COOKIE, bearer, make_manager
from sessions.browsing import MINUTE

from asgi_login import InvalidToken


@pytest.fixture
def tokens(browser, manager):
    browser.login(manager, remember=True)
    access = manager.create_access_token(data={"sub": "ada"})
    return {"session": browser.token(), "remember": browser.token(REMEMBER), "access": access}


@pytest.mark.parametrize(
    ("slot", "accepted"),
    [("header", {"access"}), (COOKIE, {"access", "session"}), (REMEMBER, {"remember"})],
)
@pytest.mark.parametrize("kind", ["access", "session", "remember"])
def test_kinds_of_tokens_never_stand_in_for_one_another(manager, tokens, slot, accepted, kind):
    browser = Browser.of(manager)
    if slot == "header":
        auth = browser.visit(headers=[bearer(tokens[kind])])
    else:
        browser.put(tokens[kind], slot)
        auth = browser.visit()
    assert auth.is_authenticated is (kind in accepted)
    assert isinstance(auth.error, InvalidToken) is (kind not in accepted)


def test_an_access_token_in_the_cookie_is_never_renewed(manager, tokens, clock):
    browser = Browser.of(manager)
    browser.put(tokens["access"])
    clock.now += 14 * MINUTE
    assert browser.send().all("set-cookie") == []
    assert browser.auth.user == "ada"


def test_without_sessions_a_session_token_is_refused(manager, tokens, clock):
    browser = Browser.of(make_manager(clock=clock, sessions=None))
    browser.put(tokens["session"])
    assert isinstance(browser.visit().error, InvalidToken)
    browser.drop()
    browser.put(tokens["remember"], REMEMBER)
    assert (browser.visit().user, browser.auth.error) == (None, None)
