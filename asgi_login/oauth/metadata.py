"""ServerMetadata: tells clients where the other endpoints are, and what they take (RFC 8414)."""

from collections.abc import Sequence
from copy import copy
from typing import ClassVar, Final, Self
from urllib.parse import urlsplit

from asgi_login.application import encoded, server_root
from asgi_login.config import Config, HasConfig
from asgi_login.oauth.answers import Answer, json_answer
from asgi_login.oauth.endpoint import Endpoint
from asgi_login.resource import is_server_url
from asgi_login.scope import Receive, Scope

_WELL_KNOWN: Final = "/.well-known/oauth-authorization-server"
# For whoever asks only: the server's root path is in it, which with some servers a client can choose.
_KEPT: Final = (b"cache-control", b"private, max-age=300")


class ServerMetadata(Endpoint):
    """Answers a GET at `/.well-known/oauth-authorization-server`, and the path of the issuer where it has one.

    Args:
        manager: Whose endpoints. Its `issuer` is a URL, or it has a `public_url`: Host is never read.
        endpoints: The endpoints that are described, where a router mounts this one. `Endpoints` describes all of the
            same manager's that lie beside it.

    Raises:
        TypeError: `manager` is none.
        ValueError: Neither is set, or clients would not take it for an issuer (RFC 8414 §2).
    """

    _methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")

    def __init__(self, manager: HasConfig, *endpoints: Endpoint) -> None:
        super().__init__(manager, _WELL_KNOWN)
        self._issuer = _issuer(self._config)
        parts = urlsplit(self._issuer)
        # RFC 8414 §3.1
        self._path = _WELL_KNOWN + parts.path.rstrip("/")
        self._origin = self._config.public_url or f"{parts.scheme}://{parts.netloc}"
        self._described = endpoints

    def among(self, others: Sequence[Endpoint]) -> Self:
        """Return the same that describes the manager's endpoints among these, unless it has its own."""
        same = copy(self)
        same._described = self._described or tuple(one for one in others if one.config is self._config)  # noqa: SLF001
        return same

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - the protocol's
        if not self._described:
            raise RuntimeError(
                "ServerMetadata has nothing to describe: put it among the others, as in Endpoints(app, "
                "TokenEndpoint(manager), ServerMetadata(manager)), or pass them, as in ServerMetadata(manager, tokens)"
            )
        root = server_root(scope).rstrip("/")
        # One without a slash would end the name of the host.
        base = self._origin + (encoded(root) if root.startswith("/") else "")
        # REQUIRED in RFC 8414 §2, though it has nothing to list. Without `grant_types_supported`, clients would take
        # the authorization code for granted.
        members: dict[str, object] = {
            "issuer": self._issuer,
            "response_types_supported": [],
            "grant_types_supported": [],
        }
        if self._config.scopes:
            members["scopes_supported"] = list(self._config.scopes)
        # Of two token endpoints the first is the one.
        for one in reversed(self._described):
            members |= one.describe(base + one.path)
        return json_answer(members, headers=[_KEPT])


def _issuer(config: Config) -> str:
    """Return the issuer that is written into tokens, or else the site."""
    issuer = config.tokens.rules.issuer or config.public_url
    if issuer is None:
        raise ValueError(
            "ServerMetadata names the issuer, and never reads it from Host: pass issuer='https://shop.example.com' to "
            "the LoginManager, which tokens then carry, or public_url="
        )
    if not is_server_url(issuer):
        raise ValueError(
            f"ServerMetadata: an issuer is a URL like 'https://shop.example.com', without query and fragment, and with "
            f"https except on this machine (RFC 8414 §2); not {issuer!r}"
        )
    return issuer
