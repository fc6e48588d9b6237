"""Transports: where a token travels in a request, and how it gets back to the browser.

Read `cookie` first; then `csrf`, which decides whether a request that a browser sent with a cookie may act for its
user, and `set_cookie`, which puts a cookie on a framework's response object.
"""

from asgi_login.transports.cookie import BearerTransport, CookieTooLongError, CookieTransport, Transport
from asgi_login.transports.csrf import check_origin
from asgi_login.transports.set_cookie import put_cookie

__all__ = [
    "BearerTransport",
    "CookieTooLongError",
    "CookieTransport",
    "Transport",
    "check_origin",
    "put_cookie",
]
