"""TokenEndpoint: exchanges a refresh token for the next pair of tokens (RFC 6749 §3.2 and §6)."""

import logging
from collections.abc import Mapping, Sequence

from asgi_login.config import HasConfig
from asgi_login.errors import InsufficientScope, InvalidToken
from asgi_login.oauth.answers import Answer, OAuthError, json_answer
from asgi_login.oauth.endpoint import Endpoint
from asgi_login.oauth.forms import read_form
from asgi_login.refresh import refresh_pair
from asgi_login.scope import Receive, Scope, request_line
from asgi_login.tokens import check_scope_names

_log = logging.getLogger("asgi_login")


class TokenEndpoint(Endpoint):
    """Exchanges a refresh token for the next pair of tokens.

    Args:
        manager: Whose tokens; it has refresh tokens.
        path: Below the server's `root_path`.
    """

    def __init__(self, manager: HasConfig, path: str = "/auth/token") -> None:
        super().__init__(manager, path)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        form = await read_form(scope, receive)
        grant_type = form.get("grant_type")
        if grant_type is None:
            raise OAuthError("invalid_request", "grant_type is missing")
        if grant_type != "refresh_token":
            raise OAuthError("unsupported_grant_type", "grant_type is none that this endpoint takes")
        token = form.get("refresh_token")
        if token is None:
            raise OAuthError("invalid_request", "refresh_token is missing")
        try:
            pair = await refresh_pair(
                self._config, token, scopes=_scopes(form), client_id=form.get("client_id"), scope=scope
            )
        except InvalidToken as problem:
            _log.info("%s: invalid_grant: %s", request_line(scope), problem.reason)
            raise OAuthError("invalid_grant", "the refresh token is invalid") from None
        except InsufficientScope:
            raise OAuthError("invalid_scope", "scope is more than the login grants") from None
        return json_answer(
            {
                "access_token": pair.access_token,
                "token_type": "Bearer",
                "expires_in": pair.expires_in,
                "refresh_token": pair.refresh_token,
                "scope": pair.scope,
            }
        )


def _scopes(form: Mapping[str, str]) -> Sequence[str] | None:
    scope = form.get("scope")
    try:
        return None if scope is None else check_scope_names("scope", scope.split(" "))
    except ValueError:
        raise OAuthError("invalid_scope", "scope holds what is no scope") from None
