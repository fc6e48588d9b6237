"""Logins for any ASGI application."""

from typing import Final

from asgi_login import authenticator as _authenticator
from asgi_login.auth import Auth, current_auth, get_auth
from asgi_login.errors import (
    AuthError,
    CrossOriginRequest,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    LoginNotFresh,
    NotAuthenticated,
    NotPermitted,
    ServiceUnavailable,
)
from asgi_login.events import Event, EventKind
from asgi_login.exchange import safe_next
from asgi_login.gates import Gate, fresh_login_required, login_required, requires, requires_scopes
from asgi_login.grant import Grant
from asgi_login.manager import LoginManager
from asgi_login.middleware import AuthMiddleware
from asgi_login.reasons import Reason
from asgi_login.refresh import TokenPair
from asgi_login.resource import Resource
from asgi_login.settings import Refresh, Sessions
from asgi_login.stores import Device, MemoryStore
from asgi_login.tokens import Key
from asgi_login.transports import BasicTransport, BearerTransport, CookieTransport, HeaderTransport, Transport

__all__ = [
    "Auth",
    "AuthError",
    "AuthMiddleware",
    "BasicTransport",
    "BearerTransport",
    "CookieTransport",
    "CrossOriginRequest",
    "Device",
    "Event",
    "EventKind",
    "Gate",
    "Grant",
    "HeaderTransport",
    "InsufficientScope",
    "InvalidRequest",
    "InvalidToken",
    "Key",
    "LoginManager",
    "LoginNotFresh",
    "MemoryStore",
    "NotAuthenticated",
    "NotPermitted",
    "Reason",
    "Refresh",
    "Resource",
    "ServiceUnavailable",
    "Sessions",
    "TokenPair",
    "Transport",
    "current_auth",
    "fresh_login_required",
    "get_auth",
    "login_required",
    "requires",
    "requires_scopes",
    "safe_next",
]

__compiled__: Final[bool] = not str(_authenticator.__file__).endswith(".py")
"""Whether this is the compiled wheel, not the pure one."""
