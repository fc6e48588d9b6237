"""AuthMiddleware: the public class. What it does with a request is in `request_handler`, which is compiled."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from asgi_login.application import Wrapper, path_prefixes
from asgi_login.asgi_types import AnyApp, ASGIApp
from asgi_login.authenticator import Authenticator, Renew
from asgi_login.base_authenticator import BaseAuthenticator
from asgi_login.config import Config, HasConfig
from asgi_login.manager_clashes import check_managers
from asgi_login.multi_authenticator import MultiAuthenticator
from asgi_login.request_handler import RequestHandler
from asgi_login.sessions import keep_session, renew_session
from asgi_login.settings import is_route_name


class AuthMiddleware(Wrapper, RequestHandler):
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
        Wrapper.__init__(self, app)
        RequestHandler.__init__(
            self,
            configs,
            _authenticator(configs, renew_session),
            _authenticator(configs, keep_session),
            skip=path_prefixes("skip", skip),
            passive=path_prefixes("passive", passive),
            end_connections=end_connections,
            deny_websocket=deny_websocket,
        )


def _authenticator(configs: Sequence[Config], renew: Renew) -> BaseAuthenticator:
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
