"""What FastAPI's OpenAPI says of a manager: its security schemes, and the 401 and 403 of what is behind them."""

import inspect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar
from weakref import WeakSet

from fastapi import Depends, FastAPI
from fastapi.openapi.models import APIKey, HTTPBase, OAuth2, OpenIdConnect
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from asgi_login.config import DEFAULT_TOKEN_URL, Config
from asgi_login.openapi import REFUSALS, Scheme, scheme_names, security_schemes

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_MODELS: dict[str, type[SecurityModel]] = {
    "apiKey": APIKey,
    "http": HTTPBase,
    "oauth2": OAuth2,
    "openIdConnect": OpenIdConnect,
}
# The schemes of the document that is being written, by the names that they have in the meantime.
_written: ContextVar[dict[str, Scheme]] = ContextVar("asgi_login_openapi")


class SecurityScheme(SecurityBase):
    """An entry in OpenAPI; it does nothing at a request."""

    # Who has which name, where there is no install.
    _holders: ClassVar["defaultdict[str, WeakSet[SecurityScheme]]"] = defaultdict(WeakSet)

    def __init__(self, scheme: Scheme) -> None:
        self.scheme: Scheme = scheme
        self.model: SecurityModel = _MODELS.get(scheme.definition["type"], SecurityModel).model_validate(
            _below_prefix(scheme)
        )
        self._name = self._free_name()

    @property
    def scheme_name(self) -> str:  # type: ignore[override]
        """The name, unlike that of any other scheme in the document.

        `install` sees a whole document and tells its schemes apart. Where there is no install, nobody knows which
        managers serve one application; so each is told apart from those that there were when it was made.
        """
        written = _written.get(None)
        if written is None:
            return self._name
        name = f"asgi-login.{self.scheme.digest}"
        written[name] = self.scheme
        return name

    def _free_name(self) -> str:
        usual, manager = self.scheme.usual_name, self.scheme.manager
        names = (usual, f"{usual}-{manager}", f"{usual}-{manager}-{self.scheme.digest}")
        name = next(one for one in names if all(other.scheme == self.scheme for other in self._holders[one]))
        self._holders[name].add(self)
        return name

    async def __call__(self) -> None:
        """Do nothing: the manager whose dependency this is does it."""


def security_dependencies(config: Config) -> list[SecurityScheme]:
    """Return a dependency for each way in which a manager's users can show who they are."""
    return [SecurityScheme(scheme) for scheme in security_schemes(config)]


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


def complete_openapi(app: FastAPI) -> None:
    """Make the application's OpenAPI name our schemes, and list 401 and 403 for every operation that needs one."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        written: dict[str, Scheme] = {}
        token = _written.set(written)
        try:
            schema = describe()
        finally:
            _written.reset(token)
        # Nothing is written where FastAPI returns the document that it has kept.
        if written:
            _rename(schema, written)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _rename(schema: dict[str, Any], written: dict[str, Scheme]) -> None:
    schemes: dict[str, Any] = schema["components"]["securitySchemes"]
    names = scheme_names(written.values(), taken=schemes.keys() - written.keys())
    final = {temporary: names[scheme] for temporary, scheme in written.items()}
    schema["components"]["securitySchemes"] = {final.get(name, name): one for name, one in schemes.items()}
    for operation in _operations(schema):
        security = operation.get("security", ())
        if not final.keys().isdisjoint(name for requirement in security for name in requirement):
            operation["security"] = [{final.get(name, name): one[name] for name in one} for one in security]
            for status, description in REFUSALS.items():
                operation["responses"].setdefault(str(status), {"description": description})


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in (*schema.get("paths", {}).values(), *schema.get("webhooks", {}).values()):
        for operation in (operation for method, operation in path.items() if method in _METHODS):
            yield operation
            for callback in operation.get("callbacks", {}).values():
                yield from _operations({"paths": callback})


def _below_prefix(scheme: Scheme) -> dict[str, Any]:
    """Return the Security Scheme Object, which the pages of an application below a prefix can use too.

    As FastAPI advises, the token URL that nobody has set is relative to where the application is. One that is set is
    left as it is: its application knows where it leads.
    """
    definition = scheme.definition
    flow = definition.get("flows", {}).get("password", {})
    if flow.get("tokenUrl") == DEFAULT_TOKEN_URL:
        flow["tokenUrl"] = DEFAULT_TOKEN_URL.removeprefix("/")
    return definition
