"""What asgi-login costs, on plain ASGI and inside the frameworks."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, LoginManager, login_required
from benchmarks import frameworks
from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import ASGIApp, Request, bearer, forged, set_cookies, with_cookie
from benchmarks.frameworks import RAW, page
from benchmarks.keys import SECRET, private_pem

COLD = "asgi-login, bearer, HS256, verified each time"
CACHED = "asgi-login, bearer, HS256, cached"
COLD_RS256 = "asgi-login, bearer, RS256, verified each time"
CACHED_RS256 = "asgi-login, bearer, RS256, cached"
BEHIND = f"{CACHED}, behind login_required"
IN_COOKIE = "asgi-login, session cookie, cached"
SESSION = "asgi-login, session cookie, protection and CSRF check on a POST, cached"
ANONYMOUS = "asgi-login, anonymous"


async def load_user(sub: str) -> str:
    """Return the user without looking anywhere: a database would cost everybody the same."""
    return sub


def on(framework: str, case: str) -> str:
    """Return what a case is called in that framework."""
    return case.replace("asgi-login", f"asgi-login on {framework}")


FASTAPI_DEPENDS = on("FastAPI", CACHED)
FASTAPI_CURRENT_AUTH = on("FastAPI, current_auth()", CACHED)
FASTAPI_BARE = on("FastAPI, without install", CACHED)
FASTAPI_BARE_COOKIE = f"{FASTAPI_BARE}, cookies too"


def make_manager(secret: Any = SECRET, *, kind: Callable[..., Any] = LoginManager, **settings: Any) -> Any:
    """Return a manager with both transports, and that loader."""
    manager = kind(secret, transports=[BearerTransport(), CookieTransport()], **settings)
    manager.user_loader(load_user)
    return manager


def access_token(manager: Any) -> str:
    """Return a token that outlives the run."""
    return manager.create_access_token(data={"sub": "ada"}, scopes=["read"], expires=timedelta(hours=1))


def session_cookie(manager: Any) -> bytes:
    """Log in and return the session cookie as `name=value`."""

    async def log_in(scope: Any, receive: Any, send: Any) -> None:
        manager.login_user(scope, "ada")
        await page(scope, receive, send)

    (cookie,) = set_cookies(AuthMiddleware(log_in, manager), Request())
    return cookie


def contestants() -> list[Contestant]:
    """Return all of ours whose framework is installed."""
    found = [*_bearers(), *_cookies(), *_without_user()]
    for in_framework in (_starlette, _fastapi, _litestar, _quart):
        try:
            found += in_framework()
        except ModuleNotFoundError:
            continue
    return found


def core() -> list[Contestant]:
    """Return the four whose instructions have a budget."""
    return [_userless(ANONYMOUS, page), _bearer(CACHED), _session(), _bearer(COLD, token_cache_size=0)]


def _of(name: str, app: ASGIApp, *, good: Request, bad: Request, base: str = RAW) -> Contestant:
    return contestant(name, Kind.OURS, base, app, good=good, bad=bad)


def _bearers() -> list[Contestant]:
    pem = {"secret": private_pem(), "algorithm": "RS256"}
    return [
        _bearer(COLD, token_cache_size=0),
        _bearer(CACHED),
        _bearer(COLD_RS256, **pem, token_cache_size=0),
        _bearer(CACHED_RS256, **pem),
        _bearer(BEHIND, app=login_required(page)),
    ]


def _bearer(name: str, *, app: ASGIApp = page, **settings: Any) -> Contestant:
    manager = make_manager(**settings)
    token = access_token(manager)
    return _of(name, AuthMiddleware(app, manager), good=bearer(token), bad=bearer(forged(token)))


def _cookies() -> list[Contestant]:
    manager = make_manager()
    app = AuthMiddleware(page, manager)
    token = access_token(manager)
    name = manager.cookie_transport.cookie_name.encode()
    in_cookie, forged_cookie = (with_cookie(name + b"=" + one.encode()) for one in (token, forged(token)))
    # Over half of the 15 minutes is gone, so that each of these requests renews the session.
    old = session_cookie(make_manager(clock=lambda: time.time() - 460)).decode()
    renewed = _of(
        "asgi-login, session cookie, renewed in this request",
        app,
        good=with_cookie(old.encode()),
        bad=with_cookie(forged(old).encode()),
    )
    assert set_cookies(app, renewed.request), "the session must have been renewed"
    return [
        _of("asgi-login, access token in the cookie, HS256, cached", app, good=in_cookie, bad=forged_cookie),
        _session(),
        renewed,
    ]


def _session() -> Contestant:
    manager = make_manager()
    app = AuthMiddleware(page, manager)
    session = session_cookie(manager).decode()
    post = Request(method="POST").having((b"origin", b"https://example.com"))
    good, bad = (post.having((b"cookie", one.encode())) for one in (session, forged(session)))
    assert not set_cookies(app, good), "the session must not have been renewed"
    return _of(SESSION, app, good=good, bad=bad)


def _without_user() -> list[Contestant]:
    return [
        _userless(ANONYMOUS, page),
        _userless("asgi-login, skipped path", page, Request(path="/static/logo.svg")),
        _userless("asgi-login, a bad token refused by login_required", login_required(page), is_bad=True),
    ]


def _userless(name: str, app: ASGIApp, request: Request | None = None, *, is_bad: bool = False) -> Contestant:
    manager = make_manager()
    token = access_token(manager)
    measured = bearer(forged(token)) if is_bad else request or Request()
    accepts = {"a good credential": (bearer(token), 200)}
    return Contestant(name, Kind.OURS, RAW, AuthMiddleware(app, manager, skip=["/static"]), measured, 401, accepts)


def _starlette() -> list[Contestant]:
    from asgi_login.starlette import install

    return _in_framework("Starlette", lambda manager: _installed(install, frameworks.starlette(), manager))


def _fastapi() -> list[Contestant]:
    from asgi_login.fastapi import LoginManager as FastAPILoginManager
    from benchmarks.on_fastapi import with_current_auth, with_dependency

    bare = partial(with_dependency, is_installed=False)
    kind = FastAPILoginManager
    header_alone = kind(SECRET)
    header_alone.user_loader(load_user)
    return [
        *_in_framework("FastAPI", with_dependency, kind=kind),
        _of_manager(FASTAPI_CURRENT_AUTH, with_current_auth, make_manager(kind=kind), base="FastAPI"),
        # What fastapi-login reads too, unless it is told to read cookies.
        _of_manager(FASTAPI_BARE, bare, header_alone, base="FastAPI"),
        _of_manager(FASTAPI_BARE_COOKIE, bare, make_manager(kind=kind), base="FastAPI"),
    ]


def _litestar() -> list[Contestant]:
    from litestar import Litestar

    from asgi_login.litestar import LoginPlugin, guard

    def application(manager: Any, page: Any) -> ASGIApp:
        return Litestar([page], plugins=[LoginPlugin(manager)], logging_config=None)

    def guarded(manager: Any) -> ASGIApp:
        return application(manager, frameworks.litestar_page(guards=[guard()]))

    def decorated(manager: Any) -> ASGIApp:
        return application(manager, frameworks.litestar_page(login_required))

    # For each guard, Litestar copies the handler.
    return [*_in_framework("Litestar", guarded), *_in_framework("Litestar", decorated, cases={BEHIND: 4096})]


def _quart() -> list[Contestant]:
    from quart import Quart

    from asgi_login.quart import current_user, install

    def decorated(manager: Any) -> ASGIApp:
        app = Quart("benchmarks")

        @app.get("/")
        @login_required
        async def home() -> str:
            return str(current_user)

        install(app, manager)
        return frameworks.Served(app)

    manager = make_manager()
    cookie = session_cookie(manager).decode()
    good, bad = (with_cookie(one.encode()) for one in (cookie, forged(cookie)))
    session = _of(on("Quart", IN_COOKIE), decorated(manager), good=good, bad=bad, base="Quart")
    return [*_in_framework("Quart", decorated), session]


def _installed(install: Callable[..., None], app: ASGIApp, manager: Any) -> ASGIApp:
    install(app, manager)
    return app


def _in_framework(
    name: str,
    make: Callable[[Any], ASGIApp],
    *,
    kind: Callable[..., Any] = LoginManager,
    cases: Mapping[str, int] = MappingProxyType({COLD: 0, CACHED: 4096}),
) -> list[Contestant]:
    return [
        _of_manager(on(name, case), make, make_manager(kind=kind, token_cache_size=size), base=name)
        for case, size in cases.items()
    ]


def _of_manager(name: str, make: Callable[[Any], ASGIApp], manager: Any, *, base: str) -> Contestant:
    token = access_token(manager)
    return _of(name, make(manager), good=bearer(token), bad=bearer(forged(token)), base=base)
