"""The gate around an ASGI application or a mount: it lets a connection pass, or answers it."""

import logging
from collections.abc import Iterable
from typing import Any, overload

from asgi_login.application import Wrapper, find_inside, path_prefixes, under
from asgi_login.asgi_types import (
    AnyApp,
    ASGIReceive,
    ASGIScope,
    ASGISend,
    FrameworkReceive,
    FrameworkScope,
    FrameworkSend,
)
from asgi_login.auth import AnyAuth, auth_of_manager, get_auth, tell_refusal, write_to_state
from asgi_login.exchange import RequestRecord, answer, mark_refusal
from asgi_login.gates.rule import Check, Rule
from asgi_login.middleware import AuthMiddleware
from asgi_login.scope import Receive, Scope, Send, has_too_many_lines, header, request_line
from asgi_login.tokens import check_scope_names

_log = logging.getLogger("asgi_login")


class Gate(Wrapper):
    """Keeps requests out of an ASGI application or a mounted part of one.

    Args:
        app: The application behind the gate; one of ASGI 2 if its signature says so.
        scopes: OAuth scopes that are all needed; none of them means that any user may pass.
        fresh: Whether a fresh login is needed.
        manager: The name of the manager whose users may pass; None for every manager's.
        exempt: Paths below the server's `root_path` that stay open with everything below them, by whole segments:
            "/static" opens /static/x, not /staticadmin. The path of a mount is part of them.
        check: What else must be true of the user: a function, also an asynchronous one, from the Auth to True or False.
        end_connections: Whether open connections end with their login, as with `AuthMiddleware(end_connections=)`.

    Raises:
        TypeError, ValueError: An argument is no sequence of scopes or paths, or `check` is no function.

    The gate answers by itself (RFC 6750 §3) and lets lifespan through. It answers a CORS preflight with an empty
    204, so CORS middleware belongs outside of it.

    Example:
        >>> Mount("/admin", app=Gate(admin, scopes=["admin"], exempt=["/admin/login"]))
    """

    _otherwise = "set it on the application behind the gate, which is its .app"

    def __init__(
        self,
        app: AnyApp,
        scopes: Iterable[str] = (),
        fresh: bool = False,  # noqa: FBT001, FBT002 - reads best by name, works by position
        manager: str | None = None,
        exempt: Iterable[str] = (),
        *,
        check: Check[Any] | None = None,
        end_connections: bool = False,
    ) -> None:
        super().__init__(app)
        self._rule = Rule(check_scope_names("Gate(scopes=)", scopes), fresh=fresh, manager=manager, check=check)
        self._exempt = path_prefixes("exempt", exempt)
        self._end_connections = end_connections

    @overload
    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None: ...
    @overload
    async def __call__(self, scope: FrameworkScope, receive: FrameworkReceive, send: FrameworkSend) -> None: ...
    # A scope or message that is annotated as a TypedDict or a Mapping is a dict all the same.
    async def __call__(  # type: ignore[misc] # pyright: ignore[reportInconsistentOverload]
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let one connection pass, or answer it."""
        if scope["type"] not in {"http", "websocket"} or (self._exempt and under(scope, self._exempt)):
            await self.app(scope, receive, send)
            return
        if _is_preflight(scope):
            # Passing it on would open views that answer OPTIONS: browsers send no credential with it.
            await _answer_preflight(send)
            return
        auth = auth_of_manager(self._auth_of(scope), self._rule.manager)
        error = await self._rule.awaited_refusal(auth)
        if error is None:
            if self._end_connections:
                self._end_with_login(scope)
            await self.app(scope, receive, send)
            return
        tell_refusal(auth, error, scope)
        if auth.error is None:
            # Why a credential was refused is in the log already.
            _log.info("%s: %s from a Gate: %s", request_line(scope), type(error).__name__, error.log_text)
        if scope["type"] == "websocket" and mark_refusal(error):
            # The middleware knows how the application wants to have a websocket refused (`websocket_denial`).
            await send({"type": "websocket.close"})
        else:
            await answer(error, scope, send)

    def _end_with_login(self, scope: Scope) -> None:
        record: RequestRecord = scope["asgi_login"]
        record.end_with_login(self._rule.manager)
        write_to_state(record.auth, scope["state"])

    def _auth_of(self, scope: Scope) -> AnyAuth:
        try:
            return get_auth(scope)
        except RuntimeError:
            if find_inside(self.app, AuthMiddleware):
                raise RuntimeError(_OUTSIDE) from None
            raise


_OUTSIDE = (
    "this Gate lies outside of AuthMiddleware, so that it comes before anybody knows who sends the request: add it "
    "before install(app, manager), because what is added later lies outside; without an adapter, write "
    "AuthMiddleware(Gate(app), manager)"
)


async def _answer_preflight(send: Send) -> None:
    """Answer a CORS preflight with nothing: no browser goes on from here, and no view runs."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _is_preflight(scope: Scope) -> bool:
    """Tell whether a browser asks what it may send (Fetch standard, CORS-preflight request)."""
    return (
        scope["type"] == "http"
        and scope["method"] == "OPTIONS"
        and not has_too_many_lines(scope)
        and header(scope, b"origin") is not None
        and header(scope, b"access-control-request-method") is not None
    )
