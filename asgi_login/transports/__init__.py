"""Transports: where a token travels in a request, and how it gets back to the browser.

Read `protocol` first, then `bearer`, `basic`, `header` and `cookie`. `csrf` decides whether a request that a browser
sent with a cookie may act for its user, and `origin_check` warns if a proxy may be the reason that it may not.
`set_cookie` puts a cookie on a framework's response object. `checks` makes sure that the transports of one manager fit
together.
"""

from asgi_login.transports.basic import CONTROLS, BasicTransport, decode_basic
from asgi_login.transports.bearer import BearerTransport
from asgi_login.transports.checks import check_transports
from asgi_login.transports.cookie import CookieTooLongError, CookieTransport, SameSite
from asgi_login.transports.csrf import parse_origins
from asgi_login.transports.header import HeaderTransport
from asgi_login.transports.origin_check import OriginCheck
from asgi_login.transports.protocol import Transport
from asgi_login.transports.set_cookie import put_cookie

__all__ = [
    "CONTROLS",
    "BasicTransport",
    "BearerTransport",
    "CookieTooLongError",
    "CookieTransport",
    "HeaderTransport",
    "OriginCheck",
    "SameSite",
    "Transport",
    "check_transports",
    "decode_basic",
    "parse_origins",
    "put_cookie",
]
