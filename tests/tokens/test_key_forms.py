"""What is public is no HMAC secret, however it is written; what is random always is one."""

import base64
import json
import secrets
import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from cryptography.x509 import CertificateBuilder, CertificateSigningRequestBuilder, Name, NameAttribute
from cryptography.x509.oid import NameOID
from helpers import b64, pem_of
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from asgi_login import Key, LoginManager

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS = {
    "RSA": RSA,
    "P-256": EC,
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "brainpool": ec.generate_private_key(ec.BrainpoolP256R1()),
    "Ed25519": ED,
    "Ed448": ed448.Ed448PrivateKey.generate(),
    "X25519": x25519.X25519PrivateKey.generate(),
    "DSA": dsa.generate_private_key(1024),  # noqa: S505 - what is recognized need not be strong
}


def spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate():
    name, now = Name([NameAttribute(NameOID.COMMON_NAME, "issuer")]), datetime(2026, 1, 1, tzinfo=UTC)
    builder = CertificateBuilder().subject_name(name).issuer_name(name).public_key(RSA.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now.replace(year=2036))
    return builder.sign(RSA, hashes.SHA256())


def request():
    name = Name([NameAttribute(NameOID.COMMON_NAME, "issuer")])
    return CertificateSigningRequestBuilder().subject_name(name).sign(RSA, hashes.SHA256())


CERTIFICATE = certificate()
DER = {f"SubjectPublicKeyInfo of {name}": spki(key) for name, key in KEYS.items()}
DER |= {
    "PKCS#1": RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1),
    "PKCS#8": RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    "encrypted PKCS#8": EC.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
    "traditional EC key": EC.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    "certificate": CERTIFICATE.public_bytes(Encoding.DER),
    "signing request": request().public_bytes(Encoding.DER),
    "PKCS#7": pkcs7.serialize_certificates([CERTIFICATE], Encoding.DER),
    "PKCS#12": pkcs12.serialize_key_and_certificates(b"k", RSA, CERTIFICATE, None, NoEncryption()),
    "encrypted PKCS#12": pkcs12.serialize_key_and_certificates(
        b"k", RSA, CERTIFICATE, None, BestAvailableEncryption(b"changeit")
    ),
    "PKCS#12 without a key": pkcs12.serialize_java_truststore(
        [pkcs12.PKCS12Certificate(CERTIFICATE, b"k")], BestAvailableEncryption(b"changeit")
    ),
}
POINTS = {
    name: key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    for name, key in KEYS.items()
    if isinstance(key, ec.EllipticCurvePrivateKey)
}
BINARY = {**DER, **{f"point on {name}": point for name, point in POINTS.items()}}
ENCODINGS = {
    "binary": bytes,
    "base64": base64.b64encode,
    "base64url": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "lines of base64": base64.encodebytes,
    "base64 behind a byte order mark": lambda data: b"\xef\xbb\xbf" + base64.b64encode(data),
    "lines with carriage returns": lambda data: base64.encodebytes(data).replace(b"\n", b"\r\n"),
    "hexadecimal": lambda data: data.hex().encode(),
    "hexadecimal in capitals": lambda data: data.hex().upper().encode() + b"\n",
    "base64 of base64 in a PEM": lambda data: base64.b64encode(pem_of("PUBLIC KEY", data)),
}

RSA_JWK = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)
JWKS = {
    "RSA": RSA_JWK,
    "EC": ECAlgorithm.to_jwk(EC.public_key(), as_dict=True),
    "OKP": OKPAlgorithm.to_jwk(ED.public_key(), as_dict=True),
    "oct": {"k": b64(bytes(32)), "kty": "oct"},
    "an object first": {"ext": {"a": {"b": 1}}, **RSA_JWK},
    "a list first": {"key_ops": ["verify"], **RSA_JWK},
    "a set": {"keys": [RSA_JWK]},
    "a set with something first": {"issuer": {"name": "x"}, "keys": [RSA_JWK]},
    "an array": [RSA_JWK],
    "an array in an array": [[RSA_JWK]],
}
JSON = {
    "plain": json.dumps,
    "indented": lambda document: json.dumps(document, indent=2),
    "tight": lambda document: json.dumps(document, separators=(",", ":")),
    "escaped": lambda document: json.dumps(document).replace('"kty"', '"\\u006bty"'),
    "in UTF-16": lambda document: json.dumps(document).encode("utf-16"),
    "behind a byte order mark": lambda document: b"\xef\xbb\xbf" + json.dumps(document).encode(),
    "behind blank lines": lambda document: "\r\n\t " + json.dumps(document),
    "in base64": lambda document: base64.b64encode(json.dumps(document).encode()),
    "as Python shows it": str,
}


def ssh(key):
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def sk(kind, *parts):
    """Return a key of a security key, as `ssh-keygen -t ed25519-sk` writes it (OpenSSH, PROTOCOL.u2f)."""
    fields = [kind.encode(), *parts, b"ssh:"]
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return kind.encode() + b" " + base64.b64encode(blob) + b" me@example.com\n"


ED_BYTES = ED.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
BLOB = ssh(ED).split()[1]
SSH = {
    "RSA": ssh(RSA),
    "ECDSA": ssh(EC),
    "Ed25519": ssh(ED) + b" me@example.com\n",
    "Ed25519 of a security key": sk("sk-ssh-ed25519@openssh.com", ED_BYTES),
    "ECDSA of a security key": sk("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", POINTS["P-256"]),
    "a certificate": b"ssh-ed25519-cert-v01@openssh.com " + BLOB,
    "behind blank lines": b"\n\n" + ssh(ED),
    "behind a comment": b"# the issuer's key\n" + ssh(ED),
    "authorized_keys": b'restrict,command="echo hello" ' + ssh(ED),
    "known_hosts": b"example.com,192.0.2.1 " + ssh(RSA),
    "the blob": BLOB,
    "the bytes": base64.b64decode(BLOB),
    "wrapped": base64.encodebytes(base64.b64decode(ssh(RSA).split()[1])),
}
ARMOUR = {
    "public": pem_of("PUBLIC KEY", spki(RSA)),
    "private": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "encrypted": EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
    "bag attributes first": b"Bag Attributes\n    localKeyID: 01\n" + pem_of("PUBLIC KEY", spki(RSA)),
    "byte order mark first": b"\xef\xbb\xbf" + pem_of("PUBLIC KEY", spki(RSA)),
    "line breaks written out": pem_of("PUBLIC KEY", spki(RSA)).replace(b"\n", b"\\n"),
    "certificate": pem_of("CERTIFICATE", bytes(64)),
    "PKCS#7": pem_of("PKCS7", DER["PKCS#7"]),
    "without its first line": pem_of("PUBLIC KEY", spki(RSA)).partition(b"\n")[2],
    "OpenSSH": ED.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    "SSH2": b'---- BEGIN SSH2 PUBLIC KEY ----\nComment: "me"\n' + BLOB + b"\n---- END SSH2 PUBLIC KEY ----\n",
    "PGP": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ" + b"A" * 60,
}


def refused(secret, kind):
    for algorithm in ("HS256", "HS384", "HS512"):
        with pytest.raises(ValueError, match=f"{algorithm} needs a random secret, and this is {kind}") as caught:
            LoginManager(secret, algorithm=algorithm)
        assert caught.value.__cause__ is None
    with pytest.raises(ValueError, match="needs a random secret"):
        LoginManager([Key.generate(), secret])


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("what", BINARY)
def test_no_encoding_makes_a_public_key_or_certificate_an_hmac_secret(what, encoding):
    refused(ENCODINGS[encoding](BINARY[what]), "(a key or certificate in DER|the point of an EC key|a PEM)")


@pytest.mark.parametrize("written", JSON)
@pytest.mark.parametrize("what", JWKS)
def test_a_jwk_is_no_hmac_secret_whatever_its_first_member(what, written):
    refused(JSON[written](JWKS[what]), "a JWK")


@pytest.mark.parametrize("what", SSH)
def test_an_ssh_key_is_no_hmac_secret_in_whatever_file_it_stands(what):
    refused(SSH[what], "an SSH key")


@pytest.mark.parametrize("what", ARMOUR)
def test_what_stands_between_lines_of_dashes_is_no_hmac_secret(what):
    refused(ARMOUR[what], "a PEM")


def test_white_space_behind_a_key_does_not_make_it_a_secret():
    for end in (b"\n", b"\r\n", b" "):
        refused(spki(RSA) + end, "a key or certificate in DER")
        refused(spki(ED) + end, "a key or certificate in DER")


# What random bytes may begin with, so that each of the parsers gets to see some.
FIRST = st.sampled_from(
    [b"", b"\x30", b"\x30\x2a", b"\x30\x82\x01\x22", b"\4", b"\0\0\0\7", b"{", b"[", b"ssh-", b"AAAA"]
)


@given(FIRST, st.binary(min_size=64, max_size=256))
@example(b"\x30", bytes(64))
@example(b"\x30\x80", bytes(64))
@example(b"\x30\x84", b"\xff" * 64)
@example(b"[", b"[" * 100_000)
@example(b"\4", bytes(64))
def test_random_bytes_are_a_secret(first, rest):
    assert Key((first + rest)[: max(64, len(rest))]).algorithm == "HS256"


@given(FIRST, st.binary(min_size=64, max_size=128))
def test_random_bytes_are_a_secret_in_every_encoding(first, rest):
    for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes, bytes.hex):
        assert Key(encode(first + rest)).algorithm == "HS256"


def test_what_python_makes_secrets_with_is_a_secret():
    for _ in range(2_000):
        for make in (secrets.token_urlsafe, secrets.token_hex, secrets.token_bytes):
            assert Key(make(64), "HS512").can_sign


@pytest.mark.parametrize("secret", ["ssh-" + "k" * 40, "a sentence with the words ssh-rsa and PEM in it", "[kty]" * 10])
def test_a_word_of_keys_in_a_secret_makes_it_no_key(secret):
    assert Key(secret).can_sign


def test_a_secret_of_a_megabyte_is_looked_at_in_no_time():
    for one in (b"A" * 1_000_000, b"{" * 1_000_000, b" ssh-" * 200_000, b'["' * 500_000):
        start = time.perf_counter()
        Key(one)
        assert time.perf_counter() - start < 0.5


class TestWhatAPEMIsMadeOf:
    """A key pair's algorithm, and a key that is no PEM: the sentence says how to make one."""

    @pytest.mark.parametrize(
        ("secret", "words"),
        [
            (json.dumps(RSA_JWK), "JWK.*PyJWK"),
            (json.dumps({"keys": [RSA_JWK]}), "JWK.*PyJWK"),
            (ssh(RSA), "ssh-keygen -e -m pkcs8"),
            (spki(RSA), "openssl pkey -pubin -inform DER"),
            (base64.b64encode(spki(RSA)), "-----BEGIN PUBLIC KEY-----"),
            (POINTS["P-256"], "point of an EC key"),
        ],
        ids=["JWK", "JWKS", "SSH", "DER", "base64", "point"],
    )
    def test_another_form_of_a_key_is_named_and_told_how_to_become_a_pem(self, secret, words):
        with pytest.raises(ValueError, match=words):
            LoginManager(secret, algorithm="RS256", audience="api")

    @pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
    @pytest.mark.parametrize("secret", [RSA_JWK, {"keys": [RSA_JWK]}], ids=["JWK", "JWKS"])
    def test_a_jwk_or_a_set_as_a_dict_is_named(self, secret, algorithm):
        with pytest.raises(ValueError, match="this is a JWK or a set of them"):
            LoginManager(secret, algorithm=algorithm, audience="api")
