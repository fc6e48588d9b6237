"""What a store adds to a request that need not ask it, and what the code for stores costs where there is none."""

import asyncio
from types import ModuleType
from typing import Any

import asgi_login
from benchmarks import ours
from benchmarks.drive import ASGIApp, Request, answer, bearer, in_loop, requests, set_cookies
from benchmarks.frameworks import RAW, bare_applications, page
from benchmarks.keys import SECRET
from benchmarks.report import Table, timing_table
from benchmarks.runner import Samples, measure
from benchmarks.serving import PATIENT
from benchmarks.without import library_without_stores

BEARER, SESSION = "cached HS256 bearer", "session with protection and CSRF check"
REDIS, MEMORY, NONE, REMOVED = "RedisStore", "MemoryStore", "no store", "every line about stores removed"
_NOTE = (
    "Added to a request, the bare application subtracted. Redis is followed, and nothing was ended. Where every line "
    "about stores is removed, the library is compiled anew without what a request runs for the sake of a store."
)


def store_requests(url: str | None, *, rounds: int, seconds: float) -> tuple[Table, dict[str, Samples]]:
    """Measure all side by side; with a RedisStore if there is a server at `url`."""
    managers = {
        NONE: _manager(asgi_login),
        REMOVED: _manager(library_without_stores()),
        MEMORY: _manager(asgi_login, store=asgi_login.MemoryStore()),
    }
    if url is not None:
        from asgi_login.redis import RedisStore

        managers[REDIS] = _manager(asgi_login, store=RedisStore(url, timeout=PATIENT))
    runs = {}
    for name, (library, manager) in managers.items():
        runs |= {f"{what}, {name}": requests(*one) for what, one in _both(library, manager).items()}
    runs[RAW] = requests(bare_applications()[RAW], Request())
    try:
        samples = measure(runs, rounds=rounds, seconds=seconds)
    finally:
        in_loop(_stop_following())
    net = {name: one.minus(samples[RAW]) for name, one in samples.items() if name != RAW}
    ordered = {name: net[name] for what in (BEARER, SESSION) for name in net if name.startswith(what)}
    return timing_table("Requests with a store, and without", ordered, base=f"{BEARER}, {NONE}", notes=[_NOTE]), ordered


def _manager(library: ModuleType, **settings: Any) -> tuple[ModuleType, Any]:
    transports = [library.BearerTransport(), library.CookieTransport()]
    manager = library.LoginManager(SECRET, transports=transports, **settings)
    manager.user_loader(ours.load_user)
    return library, manager


def _both(library: ModuleType, manager: Any) -> dict[str, tuple[ASGIApp, Request]]:
    """Return both requests, after they have been answered: the store is followed, and has been asked."""
    app = library.AuthMiddleware(page, manager)

    async def log_in(scope: Any, receive: Any, send: Any) -> None:
        manager.login_user(scope, "ada")
        await page(scope, receive, send)

    (cookie,) = set_cookies(library.AuthMiddleware(log_in, manager), Request())
    post = Request(method="POST").having((b"origin", b"https://example.com"), (b"cookie", cookie))
    both = {BEARER: (app, bearer(ours.access_token(manager))), SESSION: (app, post)}
    for _ in range(2):
        assert all(answer(*one)[0] == 200 for one in both.values())  # noqa: PLR2004
        # Meanwhile the follower has begun.
        in_loop(asyncio.sleep(0.1))
    return both


async def _stop_following() -> None:
    """End what would run into the sections that are measured next."""
    followers = [task for task in asyncio.all_tasks() if task.get_name() == "asgi-login follower"]
    for one in followers:
        one.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
