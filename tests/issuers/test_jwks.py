"""Which keys of a set are used, and why others are left out."""

import json
import logging

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from helpers import b64, ec_pem, ed25519_pem, other_rsa_pem, rsa_pem
from issuers.providers import Provider, jwk, ready
from jwt.algorithms import RSAAlgorithm

from asgi_login import ServiceUnavailable
from asgi_login.jwks import UnusableSetError, read_set
from asgi_login.tokens import parse_object

ALGORITHMS = ("RS256", "ES256", "EdDSA")


def keys_of(*jwks, algorithms=ALGORITHMS):
    """Return the algorithms of the keys that are used, by kid, and the reasons why others are not."""
    keys, left_out = read_set(parse_object(json.dumps({"keys": jwks}).encode()), algorithms)
    return {kid: key.algorithm for kid, key in keys.items()}, left_out


def private_jwk():
    return RSAAlgorithm.to_jwk(load_pem_private_key(other_rsa_pem(), None), as_dict=True) | {"kid": "bad"}


def weak_jwk():
    return jwk(rsa_pem(1024), "bad")


SECRET_JWK = {"kty": "oct", "kid": "bad", "k": b64(bytes(32)), "alg": "HS256"}


class TestLeftOut:
    @pytest.mark.parametrize(
        ("make", "why"),
        [
            (lambda: SECRET_JWK, "a secret (kty oct), which nobody may publish"),
            (private_jwk, "a private key, which nobody may publish"),
            (lambda: jwk(other_rsa_pem(), "bad", d="AQAB"), "a private key, which nobody may publish"),
            (lambda: jwk(ed25519_pem(), "bad", "OKP", k="AQAB"), "a private key, which nobody may publish"),
            (weak_jwk, "an RSA key needs at least 2048 bits, this one has 1024 (RFC 7518 §3.3)"),
            (lambda: jwk(kid="bad", use="enc"), "not for signatures (use)"),
            (lambda: jwk(kid="bad", use=5), "not for signatures (use)"),
            (lambda: jwk(kid="bad", key_ops=["encrypt"]), "not for verifying (key_ops)"),
            (lambda: jwk(kid="bad", key_ops="verify"), "not for verifying (key_ops)"),
            (lambda: jwk(kid="bad", alg="RS384"), "of no algorithm that is accepted"),
            (lambda: jwk(kid="bad", alg="HS256"), "of no algorithm that is accepted"),
            (lambda: jwk(kid="bad", alg="none"), "of no algorithm that is accepted"),
            (lambda: jwk(kid="bad", alg=5), "of no algorithm that is accepted"),
            (lambda: jwk(kid="bad", alg="ES256"), "of no algorithm that is accepted"),
            (lambda: jwk(kid="bad", kty="RSA") | {"kty": "AKP"}, "of no algorithm that is accepted"),
            (lambda: jwk(kid="bad") | {"kty": ["RSA"]}, "of no algorithm that is accepted"),
            (lambda: jwk(ec_pem(ec.SECP384R1), "bad", "EC"), "of no algorithm that is accepted"),
            (lambda: jwk(kid="bad", n=...), "malformed"),
            (lambda: jwk(kid="bad", n="!"), "malformed"),
            (lambda: jwk(kid="bad", n=5), "malformed"),
            (lambda: jwk(kid="bad", e="AA"), "malformed"),
            (lambda: jwk(kid="bad", kty="EC", x=b64(bytes(32))), "malformed"),
            (lambda: jwk(kid="bad", kty="OKP", crv="X25519"), "malformed"),
            (lambda: jwk(kid=5), "kid: not a string"),
            (lambda: jwk(kid=""), "kid must be 1 to 128 visible ASCII characters"),
            (lambda: jwk(kid="a\nb"), "kid must be 1 to 128 visible ASCII characters"),
            (lambda: jwk(kid="a" * 129), "kid must be 1 to 128 visible ASCII characters"),
            (lambda: "a string", "no object"),
            (lambda: None, "no object"),
        ],
    )
    def test_an_odd_key_is_left_out_and_the_others_are_used(self, make, why):
        good = jwk(ec_pem(), "good", "EC")
        assert keys_of(make(), good) == ({"good": "ES256"}, (f"key 0: {why}",))

    def test_two_keys_of_one_kid_are_both_left_out(self):
        keys, left_out = keys_of(jwk(), jwk(other_rsa_pem()), jwk(ec_pem(), "good", "EC"))
        assert (keys, left_out) == ({"good": "ES256"}, ("kid 'one' names 2 keys",))

    def test_a_kid_is_free_where_the_other_key_is_not_used(self):
        assert keys_of(jwk(), jwk(other_rsa_pem(), use="enc"))[0] == {"one": "RS256"}

    def test_each_is_logged_once(self, caplog):
        provider = Provider([jwk(), SECRET_JWK])
        issuer = ready(provider.issuer())
        ready_again(issuer)
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert [one.getMessage() for one in warnings] == [
            "of the keys of https://idp.example, one is left out: key 1: a secret (kty oct), which nobody may publish"
        ]
        provider.keys.append(jwk(kid="bad", use="enc"))
        ready_again(issuer)
        assert len(caplog.records) > len(warnings)


def ready_again(issuer):
    """Have it fetch its keys once more."""
    issuer._source._attempted_at = float("-inf")
    anyio.run(issuer.learn, "unknown")


class TestAlgorithms:
    def test_a_key_without_alg_gets_the_first_that_fits(self):
        jwks = [jwk(kid="r"), jwk(kid="e", kty="EC"), jwk(kid="o", kty="OKP"), jwk(ec_pem(ec.SECP384R1), "f", "EC")]
        assert keys_of(*jwks, algorithms=("PS256", "RS256", "ES384", "ES256", "EdDSA"))[0] == {
            "r": "PS256",
            "e": "ES256",
            "o": "EdDSA",
            "f": "ES384",
        }

    def test_a_key_with_alg_keeps_it(self):
        jwks = [jwk(kid="r", alg="RS256"), jwk(other_rsa_pem(), "p", alg="PS256")]
        assert keys_of(*jwks, algorithms=("PS256", "RS256"))[0] == {"r": "RS256", "p": "PS256"}

    def test_a_key_without_kid_is_called_by_its_thumbprint(self):
        [kid] = keys_of(jwk(kid=...))[0]
        assert len(kid) == 43

    def test_certificates_and_unknown_members_are_not_looked_at(self):
        odd = jwk(x5c=["not a certificate"], x5u="http://evil.example", x5t=5, issuer="x", key_ops=["verify", "sign"])
        assert keys_of(odd) == ({"one": "RS256"}, ())


class TestSets:
    @pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": "RSA"}, {"error": "x"}])
    def test_what_is_no_set_is_refused(self, document):
        with pytest.raises(UnusableSetError, match="this is no JSON Web Key Set"):
            read_set(parse_object(json.dumps(document).encode()), ALGORITHMS)

    def test_64_keys_are_a_set_and_65_are_none(self):
        jwks = [jwk(kid=str(i)) for i in range(65)]
        assert len(keys_of(*jwks[:64])[0]) == 64
        with pytest.raises(UnusableSetError, match="65 keys, more than 64"):
            keys_of(*jwks)

    def test_one_without_a_usable_key_is_refused(self):
        with pytest.raises(UnusableSetError, match="it is empty"):
            keys_of()
        with pytest.raises(UnusableSetError, match="key 0: a secret"):
            keys_of(SECRET_JWK)

    def test_then_the_keys_before_it_go_on(self):
        provider = Provider()
        issuer = ready(provider.issuer())
        provider.keys = []
        ready_again(issuer)
        assert provider.fetches == 2
        assert issuer.find("one") is not None

    def test_and_without_keys_before_it_there_are_none(self):
        with pytest.raises(ServiceUnavailable):
            ready(Provider([]).issuer())

    def test_nothing_that_is_logged_quotes_a_key(self, caplog):
        with pytest.raises(ServiceUnavailable) as unavailable:
            ready(Provider([private_jwk(), SECRET_JWK, jwk(kid="bad", n="c2VjcmV0")]).issuer())
        said = unavailable.value.reason + caplog.text
        assert private_jwk()["d"] not in said
        assert SECRET_JWK["k"] not in said
        assert "c2VjcmV0" not in said
