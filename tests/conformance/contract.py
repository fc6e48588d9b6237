"""What an application file of the conformance suite provides, and what its views have in common.

A framework joins the suite by one file in `apps/` with a `FRAMEWORK`. Its `build` makes the application with these
paths; handlers are written as users of that framework write them, around the views of `views.py` wherever they can be
shared, and answer with the functions below.

HTTP, each GET unless said otherwise:

/public                  `report`; also HEAD, POST and OPTIONS                           /public-sync
/plain                   `PLAIN`, with `PLAIN_HEADERS`
/vary                    `PLAIN`, with the header Vary from the query string
/cookies                 `PLAIN`, with the header lines `COOKIE_LINES`
/static/page, /staticadmin   `report`
/login                   @login_required, then `report`; also POST                       /login-sync
/fresh                   @fresh_login_required, then `report`                            /fresh-sync
/read                    @requires_scopes("read"), then `report`; also HEAD              /read-sync
/read-write              @requires_scopes("read", "write"), then `report`
/editors                 @requires(is_editor), then `report`                             /editors-sync
/editors/asked           @requires(asked_editor), then `report`
/options/own             @login_required, a view of its own for GET and OPTIONS, then `report`
/options/automatic       @login_required, or the framework's guard, then `report`; written so that the framework itself
                         answers OPTIONS, if it does so for anything
/options/open            the same without the gate
/web                     @login_required(manager="web"), then `report`
/web/fresh               @fresh_login_required(manager="web"), then `report`
/web/read                @requires_scopes("read", manager="web"), then `report`
/admin                   `Gate(…, scopes=["admin"], exempt=["/admin/help"])` around a mounted application with
                         /page, /help, /help/more and /helpdesk, each `report`; also POST and OPTIONS
/bank                    `Gate(…, fresh=True)` around a mounted application with /page, which is the same
/stream                  `CHUNKS`, streamed
/stream-midway           the first of `CHUNKS`, then `members_only`, then the rest
/background              `PLAIN`, and afterwards `site.try_gate` as a background task
/own/{status}            that status with `own_body` and `OWN_HEADERS`, whatever the status
/abort/{status}          that status in the framework's own way: an exception of its own
/catches                 `members_only`; an AuthError is answered with 418 and `CAUGHT`
/catches-unavailable     `members_only`; an AuthError is answered with 503 and `CAUGHT`
/catches-and-fails       `members_only`; after an AuthError `OwnError` is raised         /catches-and-fails-sync
/raises                  `OwnError`                                                      /raises-sync
/require                 `get_auth(…).require()`
/require-read            `get_auth(…).require("read")`
/require-fresh           `get_auth(…).require(fresh=True)`
/task-group              `members_only` in a child of an anyio task group
/task-group-crowd        the same in two children
/meet                    `await site.meet()`, then `report`                              /meet-sync: `site.meet_sync()`
/keep-context            `site.keep_context()`, then `PLAIN`

POST, at the first manager, for the user `sub` of the query string or "ada":

/session/in              `login_user` with the scope "read", and `remember` or `permanent` by the query; then `report`
/session/in-and-fail     `login_user`, then 409, `CAUGHT` and `PLAIN_HEADERS`
/session/out             `logout_user`, then `report`
/session/confirm         `confirm_login`, then `report`
/session/in-sync, /session/out-sync, /session/confirm-sync   the same in a plain view, which then answers with `seen`

Everywhere: `LogInFirstError` is answered with 418 and `PLEASE`, `NotYoursError` with 451 and `PLEASE`; on a
websocket both close with 4999. Views that answer with `report`, and /ws/echo, note with `site.visit` that they ran.

WebSocket:

/ws/echo                 accepts, then answers each text with `whoami(scope, text)`
/ws/login                @login_required before the accept, then like /ws/echo
/ws/read                 @requires_scopes("read") before the accept, then like /ws/echo
/ws/editors              @requires(is_editor) before the accept, then like /ws/echo
/ws/editors/asked        @requires(asked_editor) before the accept, then like /ws/echo
/ws/after-accept         accepts, sends "hello", then for each text: `members_only`, and like /ws/echo
/ws/after-accept-read    the same with `readers_only`
/ws/require              `get_auth(…).require()` after the accept, for each text, then like /ws/echo
/ws/own-close            closes with 4000 without accepting
/ws/catches              `members_only`; after an AuthError accepts, sends "please log in" and closes with 4000
/ws/catches-and-fails    `members_only`; after an AuthError `OwnError` is raised
/ws/session/in           `login_user` for "ada" before the accept, then like /ws/echo
/ws/raises               `OwnError` before the accept
/ws/raises-after-accept  `OwnError` after the accept
/admin/ws                like /ws/echo, behind the Gate
/admin/ws/after-accept   like /ws/after-accept-read, behind the Gate
"""

import contextvars
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from asgi_login import AuthMiddleware, current_auth, login_required, requires_scopes
from asgi_login.oauth import Endpoints

USERS_ONLY = (
    "/login",
    "/login-sync",
    "/fresh",
    "/fresh-sync",
    "/read",
    "/read-sync",
    "/read-write",
    "/admin/page",
    "/bank/page",
)
EVERY_GATE = (*USERS_ONLY, "/task-group")

PLAIN = b"nothing to see here"
PLAIN_HEADERS = [(b"content-type", b"text/plain"), (b"cache-control", b"max-age=60"), (b"x-own", b"\xe4")]
COOKIE_LINES = [(b"set-cookie", b'a="1, 2"; Path=/'), (b"set-cookie", b"a=3; Path=/x"), (b"set-cookie", b"b=")]
OWN_HEADERS = [(b"content-type", b"text/plain"), (b"www-authenticate", b'Basic realm="own"')]
CHUNKS = [b"one ", b"two ", b"three"]
CAUGHT = b"the application's own words"
PLEASE = b"the application's own exception"


class OwnError(Exception):
    """What a view raises of its own."""


class LogInFirstError(Exception):
    """What the application wants raised in place of our 401."""


class NotYoursError(Exception):
    """What the application wants raised in place of our 403."""


@dataclass
class Site:
    """What one test hands to the application, and where it hears back."""

    managers: Sequence[Any]
    mount: Literal["bare", "native", "wrapped"]
    skip: Sequence[str] = ()
    end_connections: bool = False
    in_another_task: bool = False
    """Whether a middleware of the framework runs the views in a task of their own."""
    websocket_denial: Any = None
    """What an adapter does instead of refusing a websocket."""
    endpoints: Sequence[Any] = ()
    """Endpoints of the library's own, outside of the middleware."""
    visits: list[str] = field(default_factory=list)
    gate_outcomes: list[BaseException | None] = field(default_factory=list)
    contexts: list[contextvars.Context] = field(default_factory=list)
    expected_at_meeting: int = 1
    _arrived: int = 0
    _everybody: anyio.Event | None = None
    _barrier: threading.Barrier | None = None

    @property
    def settings(self):
        """What the middleware is told, by way of an adapter where there is one."""
        return {"skip": self.skip, "end_connections": self.end_connections}

    def wrap(self, app):
        """Put the middleware around an application, and the endpoints around that."""
        middleware = AuthMiddleware(app, self.managers, **self.settings)
        return Endpoints(middleware, *self.endpoints) if self.endpoints else middleware

    def forget(self):
        """Begin anew."""
        for heard in (self.visits, self.gate_outcomes, self.contexts):
            heard.clear()
        self.expected_at_meeting, self._arrived, self._everybody, self._barrier = 1, 0, None, None

    def visit(self, scope):
        self.visits.append(scope["path"])

    def keep_context(self):
        self.contexts.append(contextvars.copy_context())

    async def try_gate(self):
        """Remember what a gate says here."""
        outcome = None
        try:
            await members_only()
        except Exception as problem:  # noqa: BLE001 - whatever it is
            outcome = problem
        self.gate_outcomes.append(outcome)

    async def meet(self):
        """Wait until every request is here."""
        self._everybody = self._everybody or anyio.Event()
        self._arrived += 1
        if self._arrived == self.expected_at_meeting:
            self._everybody.set()
        await self._everybody.wait()

    def expect_in_threads(self, number):
        self._barrier = threading.Barrier(number)

    def meet_sync(self):
        self._barrier.wait(timeout=20)


@dataclass(frozen=True, kw_only=True)
class Framework:
    """What one file of `apps/` provides.

    Attributes:
        name: Of the framework.
        build: Makes the application.
        backends: The event loops it runs on.
        mounts: "native" where it has an `install`, "wrapped" for AuthMiddleware from outside.
        trace: A key that it leaves in the scope, where outer middleware reads it afterwards.
        cannot: What it has no notion of, or does differently, with the reason; keys are the words of the tests.
        differs: The tests that it must fail, by the reason why. Each is a test's name, or its name, a space and a
            pattern for its parameters; "native:" or "wrapped:" before it says where. Such a test that passes fails.
        no_websockets: Why there are none, where there are none.
        communicated: Whether asgiref's client speaks to it, on the event loop where that can.

    """

    name: str
    build: Callable[[Site], Any]
    backends: tuple[str, ...] = ("asyncio", "trio")
    mounts: tuple[str, ...] = ("native", "wrapped")
    trace: str
    cannot: Mapping[str, str] = field(default_factory=dict)
    differs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    no_websockets: str | None = None
    communicated: bool = False


@login_required
async def members_only():
    """Stand for a helper deep in the application that needs a user."""


@requires_scopes("read")
def readers_only():
    """Stand for a helper that is not asynchronous."""


def own_body(status):
    return f"own {status}".encode()


def seen(scope):
    """Return everything in the scope that tells about the user."""
    state = scope["state"]
    auth = state["auth"]
    return {
        "user": state["user"].name if state["user"] else None,
        "scopes": sorted(state["scopes"]),
        "authenticated": auth.is_authenticated,
        "fresh": auth.fresh,
        "manager": auth.manager,
        "transport": auth.transport,
        "error": type(auth.error).__name__ if auth.error else None,
        "auth_user": auth.user.name if auth.user else None,
        "auth_scopes": sorted(auth.scopes),
    }


def who(scope):
    """Return what the scope tells about the user, and whom the context knows."""
    current = current_auth()
    return {**seen(scope), "current_user": current.user.name if current.user else None}


def report(scope):
    return json.dumps(who(scope)).encode()


def whoami(scope, text):
    return json.dumps({**who(scope), "text": text})
