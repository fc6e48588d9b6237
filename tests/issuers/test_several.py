"""Several issuers, and keys of our own beside them, in one manager; and several managers."""

import pytest
from helpers import (
    OTHER_SECRET,
    SECRET,
    authenticate,
    bearer,
    claims,
    hello,
    hs256,
    other_rsa_pem,
    protected,
    public_pem,
    request,
    rsa_pem,
)
from issuers.providers import AUDIENCE, URL, Provider, jwk, manager_of, ready, status, timed, token

from asgi_login import AuthMiddleware, Gate, InvalidToken, Key, LoginManager, MemoryStore, Sessions

OTHER = "https://login.example"


@pytest.fixture
def ours():
    return ready(Provider().issuer())


@pytest.fixture
def theirs():
    # Another key, called by the same kid.
    return ready(Provider([jwk(other_rsa_pem())], url=OTHER).issuer())


def their_token(**changes):
    return token(pem=other_rsa_pem(), iss=OTHER, **changes)


class TestSeveralIssuers:
    def test_of_two_issuers_with_one_kid_iss_decides(self, ours, theirs):
        manager = manager_of([ours, theirs])
        assert authenticate(manager, bearer(token())).user == "ada"
        assert authenticate(manager, bearer(their_token())).user == "ada"

    def test_a_key_answers_for_its_own_issuer_only(self, ours, theirs):
        manager = manager_of([ours, theirs])
        for credential in (token(iss=OTHER), token(pem=other_rsa_pem())):
            assert authenticate(manager, bearer(credential)).error.reason == "wrong signature"

    @pytest.mark.anyio
    async def test_one_that_is_down_does_not_stop_the_other(self):
        down, up = Provider(), Provider([jwk(other_rsa_pem())], url=OTHER)
        down.answers[f"{URL}/keys"] = OSError("down")
        app = protected(manager_of([down.issuer(), up.issuer()]))
        assert [await status(app, one) for one in (their_token(), token(), their_token(), token())] == [
            *(200, 503, 200, 503)
        ]
        assert (down.fetches, up.fetches) == (1, 1)

    def test_each_has_settings_of_its_own(self, theirs):
        ours = ready(Provider().issuer(scopes_claim="scp", subject_claim="email"))
        manager = manager_of([ours, theirs], users=None)
        one = authenticate(manager, bearer(token(scp=["a"], scope="b", email="ada@example.com")))
        other = authenticate(manager, bearer(their_token(scp=["a"], scope="b", email="ada@example.com")))
        assert (one.user, one.scopes) == ("ada@example.com", {"a"})
        assert (other.user, other.scopes) == ("ada", {"b"})

    def test_one_twice_is_refused(self, ours):
        with pytest.raises(ValueError, match="an Issuer is listed twice"):
            LoginManager([ours, Provider().issuer()], audience=AUDIENCE)


class TestOwnKeysBesideThem:
    def test_both_kinds_of_tokens_are_accepted(self, ours):
        manager = manager_of([ours, SECRET])
        own = manager.create_access_token(data={"sub": "user1"}, scopes=["read"])
        assert authenticate(manager, bearer(own)).user == "user1"
        assert authenticate(manager, bearer(own)).scopes == {"read"}
        assert authenticate(manager, bearer(token())).user == "ada"

    def test_a_kid_of_ours_that_the_issuer_has_too_stays_ours(self, ours):
        manager = manager_of([Key(other_rsa_pem(), "RS256", kid="one"), ours])
        own = manager.create_access_token(data={"sub": "user1"})
        assert authenticate(manager, bearer(own)).user == "user1"
        assert authenticate(manager, bearer(token(header={"typ": "at+jwt"}))).user == "ada"

    def test_our_key_does_not_answer_for_the_issuer(self, ours):
        manager = manager_of([Key(other_rsa_pem(), "RS256", kid="two"), ours])
        error = authenticate(manager, bearer(token("two", other_rsa_pem()))).error
        assert error.reason == "kid: the issuer has no such key"
        assert authenticate(manager, bearer(hs256(claims(iss=URL, aud=AUDIENCE)))).error is not None

    def test_the_issuers_key_does_not_answer_for_us(self, ours):
        manager = manager_of([SECRET, ours], issuer="https://own.example")
        for iss in ("https://own.example", ..., "https://elsewhere.example"):
            assert authenticate(manager, bearer(token(iss=iss))).error.reason == "kid: no such key"

    def test_no_token_is_issued_in_the_issuers_name(self, ours):
        manager = manager_of([SECRET, ours])
        with pytest.raises(ValueError, match="its iss names an Issuer"):
            manager.create_access_token(data={"sub": "ada", "iss": URL})

    def test_our_issuer_must_not_be_theirs(self, ours):
        with pytest.raises(ValueError, match="leave it out"):
            LoginManager([SECRET, ours], issuer=URL, audience=AUDIENCE)
        with pytest.raises(ValueError, match="leave it out"):
            LoginManager(ours, issuer=["https://own.example", URL], audience=AUDIENCE)

    @pytest.mark.parametrize("issuer_first", [True, False])
    def test_browsers_are_logged_in_with_our_key(self, ours, issuer_first):
        secrets = [ours, SECRET] if issuer_first else [SECRET, ours]
        manager = manager_of(secrets, sessions=Sessions(protection="strong", stamp=lambda user: "s"))
        assert manager.config.tokens.keys.signing_key.kid == Key(SECRET).kid

    @pytest.mark.parametrize("secrets", [lambda issuer: issuer, lambda issuer: [SECRET, issuer]])
    def test_an_audience_is_needed_whatever_signs(self, ours, secrets):
        with pytest.raises(ValueError, match="a manager with an Issuer must name its audience="):
            LoginManager(secrets(ours))
        LoginManager(secrets(ours), insecure_any_audience=True)


class TestOnlyIssuers:
    def test_it_cannot_issue(self, ours):
        with pytest.raises(
            ValueError, match="only an Issuer and cannot issue tokens; pass a key of your own beside it"
        ):
            manager_of(ours).create_access_token(data={"sub": "ada"})

    def test_it_cannot_log_browsers_in(self, ours):
        manager = manager_of(ours)
        refusals = []

        async def log_in(scope, receive, send):
            try:
                manager.login_user(scope, "ada")
            except ValueError as refusal:
                refusals.append(str(refusal))
            await hello(scope, receive, send)

        assert request(AuthMiddleware(log_in, manager), "POST").status == 200
        assert refusals == [
            "this manager has no key that signs and cannot log anybody in; pass a private key or a secret"
        ]

    @pytest.mark.parametrize("sessions", [Sessions(protection="strong"), Sessions(stamp=lambda user: "s")])
    def test_what_needs_a_key_of_its_own_is_refused(self, ours, sessions):
        with pytest.raises(ValueError, match="needs a key that signs"):
            manager_of(ours, sessions=sessions)
        manager_of(ours, sessions=None)


class TestSeveralManagers:
    def test_each_takes_its_own(self, ours):
        api = manager_of(ours, name="api")
        web = manager_of(SECRET, name="web", audience=None)
        app = AuthMiddleware(Gate(hello), [web, api])
        own = web.create_access_token(data={"sub": "user1"})
        assert request(app, headers=[bearer(token())]).body == b"'ada'"
        assert request(app, headers=[bearer(own)]).body == b"'user1'"
        assert request(app, headers=[bearer(token(aud="other"))]).status == 401

    def test_two_that_would_take_each_others_tokens_are_refused(self, ours):
        one = manager_of(ours, name="one")
        for audience in (AUDIENCE, ["other", AUDIENCE]):
            # The same provider, fetched for by another Issuer.
            other = manager_of(Provider().issuer(), name="other", audience=audience)
            with pytest.raises(ValueError, match="share a key"):
                AuthMiddleware(hello, [one, other])
        AuthMiddleware(hello, [one, manager_of(ours, name="other", audience="other")])
        AuthMiddleware(hello, [one, manager_of(OTHER_SECRET, name="own")])

    def test_two_may_share_an_issuer(self):
        provider = Provider()
        issuer = ready(provider.issuer())
        managers = [manager_of(issuer, name=name, audience=name) for name in ("one", "two")]
        for name in ("one", "two"):
            answers = [authenticate(manager, bearer(token(aud=name))).user for manager in managers]
            assert answers.count("ada") == 1
        assert provider.fetches == 1


class TestOwnIssuersAndAudiences:
    def test_the_first_is_written_and_each_is_accepted(self):
        manager = manager_of(SECRET, issuer=["https://new.example", "https://old.example"], audience=("new", "old"))
        written = authenticate(manager, bearer(manager.create_access_token(data={"sub": "ada"}))).claims
        assert (written["iss"], written["aud"]) == ("https://new.example", "new")
        for iss, aud in (("https://old.example", "old"), ("https://new.example", ["old", "x"])):
            assert authenticate(manager, bearer(hs256(claims(iss=iss, aud=aud)))).user == "ada"
        for iss, aud in (("https://other.example", "new"), (..., "new"), ("https://new.example", "other")):
            assert authenticate(manager, bearer(hs256(claims(iss=iss, aud=aud)))).user is None

    def test_the_public_key_of_another_needs_an_audience_beside_our_own_secret(self):
        keys = [Key(SECRET), Key(public_pem(rsa_pem()), "RS256", kid="one")]
        with pytest.raises(ValueError, match="a manager with a public key must name its audience="):
            LoginManager(keys)
        # An ID token of theirs, made for a client.
        assert authenticate(manager_of(keys), bearer(token(aud="spa"))).user is None


@pytest.mark.anyio
class TestWithAStore:
    async def test_tokens_of_an_issuer_can_be_ended(self):
        issuer = Provider().issuer(subject_claim="email")
        app = protected(manager := manager_of(issuer, users=None, store=MemoryStore()))
        mail = {"email": "ada@example.com"}
        assert await status(app, token(jti="a", **mail)) == 200
        await manager.revoke_token(token(jti="a", **mail))
        assert [await status(app, token(jti=jti, **mail)) for jti in "ab"] == [401, 200]
        await manager.revoke_user("ada@example.com")
        assert await status(app, token(jti="b", **mail)) == 401

    async def test_a_token_can_be_ended_before_the_first_request(self):
        app = protected(manager := manager_of(Provider().issuer(), store=MemoryStore()))
        await manager.revoke_token(token(jti="a"))
        assert [await status(app, token(jti=jti)) for jti in "ab"] == [401, 200]

    async def test_one_with_an_unknown_key_is_no_token_to_end(self):
        manager = manager_of(Provider().issuer(), store=MemoryStore())
        with pytest.raises(InvalidToken):
            await manager.revoke_token(token("unknown"))

    async def test_one_that_outlives_the_store_is_refused(self):
        app = protected(manager_of(Provider().issuer(), store=MemoryStore()))
        assert await status(app, token(exp=4_000_000_000)) == 401

    async def test_a_session_of_the_provider_can_be_ended(self):
        issuer = Provider().issuer()
        timed(issuer)
        app = protected(manager := manager_of(issuer, store=MemoryStore()))
        assert await status(app, token(sid="s1")) == 200
        await manager.revoke_session("s1")
        assert [await status(app, token(sid=sid)) for sid in ("s1", "s2")] == [401, 200]
