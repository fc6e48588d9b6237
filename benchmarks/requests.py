"""What the middleware adds to a request, next to what people write by hand."""

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, LoginManager
from benchmarks.floors import HandWritten
from benchmarks.runner import Timing, measure

SECRET = b"a benchmark's secret of 32 bytes"
HEADERS = [
    (b"host", b"example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
]


async def load_user(sub):
    return sub


async def application(scope, receive, send):
    scope["state"]["user"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"x"})


async def bare(scope, receive, send):
    scope["state"]["user"] = None
    await application(scope, receive, send)


async def discard(message):
    pass


def added_costs() -> dict[str, Timing]:
    """Return the microseconds that each contestant adds to a request; the bare application is subtracted."""
    cached, cold = make_manager(), make_manager(token_cache_size=0)
    token = cached.create_access_token(data={"sub": "ada"}, scopes=["read"]).encode()
    bearer = [*HEADERS, (b"authorization", b"Bearer " + token)]
    session = [*HEADERS, (b"cookie", session_cookie(cached))]
    floor = HandWritten(application, SECRET, load_user, is_cached=True)
    verifying_floor = HandWritten(application, SECRET, load_user, is_cached=False)
    contestants = {
        "bare application": (bare, HEADERS),
        "by hand, tokens kept in a dict": (floor, bearer),
        "by hand, verified each time": (verifying_floor, bearer),
        "asgi-login, anonymous": (AuthMiddleware(application, cached), HEADERS),
        "asgi-login, bearer, cached": (AuthMiddleware(application, cached), bearer),
        "asgi-login, bearer, verified each time": (AuthMiddleware(application, cold), bearer),
        "asgi-login, session cookie, cached": (AuthMiddleware(application, cached), session),
    }
    timings = measure({name: request(*contestant) for name, contestant in contestants.items()}, calls=1000, rounds=25)
    base = timings.pop("bare application").median
    return {name: Timing(one.median - base, one.low - base, one.high - base) for name, one in timings.items()}


def make_manager(**settings):
    manager = LoginManager(SECRET, transports=[BearerTransport(), CookieTransport()], **settings)
    manager.user_loader(load_user)
    return manager


def session_cookie(manager):
    messages = []

    async def keep(message):
        messages.append(message)

    async def log_in(scope, receive, send):
        manager.login_user(scope, "ada")
        await application(scope, receive, send)

    drive(AuthMiddleware(log_in, manager), HEADERS, keep)
    lines = [value for name, value in messages[0]["headers"] if name == b"set-cookie" and b"Max-Age=0" not in value]
    return lines[0].partition(b";")[0]


def request(app, headers):
    return lambda: drive(app, headers, discard)


def drive(app, headers, send):
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "scheme": "https",
        "headers": headers,
        "client": ("192.0.2.1", 5000),
        "state": {},
    }
    coroutine = app(scope, None, send)
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("nothing here has anything to wait for")
