"""The ASGI shell: authenticates each connection, tells the application through the scope, and cleans up."""

import logging
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, cast

from asgi_login.attributes import FixedAttributes
from asgi_login.auth import cross_origin_error, write_to_state
from asgi_login.authenticator import Authenticator
from asgi_login.config import Config, HasConfig, is_route_name
from asgi_login.current import CURRENT
from asgi_login.exchange import HTTPRecord, WebSocketRecord, answer
from asgi_login.identities import Identities
from asgi_login.scope import NO_COOKIES, ASGIApp, Receive, Scope, Send, path_prefixes, under

_log = logging.getLogger("asgi_login")


class AuthMiddleware(FixedAttributes):
    """Wraps any ASGI application; afterwards `scope["state"]` has `user`, `scopes` and `auth`.

    Args:
        app: The application.
        manager: One LoginManager, or several: the headers of all are read first, then their cookies.
        skip: Paths, and everything below them, at which nobody is looked at: the request is anonymous there.
        resolve_route: From the name of a route to its path; the Starlette and FastAPI adapters pass it.
        deny_websocket: An ASGI application that refuses a websocket in a framework's way; the adapters pass it.

    Raises:
        ValueError: Two managers cannot be told apart, or `redirect_to` names a route that nobody resolves.

    A bad credential does not stop a public page; a gate answers for it. The one thing that is answered here is a
    request that another site has made the browser send with the user's cookie (403).

    Example:
        >>> async def hello(scope, receive, send): ...
        >>> manager = LoginManager(secrets.token_bytes(32))
        >>> app = AuthMiddleware(hello, manager, skip=["/static"])
    """

    app: ASGIApp
    _otherwise = "set it on the application inside, which is the middleware's .app, or on the manager's constructor"

    def __init__(
        self,
        app: ASGIApp,
        manager: HasConfig | Sequence[HasConfig],
        skip: Iterable[str] = (),
        *,
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
        _check_distinct(configs)
        self.app = app
        self._authenticator: Any = Authenticator[Any](configs[0]) if len(configs) == 1 else Identities(configs)
        self._skip = path_prefixes("skip", skip)
        self._deny_websocket = deny_websocket
        self._lifespan_state: object = None
        self._own_state = self._state_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        kind = scope["type"]
        if kind not in {"http", "websocket"}:
            if kind == "lifespan":
                self._lifespan_state = scope.get("state")
                self._own_state = self._first_own_state
            await self.app(scope, receive, send)
            return
        skipped = self._skip and under(scope, self._skip)
        credential = None if skipped else self._authenticator.find(scope)
        if credential is None:
            auth, renewed = self._authenticator.anonymous, NO_COOKIES
        else:
            auth, renewed = await self._authenticator.authenticate(scope, credential)
        if kind == "http":
            record: HTTPRecord | WebSocketRecord = HTTPRecord(auth, renewed, scope, send)
        else:
            record = WebSocketRecord(auth, renewed, scope, send, receive, deny=self._deny_websocket)
            receive = record.receive
        write_to_state(auth, self._own_state(scope))
        outer = scope.get("asgi_login")
        scope["asgi_login"] = record
        # Set for anonymous requests too: uvicorn and daphne handle the next request of a connection in the
        # same context, and what was set for a logged-in user would still be there.
        token = CURRENT.set(record)
        try:
            cross_origin = cross_origin_error(auth)
            if cross_origin is not None:
                await answer(cross_origin, scope, record.send)
            else:
                await self.app(scope, receive, record.send)
        except Exception as problem:  # noqa: BLE001 - raised again where it is not ours
            await record.handle_exception(problem)
        finally:
            record.close()
            CURRENT.reset(token)
            # The record leads back to the scope: each request would become a cycle for the garbage collector.
            scope["asgi_login"] = outer

    def _state_of(self, scope: Scope) -> MutableMapping[str, object]:
        """Return the request's own state, to be written in place: middleware outside reads it there afterwards."""
        state: dict[str, object] | None = scope.get("state")
        if state is None:
            state = scope["state"] = {}
        elif state is self._lifespan_state:
            # The server handed out the state of all requests; one of them must not write into it.
            state = scope["state"] = dict(state)
        return state

    def _first_own_state(self, scope: Scope) -> MutableMapping[str, object]:
        """Do the same for the first request, when the application has filled the state of its lifespan."""
        self._own_state = self._state_of
        names = {"user", "scopes", "auth"}.intersection(cast("dict[str, object]", self._lifespan_state or {}))
        if names:
            _log.warning(
                "the lifespan state has %s, which AuthMiddleware replaces in each request: choose another name",
                " and ".join(map(repr, sorted(names))),
            )
        return self._state_of(scope)


def _resolved(config: Config, resolve_route: Callable[[str], str] | None) -> Config:
    """Return the settings with paths in place of the names of routes."""

    def resolved(argument: str, url: str | None) -> str | None:
        if url is None or not is_route_name(url):
            return url
        if resolve_route is None:
            raise ValueError(
                f"{argument}={url!r} is the name of a route, which only the Starlette and FastAPI adapters can "
                "resolve: write the path of the page, or use their install()"
            )
        try:
            return resolve_route(url)
        except Exception as problem:
            problem.add_note(f"{argument}={url!r} is taken for the name of a route, because it has no slash")
            raise

    sessions = config.sessions
    if sessions is not None:
        sessions = replace(sessions, reauthenticate_at=resolved("reauthenticate_at", sessions.reauthenticate_at))
    return replace(config, redirect_to=resolved("redirect_to", config.redirect_to), sessions=sessions)


def _check_distinct(configs: Sequence[Config]) -> None:
    if not configs:
        raise ValueError("AuthMiddleware needs at least one LoginManager")
    names = [config.name for config in configs]
    if len(set(names)) < len(names):
        raise ValueError(f"two managers have the same name ({', '.join(names)}): pass name= to tell them apart")
    for i, one in enumerate(configs):
        for other in configs[i + 1 :]:
            if _accept_each_others_tokens(one, other):
                raise ValueError(
                    f"the managers {one.name!r} and {other.name!r} share a key, so that a token of one would log its "
                    "user into the other: give them different keys, or each an issuer= or audience= of its own"
                )


def _accept_each_others_tokens(one: Config, other: Config) -> bool:
    a, b = one.tokens, other.tokens
    if {key.thumbprint for key in a.keys}.isdisjoint(key.thumbprint for key in b.keys):
        return False
    # Without an issuer of its own a manager takes tokens of any; without an audience it takes none that has one.
    issuers_differ = a.rules.issuer is not None and b.rules.issuer is not None and a.rules.issuer != b.rules.issuer
    audiences_differ = a.rules.audience != b.rules.audience and not (a.rules.any_audience or b.rules.any_audience)
    return not (issuers_differ or audiences_differ)
