"""Django: a middleware that answers AuthError, sets `request.user`, and works in Django's test clients and over WSGI.

Tested with Django 5.2 and later.
"""
# Django has no types of its own.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Callable, Sequence
from typing import Any, cast

from asgi_login.auth import AnyAuth, get_auth
from asgi_login.config import HasConfig
from asgi_login.exchange import auth_error_in, http_answer
from asgi_login.middleware import AuthMiddleware
from asgi_login.scope import Headers, Message, Receive, Scope, Send
from asgi_login.transports import put_cookie

try:
    from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction, sync_to_async
    from django.apps import apps
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.http import HttpResponse
    from django.utils.module_loading import import_string
except ImportError as _missing:
    raise ImportError("asgi_login.django needs Django 5.2 or later: pip install django") from _missing

_SETTING = "ASGI_LOGIN_MANAGER"
# The key in the scope under which the exchange waits for `_respond`.
_EXCHANGE = "asgi_login.django"


class LoginMiddleware:
    """Finds out who sent a request, for `MIDDLEWARE`; the setting `ASGI_LOGIN_MANAGER` names the manager.

    Args:
        get_response: The rest of the application; Django passes it.

    Raises:
        ImproperlyConfigured: The setting `ASGI_LOGIN_MANAGER` is missing, or leads nowhere.

    The setting is a LoginManager, the dotted path of one, or a list of these. Where the application is wrapped in
    AuthMiddleware too, that has found out everything, and this one makes it known to Django.

    Example:
        >>> MIDDLEWARE = ["asgi_login.django.LoginMiddleware"]
        >>> ASGI_LOGIN_MANAGER = "shop.logins.manager"
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[..., object]) -> None:
        self._get_response: Callable[..., Any] = get_response
        # Of asgiref, which knows what Django has marked.
        self._is_async = iscoroutinefunction(get_response)  # pyright: ignore[reportDeprecated]
        # Two managers that cannot be told apart fail here, when Django starts.
        self._logins = AuthMiddleware(self._respond, _managers())
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: object) -> object:
        """Handle one request: return the response, or an awaitable of it where Django is asynchronous."""
        scope = _scope_of(request)
        if scope.get("asgi_login") is None:
            through = self._through_middleware
            return through(request, scope) if self._is_async else async_to_sync(through)(request, scope)
        _tell_django(request, get_auth(scope))
        return self._get_response(request)

    def process_exception(self, request: object, problem: Exception) -> object | None:
        """Answer an AuthError that left a view, so that it is no unhandled exception; called by Django."""
        error = auth_error_in(problem)
        return None if error is None else _response(*http_answer(error, _scope_of(request)))

    async def _through_middleware(self, request: object, scope: Scope) -> object:
        """Give a request that did not come through AuthMiddleware its logins here."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        exchange = scope[_EXCHANGE] = _Exchange(request)
        try:
            await self._logins(scope, _receive_nothing, send)
        finally:
            # The request leads to its scope: each would become a cycle for the garbage collector.
            del scope[_EXCHANGE]
        start, *body = sent
        if body:
            # A refusal in place of the response, or of the view.
            return _response(start, body[0]["body"])
        _write_headers(exchange.response, start["headers"])
        return exchange.response

    async def _respond(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Have Django respond, as the application inside AuthMiddleware."""
        exchange: _Exchange = scope[_EXCHANGE]
        _tell_django(exchange.request, get_auth(scope))
        proceed = self._get_response if self._is_async else sync_to_async(self._get_response)
        response = exchange.response = await proceed(exchange.request)
        await send({"type": "http.response.start", "status": response.status_code, "headers": _header_lines(response)})


class _Exchange:
    """One request of Django's on its way through AuthMiddleware, and Django's response to it."""

    __slots__ = ("request", "response")

    def __init__(self, request: object) -> None:
        self.request = request
        self.response: Any = None


def _managers() -> Sequence[HasConfig]:
    """Return the managers that the settings name."""
    setting: Any = getattr(settings, _SETTING, None)
    if setting is None:
        raise ImproperlyConfigured(
            f'asgi_login.django.LoginMiddleware needs the setting {_SETTING}: write {_SETTING} = "shop.logins.manager"'
        )
    found = setting if isinstance(setting, (list, tuple)) else [setting]
    try:
        managers = [import_string(one) if isinstance(one, str) else one for one in cast("Sequence[Any]", found)]
    except ImportError as problem:
        raise ImproperlyConfigured(f"{_SETTING}: {problem}") from problem
    return managers


def _scope_of(request: Any) -> Scope:  # noqa: ANN401 - Django has no types of its own, also below
    """Return the ASGI scope of a request; one that came over WSGI is given what it would have."""
    scope: Scope | None = getattr(request, "scope", None)
    if scope is None:
        scope = _scope_from_wsgi(request)
        # So that `get_auth(request)` and `login_user(request, ...)` find it.
        request.scope = scope
    return scope


def _scope_from_wsgi(request: Any) -> Scope:  # noqa: ANN401
    meta = request.META
    # WSGI has decoded the headers as ISO-8859-1. Without a Host, the server's name stands for it (PEP 3333).
    lines = {"host": f"{meta.get('SERVER_NAME', '')}:{meta.get('SERVER_PORT', '')}", **_lower_case(request.headers)}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "root_path": meta.get("SCRIPT_NAME", ""),
        "query_string": meta.get("QUERY_STRING", "").encode("latin-1"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()],
        "client": (meta.get("REMOTE_ADDR", ""), 0),
        "server": (meta.get("SERVER_NAME", ""), int(meta.get("SERVER_PORT") or 0)),
    }


def _lower_case(headers: Any) -> dict[str, str]:  # noqa: ANN401
    return {name.lower(): value for name, value in headers.items()}


def _tell_django(request: Any, auth: AnyAuth) -> None:  # noqa: ANN401
    """Set `request.user` and `request.auser`; without a credential of ours, what another has set stays."""
    if auth.is_authenticated:
        user = auth.user
    elif hasattr(request, "user") and auth.error is None:
        return
    else:
        user = _anonymous()

    async def auser() -> Any:  # noqa: ANN401 - the application's user
        return user

    request.user = user
    request.auser = auser


def _anonymous() -> object:
    """Return Django's AnonymousUser, or None for an application without Django's users."""
    if not apps.is_installed("django.contrib.auth"):
        return None
    # It cannot be imported where it is not installed.
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415

    return AnonymousUser()


def _response(start: Message, body: bytes) -> HttpResponse:
    response = HttpResponse(body, status=start["status"])
    del response["Content-Type"]
    _write_headers(response, start["headers"])
    return response


def _header_lines(response: Any) -> Headers:  # noqa: ANN401
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    return [*lines, *((b"set-cookie", line.encode()) for line in _cookie_lines(response))]


def _cookie_lines(response: Any) -> list[str]:  # noqa: ANN401
    return [morsel.OutputString() for morsel in response.cookies.values()]


def _write_headers(response: Any, headers: Headers) -> None:  # noqa: ANN401
    """Make a response have these headers, and beside its own cookies those among them."""
    written = _cookie_lines(response)
    lines = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
    for name in {name.lower() for name in response.headers} - {name for name, _ in lines}:
        del response[name]
    joined: dict[str, str] = {}
    for (name, line), pair in zip(lines, headers, strict=True):
        if name != "set-cookie":
            # Django keeps one line of each name. A list may be written into one (RFC 9110 §5.3), also of challenges.
            response[name] = joined[name] = f"{joined[name]}, {line}" if name in joined else line
        elif line not in written:
            put_cookie(response, pair)


async def _receive_nothing() -> Message:
    raise RuntimeError("Django has read the request")
