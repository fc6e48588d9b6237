"""What keeps a request out: decorators for views of any framework, and Gate, the same around an ASGI application."""

import logging
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast, overload

from asgi_login.application import Wrapper, find_inside, leaves_options_to_framework, path_prefixes, under
from asgi_login.auth import AnyAuth, auth_of_manager, get_auth, refusal, settings_of, write_to_state
from asgi_login.config import Config
from asgi_login.current import current_holder
from asgi_login.errors import (
    AuthError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    NotAuthenticated,
    new_exception,
)
from asgi_login.exchange import RequestRecord, answer, mark_refusal
from asgi_login.loader import is_async_callable
from asgi_login.middleware import AuthMiddleware
from asgi_login.scope import (
    AnyApp,
    ASGIReceive,
    ASGIScope,
    ASGISend,
    FrameworkReceive,
    FrameworkScope,
    FrameworkSend,
    Receive,
    Scope,
    Send,
    has_too_many_lines,
    header,
    request_line,
)
from asgi_login.tokens import check_scope_names

_log = logging.getLogger("asgi_login")
P = ParamSpec("P")
R = TypeVar("R")


@overload
def login_required(view: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def login_required(*, manager: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def login_required(view: Callable[..., Any] | None = None, /, *, manager: str | None = None) -> Any:
    """Let a view run for logged-in users only (401 otherwise).

    Args:
        view: A plain or async function of any framework; its signature is kept and never looked at.
        manager: The name of the manager whose users are meant; None for every manager's.

    The view raises AuthError, or the manager's `not_authenticated_exception`; RuntimeError where no request is
    being handled.

    Example:
        >>> @login_required
        ... async def profile(request): ...
    """
    return _decorator("login_required", view, manager=manager)


@overload
def fresh_login_required(view: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def fresh_login_required(*, manager: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def fresh_login_required(view: Callable[..., Any] | None = None, /, *, manager: str | None = None) -> Any:
    """Let a view run only for users who proved who they are within `Sessions(fresh_for=)` (401, RFC 9470).

    Args:
        view: A plain or async function of any framework.
        manager: The name of the manager whose users are meant; None for every manager's.
    """
    return _decorator("fresh_login_required", view, fresh=True, manager=manager)


def requires_scopes(*scopes: str, manager: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view run only where the token grants all of `scopes` (403, RFC 6750 §3.1; 401 without a user).

    Args:
        scopes: Compared exactly; "read" does not imply "read:all", nor the reverse.
        manager: The name of the manager whose users are meant; None for every manager's.

    Raises:
        TypeError: Called without a scope, or with the view itself.
        ValueError: A scope is empty or has a space in it.

    Example:
        >>> @requires_scopes("orders:read", "orders:write")
        ... async def orders(request): ...
    """
    names = check_scope_names("requires_scopes", scopes)
    if not names:
        raise TypeError("requires_scopes() needs at least one scope; for any user at all there is login_required")
    return cast(
        "Callable[[Callable[P, R]], Callable[P, R]]",
        _decorator("requires_scopes", None, scopes=names, manager=manager),
    )


class Gate(Wrapper):
    """Keeps requests out of an ASGI application or a mounted part of one.

    Args:
        app: The application behind the gate; one of ASGI 2 if its signature says so.
        scopes: OAuth scopes that are all needed; none of them means that any user may pass.
        fresh: Whether a fresh login is needed.
        manager: The name of the manager whose users may pass; None for every manager's.
        exempt: Paths below the server's `root_path` that stay open with everything below them, by whole segments:
            "/static" opens /static/x, not /staticadmin. The path of a mount is part of them.
        end_connections: Whether open connections end with their login, as with `AuthMiddleware(end_connections=)`.

    Raises:
        TypeError, ValueError: An argument is no sequence of scopes or paths.

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
        end_connections: bool = False,
    ) -> None:
        super().__init__(app)
        self._scopes = check_scope_names("Gate(scopes=)", scopes)
        self._fresh = fresh
        self._manager = manager
        self._exempt = path_prefixes("exempt", exempt)
        self._end_connections = end_connections

    @overload
    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None: ...
    @overload
    async def __call__(self, scope: FrameworkScope, receive: FrameworkReceive, send: FrameworkSend) -> None: ...
    # A scope or message that is annotated as a TypedDict or a Mapping is a dict all the same.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[misc]
        """Let one connection pass, or answer it."""
        if scope["type"] not in {"http", "websocket"} or (self._exempt and under(scope, self._exempt)):
            await self.app(scope, receive, send)
            return
        if _is_preflight(scope):
            # Passing it on would open views that answer OPTIONS: browsers send no credential with it.
            await _answer_preflight(send)
            return
        auth = auth_of_manager(self._auth_of(scope), self._manager)
        error = refusal(auth, self._scopes, fresh=self._fresh)
        if error is None:
            if self._end_connections:
                self._end_with_login(scope)
            await self.app(scope, receive, send)
            return
        if auth.error is None:
            # Why a credential was refused is in the log already.
            _log.info("%s: %s from a Gate: %s", request_line(scope), type(error).__name__, error.reason)
        if scope["type"] == "websocket" and mark_refusal(error):
            # The middleware knows how the application wants to have a websocket refused (`websocket_denial`).
            await send({"type": "websocket.close"})
        else:
            await answer(error, scope, send)

    def _end_with_login(self, scope: Scope) -> None:
        record: RequestRecord = scope["asgi_login"]
        record.end_with_login(self._manager)
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


def application_exception(config: Config, error: AuthError) -> Exception:
    """Return what a decorator or dependency raises for `error`: the application's own exception, where it has one."""
    own = None
    if isinstance(error, InsufficientScope):
        own = config.out_of_scope_exception
    elif isinstance(error, (NotAuthenticated, InvalidToken, InvalidRequest)):
        own = config.not_authenticated_exception
    return error if own is None else new_exception(own)


def check_current(
    scopes: tuple[str, ...] = (), *, fresh: bool = False, manager: str | None = None, view: object = None
) -> None:
    """Raise what keeps the request being handled out of a view, if anything does, and leave a mark of it.

    Nothing does where the framework makes the answer to OPTIONS in place of the view: browsers send no credential when
    they ask what is allowed.

    Raises:
        Exception: An AuthError, or the exception that the application has in its place.
        RuntimeError: No request is being handled here.
    """
    holder = current_holder()
    error = refusal(holder.auth, scopes, fresh=fresh, manager=manager)
    if error is None or (holder.is_options() and leaves_options_to_framework(view)):
        return
    try:
        holder.refuse(application_exception(settings_of(holder.auth, manager), error))
    finally:
        del error  # whose traceback holds this frame


def _decorator(
    name: str,
    view: Callable[..., Any] | None,
    *,
    scopes: tuple[str, ...] = (),
    fresh: bool = False,
    manager: str | None = None,
) -> Any:  # noqa: ANN401 - the overloads of the public names say what it is
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(function) or isinstance(function, type):
            raise TypeError(
                f"{name} decorates a function or method; around a class or application use Gate, and to name a manager "
                f'write {name}(manager="web")'
            )
        if is_async_callable(function):

            @wraps(function)
            async def async_gate(*args: object, **kwargs: object) -> object:
                check_current(scopes, fresh=fresh, manager=manager, view=function)
                return await function(*args, **kwargs)

            return async_gate

        @wraps(function)
        def gate(*args: object, **kwargs: object) -> object:
            check_current(scopes, fresh=fresh, manager=manager, view=function)
            return function(*args, **kwargs)

        return gate

    return decorate if view is None else decorate(view)
