"""Measures what a request, signing and verifying cost: `make bench`.

The ratios are what counts; the microseconds are this machine's, in this minute.
"""

import time

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from asgi_login import LoginManager
from benchmarks.requests import added_costs
from benchmarks.runner import measure, table

SECRET = b"a benchmark's secret of 32 bytes"
CLAIMS = {"sub": "user1", "name": "Ada Lovelace"}


def main() -> None:
    print(table("Added to a request", added_costs(), base="by hand, tokens kept in a dict"))
    print()
    print(verifying_hs256())
    print()
    print(verifying_rs256())
    print()
    print(signing_rs256())


def verifying_hs256() -> str:
    manager = LoginManager(SECRET, token_cache_size=0)
    token = manager.create_access_token(data=CLAIMS, scopes=["read", "write"])
    raw = token.encode()
    verify = manager.config.tokens.verify
    assert verify(raw).claims["sub"] == jwt.decode(token, SECRET, ["HS256"])["sub"]
    timings = measure(
        {"asgi-login": lambda: verify(raw), "PyJWT decode": lambda: jwt.decode(token, SECRET, ["HS256"])}, calls=2000
    )
    return table("Verifying HS256", timings, base="asgi-login")


def verifying_rs256() -> str:
    private, pem = _encrypted_key()
    manager = LoginManager({"private_key": pem, "password": "open sesame"}, algorithm="RS256", token_cache_size=0)
    token = manager.create_access_token(data=CLAIMS)
    raw = token.encode()
    verify = manager.config.tokens.verify
    public = private.public_key()
    signed, _, _ = raw.rpartition(b".")
    signature = private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    assert verify(raw).claims["sub"] == jwt.decode(token, public, ["RS256"])["sub"]
    timings = measure(
        {
            "public_key.verify alone": lambda: public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256()),
            "asgi-login, key given as an encrypted PEM": lambda: verify(raw),
            "PyJWT decode with a key object": lambda: jwt.decode(token, public, ["RS256"]),
        },
        calls=300,
    )
    return table("Verifying RS256 (2048 bits)", timings, base="public_key.verify alone")


def signing_rs256() -> str:
    private, pem = _encrypted_key()
    manager = LoginManager({"private_key": pem, "password": "open sesame"}, algorithm="RS256")
    start = time.perf_counter()
    manager.create_access_token(data=CLAIMS)
    first = (time.perf_counter() - start) * 1e6
    signed = b"x" * 200

    def parse_and_sign() -> bytes:
        key = load_pem_private_key(pem, b"open sesame")
        assert isinstance(key, rsa.RSAPrivateKey)
        return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())

    timings = measure(
        {
            "private_key.sign alone": lambda: private.sign(signed, padding.PKCS1v15(), hashes.SHA256()),
            "asgi-login, key given as an encrypted PEM": lambda: manager.create_access_token(data=CLAIMS),
            "parsing the encrypted PEM each time": parse_and_sign,
        },
        calls=20,
        rounds=15,
    )
    return table(
        f"Signing RS256 (2048 bits); our first signature took {first:.1f} µs", timings, base="private_key.sign alone"
    )


def _encrypted_key() -> tuple[rsa.RSAPrivateKey, bytes]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encryption = BestAvailableEncryption(b"open sesame")
    return private, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


if __name__ == "__main__":
    main()
