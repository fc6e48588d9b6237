"""What a token of an identity provider must claim, and what its claims mean here."""

import pytest
from helpers import NOW, authenticate, bearer, cookie, ec_pem, ed25519_pem
from issuers.providers import AUDIENCE, URL, Provider, claims, jwk, manager_of, ready, signed, token

from asgi_login import BearerTransport, HeaderTransport, InvalidToken


def auth_of(credential, *, manager=None, **settings):
    issuer = ready(Provider().issuer(**settings))
    return authenticate(manager_of(issuer, users=None, **(manager or {})), bearer(credential))


def reason(credential, **settings):
    auth = auth_of(credential, **settings)
    assert type(auth.error) is InvalidToken
    assert auth.user is None
    return auth.error.reason


class TestIssuerAndAudience:
    @pytest.mark.parametrize("iss", [..., None, 5, "", URL + "/", URL.upper(), "https://other.example", [URL]])
    def test_iss_must_be_the_issuer_byte_for_byte(self, iss):
        assert reason(token(iss=iss)) == "iss: none of the issuers"

    @pytest.mark.parametrize("aud", [..., None, 5, "", "other", [], ["other"], [AUDIENCE, 5]])
    def test_aud_must_have_the_audience(self, aud):
        assert reason(token(aud=aud)).startswith("aud: ")

    @pytest.mark.parametrize("aud", [AUDIENCE, ["other", AUDIENCE]])
    def test_it_may_have_others_too(self, aud):
        assert auth_of(token(aud=aud)).user == "ada"

    @pytest.mark.parametrize("aud", [..., "anything", ["a", "b"]])
    def test_any_audience_is_an_explicit_choice(self, aud):
        settings = {"audience": None, "insecure_any_audience": True}
        assert auth_of(token(aud=aud), manager=settings).user == "ada"

    @pytest.mark.parametrize("aud", [5, None, [5]])
    def test_even_then_it_must_be_an_audience(self, aud):
        settings = {"audience": None, "insecure_any_audience": True}
        assert reason(token(aud=aud), manager=settings).startswith("aud: ")

    def test_each_of_several_audiences_is_accepted(self):
        for aud in ("one", "two"):
            assert auth_of(token(aud=aud), manager={"audience": ["one", "two"]}).user == "ada"
        assert reason(token(aud="three"), manager={"audience": ["one", "two"]}) == "aud: another audience"

    def test_another_claim_can_hold_the_audience(self):
        settings = {"audience_claim": "client_id"}
        assert auth_of(token(aud=..., client_id=AUDIENCE), **settings).user == "ada"
        assert auth_of(token(aud="account", client_id=[AUDIENCE]), **settings).user == "ada"
        assert reason(token(client_id="other"), **settings) == "client_id: another audience"
        assert reason(token(), **settings).startswith("client_id: missing")


class TestSubject:
    @pytest.mark.parametrize("sub", [..., None, 5, "", "a\nb", "a" * 256, ["ada"]])
    def test_it_must_be_text(self, sub):
        assert reason(token(sub=sub)).startswith("sub: ")

    def test_another_claim_can_name_the_user(self):
        auth = auth_of(token(sub="f3a1", email="ada@example.com"), subject_claim="email")
        assert (auth.user, auth.claims["sub"]) == ("ada@example.com", "f3a1")
        assert reason(token(), subject_claim="email").startswith("email: ")


class TestScopes:
    @pytest.mark.parametrize(
        ("claim", "changes", "scopes"),
        [
            ("scope", {}, set()),
            ("scope", {"scope": "read write"}, {"read", "write"}),
            ("scope", {"scope": ["read", "write"]}, {"read", "write"}),
            ("scope", {"scopes": ["read"]}, {"read"}),
            ("scp", {"scp": ["read"], "scope": "admin"}, {"read"}),
            ("scp", {"scp": "read write"}, {"read", "write"}),
            ("scp", {"scope": "admin"}, set()),
            ("scp", {"scope": "admin", "scopes": ["admin"]}, set()),
            ("permissions", {"permissions": ["orders:read"]}, {"orders:read"}),
            ("realm_access.roles", {"realm_access": {"roles": ["admin"]}}, {"admin"}),
            ("realm_access.roles", {"realm_access": {}}, set()),
            ("realm_access.roles", {}, set()),
            ("https://example.com/roles", {"https://example.com/roles": ["admin"]}, {"admin"}),
            ("a.b", {"a.b": "whole", "a": {"b": "way"}}, {"whole"}),
        ],
    )
    def test_they_are_where_scopes_claim_says(self, claim, changes, scopes):
        assert auth_of(token(**changes), scopes_claim=claim).scopes == scopes

    @pytest.mark.parametrize(
        ("claim", "changes"),
        [
            ("scp", {"scp": 5}),
            ("scp", {"scp": None}),
            ("scp", {"scp": [5]}),
            ("scp", {"scp": ["a b"]}),
            ("scp", {"scp": "a  b"}),
            ("scp", {"scp": {"a": 1}}),
            ("scope", {"scope": "a", "scopes": ["b"]}),
            ("realm_access.roles", {"realm_access": "admin"}),
            ("realm_access.roles", {"realm_access": ["roles"]}),
            ("realm_access.roles", {"realm_access": {"roles": {}}}),
            ("realm_access.roles", {"realm_access": {"roles": 5}}),
        ],
    )
    def test_what_is_no_list_of_scopes_is_refused(self, claim, changes):
        assert reason(token(**changes), scopes_claim=claim).startswith(claim.partition(".")[0])


class TestRequire:
    @pytest.mark.parametrize("value", ["access", True, 1, 1.5, None, ["a", 1], {"a": {"b": [1]}}])
    def test_a_claim_must_be_equal(self, value):
        settings = {"require": {"token_use": value}}
        assert auth_of(token(token_use=value), **settings).user == "ada"
        for other in ("other", "", 0, False, [], {}, ["a", 1, 2]):
            assert reason(token(token_use=other), **settings) == "token_use: not what require= says"
        assert reason(token(), **settings) == "token_use: not what require= says"

    @pytest.mark.parametrize(
        ("required", "claimed"), [(True, 1), (1, True), (1, 1.0), ("1", 1), (1, "1"), ("a", ["a"])]
    )
    def test_the_type_counts(self, required, claimed):
        assert reason(token(x=claimed), require={"x": required}) == "x: not what require= says"

    def test_every_claim_must_be_equal(self):
        settings = {"require": {"a": 1, "b": 2}}
        assert auth_of(token(a=1, b=2), **settings).user == "ada"
        assert reason(token(a=1, b=3), **settings) == "b: not what require= says"
        assert reason(token(a=0, b=2), **settings) == "a: not what require= says"


class TestKinds:
    @pytest.mark.parametrize(
        "changes",
        [{"nonce": "n"}, {"at_hash": "h"}, {"c_hash": "h"}, {"azp": AUDIENCE}, {"azp": AUDIENCE, "aud": [AUDIENCE]}],
    )
    @pytest.mark.parametrize("typ", ["JWT", "at+jwt", ...])
    def test_an_id_token_is_refused(self, changes, typ):
        assert "ID token" in reason(token(header={"typ": typ}, **changes))

    @pytest.mark.parametrize(
        "changes", [{"azp": "spa"}, {"azp": "spa", "aud": [AUDIENCE, "spa"]}, {"aud": [AUDIENCE], "azp": "other"}]
    )
    def test_a_token_that_a_client_got_for_this_api_is_none(self, changes):
        assert auth_of(token(**changes)).user == "ada"

    def test_an_id_token_is_refused_under_any_audience_too(self):
        settings = {"audience": None, "insecure_any_audience": True}
        assert "ID token" in reason(token(nonce="n", aud="spa"), manager=settings)

    @pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", ...])
    def test_by_default_the_usual_types_are_access_tokens(self, typ):
        assert auth_of(token(header={"typ": typ})).user == "ada"

    @pytest.mark.parametrize(
        "typ", ["session+jwt", "remember+jwt", "refresh+jwt", "logout+jwt", "id+jwt", "dpop+jwt", "", None, 5, ["JWT"]]
    )
    def test_other_types_are_refused_wherever_they_come_from(self, typ):
        issuer = ready(Provider().issuer())
        manager = manager_of(issuer)
        for line in (bearer, cookie):
            error = authenticate(manager, line(token(header={"typ": typ}))).error
            assert error.reason == "typ: no kind of token that is accepted of this issuer"

    def test_a_provider_can_be_held_to_rfc_9068(self):
        settings = {"access_token_types": ("at+jwt",)}
        assert auth_of(token(header={"typ": "at+jwt"}), **settings).user == "ada"
        assert auth_of(token(header={"typ": "application/AT+jwt"}), **settings).user == "ada"
        for typ in ("JWT", ...):
            assert "typ" in reason(token(header={"typ": typ}), **settings)

    def test_a_provider_can_have_a_type_of_its_own(self):
        settings = {"access_token_types": ("okta-internal-at+jwt", "at+JWT")}
        for typ in ("application/okta-internal-at+jwt", "at+jwt"):
            assert auth_of(token(header={"typ": typ}), **settings).user == "ada"

    def test_a_token_in_a_cookie_is_checked_alike(self):
        manager = manager_of(ready(Provider().issuer()))
        assert authenticate(manager, cookie(token())).user == "ada"
        assert authenticate(manager, cookie(token(aud="other"))).error.reason == "aud: another audience"

    def test_it_never_restores_a_login(self):
        manager = manager_of([ready(Provider().issuer()), "own-secret-of-at-least-thirty-two-bytes"])
        remembered = manager.config.remember_cookie.cookie_name
        assert authenticate(manager, cookie(token(), remembered)).error.reason.startswith("typ: ")

    def test_it_may_come_in_a_header_of_a_gateway(self):
        header = HeaderTransport("x-token", name="gateway", ambient=True)
        manager = manager_of(ready(Provider().issuer()), transports=[BearerTransport(), header])
        assert authenticate(manager, (b"x-token", token().encode())).user == "ada"


class TestTheRest:
    @pytest.mark.parametrize("changes", [{"exp": NOW}, {"exp": "soon"}, {"nbf": NOW + 9}, {"iat": NOW + 9}, {"jti": 5}])
    def test_times_and_names_are_those_of_every_token(self, changes):
        assert reason(token(**changes)).startswith(next(iter(changes)))

    def test_a_token_that_is_bound_to_a_key_is_refused(self):
        assert reason(token(cnf={"jkt": "x"})).startswith("cnf: ")

    @pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty"])
    def test_a_header_that_brings_a_key_or_an_extension_is_refused(self, member):
        assert "header with an unsupported extension" in reason(token(header={member: "x"}))

    def test_another_signature_is_refused(self):
        body = token().rpartition(".")[0]
        assert reason(f"{body}.{token(sub='eve').rpartition('.')[2]}") == "wrong signature"

    @pytest.mark.parametrize(("kty", "pem", "alg"), [("EC", ec_pem, "ES256"), ("OKP", ed25519_pem, "EdDSA")])
    def test_every_algorithm_verifies(self, kty, pem, alg):
        issuer = ready(Provider([jwk(pem(), kty=kty)]).issuer())
        body = claims(iss=URL, aud=AUDIENCE)
        credential = signed({"alg": alg, "kid": "one"}, body, pem(), alg)
        assert authenticate(manager_of(issuer), bearer(credential)).user == "ada"

    def test_a_token_of_16_kib_is_read_and_no_longer_one(self):
        groups = ["00000000-0000-0000-0000-000000000000"] * 280
        assert len(token(groups=groups)) > 15_000
        assert auth_of(token(groups=groups)).user == "ada"
        assert reason(token(groups=groups * 2)) == "longer than 16,384 bytes"

    def test_times_are_looked_at_again_for_tokens_of_the_cache(self):
        manager = manager_of(ready(Provider().issuer()))
        clock = manager.config.clock
        assert authenticate(manager, bearer(token())).user == "ada"
        clock.now += 601
        assert authenticate(manager, bearer(token())).error.expired

    def test_expired_tokens_are_told_so(self):
        assert auth_of(token(exp=NOW - 1)).error.expired
