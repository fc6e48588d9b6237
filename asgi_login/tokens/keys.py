"""A key and its one algorithm: parsed and checked once, at construction; it signs and verifies."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from jwt.algorithms import RSAAlgorithm, get_default_algorithms

from asgi_login.tokens.base64url import encode
from asgi_login.tokens.jwk import jwk_members
from asgi_login.tokens.key_material import (
    ALGORITHMS,
    HMAC_BYTES,
    HasSecretValue,
    PrivateKey,
    PublicKey,
    check_asymmetric,
    check_secret,
    load_pem,
    to_bytes,
)
from asgi_login.tokens.pem import generate_pem

# A kid is visible ASCII and space, of bounded length, because it is looked up and may be logged.
_KID = re.compile(r"[\x20-\x7e]{1,128}")
_ALGORITHMS: Final = get_default_algorithms()


class Key:
    """A key and the one algorithm it is used with (RFC 8725 §3.1).

    Args:
        secret: For HS256, HS384, HS512 a str or bytes of at least the hash's size (32, 48, 64 bytes).
            For the other algorithms a PEM: a private key, or a public one for a service that only verifies.
            Each, and the password, may be hidden in an object with `get_secret_value()`, like pydantic's SecretStr.
        algorithm: HS256/384/512, RS256/384/512, PS256/384/512, ES256/384 or EdDSA.
        password: The password of an encrypted PEM.
        kid: The key id that tokens name (RFC 7515 §4.1.4); by default the RFC 7638 thumbprint, for a secret
            an HMAC of a label.

    Raises:
        ValueError: The key is weak, public knowledge, of another kind than the algorithm's, or the password
            is wrong, missing or superfluous.
        TypeError: An argument is of the wrong type.

    A PEM is parsed here and never again: with a password that takes tens of milliseconds.
    """

    __slots__ = ("_derived", "_seed", "_signing_key", "algorithm", "kid", "public_key", "thumbprint", "verify")

    algorithm: str
    kid: str
    thumbprint: str
    """What identifies the key material itself, whatever its `kid`; tells nothing about a secret."""
    public_key: PublicKey | None
    """The public half, or None for a secret."""
    verify: Callable[[bytes, bytes], bool]
    """Tell whether a signature (second) is that of the bytes that are signed (first)."""
    _signing_key: bytes | PrivateKey | None
    _seed: bytes
    _derived: dict[str, bytes]

    def __init__(
        self,
        secret: str | bytes | HasSecretValue,
        algorithm: str = "HS256",
        *,
        password: str | bytes | HasSecretValue | None = None,
        kid: str | None = None,
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm {algorithm!r} is not supported; choose one of {', '.join(ALGORITHMS)}")
        if kid is not None and not (isinstance(kid, str) and _KID.fullmatch(kid)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("kid must be 1 to 128 visible ASCII characters")
        raw = to_bytes(secret, "secret")
        signing_key: bytes | PrivateKey | None = raw
        public_key: PublicKey | None = None
        if algorithm in HMAC_BYTES:
            if password is not None:
                raise ValueError(f"an {algorithm} secret has no password; leave password out")
            check_secret(raw, algorithm)
            thumbprint = _b64(hmac.digest(raw, f"asgi-login kid {algorithm}".encode(), "sha256")[:16])
        else:
            signing_key, public_key = load_pem(raw, password)
            check_asymmetric(public_key, algorithm)
            thumbprint = _thumbprint(public_key)
        values: dict[str, object] = {
            "algorithm": algorithm,
            "kid": kid or thumbprint,
            "thumbprint": thumbprint,
            "public_key": public_key,
            "verify": _hmac_check(raw, algorithm) if public_key is None else _signature_check(public_key, algorithm),
            "_signing_key": signing_key,
            "_seed": _seed(signing_key),
            "_derived": {},
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def generate(cls, algorithm: str = "HS256", *, kid: str | None = None) -> Self:
        """Make a new random key, for tests and first steps. It is lost when the process ends."""
        if algorithm in HMAC_BYTES:
            return cls(secrets.token_bytes(HMAC_BYTES[algorithm]), algorithm, kid=kid)
        return cls(generate_pem(algorithm), algorithm, kid=kid)

    def sign(self, signed: bytes) -> bytes:
        """Return the signature of these bytes (RFC 7515 §5.1).

        Raises:
            ValueError: This is a public key.
        """
        if self._signing_key is None:
            raise ValueError("a public key only verifies; pass the private key")
        return _ALGORITHMS[self.algorithm].sign(signed, self._signing_key)

    def derive(self, label: str) -> bytes:
        """Return a secret of 32 bytes for another purpose, which tells nothing about this key.

        Args:
            label: What the secret is for. The library itself uses "fingerprint" and "stamp".

        Raises:
            TypeError: `label` is not a non-empty str.
            ValueError: This is a public key, from which nothing secret can come.

        Example:
            >>> resets = LoginManager(Key(key.derive("password-reset")), name="password-reset", sessions=None)
        """
        if not isinstance(label, str) or not label:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError('derive(label) takes what the secret is for, like "password-reset"')
        if self._signing_key is None:
            raise ValueError("a public key has no secret to derive another from")
        derived = self._derived.get(label)
        if derived is None:
            derived = hmac.digest(self._seed, f"asgi-login {label} {self.algorithm}".encode(), "sha256")
            self._derived[label] = derived
        return derived

    @property
    def jwk(self) -> Mapping[str, str] | None:
        """The public half as a JSON Web Key, for others to verify with (RFC 7517 §4), or None for a secret."""
        if self.public_key is None:
            return None
        return {**jwk_members(self.public_key), "use": "sig", "alg": self.algorithm, "kid": self.kid}

    @property
    def can_sign(self) -> bool:
        """Whether this key can sign; a public key can only verify."""
        return self._signing_key is not None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Key is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Key is immutable: cannot delete {name}")

    def __repr__(self) -> str:
        return f"Key(algorithm={self.algorithm!r}, kid={self.kid!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        # A pickle would carry the secret into caches, queues and crash reports.
        raise TypeError("a Key cannot be pickled: it would write the secret out; load the key where it is needed")


def _hmac_check(secret: bytes, algorithm: str) -> Callable[[bytes, bytes], bool]:
    # The key is processed once, not for each token: that saves a third of the time.
    keyed = hmac.new(secret, digestmod=f"sha{algorithm[2:]}")

    def check(signed: bytes, signature: bytes) -> bool:
        mac = keyed.copy()
        mac.update(signed)
        return hmac.compare_digest(mac.digest(), signature)

    return check


def _signature_check(public_key: PublicKey, algorithm: str) -> Callable[[bytes, bytes], bool]:
    known = _ALGORITHMS[algorithm]
    verify = known.verify
    # Not RSASSA-PSS, whose class is derived from that one.
    if type(known) is RSAAlgorithm and isinstance(public_key, RSAPublicKey):
        return _pkcs1_check(public_key, known.hash_alg())
    return lambda signed, signature: verify(signed, public_key, signature)


def _pkcs1_check(public_key: RSAPublicKey, digest: HashAlgorithm) -> Callable[[bytes, bytes], bool]:
    """Return what PyJWT does for each signature, with the padding and the hash made once."""
    verify, padding = public_key.verify, PKCS1v15()

    def check(signed: bytes, signature: bytes) -> bool:
        try:
            verify(signature, signed, padding, digest)
        except InvalidSignature:
            return False
        return True

    return check


def _seed(signing_key: bytes | PrivateKey | None) -> bytes:
    """Return the bytes from which secrets are derived: the secret itself, or the canonical bytes of a private key."""
    if signing_key is None or isinstance(signing_key, bytes):
        return signing_key or b""
    return signing_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _thumbprint(key: PublicKey) -> str:
    """RFC 7638: the SHA-256 of the required members, in order, without white space."""
    return _b64(hashlib.sha256(json.dumps(jwk_members(key), separators=(",", ":"), sort_keys=True).encode()).digest())


def _b64(data: bytes) -> str:
    return encode(data).decode()
