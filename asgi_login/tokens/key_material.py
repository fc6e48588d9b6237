"""Key material: loaded from what the application has, and refused where it is weak or public knowledge."""

from typing import Any, Protocol, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from asgi_login.tokens.key_forms import Form, form_of

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

# RFC 7518 §3.2: a key of at least the size of the hash's output, in bytes.
HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
CURVES = {"ES256": "secp256r1", "ES384": "secp384r1"}
_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = (*HMAC_BYTES, *_RSA_ALGORITHMS, *CURVES, "EdDSA")
# RFC 7518 §3.3.
RSA_BITS = 2048

# Secrets from jwt.io and from tutorials (the one in hexadecimal is FastAPI's), which every cracker tries first.
_PUBLIC_SECRETS = (
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    *(f"your-{bits}-bit-secret" for bits in (256, 384, 512)),
    *("your-secret-key", "super-secret-key", "super-secret", "supersecret", "secret-key", "secretkey", "secret"),
    *("changeme", "change-me", "changethis", "change-this", "password"),
)
GENERATE = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"'
NOT_A_JWK = "this is a JWK or a set of them, and a key is read from a PEM: PyJWT's jwt.PyJWK(jwk).key can write one"
_TO_PEM = {
    Form.ARMOUR: "this is no PEM of a usable private or public key",
    Form.JWK: NOT_A_JWK,
    Form.SSH: "this is an SSH key, and a key is read from a PEM: make one with: ssh-keygen -e -m pkcs8 -f key.pub",
    Form.DER: (
        "this is a key in DER, and a key is read from a PEM: make one with: openssl pkey -pubin -inform DER, or put "
        "its base64 between -----BEGIN PUBLIC KEY----- and -----END PUBLIC KEY-----"
    ),
    Form.POINT: "this is the point of an EC key, and a key is read from a PEM",
}


class HasSecretValue(Protocol):
    """What hides a secret from logs, like pydantic's SecretStr and SecretBytes."""

    def get_secret_value(self) -> str | bytes:
        """Return the secret."""
        ...


def to_bytes(value: str | bytes | HasSecretValue, name: str) -> bytes:
    """Return str as UTF-8; `name` is what an error calls it."""
    value = revealed(value)
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str or bytes, not {type(value).__name__}")
    try:
        return value.encode()
    except UnicodeEncodeError:
        # The error itself quotes the value.
        raise ValueError(f"{name} holds characters that UTF-8 cannot encode") from None


def revealed(value: object) -> Any:  # noqa: ANN401 - who takes it checks what it is
    """Return what an object hides that has `get_secret_value()`, and any other object as it is."""
    reveal = None if isinstance(value, type) else getattr(value, "get_secret_value", None)
    return reveal() if callable(reveal) else value


def check_secret(secret: bytes, algorithm: str) -> None:
    """Raise ValueError for an HMAC secret that is short, printed somewhere, or no secret at all."""
    form = form_of(secret)
    if form is not None:
        # Key confusion (CVE-2022-29217): what is public must never be an HMAC secret.
        raise ValueError(
            f'{algorithm} needs a random secret, and this is {form.value}: pass algorithm="RS256" and a PEM, or '
            + GENERATE
        )
    least = HMAC_BYTES[algorithm]
    if len(secret) < least:
        empty = "" if secret.strip() else "is the environment variable set that it comes from, like SECRET? "
        raise ValueError(
            f"an {algorithm} secret needs at least {least} bytes, this one has {len(secret)} (RFC 7518 §3.2); "
            + empty
            + GENERATE
        )
    text = secret.decode("latin-1").strip().lower()
    if any(text == known * (len(text) // len(known)) for known in _PUBLIC_SECRETS if len(known) <= len(text)):
        raise ValueError("this secret is printed in public documentation; " + GENERATE)


def load_pem(pem: bytes, password: str | bytes | HasSecretValue | None) -> tuple[PrivateKey | None, PublicKey]:
    """Return the private key, or None, and the public key of a PEM; raise ValueError if it has no such keys."""
    if password is not None:
        password = to_bytes(password, "password")
    if b"-----BEGIN CERTIFICATE" in pem:
        raise ValueError("this PEM is a certificate; extract its key with: openssl x509 -pubkey -noout")
    if password is not None and b" PUBLIC KEY-----" in pem:
        raise ValueError("a public key is not encrypted: pass no password")
    try:
        if b" PUBLIC KEY-----" in pem:
            key: object = load_pem_public_key(pem)
        else:
            key = load_pem_private_key(pem, password)
    except TypeError:
        # cryptography says nothing else by this type: a password too many, or one too few.
        raise ValueError(
            "this PEM is encrypted: pass its password"
            if password is None
            else "this PEM is not encrypted: pass no password"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        # The cause is dropped: OpenSSL's errors may quote what they could not parse.
        raise ValueError(
            _TO_PEM[form_of(pem) or Form.ARMOUR]
            if password is None
            else "wrong password, or no PEM of a usable private key"
        ) from None
    if isinstance(key, PrivateKey):
        return key, key.public_key()
    if isinstance(key, PublicKey):
        return None, key
    raise ValueError(f"keys of the kind {type(key).__name__} sign no JWT; use RSA, EC (P-256, P-384), Ed25519 or Ed448")


def check_asymmetric(key: PublicKey, algorithm: str) -> None:
    """Raise ValueError for a key that is weak or of another kind than the algorithm's."""
    if algorithm in _RSA_ALGORITHMS:
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError(f"{algorithm} needs an RSA key, this is {_describe(key)}")
        if key.key_size < RSA_BITS:
            raise ValueError(f"an RSA key needs at least {RSA_BITS} bits, this one has {key.key_size} (RFC 7518 §3.3)")
        if _is_roca(key.public_numbers().n):
            raise ValueError("this RSA key was made by a chip with the ROCA flaw (CVE-2017-15361) and can be factored")
    elif algorithm in CURVES:
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != CURVES[algorithm]:
            raise ValueError(f"{algorithm} needs an EC key on {CURVES[algorithm]}, this is {_describe(key)}")
    elif not isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        raise ValueError(f"{algorithm} needs an Ed25519 or Ed448 key, this is {_describe(key)}")


def _describe(key: PublicKey) -> str:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"an EC key on {key.curve.name}"
    return f"an {type(key).__name__.removesuffix('PublicKey').removeprefix('_')} key"


_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


def _is_roca(modulus: int) -> bool:
    """Tell whether `modulus` is a power of 65537 modulo each of these primes, as only ROCA's keys are.

    Nemec et al., "The Return of Coppersmith's Attack" (CCS 2017), §3.2: by chance less than once in 2^27.
    """
    return all(any(pow(65537, i, p) == modulus % p for i in range(p - 1)) for p in _ROCA_PRIMES)
