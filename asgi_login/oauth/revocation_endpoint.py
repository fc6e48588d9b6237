"""RevocationEndpoint: ends a token, or with a refresh token its login (RFC 7009)."""

import logging
from collections.abc import Mapping

from asgi_login.config import HasConfig
from asgi_login.endings import end, read_any
from asgi_login.errors import InvalidToken, ServiceUnavailable
from asgi_login.oauth.answers import NOT_KEPT, Answer, OAuthError, empty_answer, unavailable
from asgi_login.oauth.clients import client_id_of
from asgi_login.oauth.endpoint import Endpoint
from asgi_login.oauth.forms import read_form
from asgi_login.oauth.refresh_cookie import RefreshCookie
from asgi_login.oauth.token_endpoint import check_cookie
from asgi_login.scope import Receive, Scope, request_line

_log = logging.getLogger("asgi_login")


class RevocationEndpoint(Endpoint):
    """Answers a POST with a `token`: an access token ends, and with any other token its whole login.

    Args:
        manager: Whose tokens; it has a store.
        path: Below the server's `root_path`.
        cookie: That of the TokenEndpoint: without a `token`, the login of the cookie ends, and the cookie is deleted.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: The manager has no store, or browsers would not send the cookie here.

    A token that is unknown, malformed or expired is answered as one that was ended (RFC 7009 §2.2). If the store does
    not answer, the answer is a 503. `token_type_hint` is not needed, and not looked at.
    """

    def __init__(self, manager: HasConfig, path: str = "/auth/revoke", *, cookie: RefreshCookie | None = None) -> None:
        super().__init__(manager, path)
        if self._config.revocation is None:
            raise ValueError(
                "a RevocationEndpoint needs LoginManager(store=): MemoryStore() for one process, or RedisStore(url) of "
                "asgi_login.redis"
            )
        self._cookie = check_cookie(self, cookie)

    @property
    def cookie_name(self) -> str | None:
        """The name of its cookie."""
        return None if self._cookie is None else self._cookie.cookie_name

    def describe(self, url: str) -> Mapping[str, object]:
        """Return what ServerMetadata says of it (RFC 8414 §2)."""
        return {"revocation_endpoint": url, "revocation_endpoint_auth_methods_supported": ["none"]}

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if self._cookie is not None:
            self._cookie.check_request(self._config, scope)
        form = await read_form(scope, receive)
        client_id = client_id_of(scope, form)
        token = form.get("token")
        if token is not None:
            await self._end(token, client_id, scope)
            return empty_answer(200, NOT_KEPT)
        if self._cookie is None:
            raise OAuthError("invalid_request", "token is missing")
        answer = empty_answer(200, NOT_KEPT)
        try:
            await self._end(self._cookie.read(scope) or "", client_id, scope)
        except ServiceUnavailable as problem:
            # It says that nothing was ended; and yet the next person at this browser is not this user.
            answer = unavailable(problem)
        return answer.with_header(*self._cookie.delete_cookie_header())

    async def _end(self, token: str, client_id: str | None, scope: Scope) -> None:
        try:
            found = await read_any(self._config, token)
        except InvalidToken:
            # RFC 7009 §2.2: there is nothing that the client could do about it.
            return
        manager = found.claims.get("mgr", self._config.name)
        if manager != self._config.name:
            return
        if client_id is not None and found.claims.get("client_id", client_id) != client_id:
            # RFC 7009 §2.1. Without client_id, whoever has the token may end it: a client has nothing else to show.
            _log.info("%s: invalid_grant: wrong_client: client_id: another client's", request_line(scope))
            self._config.events.tell("refused", scope, found, reason="wrong_client")
            raise OAuthError("invalid_grant", "the token was issued to another client")
        try:
            await end(self._config, found, scope)
        except InvalidToken:
            raise OAuthError("unsupported_token_type", "the token has no id by which it could be ended") from None
