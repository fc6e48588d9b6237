"""What FastAPI's OpenAPI says of a manager: its security schemes, and the 401 and 403 of what is behind them."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.models import APIKey, APIKeyIn, OAuth2, OAuthFlowPassword, OAuthFlows
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from asgi_login.config import Config
from asgi_login.transports import CookieTransport

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_REFUSALS = {"401": "Not authenticated", "403": "The token does not grant the scope"}


class SecurityScheme(SecurityBase):
    """An entry in OpenAPI; it does nothing at a request."""

    def __init__(self, scheme_name: str, model: SecurityModel) -> None:
        self.scheme_name = scheme_name
        self.model = model

    async def __call__(self) -> None:
        """Do nothing: the manager whose dependency this is does it."""


def security_schemes(config: Config) -> list[SecurityScheme]:
    """Return what stands in OpenAPI for a manager: the password flow for its header, an API key for each cookie."""
    schemes: list[SecurityScheme] = []
    # The names are keys of one table for the whole application, so that of two managers neither replaces the other.
    if any(not transport.ambient for transport in config.transports):
        flow = OAuthFlowPassword(tokenUrl=config.token_url, scopes=dict(config.scopes))
        schemes.append(
            SecurityScheme(_scheme_name(config.name, config.token_url), OAuth2(flows=OAuthFlows(password=flow)))
        )
    for transport in config.transports:
        if isinstance(transport, CookieTransport):
            name = _scheme_name(config.name, transport.cookie_name)
            # The alias is a keyword of Python's.
            model = APIKey.model_validate({"in": APIKeyIn.cookie, "name": transport.cookie_name})
            schemes.append(SecurityScheme(name, model))
    return schemes


def _scheme_name(manager: str, what: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9]+", "-", what).strip("-")
    return f"{manager}-{slug}"


def dependency_signature(schemes: Sequence[SecurityScheme]) -> inspect.Signature:
    """Return what FastAPI shall see: the schemes as sub-dependencies, so that it lists each of them."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter("connection", keyword, annotation=HTTPConnection),
            inspect.Parameter("security_scopes", keyword, annotation=SecurityScopes),
            *(inspect.Parameter(f"scheme_{i}", keyword, default=Depends(scheme)) for i, scheme in enumerate(schemes)),
        ]
    )


def list_refusals(app: FastAPI, configs: Iterable[Config]) -> None:
    """Make the application's OpenAPI list 401 and 403 for every operation behind one of these managers."""
    names = {scheme.scheme_name for config in configs for scheme in security_schemes(config)}
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        schema = describe()
        for path in schema.get("paths", {}).values():
            for method, operation in path.items():
                if method in _METHODS and not names.isdisjoint(_required(operation)):
                    for status, description in _REFUSALS.items():
                        operation["responses"].setdefault(status, {"description": description})
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _required(operation: dict[str, Any]) -> list[str]:
    return [name for requirement in operation.get("security", ()) for name in requirement]
