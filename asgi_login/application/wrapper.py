"""An application around another one: takes any version of ASGI, and passes on what Starlette asks of a mount."""

from collections.abc import Callable, Sequence
from typing import Any

from asgi_login.application.asgi2 import single_callable
from asgi_login.asgi_types import AnyApp, ASGIApp
from asgi_login.attributes import FixedAttributes


class Wrapper(FixedAttributes):
    """An ASGI application around another one, which passes on what Starlette asks of a mounted application.

    `url_for("admin:users")` looks through the routes of what is mounted as "admin".

    Args:
        app: The application inside; one of ASGI 2 if its signature says so.
    """

    app: ASGIApp

    def __init__(self, app: AnyApp) -> None:
        self.app = single_callable(app)

    @property
    def routes(self) -> Sequence[object]:
        """The routes of the application inside; AttributeError where it has none."""
        app: Any = self.app
        routes: Sequence[object] = app.routes
        return routes

    @property
    def url_path_for(self) -> Callable[..., str]:
        """What the application inside finds the path of a route by; AttributeError where it has none."""
        app: Any = self.app
        url_path_for: Callable[..., str] = app.url_path_for
        return url_path_for


def find_inside(app: object, kind: type[object]) -> object:
    """Return the application of that class that `app` is or has inside, as far as anybody can see, or None."""
    while app is not None and not isinstance(app, kind):
        # As our own classes and Starlette's middleware call it, then Quart, then Starlette's application.
        inside = (getattr(app, name, None) for name in ("app", "asgi_app", "middleware_stack"))
        app = next(filter(callable, inside), None)
    return app
