"""Says where a setting belongs that somebody sets on a LoginManager and that it does not take."""

from dataclasses import fields
from types import MappingProxyType
from typing import Final

from asgi_login.settings import Refresh, Sessions

_COOKIE = ("path", "domain", "secure", "httponly", "samesite", "max_age", "partitioned", "trusted_origins")
_TRANSPORTS = (
    "pass transports=[BearerTransport(), CookieTransport()] to LoginManager(...), or the one of them that is meant"
)

SET_ELSEWHERE: Final = MappingProxyType(
    {
        # Two of these are called like settings of Sessions, which come later and are meant more often.
        **{one.name: f"pass refresh=Refresh({one.name}=...) to LoginManager(...)" for one in fields(Refresh)},
        **{one.name: f"pass sessions=Sessions({one.name}=...) to LoginManager(...)" for one in fields(Sessions)},
        **{one: f"pass transports=[CookieTransport({one}=...)] to LoginManager(...)" for one in _COOKIE},
        "cookie_name": 'pass transports=[CookieTransport("the-name")] to LoginManager(...)',
        # fastapi-login's, of its several releases.
        "use_cookie": _TRANSPORTS,
        "use_header": _TRANSPORTS,
        "tokenUrl": "pass token_url= to LoginManager(...)",
        "expires_delta": "pass default_expiry= to LoginManager(...), or expires= to create_access_token(...)",
        "user_callback": "register the function with @manager.user_loader",
    }
)
"""By the name of the attribute, what to write instead."""
