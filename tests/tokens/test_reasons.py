"""What the log says of a token that is refused: each fault in words of its own. The client learns the code only."""

from datetime import timedelta

import pytest
from browser_jar import CAFE
from helpers import NOW, OTHER_SECRET, Clock, authenticate, bearer, claims, cookie, hs256, make_manager
from sessions.browsing import with_sessions

from asgi_login import InvalidToken

HEADER = {"alg": "HS256", "typ": "at+jwt"}
TEXT = "not a string of 1 to 255 characters without controls"

REASONS = [
    ("a" * 16_385, "longer than 16,384 bytes"),
    ("a.b", "not three parts of base64url"),
    ("a..b", "not three parts of base64url"),
    (hs256(secret=OTHER_SECRET), "wrong signature"),
    (hs256(header=HEADER | {"typ": "session+jwt"}), "typ: a session+jwt does not belong here"),
    (hs256(header=HEADER | {"pad": "a" * 1_024}), "header longer than 1,024 bytes"),
    (hs256(header=HEADER | {"jku": "x"}), "header with an unsupported extension or a key of its own"),
    (hs256(header=HEADER | {"kid": 5}), "kid: not a string"),
    (hs256(header=HEADER | {"kid": "x"}), "kid: no such key"),
    (hs256(header=HEADER | {"alg": "HS512"}), "alg: not the algorithm of the key"),
    (hs256(header=HEADER | {"typ": "secevent+jwt"}), "typ: no kind of token that is accepted"),
    (hs256(b"{"), "not strict JSON"),
    (hs256(b"[]"), "not a JSON object"),
    (hs256(b'{"a":' * 40 + b"1" + b"}" * 40), "nested too deeply"),
    (hs256(b'{"sub": 1, "sub": 2}'), "an object with a member twice"),
    (hs256(b'{"exp": 1e999}'), "number out of range"),
    (hs256(b'{"exp": NaN}'), "NaN is not JSON"),
    (f"{hs256()[:-1]}B", "base64url that is not canonical"),
    (hs256(claims(sub=5)), f"sub: {TEXT}"),
    (hs256(claims(sub="a\nb")), f"sub: {TEXT}"),
    (hs256(claims(jti=5)), f"jti: {TEXT}"),
    (hs256(claims(exp=...)), "exp: missing, or not a NumericDate"),
    (hs256(claims(exp=NOW)), "exp: expired"),
    (hs256(claims(nbf=NOW + 60)), "nbf: not valid yet"),
    (hs256(claims(iat=NOW + 60)), "iat: in the future"),
    (hs256(claims(auth_time=NOW + 60)), "auth_time: in the future"),
    (hs256(claims(cnf={"jkt": "x"})), "cnf: the token is bound to a key and is no bearer token"),
    (hs256(claims(iss=5)), f"iss: {TEXT}"),
    (hs256(claims(aud=5)), "aud: missing, or neither a string nor a list of strings"),
    (hs256(claims(aud="other")), "aud: another audience"),
    (hs256(claims(scope=5)), "scope: neither a string nor a list"),
    (hs256(claims(scope="a  b")), "scope: not scope tokens separated by single spaces"),
    (hs256(claims(scope="a", scopes=["a"])), "scope and scopes in one token"),
    (hs256(claims(scopes="a")), "scopes: not a list"),
    (hs256(claims(scopes=["a b"])), "scopes: not a list of scope tokens"),
]


@pytest.mark.parametrize(("token", "reason"), REASONS, ids=[reason for _, reason in REASONS])
def test_the_log_says_what_is_wrong_with_a_token(caplog, token, reason):
    caplog.set_level("INFO")
    auth = authenticate(make_manager(), bearer(token), path="/page")
    assert auth.error.reason == reason
    code = auth.error.reason_code
    assert code != "invalid_token"
    assert caplog.messages == [f"GET '/page': InvalidToken from bearer refused by default: {code}: {reason}"]


def test_the_log_says_whose_issuer_and_session_it_is_not(clock):
    strict = make_manager(issuer="https://example.com")
    assert authenticate(strict, bearer(hs256(claims(iss="other")))).error.reason == "iss: another issuer"
    typ = {"alg": "HS256", "typ": "session+jwt"}
    for more, reason in [({"mgr": "other"}, "mgr: another manager's"), ({}, "auth_time: missing in a session+jwt")]:
        token = hs256(claims(**{"mgr": "default"} | more), typ)
        assert authenticate(make_manager(), cookie(token)).error.reason == reason


def test_the_log_says_that_there_is_no_such_user(caplog):
    assert authenticate(make_manager(users=["bob"]), bearer(hs256())).error.reason == "no such user"


def test_the_log_says_that_a_transport_found_what_is_not_ascii():
    class Query:
        name = "query"
        ambient = False

        def extract(self, scope):
            return found

    found = "tökén"
    manager = make_manager(transports=[Query()])
    assert authenticate(manager).error.reason == "not ASCII"
    found = 5
    with pytest.raises(TypeError, match=r"returns a str, bytes or None, not int$"):
        authenticate(manager)


def test_the_log_says_whose_session_ended_with_its_client(clock, caplog):
    manager, browser = with_sessions(clock, protection="strong")
    browser.login(manager)
    caplog.set_level("INFO")
    assert browser.copy(client=CAFE).visit("/page").user is None
    assert caplog.messages == ["GET '/page': session from cookie ended by default: client_changed"]


def test_the_log_says_that_a_session_outlived_a_lifetime_that_was_shortened(clock):
    manager, browser = with_sessions(clock)
    browser.login(manager)
    there, _ = with_sessions(clock, lifetime=timedelta(minutes=5), idle=timedelta(minutes=5))
    clock.now += 300
    assert authenticate(there, cookie(browser.token())).error.reason == "the session is older than its lifetime"


def test_require_says_that_a_token_has_expired_since_it_was_read(clock):
    auth = authenticate(make_manager(clock=clock), bearer(hs256()))
    clock.now += 600
    with pytest.raises(InvalidToken) as caught:
        auth.require()
    assert caught.value.reason == "exp: expired"


@pytest.fixture
def clock():
    return Clock()
