"""The record of a request: what gates, middleware and managers tell each other while it is handled."""

import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from asgi_login.asgi_types import AnyScope
from asgi_login.auth import NO_MIDDLEWARE, AnyAuth, auth_of_config, held_open, identities_of
from asgi_login.config import Config
from asgi_login.current import CURRENT, Holder
from asgi_login.errors import AuthError, CrossOriginRequest, ServiceUnavailable
from asgi_login.exchange.changes import Changes
from asgi_login.exchange.watch import Watch
from asgi_login.scope import NO_COOKIES, Cookies, HasScope, Scope, Send, request_line, scope_of

_log: Final = logging.getLogger("asgi_login")


class RequestRecord(Holder):
    """What is known of one request while it is handled.

    Attributes:
        renewed: The header pairs that the session itself has to write back, by the cookie's name.
        varying: The names of the request headers that the response varies with.
        changes: What a login or logout in this request changes, or None without one.
        refusal: The error that a gate has raised out of a view and that nobody has answered yet.
        has_started: Whether the response is on its way, so that it can carry no more cookies.
        root_path: What the application that AuthMiddleware wraps is served below; its mounts add to that of the scope.
        watch: The logins that the connection ends with, or None if it does not end with any.
    """

    __slots__ = (
        "_has_trailers",
        "_outside",
        "_scope",
        "_send",
        "changes",
        "has_started",
        "refusal",
        "renewed",
        "root_path",
        "varying",
        "watch",
    )

    def __init__(self, auth: AnyAuth, renewed: Cookies, varying: tuple[bytes, ...], scope: Scope, send: Send) -> None:
        # Not by super(): this runs for every request.
        self.auth: AnyAuth = auth
        self.is_open: bool = True
        self.renewed: Cookies = renewed
        self.varying: tuple[bytes, ...] = varying
        self.changes: Changes | None = None
        self.refusal: AuthError | None = None
        self.has_started: bool = False
        self.root_path: str = scope.get("root_path") or ""
        self.watch: Watch | None = None
        self._has_trailers = False
        self._scope = scope
        self._send = send
        # What was being handled when the request came in, say by a test that sends one out of an `except` block.
        self._outside = sys.exception()

    @property
    def scope(self) -> Scope:
        """The scope of the request."""
        return self._scope

    def is_options(self) -> bool:
        """Tell whether an OPTIONS request is handled."""
        return self._scope.get("method") == "OPTIONS"

    def refuse(self, exception: Exception) -> NoReturn:
        """Raise what keeps the request out, and leave a mark of it.

        An exception of the application's own leaves none: it has a handler of its own, only ours needs somebody to
        answer it.
        """
        self.refusal = exception if isinstance(exception, AuthError) else None
        try:
            raise exception
        finally:
            del exception  # whose traceback holds this frame

    def end_with_login(self, manager: str | None = None) -> None:
        """End this connection when a login ends that it has, or the one at the named manager."""
        identities = identities_of(self.auth, manager)
        if identities:
            self.watch = Watch(identities if self.watch is None else {**self.watch.identities, **identities})

    def change(self) -> Changes:
        """Return what this request changes of its logins, to add to it."""
        if self.changes is None:
            self.changes = Changes()
        return self.changes

    def settle_first(self, settle: Callable[[Scope, AnyAuth, Cookies], Awaitable[Cookies]]) -> None:
        """Decide only when the response starts which cookies the session itself writes back."""

        async def write() -> None:
            self.renewed = await settle(self._scope, self.auth, self.renewed)

        self.change().add(NO_COOKIES, write)

    def hold_open(self) -> None:
        """Let the session last as long as the connection is open, but not longer than its lifetime."""
        self.auth = held_open(self.auth)

    def outlive_login(self) -> None:
        """Do not end this connection with any login."""
        self.watch = None

    def take_refusal(self) -> AuthError | None:
        """Return the mark that a gate has left, and remove it."""
        refusal, self.refusal = self.refusal, None
        return refusal

    async def write(self) -> ServiceUnavailable | None:
        """Write what a login or logout has to tell the store; return the error if that could not be written."""
        error = None if self.changes is None else await self.changes.write(self._scope)
        if error is not None:
            _log.warning(
                "%s: a login or logout could not be written to the store: %s", request_line(self._scope), error.log_text
            )
        return error

    def close(self) -> None:
        """End the request; the refusal is dropped, because its traceback holds the request."""
        self.is_open = False
        self.refusal = None
        # What it writes leads back to the record.
        self.changes = None


def mark_refusal(error: AuthError) -> bool:
    """Leave the answer to the middleware around this request, and tell whether there is one.

    For adapters whose framework asks an exception handler of theirs that cannot answer by itself.
    """
    record = CURRENT.get(None)
    if isinstance(record, RequestRecord) and record.is_open:
        record.refusal = error
        return True
    return False


def changeable_record(
    connection: AnyScope | HasScope, config: Config, *, insecure_cross_origin: object = False
) -> tuple[RequestRecord, Scope]:
    """Return the record and the scope of a request that may change who is logged in at a manager.

    It is found through the scope, so that threads which lost the context find it too.

    Raises:
        CrossOriginRequest: Another site made the browser send it (login and logout CSRF).
        RuntimeError: Its middleware does not know the manager, or its response has started.
    """
    scope = scope_of(connection)
    if "asgi_login" not in scope:
        raise RuntimeError(NO_MIDDLEWARE)
    record: RequestRecord | None = scope["asgi_login"]
    if record is None or not record.is_open:
        raise RuntimeError("the request is over: cookies can only be written before its response has started")
    if auth_of_config(record.auth, config) is None:
        raise RuntimeError(f"the manager {config.name!r} is not in this request's AuthMiddleware")
    if record.has_started:
        raise RuntimeError("the response has started: log in or out before it does, its headers are gone")
    trusted = config.session_cookie.trusted_origins if config.session_cookie else frozenset[bytes]()
    problem = None if insecure_cross_origin else config.origins.problem(scope, trusted)
    if problem is not None:
        _log.info("%s: login or logout refused by %s: cross_origin: %s", request_line(scope), config.name, problem)
        config.events.tell("refused", scope, reason="cross_origin")
        record.refuse(config.complete(CrossOriginRequest(problem)))
    return record, scope
