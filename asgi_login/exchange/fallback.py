"""What a fall-back needs to know, of HTTP and websockets alike, to put a refusal's own answer in its place.

A decorator raises AuthError out of a view. A framework that does not know it answers 500, closes the websocket,
or lets it escape.
"""

import logging
import re
import sys
from typing import Final, cast

from asgi_login.current import CURRENT
from asgi_login.errors import AuthError
from asgi_login.exchange.record import RequestRecord
from asgi_login.scope import Scope, request_line

_RESPONSE_STARTED: Final = re.compile("response (already )?started")
IN_PLACE: Final = "answered in place of the application"
BROKEN_OFF: Final = "broke off a response that had started"
CLOSED: Final = "closed a websocket that was open"
_log = logging.getLogger("asgi_login")


def is_another_failure(outside: BaseException | None) -> bool:
    """Tell whether what the application is failing with, as it sends this, is something else than a refusal.

    A framework that answers from its `except` block shows us the exception; one that does not has only the
    refusal to fail with, as far as anybody can tell. What was being handled around us before does not count.
    """
    handled = sys.exception()
    return isinstance(handled, Exception) and handled is not outside and auth_error_in(handled) is None


def auth_error_in(problem: BaseException) -> AuthError | None:
    """Return the AuthError that `problem` is, or the first of a group of nothing else, as task groups make them."""
    if isinstance(problem, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", problem)
        errors = [auth_error_in(one) for one in group.exceptions]
        return errors[0] if None not in errors else None
    return problem if isinstance(problem, AuthError) else None


def refusal_in(problem: BaseException) -> AuthError | None:
    """Return the AuthError that `problem` is or stands for.

    Starlette and Litestar have a handler for it, find that the response has started, and raise an exception of their
    own from it. One that the application raises from it is a failure of the application's.
    """
    cause = problem.__cause__
    if cause is not None and _RESPONSE_STARTED.search(str(problem)):
        problem = cause
    return auth_error_in(problem)


def log_end(scope: Scope, problem: Exception) -> None:
    """Log what an application failed with when its connection ended with its login, unless it just let itself stop."""
    if not isinstance(problem, OSError):
        _log.info("%s: the application failed when its connection ended", request_line(scope), exc_info=problem)


def note_failure(problem: Exception) -> None:
    """Drop the mark of a refusal if the application fails with something else: it had caught the refusal.

    For adapters of frameworks that tell of a failure, and answer when they no longer handle it.
    """
    record = CURRENT.get(None)
    if isinstance(record, RequestRecord) and auth_error_in(problem) is None:
        record.take_refusal()


def log_refusal(scope: Scope, error: AuthError, what: str) -> None:
    """Log why the application's own answer is not the one that is sent."""
    _log.info("%s: %s (%s) %s", request_line(scope), type(error).__name__, error.log_text, what)
