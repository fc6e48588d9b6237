"""What OpenAPI says of managers and guards, in Litestar's classes."""

from collections.abc import Sequence
from copy import copy
from typing import Any

from litestar.config.app import AppConfig
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Components, OAuthFlow, OAuthFlows, SecurityScheme

from asgi_login.config import HasConfig
from asgi_login.litestar.guards import guards_of
from asgi_login.openapi import REFUSALS, scheme_names, security_schemes

_REFUSALS = {
    status: ResponseSpec(dict[str, str], description=description, generate_examples=False)
    for status, description in REFUSALS.items()
}


class Descriptions:
    """Adds the security schemes of all managers to an application, and says which of them each handler asks for.

    Args:
        app_config: Of the application, which has OpenAPI.
        managers: All of the application.
    """

    def __init__(self, app_config: AppConfig, managers: Sequence[HasConfig]) -> None:
        assert app_config.openapi_config is not None  # noqa: S101 - what the plugin has looked at
        openapi = app_config.openapi_config = copy(app_config.openapi_config)
        components = openapi.components if isinstance(openapi.components, list) else [openapi.components]
        self._schemes = {one.config.name: security_schemes(one.config) for one in managers}
        taken = {name for one in components for name in one.security_schemes or {}}
        self._names = scheme_names((one for found in self._schemes.values() for one in found), taken)
        ours = {name: _scheme(one.definition) for one, name in self._names.items()}
        openapi.components = [*components, Components(security_schemes={**ours})]

    def describe(self, handler: HTTPRouteHandler) -> None:
        """Say what the guards of a handler ask for, and what they answer."""
        guards = guards_of(handler)
        if not guards:
            return
        scopes = list(dict.fromkeys(scope for one in guards for scope in one.scopes))
        managers = {one.manager for one in guards} - {None}
        schemes = [one for name in self._schemes if not managers or name in managers for one in self._schemes[name]]
        required = [{self._names[one]: scopes} for one in schemes]
        handler.security = [
            *(handler.security or ()),
            *(one for one in required if one not in (handler.security or ())),
        ]
        handler.responses = {**_REFUSALS, **(handler.responses or {})}


def _scheme(definition: dict[str, Any]) -> SecurityScheme:
    flows = {_snake_case(name): OAuthFlow(**_arguments(flow)) for name, flow in definition.pop("flows", {}).items()}
    arguments = _arguments(definition)
    if "in" in arguments:
        arguments["security_scheme_in"] = arguments.pop("in")
    return SecurityScheme(**arguments, flows=OAuthFlows(**flows) if flows else None)


def _arguments(definition: dict[str, Any]) -> dict[str, Any]:
    return {_snake_case(name): value for name, value in definition.items()}


def _snake_case(name: str) -> str:
    """Return what Litestar's classes call a member of OpenAPI: `tokenUrl` is `token_url`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
