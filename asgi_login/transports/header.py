"""A header of the application's own choice, say the one in which a gateway hands on a token."""

import re
from typing import Final

from asgi_login.errors import InvalidRequest
from asgi_login.scope import MAX_AUTHORIZATION_BYTES, OWS, GivenScope, header_values
from asgi_login.transports.protocol import SetOnce, check_name

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2, token
_BEARER: Final = b"bearer "
_OTHERS: Final = {"authorization": "BearerTransport()", "cookie": "CookieTransport()"}


class HeaderTransport(SetOnce):
    """A header that holds the token and nothing else, or the token after `Bearer`.

    Args:
        header: The name of the header, like "X-Forwarded-Access-Token".
        name: What `Auth.transport` says.
        ambient: Whether the header is there because of something that the browser attaches by itself. True where a
            gateway (oauth2-proxy, Cloudflare Access, Google's IAP, a load balancer of AWS) adds it because of a cookie
            of its own: a page of any other site can make the browser send that cookie, so the origin of the request
            is checked. False only where the client's own program puts the header there on purpose. If in doubt, True.

    An empty header counts as none: gateways send it for visitors who are not logged in.

    Raises:
        ValueError: It is no name of a header, or one of a header that another transport reads.
        TypeError: An argument is of the wrong type.

    Example:
        >>> HeaderTransport("X-Forwarded-Access-Token", name="gateway", ambient=True)
        HeaderTransport('X-Forwarded-Access-Token', name='gateway', ambient=True)
    """

    header: str
    vary: bytes

    def __init__(self, header: str, *, name: str, ambient: bool) -> None:
        if not isinstance(header, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"header is the name of a header, like 'X-Token', not {type(header).__name__}")
        if not _HEADER.fullmatch(header):
            raise ValueError(f"{header!r} is no name of a header: use letters, digits and '-', without the colon")
        if header.lower() in _OTHERS:
            raise ValueError(f"the header {header} is read by {_OTHERS[header.lower()]}: use that instead")
        if type(ambient) is not bool:
            raise TypeError(
                "ambient must be True, if a gateway adds the header because of a cookie of its own, or False, if the "
                f"client's own program puts it there; not {ambient!r}"
            )
        self.name: str = check_name(name)
        self.header: str = header
        self.ambient: bool = ambient
        self.vary: bytes = header.encode()
        self._wire_name = header.lower().encode()

    def extract(self, scope: GivenScope, /) -> bytes | None:
        """Return the token, or None where the header is absent or empty.

        Raises:
            InvalidRequest: The header is sent twice, or what it holds cannot be one token.
        """
        lines = header_values(scope, self._wire_name)
        if len(lines) != 1:
            if not lines:
                return None
            # As with Authorization: a client that sends the header next to the gateway's must not choose who it is.
            raise self._malformed("sent twice")
        if len(lines[0]) > MAX_AUTHORIZATION_BYTES:
            raise self._malformed("too long")
        token = lines[0].strip(OWS)
        if token[: len(_BEARER)].lower() == _BEARER:
            token = token[len(_BEARER) :].lstrip(b" ")
        # RFC 9110 §5.3: a proxy may join two lines by a comma.
        if b" " in token or b"," in token:
            raise self._malformed("more than one token")
        return token or None

    def openapi_scheme(self) -> dict[str, str]:
        """Return how the header stands in OpenAPI (OpenAPI 3.1 §4.8.27, Security Scheme Object)."""
        return {"type": "apiKey", "in": "header", "name": self.header}

    def _malformed(self, reason: str) -> InvalidRequest:
        error = InvalidRequest(f"{self.header} {reason}")
        error.description = f"The request must carry one {self.header} header with one token"
        return error

    def __repr__(self) -> str:
        return f"HeaderTransport({self.header!r}, name={self.name!r}, ambient={self.ambient!r})"
