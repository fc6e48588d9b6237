"""RevocationEndpoint: what a client ends (RFC 7009)."""

import logging
from datetime import timedelta

import pytest
from helpers import NOW, OTHER_SECRET, Clock, bearer, claims, hello, hs256, http_scope, make_manager, run, send_request
from oauth.posting import DownStore, issuing, pair_of, post, refresh, said

from asgi_login import AuthMiddleware, Gate
from asgi_login.oauth import RevocationEndpoint, TokenEndpoint


@pytest.fixture
def manager():
    return issuing()


@pytest.fixture
def app(manager):
    return RevocationEndpoint(manager)


def revoke(app, token, **more):
    return post(app, {"token": token, **more}, path="/auth/revoke")


def lets_in(manager, token):
    app = AuthMiddleware(Gate(hello), manager)
    return run(send_request(app, http_scope(headers=[bearer(token)]))).status == 200


def assert_done(answer):
    assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "0")
    assert (answer.header("cache-control"), answer.header("pragma")) == ("no-store", "no-cache")


def test_a_refresh_token_ends_its_login_with_all_of_its_tokens(manager, app):
    first, other = pair_of(manager), pair_of(manager)
    second = refresh(TokenEndpoint(manager), first.refresh_token).json()
    assert_done(revoke(app, second["refresh_token"]))
    assert not lets_in(manager, first.access_token)
    assert not lets_in(manager, second["access_token"])
    assert said(refresh(TokenEndpoint(manager), second["refresh_token"])) == (400, "invalid_grant")
    assert lets_in(manager, other.access_token)


def test_an_old_refresh_token_ends_the_login_too(manager, app):
    first = pair_of(manager)
    second = refresh(TokenEndpoint(manager), first.refresh_token).json()
    assert_done(revoke(app, first.refresh_token))
    assert not lets_in(manager, second["access_token"])


def test_what_was_ended_stays_ended():
    clock = Clock()
    manager = issuing(clock=clock, default_expiry=timedelta(hours=1))
    one, other = pair_of(manager), pair_of(manager)
    assert_done(revoke(RevocationEndpoint(manager), one.refresh_token))
    assert_done(revoke(RevocationEndpoint(manager), other.access_token))
    clock.now += 3_590
    assert lets_in(manager, pair_of(manager).access_token)
    assert not lets_in(manager, one.access_token)
    assert not lets_in(manager, other.access_token)


def test_an_access_token_ends_alone(manager, app):
    pair = pair_of(manager)
    assert_done(revoke(app, pair.access_token))
    assert not lets_in(manager, pair.access_token)
    again = refresh(TokenEndpoint(manager), pair.refresh_token).json()
    assert lets_in(manager, again["access_token"])


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_a_hint_is_not_needed(manager, app, hint):
    pair = pair_of(manager)
    assert_done(revoke(app, pair.refresh_token, token_type_hint=hint))
    assert not lets_in(manager, pair.access_token)


NOTHING_TO_END = {
    "malformed": lambda manager: "nonsense",
    "not ASCII": lambda manager: "ä.ö.ü",
    "another key's": lambda manager: pair_of(issuing(secret=OTHER_SECRET)).refresh_token,
    "another manager's": lambda manager: pair_of(issuing(name="other")).refresh_token,
    "an expired access token": lambda manager: pair_of(issuing(clock=Clock(NOW - 3_600))).access_token,
    "an expired refresh token": lambda manager: pair_of(issuing(clock=Clock(NOW - 40 * 86_400))).refresh_token,
}


@pytest.mark.parametrize("kind", NOTHING_TO_END)
def test_a_token_that_is_none_is_answered_as_one_that_was_ended(manager, app, kind):
    # RFC 7009 §2.2
    assert_done(revoke(app, NOTHING_TO_END[kind](manager)))


@pytest.mark.parametrize("kind", NOTHING_TO_END.keys() - {"an expired refresh token"})
def test_nothing_is_written_for_a_token_that_is_none(kind):
    store = DownStore()
    manager = issuing(store=store)
    token = NOTHING_TO_END[kind](manager)
    store.is_down = True
    assert_done(revoke(RevocationEndpoint(manager), token))


def test_an_expired_refresh_token_ends_its_login_all_the_same():
    clock = Clock()
    manager = issuing(clock=clock)
    first = pair_of(manager)
    clock.now += 10 * 86_400
    second = refresh(TokenEndpoint(manager), first.refresh_token).json()
    clock.now += 6 * 86_400
    assert_done(revoke(RevocationEndpoint(manager), first.refresh_token))
    assert said(refresh(TokenEndpoint(manager), second["refresh_token"])) == (400, "invalid_grant")


def test_a_token_is_needed(app):
    assert said(revoke(app, "")) == (400, "invalid_request")
    assert said(post(app, {}, path="/auth/revoke")) == (400, "invalid_request")


def test_a_token_without_an_id_cannot_be_ended_and_the_client_is_told(app):
    # RFC 7009 §2.2.1
    token = hs256(claims(jti=...))
    assert said(revoke(app, token)) == (400, "unsupported_token_type")


def test_a_client_ends_no_token_of_another_client(manager, app, caplog):
    caplog.set_level(logging.INFO, "asgi_login")
    pair = pair_of(manager, client_id="app")
    assert said(revoke(app, pair.refresh_token, client_id="other")) == (400, "invalid_grant")
    assert lets_in(manager, pair.access_token)
    assert "another client's" in caplog.text
    assert_done(revoke(app, pair.refresh_token, client_id="app"))
    assert not lets_in(manager, pair.access_token)


def test_whoever_has_a_token_may_end_it(manager, app):
    pair = pair_of(manager, client_id="app")
    assert_done(revoke(app, pair.refresh_token))
    assert not lets_in(manager, pair.access_token)


def test_a_client_without_a_name_of_its_own_may_say_one(manager, app):
    pair = pair_of(manager)
    assert_done(revoke(app, pair.refresh_token, client_id="app"))
    assert not lets_in(manager, pair.access_token)


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_store_that_does_not_answer_is_a_503(kind):
    store = DownStore()
    manager = issuing(store=store)
    app, token = RevocationEndpoint(manager), getattr(pair_of(manager), kind)
    store.is_down = True
    answer = revoke(app, token)
    assert said(answer) == (503, "temporarily_unavailable")
    assert answer.header("retry-after") == "1"


def test_a_manager_without_a_store_can_end_nothing():
    with pytest.raises(ValueError, match=r"needs LoginManager\(store=\)"):
        RevocationEndpoint(make_manager())


def test_a_session_that_is_shown_ends(manager, app):
    token, _ = manager.config.tokens.issue(
        "session+jwt", {"sub": "ada", "sid": "one", "mgr": "default", "auth_time": NOW, "exp": NOW + 60}, now=NOW
    )
    access = manager.create_access_token(data={"sub": "ada", "sid": "one"})
    assert lets_in(manager, access)
    assert_done(revoke(app, token))
    assert not lets_in(manager, access)
