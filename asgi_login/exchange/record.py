"""The record of a request: what gates, middleware and managers tell each other about it."""

import sys
from contextvars import ContextVar
from typing import Final, NoReturn

from asgi_login.auth import NO_MIDDLEWARE, AnyAuth, HasScope, scope_of
from asgi_login.config import Config
from asgi_login.errors import AuthError, CrossOriginRequest
from asgi_login.scope import NO_COOKIES, AnyScope, Cookies, Scope, Send
from asgi_login.transports import check_origin


class RequestRecord:
    """What is known of one request while it is handled.

    Attributes:
        auth: The outcome of the request.
        renewed: The header pairs that the session itself has to write back, by the cookie's name.
        cookies: Those of a login or logout in this request.
        refusal: The error that a gate has raised out of a view and that nobody has answered yet.
        has_started: Whether the response is on its way, so that it can carry no more cookies.
        is_open: False once the response is done: a background task may still hold the context.
    """

    __slots__ = (
        "_outside",
        "_scope",
        "_send",
        "auth",
        "cookies",
        "has_started",
        "is_open",
        "refusal",
        "renewed",
    )

    def __init__(self, auth: AnyAuth, renewed: Cookies, scope: Scope, send: Send) -> None:
        self.auth: AnyAuth = auth
        self.renewed: Cookies = renewed
        self.cookies: Cookies = NO_COOKIES
        self.refusal: AuthError | None = None
        self.has_started: bool = False
        self.is_open: bool = True
        self._scope = scope
        self._send = send
        # What was being handled when the request came in, say by a test that sends one out of an `except` block.
        self._outside = sys.exception()

    def refuse(self, exception: Exception) -> NoReturn:
        """Raise what keeps the request out, and leave a mark of it.

        An exception of the application's own leaves none: it has a handler of its own, only ours needs somebody to
        answer it.
        """
        self.refusal = exception if isinstance(exception, AuthError) else None
        try:
            raise exception
        finally:
            # The exception's traceback holds this frame; held by it in turn, it would be garbage to be collected.
            del exception

    def take_refusal(self) -> AuthError | None:
        """Return the mark that a gate has left, and remove it."""
        refusal, self.refusal = self.refusal, None
        return refusal

    def close(self) -> None:
        """End the request; the refusal is dropped, because its traceback holds the request."""
        self.is_open = False
        self.refusal = None


CURRENT_RECORD: Final[ContextVar[RequestRecord]] = ContextVar("asgi_login_record")


def current_record() -> RequestRecord:
    """Return the record of the request being handled.

    Raises:
        RuntimeError: There is none: this is never to be mistaken for an anonymous visitor.
    """
    record = CURRENT_RECORD.get(None)
    if record is None:
        raise RuntimeError(
            "no request is being handled here: wrap the application in AuthMiddleware; in a thread that lost its "
            'context, pass scope["state"]["auth"] along instead'
        )
    if not record.is_open:
        raise RuntimeError(
            "the request is over (this is a background task, or a stream that outlived it): look at its user before, "
            "and pass along what is needed"
        )
    return record


def current_auth() -> AnyAuth:
    """Return the Auth of the request being handled, from the ContextVar.

    Raises:
        RuntimeError: Outside a request that AuthMiddleware handles, and after it.
    """
    return current_record().auth


def record_of(scope_or_connection: AnyScope | HasScope) -> RequestRecord:
    """Return the record of a request, from its scope: also in threads that lost the context.

    Raises:
        RuntimeError: The scope did not pass through AuthMiddleware, or the request is over.
    """
    scope = scope_of(scope_or_connection)
    if "asgi_login" not in scope:
        raise RuntimeError(NO_MIDDLEWARE)
    record: RequestRecord | None = scope["asgi_login"]
    if record is None or not record.is_open:
        raise RuntimeError("the request is over: cookies can only be written before its response has started")
    return record


def changeable_record(connection: AnyScope | HasScope, config: Config) -> tuple[RequestRecord, Scope]:
    """Return the record and the scope of a request that may change who is logged in at a manager.

    Raises:
        CrossOriginRequest: Another site made the browser send it (login and logout CSRF).
        RuntimeError: Its middleware does not know the manager, or its response has started.
    """
    record, scope = record_of(connection), scope_of(connection)
    if not record.auth.knows(config):
        raise RuntimeError(f"the manager {config.name!r} is not in this request's AuthMiddleware")
    if record.has_started:
        raise RuntimeError("the response has started: log in or out before it does, its headers are gone")
    trusted = config.session_cookie.trusted_origins if config.session_cookie else frozenset[bytes]()
    problem = check_origin(scope, trusted)
    if problem is not None:
        record.refuse(config.fill_in(CrossOriginRequest(problem)))
    return record, scope
