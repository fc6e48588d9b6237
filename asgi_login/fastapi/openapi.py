"""What FastAPI's OpenAPI says of a manager: its security schemes, and the 401 and 403 of what is behind them."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.models import APIKey, OAuth2
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from asgi_login.config import Config
from asgi_login.openapi import REFUSALS, security_schemes

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


class SecurityScheme(SecurityBase):
    """An entry in OpenAPI; it does nothing at a request."""

    def __init__(self, scheme_name: str, model: SecurityModel) -> None:
        self.scheme_name = scheme_name
        self.model = model

    async def __call__(self) -> None:
        """Do nothing: the manager whose dependency this is does it."""


def security_dependencies(config: Config) -> list[SecurityScheme]:
    """Return a dependency for each way in which a manager's users can show who they are."""
    return [
        SecurityScheme(name, (OAuth2 if scheme["type"] == "oauth2" else APIKey).model_validate(scheme))
        for name, scheme in security_schemes(config).items()
    ]


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
    names = {name for config in configs for name in security_schemes(config)}
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        schema = describe()
        for path in schema.get("paths", {}).values():
            for method, operation in path.items():
                if method in _METHODS and not names.isdisjoint(_required(operation)):
                    for status, description in REFUSALS.items():
                        operation["responses"].setdefault(str(status), {"description": description})
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _required(operation: dict[str, Any]) -> list[str]:
    return [name for requirement in operation.get("security", ()) for name in requirement]
