"""Quart: one line installs the middleware and the answers to AuthError; `current_user` is the user.

Tested with Quart 0.20 and later.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from asgi_login.auth import current_auth
from asgi_login.config import HasConfig
from asgi_login.errors import AuthError
from asgi_login.exchange import http_answer, mark_refusal, note_failure
from asgi_login.middleware import AuthMiddleware
from asgi_login.oauth import Endpoint, Endpoints

try:
    from quart import Quart, Response, current_app, has_websocket_context, request, websocket
    from quart.signals import got_request_exception, got_websocket_exception
    from werkzeug.local import LocalProxy
except ImportError as _missing:
    raise ImportError("asgi_login.quart needs Quart 0.20 or later: pip install quart") from _missing


class _CurrentUser(LocalProxy[Any]):
    """A proxy that is never taken for an anonymous visitor: werkzeug's is false where there is no request."""

    def __bool__(self) -> bool:
        return bool(self._get_current_object())


# Of the type that the application's user loader returns, which Quart has no way to tell a type checker.
current_user: Any = _CurrentUser(lambda: current_auth().user)
"""The user of the request or websocket being handled; false where there is none. `current_user._get_current_object()`
is the user itself. RuntimeError outside a request."""


def install(
    app: Quart,
    manager: HasConfig | Sequence[HasConfig],
    *,
    skip: Iterable[str] = (),
    passive: Iterable[str] = (),
    end_connections: bool = False,
    endpoints: Sequence[Endpoint] = (),
) -> None:
    """Add AuthMiddleware to an application and answer AuthError in its HTTP and websocket views.

    In templates `current_user` is the user, or None.

    Args:
        app: The application. What wraps `app.asgi_app` later lies outside, where CORS belongs.
        manager: One LoginManager, or several.
        skip: Paths, and everything below them, where requests are not authenticated.
        passive: Paths, and everything below them, at which a session is not renewed.
        end_connections: Whether websockets and streaming responses end with their login: see AuthMiddleware.
        endpoints: Endpoints of `asgi_login.oauth`, which lie outside of AuthMiddleware.

    A handler that the application itself has for AuthError stays.

    Example:
        >>> app = Quart(__name__)
        >>> install(app, manager)
    """
    if not isinstance(app, Quart):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"install(app, manager) takes the application first, not {type(app).__name__}")
    if "asgi_login" in app.extensions:
        raise ValueError("install() takes all managers of an application at once: install(app, [web, api])")
    wrapped: Any = AuthMiddleware(app.asgi_app, manager, skip=skip, passive=passive, end_connections=end_connections)
    app.asgi_app = Endpoints(wrapped, *endpoints) if endpoints else wrapped  # type: ignore[method-assign]
    app.extensions["asgi_login"] = manager
    # A handler that the application has registered for this is what it wants.
    if AuthError not in app.error_handler_spec[None][None]:
        app.register_error_handler(AuthError, _answer_auth_error)
    got_request_exception.connect(_note_failure, app)
    got_websocket_exception.connect(_note_failure, app)
    # First, so that a `current_user` of the application's own processors stays.
    app.template_context_processors[None].insert(0, _add_user_to_template)


async def _add_user_to_template() -> dict[str, Any]:
    """Give a template `current_user`; asynchronous, because Quart runs a plain function in a thread."""
    # For macros that are imported without the context. An undefined name would look like nobody there.
    current_app.jinja_env.globals.setdefault("current_user", current_user)
    try:
        return {"current_user": current_auth().user}
    except RuntimeError:
        # No request is being handled, as with the text of a mail: who uses the name nevertheless is told.
        return {}


async def _answer_auth_error(error: AuthError) -> Response:
    """Answer an AuthError that left a view."""
    if has_websocket_context():
        # Quart ends a websocket with close 1000 whatever this returns; the middleware knows the right end.
        mark_refusal(error)
        scope: Any = websocket.scope
    else:
        scope = request.scope
        if request.method == "OPTIONS" and request.url_rule is not None and request.url_rule.provide_automatic_options:
            # A hook has refused, such as `before_request`; behind it no view runs, but Quart lists the methods.
            return await current_app.make_default_options_response()
    start, body = http_answer(error, {"method": "", **scope})
    response = Response(body, status=start["status"])
    response.headers.clear()
    for name, value in start["headers"]:
        response.headers.add(name.decode(), value.decode())
    return response


async def _note_failure(_app: Quart, *, exception: Exception, **_more: object) -> None:
    """Let a view that has caught a refusal fail in its own way: Quart sends its 500 after its `except` block."""
    note_failure(exception)
