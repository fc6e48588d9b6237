"""What is being handled here: the ContextVar behind `current_auth()` and the decorators."""

from contextvars import ContextVar
from typing import Any, Final, Generic, NoReturn, TypeVar

AuthT = TypeVar("AuthT")


class Holder(Generic[AuthT]):
    """Holds the Auth of whatever is being handled, until that is over.

    Attributes:
        auth: The Auth.
        is_open: False once the response is done: a background task may still hold the context.
    """

    __slots__ = ("auth", "is_open")

    def __init__(self, auth: AuthT) -> None:
        self.auth: AuthT = auth
        self.is_open: bool = True

    def refuse(self, exception: Exception) -> NoReturn:
        """Raise what keeps the request out of a view."""
        try:
            raise exception
        finally:
            # The exception's traceback holds this frame; held by it in turn, it would be garbage to be collected.
            del exception


# It holds an Auth; this floor does not know what that is.
CURRENT: Final[ContextVar[Holder[Any]]] = ContextVar("asgi_login_current")


def current_holder() -> Holder[Any]:
    """Return what holds the Auth of the request being handled.

    Raises:
        RuntimeError: There is none: this is never to be mistaken for an anonymous visitor.
    """
    holder = CURRENT.get(None)
    if holder is None:
        raise RuntimeError(
            "no request is being handled here: wrap the application in AuthMiddleware; in a thread that lost its "
            'context, pass scope["state"]["auth"] along instead; for WSGI and Django\'s test clients, which pass by '
            "AuthMiddleware, there is asgi_login.django.LoginMiddleware"
        )
    if not holder.is_open:
        raise RuntimeError(
            "the request is over (this is a background task, or a stream that outlived it): look at its user before, "
            "and pass along what is needed, or use `with auth.active():`"
        )
    return holder
