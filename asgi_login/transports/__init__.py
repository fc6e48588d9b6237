"""Transports: where a token travels in a request, and how it gets back to the browser.

Read `protocol` first, then `bearer` and `cookie`. `csrf` decides whether a request that a browser sent with a cookie
may act for its user, and `foreign` warns where a proxy may be why it may not; `set_cookie` puts a cookie on a
framework's response object; `checks` sees to it that the transports of one manager fit together.
"""

from asgi_login.transports.bearer import BearerTransport
from asgi_login.transports.checks import check_transports
from asgi_login.transports.cookie import CookieTooLongError, CookieTransport
from asgi_login.transports.foreign import OriginCheck
from asgi_login.transports.protocol import Transport
from asgi_login.transports.set_cookie import put_cookie

__all__ = [
    "BearerTransport",
    "CookieTooLongError",
    "CookieTransport",
    "OriginCheck",
    "Transport",
    "check_transports",
    "put_cookie",
]
