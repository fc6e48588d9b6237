"""Tokens of sessions, tokens that remember, access and refresh tokens never stand in for one another."""

import pytest
from browser_jar import REMEMBER, Browser
from helpers import COOKIE, bearer, make_manager, run
from sessions.browsing import MINUTE

from asgi_login import BearerTransport, CookieTransport, HeaderTransport, InvalidToken, MemoryStore, Refresh


class Query:
    """A transport of the application's own."""

    name, ambient, vary = "query", False, None

    def extract(self, scope):
        return scope["query_string"] or None


TRANSPORTS = [
    BearerTransport(),
    CookieTransport(),
    CookieTransport("__Host-old", name="old"),
    HeaderTransport("X-Token", name="program", ambient=False),
    HeaderTransport("X-Forwarded-Token", name="gateway", ambient=True),
    Query(),
]


@pytest.fixture
def manager(clock):
    return make_manager(clock=clock, transports=TRANSPORTS, store=MemoryStore(), refresh=Refresh())


@pytest.fixture
def tokens(browser, manager):
    browser.login(manager, remember=True)
    access = manager.create_access_token(data={"sub": "ada"})
    pair = run(manager.issue_tokens("ada"))
    return {
        "session": browser.token(),
        "remember": browser.token(REMEMBER),
        "access": access,
        "access of a pair": pair.access_token,
        "refresh": pair.refresh_token,
    }


@pytest.mark.parametrize(
    ("slot", "accepted"),
    [
        ("authorization", {"access", "access of a pair"}),
        ("x-token", {"access", "access of a pair"}),
        ("x-forwarded-token", {"access", "access of a pair"}),
        ("query", {"access", "access of a pair"}),
        (COOKIE, {"access", "access of a pair", "session"}),
        ("__Host-old", {"access", "access of a pair", "session"}),
        (REMEMBER, {"remember"}),
    ],
)
@pytest.mark.parametrize("kind", ["access", "access of a pair", "session", "remember", "refresh"])
def test_kinds_of_tokens_never_stand_in_for_one_another(manager, tokens, slot, accepted, kind):
    browser = Browser.of(manager)
    if slot == "authorization":
        auth = browser.visit(headers=[bearer(tokens[kind])])
    elif slot == "query":
        auth = browser.visit(query_string=tokens[kind].encode())
    elif slot.startswith("x-"):
        auth = browser.visit(headers=[(slot.encode(), tokens[kind].encode())])
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
