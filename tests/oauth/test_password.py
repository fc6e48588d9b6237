"""TokenEndpoint with `password=`: what a name and a password bring (RFC 6749 §4.3)."""

import base64
import functools
import threading
from datetime import timedelta
from types import MappingProxyType

import anyio
import pytest
from fastapi import Depends
from helpers import Clock, authenticate, bearer, http_scope, make_manager, parts, run
from oauth.posting import FORM, DownStore, issuing, post, refresh, said, send_body

from asgi_login import Auth, Grant, InvalidToken, MemoryStore, Refresh, ServiceUnavailable, Sessions
from asgi_login.oauth import TokenEndpoint

ADA = {"grant_type": "password", "username": "ada", "password": "secret words"}


async def check(username, password):
    if (username, password) != ("ada", "secret words"):
        return None
    return Grant("ada", scopes=["read", "write"], claims={"tenant": "acme"})


def claims_of(token):
    return parts(token)[1]


def granting(grant):
    async def check(username, password):
        return grant

    return check


def test_a_password_brings_a_pair_that_can_be_refreshed():
    manager = issuing()
    app = TokenEndpoint(manager, password=check)
    answer = post(app, ADA)
    assert answer.status == 200
    assert (answer.header("cache-control"), answer.header("pragma")) == ("no-store", "no-cache")
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "read write")
    second = refresh(app, body["refresh_token"]).json()
    for token in (body["access_token"], second["access_token"]):
        assert {"sub": "ada", "tenant": "acme", "scope": "read write"}.items() <= claims_of(token).items()


def test_without_refresh_tokens_it_brings_an_access_token():
    manager = make_manager()
    app = TokenEndpoint(manager, password=check)
    body = post(app, {**ADA, "client_id": "app"}).json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "read write")
    claims = claims_of(body["access_token"])
    assert {"sub": "ada", "tenant": "acme", "client_id": "app", "scope": "read write"}.items() <= claims.items()
    assert claims["exp"] - claims["iat"] == 900
    auth: Auth[str] = authenticate(manager, bearer(body["access_token"]))
    assert (auth.user, auth.scopes, auth.fresh) == ("ada", {"read", "write"}, True)
    assert said(refresh(app, "x")) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("manager", [issuing, make_manager], ids=["pair", "access token alone"])
class TestBoth:
    def test_a_wrong_name_or_password_is_an_invalid_grant(self, manager):
        app = TokenEndpoint(manager(), password=check)
        wrong = post(app, {**ADA, "password": "guessed"})
        assert said(wrong) == (400, "invalid_grant")
        assert wrong.json()["error_description"] == "the name or the password is wrong"
        assert wrong.body == post(app, {**ADA, "username": "nobody"}).body

    @pytest.mark.parametrize("missing", ["username", "password"])
    def test_a_name_and_a_password_are_needed(self, manager, missing):
        app = TokenEndpoint(manager(), password=check)
        assert said(post(app, {**ADA, missing: ""})) == (400, "invalid_request")
        assert said(post(app, {name: ADA[name] for name in ADA.keys() - {missing}})) == (400, "invalid_request")

    def test_a_client_may_ask_for_fewer_scopes(self, manager):
        app = TokenEndpoint(manager(), password=check)
        body = post(app, {**ADA, "scope": "write"}).json()
        assert (body["scope"], claims_of(body["access_token"])["scope"]) == ("write", "write")

    @pytest.mark.parametrize("scope", ["read admin", "admin", "read  write", "rea"])
    def test_more_scopes_than_are_granted_are_refused(self, manager, scope):
        assert said(post(TokenEndpoint(manager(), password=check), {**ADA, "scope": scope})) == (400, "invalid_scope")

    def test_nothing_outlives_the_grant(self, manager):
        clock = Clock()
        one = manager(clock=clock)
        app = TokenEndpoint(one, password=granting(Grant("ada", expires_at=clock() + 60.5)))
        body = post(app, ADA).json()
        claims = claims_of(body["access_token"])
        assert (body["expires_in"], claims["exp"] - claims["iat"]) == (60, 60)
        if "refresh_token" in body:
            clock.now += 50
            body = refresh(app, body["refresh_token"]).json()
            assert body["expires_in"] == 10
            clock.now += 11
            assert said(refresh(app, body["refresh_token"])) == (400, "invalid_grant")

    def test_a_grant_that_has_ended_is_none(self, manager):
        clock = Clock()
        app = TokenEndpoint(manager(clock=clock), password=granting(Grant("ada", expires_at=clock())))
        assert said(post(app, ADA)) == (400, "invalid_grant")

    def test_what_the_function_raises_is_raised(self, manager):
        async def broken(username, password):
            raise LookupError("the database is down")

        with pytest.raises(LookupError, match="down"):
            post(TokenEndpoint(manager(), password=broken), ADA)

    def test_an_auth_error_of_the_function_refuses(self, manager):
        async def refusing(username, password):
            raise InvalidToken("locked")

        assert said(post(TokenEndpoint(manager(), password=refusing), ADA)) == (400, "invalid_grant")

    def test_a_limiter_answers_with_a_status_of_its_own(self, manager):
        class TooManyTries(ServiceUnavailable):
            status = 429
            description = "Too many tries"
            retry_after = 60

        async def limited(username, password, scope):
            raise TooManyTries(f"from {scope['client'][0]}")

        answer = post(TokenEndpoint(manager(), password=limited), ADA)
        assert said(answer) == (429, "temporarily_unavailable")
        assert (answer.header("retry-after"), answer.json()["error_description"]) == ("60", "Too many tries")

    @pytest.mark.parametrize("returned", [True, "ada", {"sub": "ada"}, Grant], ids=repr)
    def test_what_is_no_grant_lets_nobody_in(self, manager, returned):
        with pytest.raises(TypeError, match="password= returns a Grant, or None"):
            post(TokenEndpoint(manager(), password=granting(returned)), ADA)

    @pytest.mark.parametrize("claim", ["sid", "exp", "auth_time", "client_id", "mgr"])
    def test_a_claim_of_ours_cannot_be_granted(self, manager, claim):
        app = TokenEndpoint(manager(), password=granting(Grant("ada", claims={claim: "x"})))
        with pytest.raises(ValueError, match=f"cannot set {claim}"):
            post(app, ADA)


@pytest.mark.parametrize("refresh", [Refresh(), None], ids=["pair", "access token alone"])
def test_a_login_in_the_second_of_a_logout_everywhere_lives(refresh):
    manager = make_manager(store=MemoryStore(), refresh=refresh)
    app = TokenEndpoint(manager, password=check)
    before = post(app, ADA).json()["access_token"]
    run(manager.revoke_user("ada"))
    after = post(app, ADA).json()["access_token"]
    assert authenticate(manager, bearer(before)).user is None
    assert authenticate(manager, bearer(after)).user == "ada"


def test_a_store_that_is_down_is_a_503():
    store = DownStore()
    app = TokenEndpoint(issuing(store=store), password=check)
    store.is_down = True
    assert said(post(app, ADA)) == (503, "temporarily_unavailable")


def test_with_a_stamp_the_user_is_loaded():
    stamps = {"ada": "hash"}
    manager = issuing(sessions=Sessions(stamp=stamps.get))
    app = TokenEndpoint(manager, password=granting(Grant("ada")))
    token = post(app, ADA).json()["refresh_token"]
    assert refresh(app, token).status == 200
    nobody = TokenEndpoint(manager, password=granting(Grant("gone")))
    assert said(post(nobody, ADA)) == (400, "invalid_grant")


def test_a_client_id_binds_the_refresh_token():
    app = TokenEndpoint(issuing(), password=check)
    token = post(app, {**ADA, "client_id": "app"}).json()["refresh_token"]
    assert said(refresh(app, token)) == (400, "invalid_grant")
    assert refresh(app, token, client_id="app").status == 200


class Checker:
    """An object whose instances are asynchronous functions."""

    async def __call__(self, username, password):
        return await check(username, password)


def partly(database, username, password):
    return check(username, password)


@pytest.mark.parametrize(
    "function",
    [check, Checker(), functools.partial(partly, "database"), lambda *values: check(values[0], values[1])],
    ids=["async function", "object", "partial that returns an awaitable", "lambda that does"],
)
@pytest.mark.anyio
async def test_any_kind_of_callable_is_called(function):
    app = TokenEndpoint(make_manager(), password=function)
    body = b"grant_type=password&username=ada&password=secret+words"
    assert (await send_body(app, http_scope("POST", headers=[FORM]), body)).status == 200


@pytest.mark.anyio
async def test_a_plain_function_runs_in_a_thread_and_is_given_the_scope():
    seen = []

    def slow(username, password, *, scope):
        seen.append((threading.current_thread(), scope["client"]))
        return Grant(username)

    app = TokenEndpoint(make_manager(), password=slow)
    body = b"grant_type=password&username=ada&password=x"
    assert (await send_body(app, http_scope("POST", headers=[FORM]), body)).status == 200
    [(thread, client)] = seen
    assert thread is not threading.current_thread()
    assert client == ("192.0.2.1", 50000)
    await anyio.lowlevel.checkpoint()


def needs_a_session(username, password, session=Depends(check)):  # noqa: B008
    return None


def generating(username, password):
    yield None


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("ada:secret", "password= is a function of username and password, not str"),
        (lambda username: None, "cannot be called with username and password"),
        (lambda username, password, session: None, "cannot be called with username and password"),
        (generating, "cannot be a generator"),
        (needs_a_session, r"knows no Depends\(\.\.\.\)"),
    ],
)
def test_a_function_that_could_not_be_called_is_refused_at_construction(function, sentence):
    with pytest.raises(TypeError, match=sentence):
        TokenEndpoint(make_manager(), password=function)


class TestGrant:
    def test_it_is_what_was_said_and_cannot_be_changed(self):
        grant = Grant("ada", ["a", "b", "a"], 1.5, {"tenant": "acme"})
        assert (grant.sub, grant.scopes, grant.expires_at, grant.claims) == ("ada", ("a", "b"), 1.5, {"tenant": "acme"})
        assert isinstance(grant.claims, MappingProxyType)
        assert "acme" not in repr(grant)
        with pytest.raises(AttributeError):
            grant.sub = "bob"

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ({"sub": 7}, TypeError),
            ({"sub": ""}, TypeError),
            ({"sub": "a\nb"}, TypeError),
            ({"sub": "ada", "scopes": "read"}, TypeError),
            ({"sub": "ada", "scopes": ["a b"]}, ValueError),
            ({"sub": "ada", "expires_at": timedelta(1)}, TypeError),
            ({"sub": "ada", "expires_at": True}, TypeError),
            ({"sub": "ada", "claims": [1]}, TypeError),
        ],
    )
    def test_what_is_no_grant_is_refused(self, arguments, problem):
        with pytest.raises(problem):
            Grant(**arguments)


def basic(words):
    return (b"authorization", b"Basic " + base64.b64encode(words))


class TestClients:
    """Which client asks: RFC 6749 §2.3.1, §3.2.1 and §5.2."""

    @pytest.fixture
    def app(self):
        return TokenEndpoint(issuing(refresh=Refresh()), password=check)

    def test_the_authorize_button_sends_basic_without_a_name_and_a_secret(self, app):
        answer = post(app, {**ADA, "scope": ""}, headers=[basic(b":")])
        assert "client_id" not in claims_of(answer.json()["refresh_token"])

    @pytest.mark.parametrize(("sent", "meant"), [(b"app:", "app"), (b"my+app%3A1:", "my app:1")])
    def test_a_name_without_a_secret_is_that_of_a_public_client(self, app, sent, meant):
        token = post(app, ADA, headers=[basic(sent)]).json()["refresh_token"]
        assert claims_of(token)["client_id"] == meant
        assert refresh(app, token, headers=[basic(sent)], client_id=meant).status == 200

    def test_two_names_are_refused(self, app):
        assert said(post(app, {**ADA, "client_id": "b"}, headers=[basic(b"a:")])) == (400, "invalid_request")

    @pytest.mark.parametrize(
        "headers",
        [
            [basic(b"app:secret")],
            [basic(b":secret")],
            [basic(b"no colon")],
            [basic(b"\xff:")],
            [(b"authorization", b"Basic !!!")],
            [(b"authorization", b"Basic a")],
            [(b"authorization", b"bAsIc ")],
            [basic(b":"), basic(b":")],
            [(b"authorization", b"Bearer x"), basic(b"app:secret")],
        ],
    )
    def test_a_client_that_shows_a_secret_by_basic_is_told_that_there_are_none(self, app, headers):
        answer = post(app, ADA, headers=headers)
        assert said(answer) == (401, "invalid_client")
        assert answer.header("www-authenticate").startswith("Basic realm=")

    def test_a_client_that_sends_a_secret_in_the_form_is_told_that_there_are_none(self, app):
        answer = post(app, {**ADA, "client_id": "app", "client_secret": "secret"})
        assert said(answer) == (400, "invalid_client")

    @pytest.mark.parametrize("client_id", ["a" * 256, "a\tb"])
    def test_a_name_that_is_none_is_refused(self, app, client_id):
        assert said(post(app, {**ADA, "client_id": client_id})) == (400, "invalid_request")

    @pytest.mark.parametrize("line", [b"Bearer expired", b"Digest x", b"Basicx y", b"", b"Bearer a b"])
    def test_other_headers_are_not_looked_at(self, app, line):
        assert post(app, ADA, headers=[(b"authorization", line)]).status == 200
