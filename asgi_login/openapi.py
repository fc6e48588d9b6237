"""What OpenAPI says of a manager, as plain data that an adapter puts into its framework's classes."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple, cast

from asgi_login.config import DEFAULT_TOKEN_URL, Config
from asgi_login.transports import BearerTransport, Transport

REFUSALS: Final = {401: "Not authenticated", 403: "Not permitted"}
"""What any operation behind a gate may answer."""

# As FastAPI calls them: generated clients name their functions and settings after these.
_USUAL_NAMES: Final = {
    "oauth2 password": "OAuth2PasswordBearer",
    "oauth2 authorizationCode": "OAuth2AuthorizationCodeBearer",
    "oauth2": "OAuth2",
    "http bearer": "HTTPBearer",
    "http basic": "HTTPBasic",
    "http digest": "HTTPDigest",
    "apiKey cookie": "APIKeyCookie",
    "apiKey header": "APIKeyHeader",
    "apiKey query": "APIKeyQuery",
    "openIdConnect": "OpenIdConnect",
}


class Scheme(NamedTuple):
    """A Security Scheme Object (OpenAPI 3.1 §4.8.27) and the manager that it is of.

    Attributes:
        manager: The manager's name.
        written: The object, as JSON, so that two can be compared.
    """

    manager: str
    written: str

    @property
    def definition(self) -> dict[str, Any]:
        """The Security Scheme Object."""
        return cast("dict[str, Any]", json.loads(self.written))

    @property
    def usual_name(self) -> str:
        """What it is called where no other is called so."""
        one = self.definition
        kind = one["type"]
        details = one.get("flows") or [one.get("scheme") or one.get("in")]
        names = (_USUAL_NAMES.get(f"{kind} {detail}") for detail in details)
        return next(filter(None, names), None) or _USUAL_NAMES.get(kind) or f"{kind[:1].upper()}{kind[1:]}"

    @property
    def digest(self) -> str:
        """What tells it from any other scheme."""
        return hashlib.sha256(f"{self.manager}\0{self.written}".encode()).hexdigest()[:6]


def security_schemes(config: Config) -> list[Scheme]:
    """Return what can carry a credential to this manager, in the order of its transports, each once."""
    found = [_definition(config, transport) for transport in config.transports]
    return list(dict.fromkeys(Scheme(config.name, json.dumps(one, sort_keys=True)) for one in found if one is not None))


def scheme_names(schemes: Iterable[Scheme], taken: Collection[str] = ()) -> dict[Scheme, str]:
    """Return a name for each scheme of one document; those that would be called the same are told apart.

    Args:
        schemes: All of ours that are in the document.
        taken: The names of schemes that the application has itself.
    """
    distinct = list(dict.fromkeys(schemes))
    usual = Counter([*(one.usual_name for one in distinct), *taken])
    of_manager = Counter((one.usual_name, one.manager) for one in distinct)

    def name(one: Scheme) -> str:
        if usual[one.usual_name] == 1:
            return one.usual_name
        longer = f"{one.usual_name}-{one.manager}"
        if of_manager[one.usual_name, one.manager] == 1 and longer not in taken:
            return longer
        return f"{longer}-{one.digest}"

    return {one: name(one) for one in distinct}


def _definition(config: Config, transport: Transport) -> dict[str, Any] | None:
    if isinstance(transport, BearerTransport):
        return _of_bearer(config)
    # Of an application's own transport nothing can be said that it does not say itself.
    describe = getattr(transport, "openapi_scheme", None)
    definition: object = None if describe is None else describe()
    if definition is None:
        return None
    if not isinstance(definition, dict) or not isinstance(cast("Any", definition).get("type"), str):
        raise TypeError(
            f"openapi_scheme() of the transport {transport.name!r} returns None or a Security Scheme Object, like "
            f'{{"type": "apiKey", "in": "header", "name": "X-Token"}}, not {definition!r}'
        )
    return cast("dict[str, Any]", definition)


def _of_bearer(config: Config) -> dict[str, Any]:
    """Return the password flow of a manager that logs clients in, else the plain Bearer scheme."""
    url, issues = config.token_url, config.tokens.keys.can_sign
    # A manager with only a public key issues nothing; but its application may have said where tokens are issued.
    if url is None or (url == DEFAULT_TOKEN_URL and not issues):
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {"type": "oauth2", "flows": {"password": {"tokenUrl": url, "scopes": dict(config.scopes)}}}
