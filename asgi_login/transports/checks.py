"""What the transports of one manager must be, each and together."""

import re
from typing import Final

from asgi_login.transports.cookie import CookieTransport
from asgi_login.transports.header import HeaderTransport
from asgi_login.transports.protocol import Transport, check_name

_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2, token
_TRANSPORT_MEMBERS: Final = ("name", "ambient", "extract")


def check_transports(transports: tuple[Transport, ...]) -> None:
    """Validate the transports of a manager.

    Raises:
        TypeError: One is no transport.
        ValueError: There is none, one has no name, or two have the same name, cookie or header.
    """
    if not transports:
        raise ValueError("at least one transport is needed, say BearerTransport()")
    for transport in transports:
        if isinstance(transport, type) or not all(hasattr(transport, member) for member in _TRANSPORT_MEMBERS):
            raise TypeError(f"{transport!r} is no transport: it needs name, ambient and extract(scope)")
        check_name(transport.name)
        if type(transport.ambient) is not bool:
            raise TypeError(f"the transport {transport.name!r} must say ambient = True or False")
        if not isinstance(getattr(transport, "trusted_origins", frozenset[bytes]()), (set, frozenset)):
            raise TypeError(f"the transport {transport.name!r} must have a set of bytes as trusted_origins")
        vary: object = getattr(transport, "vary", None)
        if vary is not None and not (type(vary) is bytes and _HEADER_NAME.fullmatch(vary)):
            raise TypeError(f'the transport {transport.name!r} must name a request header as vary, like b"X-Token"')
    names = [transport.name for transport in transports]
    if len(set(names)) < len(names):
        raise ValueError(f"two transports have the same name ({', '.join(names)}): pass name= to one of them")
    cookies = [transport.cookie_name for transport in transports if isinstance(transport, CookieTransport)]
    if len(set(cookies)) < len(cookies):
        raise ValueError(
            f"two transports have the same cookie ({', '.join(cookies)}): pass cookie_name= to one of them"
        )
    headers = [transport.header.lower() for transport in transports if isinstance(transport, HeaderTransport)]
    if len(set(headers)) < len(headers):
        raise ValueError(f"two transports read the same header ({', '.join(headers)}): leave one of them out")
