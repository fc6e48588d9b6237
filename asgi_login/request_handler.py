"""Handles each connection for AuthMiddleware: authenticates, tells the application through the scope, cleans up."""

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from functools import partial
from typing import Final, cast, overload

from asgi_login.application import under
from asgi_login.asgi_types import (
    ASGIApp,
    ASGIReceive,
    ASGIScope,
    ASGISend,
    FrameworkReceive,
    FrameworkScope,
    FrameworkSend,
)
from asgi_login.auth import AnyAuth, all_settings_of, blocking_error, varies_with, write_to_state
from asgi_login.base_authenticator import BaseAuthenticator
from asgi_login.compiling import mypyc_attr
from asgi_login.config import Config
from asgi_login.current import CURRENT
from asgi_login.errors import AuthError
from asgi_login.exchange import HTTPRecord, OpenConnections, RequestRecord, WebSocketRecord, answer
from asgi_login.manager_clashes import check_newcomer
from asgi_login.scope import NO_COOKIES, Cookies, Receive, Scope, Send

_log: Final = logging.getLogger("asgi_login")
# Looked up once: each look-up of a method of an imported object makes an object.
_set_current: Final = CURRENT.set
_reset_current: Final = CURRENT.reset
_NOTHING: Final[tuple[bytes, ...]] = ()


@mypyc_attr(allow_interpreted_subclasses=True)
class RequestHandler:
    """Authenticates each connection on its way to an application.

    Args:
        configs: The settings of the managers.
        authenticator: Finds out who sent a request, for all of them.
        passive_authenticator: Does so without renewing a session.
        skip: Paths at which nobody is authenticated.
        passive: Paths at which a session is not renewed.
        end_connections: Whether open connections end with their login.
        deny_websocket: An ASGI application that refuses a websocket.
    """

    app: ASGIApp
    # For mypyc: mock.patch deletes an attribute before it sets the old one again.
    __deletable__: tuple[str, ...] = ("app",)

    def __init__(
        self,
        configs: Sequence[Config],
        authenticator: BaseAuthenticator,
        passive_authenticator: BaseAuthenticator,
        *,
        skip: tuple[str, ...],
        passive: tuple[str, ...],
        end_connections: bool,
        deny_websocket: ASGIApp | None,
    ) -> None:
        self._configs = configs
        self._met: list[Config] = []
        self._authenticator: BaseAuthenticator = authenticator
        self._passive_authenticator: BaseAuthenticator = passive_authenticator
        self._skip = skip
        self._passive = passive
        self._deny_websocket = deny_websocket
        self._end_connections = end_connections
        self._open_connections = OpenConnections([one.revocation for one in configs if one.revocation is not None])
        self._lifespan_state: object = None
        self._is_lifespan_state_checked = True

    @overload
    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None: ...
    @overload
    async def __call__(self, scope: FrameworkScope, receive: FrameworkReceive, send: FrameworkSend) -> None: ...
    # A scope or message that is annotated as a TypedDict or a Mapping is a dict all the same.
    # All is in one function, because a call takes as long as ten of its lines.
    async def __call__(  # type: ignore[misc] # pyright: ignore[reportInconsistentOverload]
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Handle one connection."""
        is_http = scope["type"] == "http"
        if not is_http and scope["type"] != "websocket":
            await self._pass_through(scope, receive, send)
            return
        skipped = self._skip and under(scope, self._skip)
        credential = None if skipped else self._authenticator.find(scope)
        app = self.app
        if credential is None:
            auth, renewed, varying = self._authenticator.anonymous, NO_COOKIES, _NOTHING
        else:
            is_passive = self._passive and under(scope, self._passive)
            authenticator = self._passive_authenticator if is_passive else self._authenticator
            auth, renewed = await authenticator.authenticate(scope, credential)
            varying, blocking = varies_with(auth), blocking_error(auth)
            if blocking is not None:
                app = partial(_answer, blocking)
        if is_http:
            record: HTTPRecord | WebSocketRecord = HTTPRecord(auth, renewed, varying, scope, send)
        else:
            record = WebSocketRecord(
                auth, renewed, varying, scope, send, receive, self._open_connections, deny=self._deny_websocket
            )
            receive = record.receive
        if renewed is not NO_COOKIES or self._end_connections:
            auth = self._prepare(record, renewed)
        state: MutableMapping[str, object] | None = scope.get("state")
        outer: RequestRecord | None = scope.get("asgi_login")
        if state is None or outer is not None or state is self._lifespan_state or not self._is_lifespan_state_checked:
            state = self._own_state(scope, outer)
        write_to_state(auth, state)
        scope["asgi_login"] = record
        # Set for anonymous requests too: uvicorn and daphne handle the next request of a connection in the
        # same context, and what was set for a logged-in user would still be there.
        token = _set_current(record)
        try:
            try:
                await app(scope, receive, record.send)
                ending = None if record.refusal is None else record.handle_silence()
            except Exception as problem:  # noqa: BLE001 - raised again where it is not ours
                ending = record.handle_exception(problem)
            # Not in the `except`: a compiled coroutine has no exception state of its own, and what it handles while it
            # waits would be what every other task handles.
            if ending is not None:
                await ending
        finally:
            # The last message of a response has closed it, unless a gate has refused somebody since.
            if record.is_open or record.refusal is not None:
                record.close()
            _reset_current(token)
            # The record leads back to the scope: each request would become a cycle for the garbage collector.
            scope["asgi_login"] = outer

    def _prepare(self, record: RequestRecord, renewed: Cookies) -> AnyAuth:
        """See to what is decided later of a request, and return its Auth."""
        if renewed and self._authenticator.settles:
            record.settle_first(self._authenticator.settle)
        if self._end_connections:
            record.end_with_login()
        return record.auth

    async def _pass_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._lifespan_state = scope.get("state")
            self._is_lifespan_state_checked = False
        await self.app(scope, receive, send)

    def _meet(self, outer: RequestRecord) -> None:
        """Check that no manager of a middleware around this one accepts the same tokens."""
        for config in all_settings_of(outer.auth):
            if config not in self._met:
                check_newcomer(self._configs, config)
                self._met.append(config)

    def _own_state(self, scope: Scope, outer: RequestRecord | None) -> MutableMapping[str, object]:
        """Return the request's own state, to be written in place: middleware outside reads it there afterwards."""
        if outer is not None:
            self._meet(outer)
        if not self._is_lifespan_state_checked:
            self._check_lifespan_state()
        state: MutableMapping[str, object] | None = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        elif state is self._lifespan_state:
            # The server handed out the state of all requests; one of them must not write into it.
            state = scope["state"] = dict(state)
        return state

    def _check_lifespan_state(self) -> None:
        """Warn of what is lost, at the first request, when the application has filled the state of its lifespan."""
        self._is_lifespan_state_checked = True
        names = {"user", "scopes", "auth"}.intersection(cast("Mapping[str, object]", self._lifespan_state or {}))
        if names:
            _log.warning(
                "the lifespan state has %s, which AuthMiddleware replaces in each request: choose another name",
                " and ".join(map(repr, sorted(names))),
            )


async def _answer(error: AuthError, scope: Scope, _receive: Receive, send: Send) -> None:
    """Be the application of a request that the real one does not see."""
    await answer(error, scope, send)
