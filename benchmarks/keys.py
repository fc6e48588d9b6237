"""The keys that all contestants share."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SECRET = "a benchmark's secret of 32 bytes"


@cache
def private_key() -> rsa.RSAPrivateKey:
    """Return the RSA key, of 2048 bits."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem() -> bytes:
    """Return the RSA key as a PEM."""
    return private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem() -> bytes:
    """Return the public half as a PEM."""
    return private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
