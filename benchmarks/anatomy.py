"""What each step of a request costs by itself: the anatomy of a cached bearer token, and of a session cookie."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from asgi_login import AuthMiddleware
from asgi_login import sessions as sessions_room
from asgi_login.auth import Auth, varies_with, write_to_state
from asgi_login.current import CURRENT
from asgi_login.exchange.http_record import HTTPRecord
from asgi_login.scope import NO_COOKIES, credential_lines
from asgi_login.transports.csrf import check_origin
from benchmarks import ours
from benchmarks.drive import Request, awaited, bearer, requests, with_cookie
from benchmarks.frameworks import RAW, bare_applications, page
from benchmarks.report import Section, Table
from benchmarks.runner import Run, Samples, calls_of, measure

WHOLE, BARE = "the whole request", "the same without us"
REST = "calling and awaiting from one step to the next"
_START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
_BODY: dict[str, Any] = {"type": "http.response.body", "body": b"x"}


def anatomy(*, rounds: int, seconds: float) -> Section:
    """Measure both."""
    both = {"bearer token": bearer_steps(), "session": session_steps()}
    return Section([_table(what, steps, rounds, seconds) for what, steps in both.items()])


def _table(what: str, steps: dict[str, Run], rounds: int, seconds: float) -> Table:
    samples = measure(steps, rounds=rounds, seconds=seconds)
    whole = samples.pop(WHOLE).minus(samples.pop(BARE))
    rest = whole
    rows = []
    for name, one in samples.items():
        rest = rest.minus(one)
        rows.append(_row(name, one, whole))
    rows.append(_row(REST, rest, whole))
    rows.append(_row("together", whole, whole))
    notes = ["Each step is called alone, in a loop; the last but one is what is then missing from the whole."]
    return Table(f"The anatomy of a cached {what}", ["step", "µs", "quartiles", "share"], rows, notes)


def _row(name: str, one: Samples, whole: Samples) -> list[str]:
    share, _ = one.over(whole).format(".0%")
    return [name, *one.format(), share]


def bearer_steps() -> dict[str, Run]:
    """Return the steps of a request with a cached bearer token, and what they are steps of."""
    manager = ours.make_manager()
    token = ours.access_token(manager)
    request, config = bearer(token), manager.config
    scope, raw = request.scope(), token.encode()
    verified = config.tokens.verify(raw)
    transport = config.transports[0]
    lines = credential_lines(scope)
    assert lines is not None
    return {
        **_whole(manager, request),
        "finding the Authorization line": calls_of(lambda: credential_lines(scope)),
        "reading the token out of it": calls_of(lambda: transport.read(lines[0])),
        "looking it up, and at the clock": calls_of(lambda: config.tokens.verify(raw)),
        "awaiting the user loader": awaited(lambda: config.loader.call("ada", scope, verified.claims)),
        **_shell(manager, Auth(config, transport, verified, "ada")),
    }


def session_steps() -> dict[str, Run]:
    """Return the steps of a request with a session, and what they are steps of."""
    manager = ours.make_manager()
    cookie = ours.session_cookie(manager)
    request, config = with_cookie(cookie), manager.config
    scope, raw = request.scope(), cookie.partition(b"=")[2]
    verified = sessions_room.read_session(config, raw)
    transport = config.transports[1]
    lines = credential_lines(scope)
    assert lines is not None
    return {
        **_whole(manager, request),
        "finding the Cookie line": calls_of(lambda: credential_lines(scope)),
        "reading the token out of it": calls_of(lambda: transport.read(lines[1])),
        "looking it up, and at the clock": calls_of(lambda: sessions_room.read_session(config, raw)),
        "checking the origin": calls_of(lambda: check_origin(scope, frozenset())),
        "comparing the client": calls_of(lambda: sessions_room.is_same_client(config, scope, verified)),
        "awaiting the user loader": awaited(lambda: config.loader.call("ada", scope, verified.claims)),
        "seeing whether to renew": calls_of(lambda: sessions_room.is_due(config, verified)),
        **_shell(manager, Auth(config, transport, verified, "ada")),
    }


def _whole(manager: Any, request: Request) -> dict[str, Run]:
    return {
        WHOLE: requests(AuthMiddleware(page, manager), request),
        BARE: requests(bare_applications()[RAW], request),
    }


def _shell(manager: Any, auth: Auth[str]) -> dict[str, Run]:
    """Return the steps that every request goes through, whoever sent it."""
    config, state = manager.config, {}
    scope, varying = Request().scope(), varies_with(auth)
    record = HTTPRecord(auth, NO_COOKIES, varying, scope, _discard)

    def make_auth() -> None:
        Auth(config, config.transports[0], None, "ada")

    def in_context() -> None:
        CURRENT.reset(CURRENT.set(record))

    async def send_both(send: Callable[[Any], Awaitable[None]]) -> None:
        await send(_START)
        await send(_BODY)

    return {
        "making the Auth": calls_of(make_auth),
        "making the record": calls_of(lambda: HTTPRecord(auth, NO_COOKIES, varying, scope, _discard)),
        "writing the state": calls_of(lambda: write_to_state(auth, state)),
        "setting and resetting the ContextVar": calls_of(in_context),
        "passing on two messages": awaited(partial(send_both, record.send)),
    }


async def _discard(_message: Any) -> None:
    pass
