"""The ASGI shell: authenticates each connection, tells the application through the scope, and cleans up."""

import logging
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast, overload

from asgi_login.application import Wrapper, path_prefixes, under
from asgi_login.asgi_types import (
    AnyApp,
    ASGIApp,
    ASGIReceive,
    ASGIScope,
    ASGISend,
    FrameworkReceive,
    FrameworkScope,
    FrameworkSend,
)
from asgi_login.auth import AnyAuth, all_settings_of, blocking_error, varies_with, write_to_state
from asgi_login.authenticator import Authenticator, Renew
from asgi_login.config import Config, HasConfig
from asgi_login.current import CURRENT
from asgi_login.errors import AuthError
from asgi_login.exchange import HTTPRecord, OpenConnections, RequestRecord, WebSocketRecord, answer
from asgi_login.manager_clashes import check_managers, check_newcomer
from asgi_login.multi_authenticator import MultiAuthenticator
from asgi_login.scope import NO_COOKIES, Cookies, Receive, Scope, Send
from asgi_login.sessions import keep_session, renew_session
from asgi_login.settings import is_route_name

_log = logging.getLogger("asgi_login")
# Looked up once: each look-up of a method of an imported object makes an object.
_set_current: Final = CURRENT.set
_reset_current: Final = CURRENT.reset
_NOTHING: Final[tuple[bytes, ...]] = ()


class AuthMiddleware(Wrapper):
    """Wraps any ASGI application; afterwards `scope["state"]` has `user`, `scopes` and `auth`.

    Args:
        app: The application; one of ASGI 2 if its signature says so: see `asgi_login.asgi2`.
        manager: One LoginManager, or several: the headers of all are read first, then their cookies.
        skip: Paths below the server's `root_path`, and everything below them, where requests are not authenticated:
            they are anonymous.
        passive: Paths, like those of `skip`, at which a session is not renewed: what a page asks for by itself.
        end_connections: Whether open connections end with their login, when it expires or is ended in a store: a
            websocket is closed with 4401, and a streaming response is broken off at its next part. A session on an open
            websocket counts as used, and expires with its `lifetime`.
        resolve_route: From the name of a route to its path; the Starlette and FastAPI adapters pass it.
        deny_websocket: An ASGI application that refuses a websocket in a framework's way; the adapters pass it.

    Raises:
        ValueError: Two managers cannot be told apart, or `redirect_to` names a route that nobody resolves.

    A bad credential does not stop a public page; a gate answers for it. Two errors are answered here: a cross-origin
    request with a cookie (403), and a store that does not answer (503).

    Example:
        >>> async def hello(scope, receive, send): ...
        >>> manager = LoginManager(secrets.token_bytes(32))
        >>> app = AuthMiddleware(hello, manager, skip=["/static"])
    """

    _otherwise = "set it on the application inside, which is the middleware's .app, or on the manager's constructor"

    def __init__(
        self,
        app: AnyApp,
        manager: HasConfig | Sequence[HasConfig],
        skip: Iterable[str] = (),
        *,
        passive: Iterable[str] = (),
        end_connections: bool = False,
        resolve_route: Callable[[str], str] | None = None,
        deny_websocket: ASGIApp | None = None,
    ) -> None:
        managers = manager if isinstance(manager, Sequence) else (manager,)
        for one in managers:
            if not isinstance(getattr(one, "config", None), Config):
                raise TypeError(
                    f"AuthMiddleware(app, manager) takes a LoginManager, or a list of them, not {type(one).__name__}"
                )
        configs = [_resolved(one.config, resolve_route) for one in managers]
        check_managers(configs)
        self._configs = configs
        self._met: list[Config] = []
        super().__init__(app)
        self._authenticator: Any = _authenticator(configs, renew_session)
        self._passive_authenticator: Any = _authenticator(configs, keep_session)
        self._skip = path_prefixes("skip", skip)
        self._passive = path_prefixes("passive", passive)
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
        if state is None or state is self._lifespan_state or not self._is_lifespan_state_checked:
            state = self._own_state(scope)
        write_to_state(auth, state)
        outer: RequestRecord | None = scope.get("asgi_login")
        if outer is not None:
            self._meet(outer)
        scope["asgi_login"] = record
        # Set for anonymous requests too: uvicorn and daphne handle the next request of a connection in the
        # same context, and what was set for a logged-in user would still be there.
        token = _set_current(record)
        try:
            await app(scope, receive, record.send)
            if record.refusal is not None:
                await record.handle_silence()
        except Exception as problem:  # noqa: BLE001 - raised again where it is not ours
            await record.handle_exception(problem)
        finally:
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

    def _own_state(self, scope: Scope) -> MutableMapping[str, object]:
        """Return the request's own state, to be written in place: middleware outside reads it there afterwards."""
        if not self._is_lifespan_state_checked:
            self._check_lifespan_state()
        state: dict[str, object] | None = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        elif state is self._lifespan_state:
            # The server handed out the state of all requests; one of them must not write into it.
            state = scope["state"] = dict(state)
        return state

    def _check_lifespan_state(self) -> None:
        """Warn of what is lost, at the first request, when the application has filled the state of its lifespan."""
        self._is_lifespan_state_checked = True
        names = {"user", "scopes", "auth"}.intersection(cast("dict[str, object]", self._lifespan_state or {}))
        if names:
            _log.warning(
                "the lifespan state has %s, which AuthMiddleware replaces in each request: choose another name",
                " and ".join(map(repr, sorted(names))),
            )


async def _answer(error: AuthError, scope: Scope, _receive: Receive, send: Send) -> None:
    """Be the application of a request that the real one does not see."""
    await answer(error, scope, send)


def _authenticator(configs: Sequence[Config], renew: Renew) -> Any:  # noqa: ANN401 - one for one manager, or for several
    each = [Authenticator[Any](config, renew, is_alone=len(configs) == 1) for config in configs]
    return each[0] if len(each) == 1 else MultiAuthenticator(each)


def _resolved(config: Config, resolve_route: Callable[[str], str] | None) -> Config:
    """Return the settings with the paths of the routes whose names stand in them."""
    urls = {"redirect_to": config.redirect_to}
    if config.sessions is not None:
        urls["reauthenticate_at"] = config.sessions.reauthenticate_at
    names = {argument: url for argument, url in urls.items() if url is not None and is_route_name(url)}
    if not names:
        return config
    routes: dict[str, str] = {}
    for argument, name in names.items():
        if resolve_route is None:
            raise ValueError(
                f"{argument}={name!r} is the name of a route, which only the Starlette and FastAPI adapters can "
                "resolve: write the path of the page, or use their install()"
            )
        try:
            routes[name] = resolve_route(name)
        except Exception as problem:
            problem.add_note(f"{argument}={name!r} is taken for the name of a route, because it has no slash")
            raise
    return replace(config, routes=routes)
