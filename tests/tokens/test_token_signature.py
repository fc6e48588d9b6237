"""The signature of a token: one algorithm for each key, and nothing read before it holds."""

import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from helpers import (
    SECRET,
    Clock,
    authenticate,
    b64,
    bearer,
    claims,
    ec_pem,
    ed25519_pem,
    hs256,
    make_manager,
    other_rsa_pem,
    public_pem,
    rs256,
    rsa_pem,
    unb64,
)
from tokens.verdict import accepted, refused

import asgi_login
from asgi_login import InvalidToken, Key
from asgi_login.tokens import codec


class TestAlgorithm:
    @pytest.mark.parametrize(
        "alg",
        [
            "none",
            "None",
            "NONE",
            "nOnE",
            "",
            "hs256",
            "HS256 ",
            " HS256",
            "HS384",
            "HS512",
            "RS256",
            "HS256\u0000",
            None,
            True,
            256,
            ["HS256"],
            {"HS256": 1},
            ...,
        ],
    )
    def test_an_alg_other_than_the_keys_own_is_refused(self, alg):
        header = {"typ": "at+jwt"} if alg is ... else {"alg": alg, "typ": "at+jwt"}
        refused(hs256(header=header))

    @pytest.mark.parametrize("signature", ["", "AA", b64(bytes(32))])
    @pytest.mark.parametrize("alg", ["none", "None", "NONE"])
    def test_an_unsecured_token_is_refused(self, alg, signature):
        header, payload = b64(json.dumps({"alg": alg})), b64(json.dumps(claims()))
        refused(f"{header}.{payload}.{signature}")
        refused(f"{header}.{payload}")

    @pytest.mark.parametrize("digest", ["sha384", "sha512"])
    def test_another_hash_under_the_same_secret_is_refused(self, digest):
        header = b64(json.dumps({"alg": f"HS{digest[3:]}"}))
        signed = f"{header}.{b64(json.dumps(claims()))}"
        refused(f"{signed}.{b64(hmac.digest(SECRET.encode(), signed.encode(), digest))}")

    @pytest.mark.parametrize("header", [{"alg": "HS256"}, {"alg": "RS256"}])
    def test_the_public_key_is_no_hmac_secret_in_any_of_its_encodings(self, header):
        manager = make_manager(rsa_pem(), algorithm="RS256")
        accepted(rs256(), manager)
        key = Key(rsa_pem(), "RS256").public_key
        pem = public_pem(rsa_pem())
        pkcs1 = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        numbers = key.public_numbers()
        n = numbers.n.to_bytes(256, "big")
        jwk = {"e": "AQAB", "kty": "RSA", "n": b64(n)}
        secrets = [
            *(form for one in (pem, pkcs1) for form in (one, one.strip(), one.replace(b"\n", b"\r\n"))),
            *(b"".join(one.splitlines()[1:-1]) for one in (pem, pkcs1)),
            der,
            key.public_bytes(Encoding.DER, PublicFormat.PKCS1),
            ssh,
            ssh.split()[1],
            json.dumps(jwk).encode(),
            json.dumps(jwk, separators=(",", ":")).encode(),
            json.dumps({"keys": [jwk]}).encode(),
            n,
            b64(n).encode(),
            str(numbers.n).encode(),
            f"{numbers.n:x}".encode(),
            b"",
            Key(rsa_pem(), "RS256").kid.encode(),
        ]
        for secret in secrets:
            refused(hs256(header=header, secret=secret), manager)

    def test_a_key_of_the_senders_own_is_refused(self):
        manager = make_manager(rsa_pem(), algorithm="RS256")
        refused(rs256(pem=other_rsa_pem()), manager)

    def test_an_rsa_key_verifies_its_own_padding_only(self):
        pss = make_manager(rsa_pem(), algorithm="PS256")
        token = pss.create_access_token(data={"sub": "ada"})
        manager = make_manager(rsa_pem(), algorithm="RS256")
        refused(token, manager)
        _, payload, signature = token.split(".")
        refused(f"{b64(json.dumps({'alg': 'RS256'}))}.{payload}.{signature}", manager)


class TestSignature:
    @pytest.fixture(params=["HS256", "RS256", "PS256", "ES256", "EdDSA"])
    def signed(self, request):
        keys = {"HS256": SECRET, "ES256": ec_pem(), "EdDSA": ed25519_pem()}
        manager = make_manager(keys.get(request.param, rsa_pem()), algorithm=request.param)
        return manager, manager.create_access_token(data={"sub": "ada"})

    @pytest.mark.parametrize(
        "change",
        {
            "cut": lambda s: s[:-1],
            "longer": lambda s: s + b"\0",
            "zero in front": lambda s: b"\0" + s,
            "zeros": lambda s: bytes(len(s)),
            "ones": lambda s: b"\xff" * len(s),
            "one": lambda s: b"\1".rjust(len(s), b"\0"),
            "empty": lambda s: b"\0",
            "twice": lambda s: s + s,
            "reversed": lambda s: s[::-1],
            "first bit": lambda s: bytes([s[0] ^ 0x80]) + s[1:],
            "last bit": lambda s: s[:-1] + bytes([s[-1] ^ 1]),
        }.items(),
        ids=lambda change: change[0],
    )
    def test_another_signature_is_refused(self, signed, change):
        manager, token = signed
        accepted(token, manager)
        body, _, signature = token.rpartition(".")
        error = refused(f"{body}.{b64(change[1](unb64(signature)))}", manager)
        assert type(error) is InvalidToken

    def test_the_signature_of_other_claims_is_refused(self, signed):
        manager, token = signed
        header, payload, signature = token.split(".")
        changed = b64(json.dumps(json.loads(unb64(payload)) | {"sub": "user1"}))
        refused(f"{header}.{changed}.{signature}", manager)

    def test_an_rsa_signature_at_or_above_the_modulus_is_refused(self):
        manager = make_manager(rsa_pem(), algorithm="RS256")
        body, _, signature = rs256().rpartition(".")
        modulus = Key(rsa_pem(), "RS256").public_key.public_numbers().n
        number = int.from_bytes(unb64(signature), "big")
        for other in (0, 1, modulus, modulus - 1, modulus + number, modulus - number):
            refused(f"{body}.{b64(other.to_bytes(257, 'big')[-257:].removeprefix(bytes(1)))}", manager)

    def test_a_der_signature_is_no_jws_signature(self):
        key = Key(ec_pem(), "ES256")
        signed = ".".join(b64(json.dumps(part)) for part in ({"alg": "ES256"}, claims()))
        der = key._signing_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        refused(f"{signed}.{b64(der)}", make_manager(key))

    def test_the_second_signature_that_anybody_can_make_of_an_ecdsa_one_counts_and_ends_like_the_first(self):
        clock = Clock()
        manager = make_manager(Key(ec_pem(), "ES256"), clock=clock)
        token = manager.create_access_token(data={"sub": "ada"})
        signed, _, signature = token.rpartition(".")
        raw = unb64(signature)
        # The order of the group of P-256 (SEC 2 §2.4.2).
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        twin = f"{signed}.{b64(raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32))}"
        assert twin != token
        for one in (token, twin, token, twin):
            assert authenticate(manager, bearer(one)).claims == authenticate(manager, bearer(token)).claims
        clock.now += 3_600
        for one in (token, twin):
            assert authenticate(manager, bearer(one)).error.expired

    @pytest.mark.skipif(asgi_login.__compiled__, reason="what compiled code calls cannot be replaced")
    def test_what_a_stranger_wrote_is_not_parsed_before_its_signature_holds(self, monkeypatch):
        parsed = []
        parse = codec.parse_object
        monkeypatch.setattr(codec, "parse_object", lambda text: parsed.append(text) or parse(text))
        payload = json.dumps(claims()).encode()
        refused(hs256(payload, secret="x" * 32))
        assert payload not in parsed
        accepted(hs256(payload))
        assert payload in parsed

    def test_macs_are_compared_in_constant_time(self, monkeypatch):
        compared = []
        original = hmac.compare_digest
        monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or original(a, b))
        token = hs256()
        accepted(token)
        assert len(compared) == 1
        assert unb64(token.rpartition(".")[2]) in compared[0]
