"""The public half of a key as a JSON Web Key (RFC 7517, RFC 7518 §6, RFC 8037 §2)."""

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from asgi_login.tokens.base64url import encode
from asgi_login.tokens.key_material import PublicKey


def jwk_members(key: PublicKey) -> dict[str, str]:
    """Return the members that make a key what it is: those that its thumbprint is made of (RFC 7638 §3.2)."""
    if isinstance(key, rsa.RSAPublicKey):
        rsa_numbers = key.public_numbers()
        return {"e": _integer(rsa_numbers.e), "kty": "RSA", "n": _integer(rsa_numbers.n)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        size = (key.key_size + 7) // 8
        curve = {"secp256r1": "P-256", "secp384r1": "P-384"}[key.curve.name]
        return {"crv": curve, "kty": "EC", "x": _integer(point.x, size), "y": _integer(point.y, size)}
    raw = encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return {"crv": "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "Ed448", "kty": "OKP", "x": raw}


def _integer(number: int, size: int | None = None) -> str:
    """RFC 7518 §2, Base64urlUInt: big-endian, of the given or else the smallest number of bytes."""
    return encode(number.to_bytes(size or (number.bit_length() + 7) // 8, "big")).decode()
