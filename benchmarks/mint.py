"""Makes tokens cheaply: by the hundred thousand, as a busy service sees them."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from benchmarks.keys import SECRET
from benchmarks.ours import access_token


class Mint:
    """Signs with the shared secret, under a header that the manager writes itself.

    Args:
        manager: Whose tokens they are; it signs with SECRET.
    """

    def __init__(self, manager: Any) -> None:
        self._header = access_token(manager).partition(".")[0].encode() + b"."
        self._secret = SECRET.encode()
        self._exp = int(time.time()) + 3600

    def token(self, claims: Mapping[str, object]) -> bytes:
        """Return a token with these claims, and `exp`."""
        payload = json.dumps({"exp": self._exp, **claims}, separators=(",", ":")).encode()
        signed = self._header + _encode(payload)
        return signed + b"." + _encode(hmac.digest(self._secret, signed, "sha256"))

    def numbered(self, number: int) -> bytes:
        """Return a small token, another for each number."""
        signed = self._header + _encode(b'{"sub":"ada","scope":"read","exp":%d,"jti":"%032d"}' % (self._exp, number))
        return signed + b"." + _encode(hmac.digest(self._secret, signed, "sha256"))

    def of_size(self, size: int, number: int) -> bytes:
        """Return a token of `size` bytes, or up to three more, with the claims that an application may have."""
        claims: dict[str, object] = {
            "sub": f"user-{number}",
            "jti": f"{number:032d}",
            "email": f"user-{number}@example.com",
            "roles": ["reader", "writer"],
            "scope": "orders:read orders:write",
            "tenant": "",
        }
        token = self.token(claims)
        claims["tenant"] = "x" * max(0, (size - len(token)) * 3 // 4)
        while len(token := self.token(claims)) < size:
            claims["tenant"] = f"{claims['tenant']}x"
        return token


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
