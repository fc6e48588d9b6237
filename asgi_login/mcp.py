"""MCP: lets servers that are made with the MCP Python SDK accept the tokens of a LoginManager.

Tested with the SDK 2.3 and later.
"""

import json
from typing import Any, Final, cast

from asgi_login.attributes import FixedAttributes
from asgi_login.auth import AnyAuth, blocking_error, token_of
from asgi_login.manager import LoginManager
from asgi_login.tokens import VerifiedToken, is_text

_NEEDED: Final = 'asgi_login.mcp needs the MCP Python SDK 2.3 or later: pip install "mcp>=2.3"'

try:
    from mcp.server.auth.provider import AccessToken
except ImportError as _missing:
    raise ImportError(_NEEDED) from _missing
if "subject" not in AccessToken.model_fields:
    # Older releases drop the user, and so bind a transport session to the client alone.
    raise ImportError(_NEEDED)


class Verifier(FixedAttributes):
    """The `TokenVerifier` of the SDK and of FastMCP, which authenticate by themselves with it.

    Args:
        manager: Whose access tokens the server accepts.

    Raises:
        TypeError: `manager` is none, or its user loader takes the scope, which the SDK does not hand on.

    The SDK answers a request of a transport session only if client, issuer and user are those that opened it. It learns
    of them here: the client is the claim `client_id`, or else `azp`, or else `sub`.

    Example:
        >>> auth = AuthSettings(
        ...     issuer_url="https://login.example.com",
        ...     resource_server_url="https://mcp.example.com/mcp",
        ...     validate_token_resource=True,
        ... )
        >>> server = MCPServer("notes", token_verifier=Verifier(manager), auth=auth)
    """

    def __init__(self, manager: LoginManager[Any]) -> None:
        if not isinstance(manager, LoginManager):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"Verifier(manager) takes a LoginManager, not {type(manager).__name__}")
        self._manager = manager
        self._check_loader()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return what the SDK wants to know of a token, or None if it is not accepted; called by the SDK.

        Raises:
            Exception: Whatever the user loader raises, but for an AuthError.
            ServiceUnavailable: Whether the token still counts cannot be found out now. It is not an invalid one.
            TypeError: The user loader takes the scope.
        """
        # A loader may be registered after the constructor has run.
        self._check_loader()
        auth = await self._manager.authenticate_token(token)
        unknown = blocking_error(auth)
        if unknown is not None:
            # None would make the client throw its token away.
            raise unknown.again()
        verified = token_of(auth)
        return None if verified is None else self._access_token(token, auth, verified)

    def _access_token(self, token: str, auth: AnyAuth, verified: VerifiedToken) -> AccessToken:
        claims = verified.claims
        clients = (claims.get("client_id"), claims.get("azp"), verified.sub)
        return AccessToken(
            token=token,
            client_id=next(one for one in clients if is_text(one)),
            scopes=sorted(auth.scopes),
            # The SDK compares whole seconds.
            expires_at=int(verified.exp),
            resource=self._resource(claims.get("aud")),
            subject=verified.sub,
            # The dicts and lists that they came as.
            claims=json.loads(json.dumps(dict(claims), default=dict)),
        )

    def _resource(self, aud: object) -> str | None:
        """Return what the token is for: the resource of this server, if it is among it (RFC 8707)."""
        several = cast("tuple[object, ...]", aud) if isinstance(aud, tuple) else (aud,)
        audiences = [one for one in several if isinstance(one, str)]
        config = self._manager.config
        url = None if config.resource is None else config.resource.url
        # An issuer may say in another claim whom a token is for. Where one audience is accepted, it is that.
        if url is not None and (url in audiences or config.tokens.rules.audiences == frozenset({url})):
            return url
        return audiences[0] if audiences else None

    def _check_loader(self) -> None:
        if self._manager.config.loader.takes_scope:
            raise TypeError(
                "the user loader takes the scope, and the SDK hands on the token alone: put AuthMiddleware and a Gate "
                "around the server in place of Verifier, or let the loader do without"
            )
