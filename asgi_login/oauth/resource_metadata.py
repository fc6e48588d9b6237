"""ResourceMetadata: tells clients that come without a token where they get one (RFC 9728)."""

from typing import ClassVar, Final

from asgi_login.config import HasConfig
from asgi_login.oauth.answers import Answer, json_answer
from asgi_login.oauth.endpoint import Endpoint
from asgi_login.scope import Receive, Scope

# As KeysEndpoint.
_KEPT: Final = (b"cache-control", b"public, max-age=300")
# Pages of any origin may be clients. What they read is public, and no credential is looked at.
_ANY_ORIGIN: Final = (b"access-control-allow-origin", b"*")
# Browsers ask first where a client sends a header of its own, such as MCP-Protocol-Version.
_ANY_HEADER: Final = (b"access-control-allow-headers", b"*")


class ResourceMetadata(Endpoint):
    """Answers a GET at `/.well-known/oauth-protected-resource`, and the path of the resource where it has one.

    Args:
        manager: The manager that stands for the resource: it has `resource=`, and Host is never read.

    Raises:
        TypeError: `manager` is none.
        ValueError: It has no resource.
    """

    _methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")

    def __init__(self, manager: HasConfig) -> None:
        super().__init__(manager, "/.well-known/oauth-protected-resource")
        resource = self._config.resource
        if resource is None:
            raise ValueError(
                "ResourceMetadata describes what the tokens of a manager are for: pass resource=Resource('https://"
                "mcp.example.com/mcp', authorization_servers=['https://login.example.com']) to the LoginManager"
            )
        self._path = resource.metadata_path
        # RFC 9728 §2; §3.2: what is empty is left out.
        members: dict[str, object] = {
            "resource": resource.url,
            "authorization_servers": list(resource.authorization_servers),
            "scopes_supported": list(resource.scopes or ()),
            "bearer_methods_supported": ["header"],
            "resource_name": resource.name,
            "resource_documentation": resource.documentation,
        }
        said = {name: value for name, value in members.items() if value}
        self._metadata = json_answer(said, headers=[_KEPT])

    async def _answer_method(self, scope: Scope, receive: Receive) -> Answer:
        answer = (await super()._answer_method(scope, receive)).with_header(*_ANY_ORIGIN)
        return answer.with_header(*_ANY_HEADER) if scope["method"] == "OPTIONS" else answer

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - every request gets the same
        return self._metadata
