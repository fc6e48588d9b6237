"""The Authorization header with the Basic scheme (RFC 7617)."""

import binascii
import re
from typing import Final

from asgi_login.errors import InvalidRequest
from asgi_login.scope import MAX_AUTHORIZATION_BYTES, OWS, GivenScope, header_values
from asgi_login.transports.protocol import SetOnce, check_name

# RFC 7617 §2: neither the name nor the password may hold one.
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class BasicTransport(SetOnce):
    """The Authorization header with the Basic scheme (RFC 7617), for `LoginManager.credential_loader`.

    The credential is `name:password`, decoded; the name holds no colon. Take it apart with
    `name, _, password = credential.partition(":")`.

    A browser that was asked for a name and a password sends them again by itself, also where another site makes it send
    the request. So the origin of the request is checked, as for a cookie.

    Args:
        name: What `Auth.transport` says.
    """

    ambient: bool = True
    # RFC 9111 §3.5: caches know of Authorization without being told.
    vary: bytes | None = None

    def __init__(self, name: str = "basic") -> None:
        self.name: str = check_name(name)

    def extract(self, scope: GivenScope, /) -> bytes | None:
        """Return the name and the password; another scheme is not ours to judge.

        Raises:
            InvalidRequest: Authorization is sent twice, or what follows `Basic` is no name and password in base64.
        """
        lines = header_values(scope, b"authorization")
        if len(lines) != 1:
            if not lines:
                return None
            raise _malformed("Authorization sent twice")
        line = lines[0]
        if line[: MAX_AUTHORIZATION_BYTES + 1].strip(OWS).partition(b" ")[0].lower() != b"basic":
            return None
        if len(line) > MAX_AUTHORIZATION_BYTES:
            raise _malformed("Basic: too long")
        try:
            credential = decode_basic(line)
            text = credential.decode()
        except ValueError:
            # From None: what the decoder says may hold the credential.
            raise _malformed("Basic: no UTF-8 text in base64") from None
        if ":" not in text or CONTROLS.search(text):
            raise _malformed("Basic: no name and password, or a control character")
        return credential

    def openapi_scheme(self) -> dict[str, str]:
        """Return how the header stands in OpenAPI (OpenAPI 3.1 §4.8.27, Security Scheme Object)."""
        return {"type": "http", "scheme": "basic"}

    def challenge(self, realm: str) -> str:
        """Return what asks a client for a name and a password (RFC 7617 §2, §2.1)."""
        return f'Basic realm="{realm}", charset="UTF-8"'

    def __repr__(self) -> str:
        return f"BasicTransport({self.name!r})"


def decode_basic(line: bytes) -> bytes:
    """Return the name and the password of an Authorization line with the Basic scheme, or what stands in their place.

    Raises:
        ValueError: It is no base64. What the error says may hold the credential.
    """
    encoded = line.strip(OWS)[len(b"basic") :].lstrip(b" ")
    if len(encoded) % 4:
        # Python takes one "=" too many.
        raise ValueError("no base64")
    return binascii.a2b_base64(encoded, strict_mode=True)


def _malformed(reason: str) -> InvalidRequest:
    error = InvalidRequest(reason)
    error.description = _DESCRIPTION
    return error


_DESCRIPTION: Final = "The request must carry one Authorization header with one name and password"
