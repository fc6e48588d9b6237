"""The ContextVar behind `current_auth()` and the decorators."""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final, NoReturn

HOW_TO_INSTALL: Final = (
    "call install(app, manager) of asgi_login.starlette, asgi_login.fastapi or asgi_login.quart, add "
    "LoginPlugin(manager) of asgi_login.litestar, or wrap the application in AuthMiddleware(app, manager)"
)


class Holder:
    """Holds the Auth of the request that is being handled, until it is over.

    Attributes:
        auth: The Auth.
        is_open: False once the response is done; a background task may still have the context.
    """

    __slots__ = ("auth", "is_open")

    # An Auth, which this module does not import.
    def __init__(self, auth: Any) -> None:  # noqa: ANN401
        self.auth: Any = auth
        self.is_open: bool = True

    @property
    def scope(self) -> MutableMapping[str, Any] | None:
        """The scope of the request, or None where there is no request."""
        return None

    def is_options(self) -> bool:
        """Tell whether an OPTIONS request is handled."""
        return False

    def refuse(self, exception: Exception) -> NoReturn:
        """Raise what keeps the request out of a view."""
        try:
            raise exception
        finally:
            # The traceback of the exception refers to this frame. A reference back would make cyclic garbage.
            del exception


CURRENT: Final[ContextVar[Holder]] = ContextVar("asgi_login_current")


def current_holder() -> Holder:
    """Return what holds the Auth of the request being handled.

    Raises:
        RuntimeError: There is none. That must never be taken for an anonymous visitor.
    """
    holder = CURRENT.get(None)
    if holder is None:
        raise RuntimeError(
            f"no request is being handled here: {HOW_TO_INSTALL}; in a thread that lost its context, pass "
            'scope["state"]["auth"] along instead; for WSGI and Django\'s test clients, which pass by AuthMiddleware, '
            "there is asgi_login.django.LoginMiddleware"
        )
    if not holder.is_open:
        raise RuntimeError(
            "the request is over (this is a background task, or a stream that outlived it): look at its user before, "
            "and pass along what is needed, or use `with auth.active():`"
        )
    return holder
