"""Base64url without padding (RFC 7515 §2), read in its one canonical form."""

from base64 import urlsafe_b64encode
from binascii import Error as _Error
from binascii import a2b_base64
from typing import Final

from asgi_login.errors import without_context

# RFC 4648 §5.
ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# RFC 4648 §3.5: the last characters whose unused bits are zero, by the length of the last group.
_LAST_CHARACTERS: Final = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}


class InvalidBase64url(ValueError):
    """The text does not decode, or is not the canonical encoding of its bytes."""


def encode(data: bytes) -> bytes:
    """Return `data` in base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


def decode(part: bytes) -> bytes:
    """Decode `part`. The caller has checked that it contains only characters of the alphabet.

    Raises:
        InvalidBase64url: It does not decode, or is not canonical.
    """
    rest = len(part) % 4
    if rest and part[-1] not in _LAST_CHARACTERS.get(rest, b""):
        raise InvalidBase64url("base64url that is not canonical")
    try:
        # Two searches take less than a table in which each character is looked up.
        return a2b_base64(part.replace(b"-", b"+").replace(b"_", b"/") + b"==")
    except _Error:
        raise without_context(InvalidBase64url("not base64url")) from None
