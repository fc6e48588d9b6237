"""What OpenAPI says of a manager, as plain data that an adapter puts into its framework's classes."""

import hashlib
import re
from typing import Any, Final

from asgi_login.config import Config
from asgi_login.transports import CookieTransport

REFUSALS: Final = {401: "Not authenticated", 403: "The token does not grant the scope"}
"""What any operation behind a gate may answer."""


def security_schemes(config: Config) -> dict[str, dict[str, Any]]:
    """Return Security Scheme Objects by name: the password flow for the header, an API key for each cookie.

    The names are keys of one table for the whole application, and of two managers neither may replace the other.
    """
    schemes: dict[str, dict[str, Any]] = {}
    if any(not transport.ambient for transport in config.transports):
        flow = {"tokenUrl": config.token_url, "scopes": dict(config.scopes)}
        schemes[_name(config.name, "bearer", config.token_url)] = {"type": "oauth2", "flows": {"password": flow}}
    for transport in config.transports:
        if isinstance(transport, CookieTransport):
            key = {"type": "apiKey", "in": "cookie", "name": transport.cookie_name}
            schemes[_name(config.name, "cookie", transport.cookie_name)] = key
    return schemes


def _name(manager: str, kind: str, what: str) -> str:
    """Return a readable name; the digest tells apart what reads the same."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", what).strip("-")
    digest = hashlib.sha256(f"{manager}\0{kind}\0{what}".encode()).hexdigest()[:6]
    return f"{manager}-{slug}-{digest}"
