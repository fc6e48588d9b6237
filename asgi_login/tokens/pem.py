"""Keys as PEMs: new ones, their public halves, and the algorithm that a PEM is usually for."""

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from asgi_login.tokens.key_material import CURVES, RSA_BITS, PrivateKey, PublicKey, load_pem


def generate_pem(algorithm: str, password: bytes | None = None) -> bytes:
    """Return a new private key for an algorithm, as PKCS8 (RFC 5958).

    Args:
        algorithm: Any but those of a secret.
        password: What it is encrypted with (PBES2 with AES-256, RFC 8018 §6.2), or None.
    """
    private: PrivateKey
    if algorithm in CURVES:
        private = ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1())
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def public_pem(key: PublicKey) -> bytes:
    """Return a public key as a PEM (RFC 7468 §13)."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def algorithm_of_pem(pem: bytes, password: bytes | None = None) -> str:
    """Return the algorithm that a key of this kind is usually for: of those of RSA, RS256.

    Raises:
        ValueError: It is no PEM of a usable key, or the password is wrong, missing or superfluous.
    """
    _, key = load_pem(pem, password)
    if isinstance(key, rsa.RSAPublicKey):
        return "RS256"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return next((name for name, curve in CURVES.items() if curve == key.curve.name), "ES256")
    return "EdDSA"
