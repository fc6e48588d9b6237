"""TokenEndpoint with refresh tokens: the answers of RFC 6749 §5 and §6."""

import logging
from datetime import timedelta

import pytest
from helpers import NOW, OTHER_SECRET, SECRET, Clock, bearer, cookie, make_manager, parts, public_pem, rsa_pem
from oauth.posting import DownStore, issuing, pair_of, post, refresh, said

from asgi_login import (
    InsufficientScope,
    InvalidToken,
    LoginManager,
    MemoryStore,
    Refresh,
    ServiceUnavailable,
    Sessions,
)
from asgi_login.oauth import TokenEndpoint


@pytest.fixture
def manager():
    return issuing()


@pytest.fixture
def app(manager):
    return TokenEndpoint(manager)


def claims_of(token):
    return parts(token)[1]


def test_a_refresh_token_brings_the_next_pair(manager, app):
    first = pair_of(manager, scopes=["read", "write"])
    answer = refresh(app, first.refresh_token)
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert (answer.header("cache-control"), answer.header("pragma")) == ("no-store", "no-cache")
    assert answer.header("content-length") == str(len(answer.body))
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "read write")
    assert claims_of(body["access_token"])["sid"] == claims_of(first.access_token)["sid"]
    assert claims_of(body["refresh_token"])["gen"] == 2


def test_an_answer_without_scopes_says_nothing_of_them(manager, app):
    # RFC 6749 §3.3: a scope has at least one character.
    assert "scope" not in refresh(app, pair_of(manager).refresh_token).json()


def test_a_client_may_ask_for_fewer_scopes_and_keeps_the_others_for_later(manager, app):
    first = pair_of(manager, scopes=["a", "b", "c"])
    second = refresh(app, first.refresh_token, scope="b a").json()
    assert (second["scope"], claims_of(second["access_token"])["scope"]) == ("b a", "b a")
    assert refresh(app, second["refresh_token"]).json()["scope"] == "a b c"


@pytest.mark.parametrize("scope", ["a d", "d", "A", "a  b", " a", "a ", "a\tb", 'a"', "ä"])
def test_more_scopes_than_the_login_grants_or_none_at_all_are_refused_and_cost_nothing(manager, app, scope):
    first = pair_of(manager, scopes=["a", "b"])
    assert said(refresh(app, first.refresh_token, scope=scope)) == (400, "invalid_scope")
    body = refresh(app, first.refresh_token).json()
    assert claims_of(body["refresh_token"])["gen"] == 2


def test_an_empty_parameter_counts_as_not_sent(manager, app):
    # RFC 6749 §3.2
    token = pair_of(manager, scopes=["a"]).refresh_token
    assert refresh(app, token, scope="", client_id="", client_secret="").json()["scope"] == "a"
    assert said(refresh(app, "")) == (400, "invalid_request")


def test_unknown_parameters_are_not_looked_at(manager, app):
    # RFC 6749 §3.2; resource and audience are those of RFC 8707 and RFC 8693.
    token = pair_of(manager).refresh_token
    assert refresh(app, token, resource="https://api.example.com", audience="x", nonsense="y").status == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"refresh_token": "x"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "Refresh_token", "refresh_token": "x"}, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "ada", "password": "x"}, "unsupported_grant_type"),
    ],
)
def test_what_is_missing_or_not_taken_has_a_code_of_its_own(app, form, error):
    assert said(post(app, form)) == (400, error)


BAD_TOKENS = {
    "nonsense": lambda manager: "nonsense",
    "not ASCII": lambda manager: "ä.ö.ü",
    "longer than any token": lambda manager: "a" * 16_000,
    "an access token": lambda manager: pair_of(manager).access_token,
    "another manager's": lambda manager: pair_of(issuing(secret=OTHER_SECRET)).refresh_token,
    "that of a manager with another name": lambda manager: pair_of(issuing(name="other")).refresh_token,
    "that of a login in another store": lambda manager: pair_of(issuing()).refresh_token,
    "that of a user who is gone": lambda manager: pair_of(manager, "gone").refresh_token,
    "expired": lambda manager: pair_of(issuing(clock=Clock(NOW - 16 * 86_400))).refresh_token,
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_every_bad_token_gets_the_same_answer(manager, app, kind, caplog):
    caplog.set_level(logging.INFO, "asgi_login")
    token = BAD_TOKENS[kind](manager)
    answer = refresh(app, token)
    assert said(answer) == (400, "invalid_grant")
    assert answer.body == refresh(app, "x").body
    assert answer.header("www-authenticate") is None
    assert "POST '/auth/token': invalid_grant for a refresh_token: " in caplog.text
    assert token not in caplog.text


def test_a_token_that_was_used_before_ends_the_login(manager, app):
    first = pair_of(manager)
    second = refresh(app, first.refresh_token).json()
    third = refresh(app, second["refresh_token"]).json()
    assert said(refresh(app, first.refresh_token)) == (400, "invalid_grant")
    assert said(refresh(app, third["refresh_token"])) == (400, "invalid_grant")


def test_a_lost_answer_costs_nothing_within_the_window(manager, app):
    first = pair_of(manager)
    lost = refresh(app, first.refresh_token)
    again = refresh(app, first.refresh_token)
    assert (lost.status, again.status) == (200, 200)
    assert refresh(app, again.json()["refresh_token"]).status == 200


def test_a_client_that_says_its_name_is_the_only_one_that_may_use_the_token(manager, app):
    # RFC 6749 §10.4
    token = pair_of(manager, client_id="app").refresh_token
    assert said(refresh(app, token)) == (400, "invalid_grant")
    assert said(refresh(app, token, client_id="other")) == (400, "invalid_grant")
    assert refresh(app, token, client_id="app").status == 200


def test_a_token_that_is_bound_to_no_client_is_good_for_any(manager, app):
    assert refresh(app, pair_of(manager).refresh_token, client_id="app").status == 200


def test_a_stale_credential_that_is_sent_along_is_not_looked_at(manager, app):
    token = pair_of(manager).refresh_token
    headers = [bearer("expired"), cookie("nonsense"), (b"origin", b"https://elsewhere.example")]
    assert refresh(app, token, headers=headers).status == 200


def test_a_store_that_does_not_answer_is_a_503_and_the_token_stays_good():
    store = DownStore()
    manager = issuing(store=store)
    app, first = TokenEndpoint(manager), pair_of(manager)
    store.is_down = True
    answer = refresh(app, first.refresh_token)
    assert said(answer) == (503, "temporarily_unavailable")
    assert answer.header("retry-after") == "1"
    store.is_down = False
    assert refresh(app, first.refresh_token).status == 200


def test_a_loader_that_breaks_is_a_5xx_of_the_server_and_the_token_stays_good():
    manager = LoginManager(b"s" * 16 + bytes(range(16)), store=MemoryStore(), refresh=Refresh())
    outcomes = [LookupError("the database is down"), InvalidToken("inactive"), ServiceUnavailable("later"), "ada"]

    @manager.user_loader
    async def load(sub):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    app, token = TokenEndpoint(manager), pair_of(manager).refresh_token
    with pytest.raises(LookupError, match="down"):
        refresh(app, token)
    # An AuthError of the loader's refuses the token.
    assert said(refresh(app, token)) == (400, "invalid_grant")
    assert said(refresh(app, token)) == (503, "temporarily_unavailable")
    assert refresh(app, token).status == 200


def test_the_loader_is_given_the_scope():
    manager, scopes = LoginManager(b"s" * 16 + bytes(range(16)), store=MemoryStore(), refresh=Refresh()), []

    @manager.user_loader
    async def load(sub, scope, claims):
        scopes.append((scope["path"], claims["gen"]))
        return sub

    assert refresh(TokenEndpoint(manager), pair_of(manager).refresh_token).status == 200
    assert scopes == [("/auth/token", 1)]


def test_a_changed_stamp_ends_the_login():
    users = {"ada": "hash"}
    manager = issuing(sessions=Sessions(stamp=users.get))
    app, token = TokenEndpoint(manager), pair_of(manager, user="ada").refresh_token
    second = refresh(app, token).json()["refresh_token"]
    users["ada"] = "another hash"
    assert said(refresh(app, second)) == (400, "invalid_grant")


def test_the_life_of_the_tokens_is_that_of_the_settings():
    clock = Clock()
    settings = Refresh(idle=timedelta(minutes=20), lifetime=timedelta(minutes=30))
    manager = issuing(clock=clock, default_expiry=timedelta(minutes=15), refresh=settings)
    app, token = TokenEndpoint(manager), pair_of(manager).refresh_token
    clock.now += 18 * 60
    body = refresh(app, token).json()
    # No token outlives the login.
    assert body["expires_in"] == 12 * 60
    clock.now += 12 * 60
    assert said(refresh(app, body["refresh_token"])) == (400, "invalid_grant")


def test_what_could_never_work_is_refused_at_construction():
    with pytest.raises(TypeError, match="takes a LoginManager, not str"):
        TokenEndpoint("manager")
    with pytest.raises(ValueError, match="pass refresh=Refresh"):
        TokenEndpoint(make_manager())
    public = make_manager(public_pem(rsa_pem()), algorithm="RS256", audience="me")
    with pytest.raises(ValueError, match="only a public one"):
        TokenEndpoint(public, password=lambda username, password: None)
    for path in ("", "auth/token", "/auth/token/", "/", "/auth//token", "/auth/../token", "/a?b", "/a b", "/ä", 7):
        with pytest.raises(ValueError, match="path is that of the endpoint"):
            TokenEndpoint(issuing(), path)


def test_a_setting_that_there_is_not_cannot_be_set(app):
    with pytest.raises(AttributeError, match="pass path= to TokenEndpoint"):
        app.path = "/elsewhere"
    with pytest.raises(AttributeError, match="there is no such setting"):
        app.paht = "/elsewhere"


def test_a_scope_that_a_loader_misses_is_an_invalid_grant():
    manager = LoginManager(SECRET, store=MemoryStore(), refresh=Refresh(), clock=Clock())

    @manager.user_loader
    async def load_user(sub):
        raise InsufficientScope("of the application's own")

    pair = pair_of(manager)
    assert said(refresh(TokenEndpoint(manager), pair.refresh_token)) == (400, "invalid_grant")


@pytest.mark.parametrize("client_id", ["\N{GRINNING FACE}" * 255, "sh\xf6p"])
def test_a_client_id_is_visible_ascii(client_id):
    manager = issuing()
    token = pair_of(manager).refresh_token
    assert said(refresh(TokenEndpoint(manager), token, client_id=client_id)) == (400, "invalid_request")
