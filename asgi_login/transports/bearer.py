"""The Authorization header with the Bearer scheme (RFC 6750 §2.1)."""

from collections.abc import Sequence
from typing import Final

from asgi_login.errors import InvalidRequest
from asgi_login.scope import MAX_AUTHORIZATION_BYTES, OWS, GivenScope, header_values
from asgi_login.transports.protocol import SetOnce, check_name

# As numbers: looking for one byte's value in bytes is three times as fast as looking for a substring.
_SPACE: Final = ord(" ")
_COMMA: Final = ord(",")


class BearerTransport(SetOnce):
    """The Authorization header with the Bearer scheme (RFC 6750 §2.1).

    Args:
        name: What `Auth.transport` says.
    """

    ambient: bool = False
    # RFC 9111 §3.5: caches know of Authorization without being told.
    vary: bytes | None = None

    def __init__(self, name: str = "bearer") -> None:
        self.name: str = check_name(name)

    def extract(self, scope: GivenScope, /) -> bytes | None:
        """Return what follows `Bearer`; another scheme is not ours to judge.

        Raises:
            InvalidRequest: Authorization is sent twice, or what follows `Bearer` cannot be one token.
        """
        return self.read(header_values(scope, b"authorization"))

    def read(self, lines: Sequence[bytes]) -> bytes | None:
        """Do what `extract` does, given the values of the Authorization lines."""
        if len(lines) != 1:
            if not lines:
                return None
            # RFC 9110 §5.3: a singleton. Proxies pick the first line or the last, so neither can be believed.
            raise InvalidRequest("Authorization sent twice")
        line = lines[0]
        if len(line) > MAX_AUTHORIZATION_BYTES:
            # Stripping a megabyte of spaces takes longer than all that is done for a good token. Whoever reads this as
            # a token finds it too long.
            return line if line[:7].lower() == b"bearer " else None
        # RFC 9110 §11.1: the scheme is case-insensitive and ends at a space; a tab ends nothing.
        scheme, _, token = line.strip(OWS).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token = token.lstrip(b" ")
        if not token or _SPACE in token or _COMMA in token:
            raise InvalidRequest("Bearer without a token, or with more than one")
        return token

    def __repr__(self) -> str:
        return f"BearerTransport({self.name!r})"
