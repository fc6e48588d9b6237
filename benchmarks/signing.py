"""What signing costs where the key is an encrypted PEM: decrypting it anew each time is what hurts."""

import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from asgi_login import LoginManager
from benchmarks.keys import private_key
from benchmarks.report import Section, timing_table
from benchmarks.runner import calls_of, measure

_PASSWORD = "open sesame"
_ALONE = "private_key.sign alone"


def signing(*, rounds: int, seconds: float) -> Section:
    """Measure our signatures next to the bare one, and to one that reads the PEM first."""
    private = private_key()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(_PASSWORD.encode()))
    manager = LoginManager({"private_key": pem, "password": _PASSWORD}, algorithm="RS256")
    claims = {"sub": "user1", "name": "Ada Lovelace"}
    start = time.perf_counter()
    token = manager.create_access_token(data=claims)
    first = (time.perf_counter() - start) * 1e6
    assert manager.config.tokens.verify(token.encode()).claims["sub"] == "user1"
    signed, scheme, digest = b"x" * 200, padding.PKCS1v15(), hashes.SHA256()

    def parse_and_sign() -> bytes:
        key = load_pem_private_key(pem, _PASSWORD.encode())
        assert isinstance(key, rsa.RSAPrivateKey)
        return key.sign(signed, scheme, digest)

    samples = measure(
        {
            _ALONE: calls_of(lambda: private.sign(signed, scheme, digest)),
            "asgi-login, key given as an encrypted PEM": calls_of(lambda: manager.create_access_token(data=claims)),
            "parsing the encrypted PEM each time": calls_of(parse_and_sign),
        },
        rounds=rounds,
        seconds=seconds,
    )
    notes = [f"Our first signature took {first:.0f} µs."]
    return Section([timing_table("Signing RS256 (2048 bits)", samples, base=_ALONE, notes=notes)], samples)
