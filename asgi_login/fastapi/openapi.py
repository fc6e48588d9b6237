"""What FastAPI's OpenAPI says of a manager: its security schemes, and the 401 and 403 of what is behind them."""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar
from weakref import WeakSet

from fastapi import Depends, FastAPI
from fastapi.openapi.models import APIKey, HTTPBase, OAuth2, OpenIdConnect
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from asgi_login.config import DEFAULT_TOKEN_URL, Config, HasConfig
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
    def scheme_name(self) -> str:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
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


class SecuritySchemes:
    """The entries of a manager: each way in which its users can show who they are.

    Args:
        config: The settings of the manager; its credential loaders may come later.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lists_first_only = False
        self._made: dict[Scheme, SecurityScheme] = {}
        # The manager that is made first has the usual names.
        self.signature()

    def signature(self) -> inspect.Signature:
        """Return the signature of a dependency that is behind the manager, with all entries that FastAPI must list."""
        self._made = {one: self._made.get(one) or SecurityScheme(one) for one in security_schemes(self._config)}
        return dependency_signature([] if self._lists_first_only else list(self._made.values())[1:])

    def list_first_only(self) -> None:
        """Let FastAPI see only the first entry from now on: `install` writes the others into the document."""
        self._lists_first_only = True

    @property
    def first(self) -> SecurityScheme | None:
        """The entry that the dependency stands for itself, or None if there is none."""
        return next(iter(self._made.values()), None)


class LateSignature:
    """A signature that is made when FastAPI asks an object for it; the object's class has that of its constructor."""

    def __init__(self, make: Callable[[Any], inspect.Signature]) -> None:
        self._make = make

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        """Return the signature.

        Raises:
            AttributeError: The class is asked.
        """
        if instance is None:
            raise AttributeError("__signature__")
        return self._make(instance)


class FirstScheme:
    """The first security scheme of a dependency's manager, which the dependency itself stands for.

    FastAPI solves each dependency of a route for each request, which takes longer than all that we do; so there is one
    less. It unwraps what it calls, and asks what that has led to whether it is a security scheme.
    """

    def __get__(self, instance: Any, owner: type) -> SecurityScheme:  # noqa: ANN401 - whatever has `_schemes`
        """Return the scheme.

        Raises:
            AttributeError: The class is asked, or the manager has no scheme.
        """
        first: SecurityScheme | None = None if instance is None else instance._schemes.first  # noqa: SLF001
        if first is None:
            raise AttributeError("__wrapped__")
        return first


def dependency_signature(schemes: Sequence[SecurityScheme]) -> inspect.Signature:
    """Return what FastAPI shall see: these schemes as sub-dependencies, so that it lists each of them."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter("connection", keyword, annotation=HTTPConnection),
            inspect.Parameter("security_scopes", keyword, annotation=SecurityScopes),
            # With a scope, FastAPI does not have to find out at each request whether it is a generator.
            *(
                inspect.Parameter(f"scheme_{i}", keyword, default=Depends(scheme, scope="function"))
                for i, scheme in enumerate(schemes)
            ),
        ]
    )


def complete_openapi(app: FastAPI, managers: Sequence[HasConfig]) -> None:
    """Make the application's OpenAPI name our schemes, and list 401 and 403 for every operation that needs one.

    A credential loader that is registered after a route was declared is in the document, too.
    """
    for one in managers:
        schemes: object = getattr(one, "_schemes", None)
        if isinstance(schemes, SecuritySchemes):
            schemes.list_first_only()
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
            _rename(schema, written, {one.config.name: security_schemes(one.config) for one in managers})
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _rename(schema: dict[str, Any], written: dict[str, Scheme], current: Mapping[str, list[Scheme]]) -> None:
    by_manager: defaultdict[str, list[Scheme]] = defaultdict(list)
    for scheme in written.values():
        by_manager[scheme.manager].append(scheme)
    by_manager.update((name, current[name]) for name in by_manager.keys() & current.keys())
    schemes: dict[str, Any] = schema["components"]["securitySchemes"]
    others = {name: one for name, one in schemes.items() if name not in written}
    names = scheme_names((one for ours in by_manager.values() for one in ours), taken=others)
    schema["components"]["securitySchemes"] = others | {name: _below_prefix(one) for one, name in names.items()}
    for operation in _operations(schema):
        security: list[dict[str, Any]] = operation.get("security", [])
        if written.keys().isdisjoint(name for requirement in security for name in requirement):
            continue
        # Each stands alone: FastAPI writes a requirement for each scheme of a manager, with the same scopes.
        required = {written[name].manager: one[name] for one in security for name in one if name in written}
        operation["security"] = [one for one in security if written.keys().isdisjoint(one)]
        for manager, scopes in required.items():
            operation["security"] += [{names[one]: scopes} for one in by_manager[manager]]
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

    As FastAPI advises, the default token URL is relative to where the application is, also where somebody has passed
    the same: nothing tells the two apart. Any other is left as it is: its application knows where it leads.
    """
    definition = scheme.definition
    flow = definition.get("flows", {}).get("password", {})
    if flow.get("tokenUrl") == DEFAULT_TOKEN_URL:
        flow["tokenUrl"] = DEFAULT_TOKEN_URL.removeprefix("/")
    return definition
