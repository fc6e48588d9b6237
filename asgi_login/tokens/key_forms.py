"""The forms in which public keys and certificates are handed around, by which one is told from a random secret.

Whoever takes what is public for an HMAC secret lets everybody sign tokens (CVE-2022-29217). So whatever a library can
load as a key is recognized, in any encoding. Each form has so many fixed bytes that random ones never look like it.
"""

import binascii
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from enum import Enum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from cryptography.x509 import load_der_x509_certificate, load_der_x509_csr


class Form(Enum):
    """What key material is written as; the value is what an error calls it."""

    ARMOUR = "a PEM"
    JWK = "a JWK"
    SSH = "an SSH key"
    DER = "a key or certificate in DER"
    POINT = "the point of an EC key"


# RFC 7468 §2, RFC 4716 §3.2.
_ARMOUR = re.compile(rb"-----? ?(?:BEGIN|END) [A-Z0-9]")
# A line of authorized_keys or known_hosts, with whatever stands before and behind the key. Every blob begins with
# the length of its name (RFC 4253 §6.6), so with three zero bytes, which are AAAA.
_SSH_LINE = re.compile(rb"(?:^|\s)(?:sk-)?(?:ssh-|ecdsa-)[!-~]+\s+AAAA")
_SSH_BLOB = re.compile(rb"\0\0\0.(?:sk-)?(?:ssh-|ecdsa-sha2-)[!-~]", re.DOTALL)
# Also what str() makes of a dict.
_JWK = re.compile(rb"""\s*[\[{].*["'](?:kty|keys)["']\s*:""", re.DOTALL)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+=*")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_LENGTH = rb"(?:[\x00-\x80]|\x81.|\x82..|\x83...)"
# RFC 7292 §4: SEQUENCE { INTEGER 3, ContentInfo of the type data or signedData. What is inside may be encrypted.
_PKCS12 = re.compile(
    rb"\x30%b\x02\x01\x03\x30%b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07[\x01\x02]" % (_LENGTH, _LENGTH), re.DOTALL
)
# SEC 1 §2.3.3: uncompressed. A compressed point is a random string of 32 bytes and a bit, which nothing tells apart.
_CURVES: tuple[ec.EllipticCurve, ...] = (
    *(ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()),
    *(ec.BrainpoolP256R1(), ec.BrainpoolP384R1(), ec.BrainpoolP512R1()),
)


def form_of(material: bytes) -> Form | None:
    """Return the form of a key or certificate that everybody may have, or None for what may be a secret."""
    material = material.removeprefix(BOM_UTF8)
    return next((form for one in (material, *_decoded(material.strip())) if (form := _form_of_bytes(one))), None)


def _decoded(text: bytes) -> Iterator[bytes]:
    """Yield the bytes that a text may stand for: line breaks and spaces count for nothing."""
    text = b"".join(text.split())
    if _HEX.fullmatch(text):
        yield bytes.fromhex(text.decode())
    if _BASE64.fullmatch(text):
        digits = text.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        if len(digits) % 4 != 1:
            yield binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _form_of_bytes(data: bytes) -> Form | None:
    if _ARMOUR.search(data):
        return Form.ARMOUR
    if _SSH_BLOB.match(data) or _SSH_LINE.search(data):
        return Form.SSH
    if _is_json(data) or _JWK.match(data):
        return Form.JWK
    if _is_der(data):
        return Form.DER
    return Form.POINT if data[:1] == b"\4" and any(_is_on(curve, data) for curve in _CURVES) else None


def _is_json(data: bytes) -> bool:
    """Tell whether this is a JSON object or array, whatever its members are called: no secret is one."""
    try:
        return isinstance(json.loads(data), (dict, list))
    except (ValueError, RecursionError):
        return False


def _is_der(data: bytes) -> bool:
    """Tell whether cryptography loads this as a key, certificate, request or container of these."""
    # Every one is a SEQUENCE (X.690 §8.9).
    if data[:1] != b"\x30":
        return False
    if _PKCS12.match(data):
        return True
    data = _without_newline(data)
    # Here, because nobody else needs it, and it is loaded only for what begins like DER.
    from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates  # noqa: PLC0415

    loaders: tuple[Callable[[bytes], object], ...] = (
        load_der_public_key,
        load_der_x509_certificate,
        load_der_x509_csr,
        load_der_pkcs7_certificates,
        lambda der: load_der_private_key(der, None),
    )
    for load in loaders:
        try:
            load(data)
        except ValueError:
            continue
        except (TypeError, UnsupportedAlgorithm):
            # It was read: it needs a password, or is a key for something that cryptography does not do.
            return True
        return True
    return False


def _without_newline(der: bytes) -> bytes:
    """Return a SEQUENCE without the white space that an editor has put behind it."""
    # X.690 §8.1.3: the length, or how many bytes of length follow.
    size = int.from_bytes(der[1:2])
    more = size - 0x80 if size > 0x80 else 0  # noqa: PLR2004
    end = 2 + more + (int.from_bytes(der[2 : 2 + more]) if more else size)
    return der[:end] if der[end:].isspace() else der


def _is_on(curve: ec.EllipticCurve, point: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
