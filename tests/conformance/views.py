"""The views of the contract without a framework, for applications that put a native handler around each."""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.lowlevel
from conformance.contract import (
    CAUGHT,
    CHUNKS,
    COOKIE_LINES,
    OWN_HEADERS,
    PLAIN,
    PLAIN_HEADERS,
    OwnError,
    members_only,
    own_body,
    readers_only,
    report,
    seen,
    whoami,
)
from conformance.logins import User

from asgi_login import AuthError, Gate, fresh_login_required, get_auth, login_required, requires, requires_scopes


def is_editor(auth):
    return auth.user.name == "bob"


async def asked_editor(auth):
    await anyio.lowlevel.checkpoint()
    return is_editor(auth)


@dataclass(frozen=True)
class Reply:
    """What a view answers, before its framework has a word for it."""

    body: bytes
    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] = ()

    @property
    def text_headers(self):
        return [(name.decode(), value.decode("latin-1")) for name, value in self.headers]


@dataclass(frozen=True)
class View:
    """One path: `function` takes the scope and returns a Reply; `gate` goes around the native handler."""

    path: str
    function: Callable[[dict[str, Any]], Any]
    methods: tuple[str, ...] = ("GET",)
    gate: Callable[[Any], Any] = lambda handler: handler
    is_sync: bool = False

    @property
    def name(self):
        return self.path.strip("/").replace("/", "_").replace("-", "_")


class Pages:
    """What shows the user."""

    def __init__(self, site):
        self.site = site

    async def shown(self, scope):
        return self.shown_sync(scope)

    def shown_sync(self, scope):
        self.site.visit(scope)
        return Reply(report(scope), headers=[(b"content-type", b"application/json")])

    async def meet(self, scope):
        await self.site.meet()
        return Reply(report(scope))

    def meet_sync(self, scope):
        self.site.meet_sync()
        return Reply(report(scope))

    async def keep_context(self, scope):
        self.site.keep_context()
        return Reply(PLAIN)

    async def log_in(self, scope):
        self.log_in_sync(scope)
        return Reply(report(scope))

    def log_in_sync(self, scope):
        asked = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        [sub] = asked.get("sub", ["ada"])
        manager = self.site.managers[0]
        kept = {"remember": "remember" in asked, "permanent": "permanent" in asked}
        manager.login_user(scope, sub, user=User(sub), scopes=["read"], **kept)
        return Reply(json.dumps(seen(scope)).encode())

    async def log_in_and_fail(self, scope):
        self.log_in_sync(scope)
        return Reply(CAUGHT, 409, PLAIN_HEADERS)

    async def log_out(self, scope):
        self.log_out_sync(scope)
        return Reply(report(scope))

    def log_out_sync(self, scope):
        self.site.managers[0].logout_user(scope)
        return Reply(json.dumps(seen(scope)).encode())

    async def confirm(self, scope):
        self.confirm_sync(scope)
        return Reply(report(scope))

    def confirm_sync(self, scope):
        self.site.managers[0].confirm_login(scope)
        return Reply(json.dumps(seen(scope)).encode())

    def views(self):
        return [
            View("/public", self.shown, ("GET", "HEAD", "POST", "OPTIONS")),
            View("/public-sync", self.shown_sync, is_sync=True),
            View("/static/page", self.shown),
            View("/staticadmin", self.shown),
            View("/login", self.shown, ("GET", "POST"), login_required),
            View("/login-sync", self.shown_sync, gate=login_required, is_sync=True),
            View("/fresh", self.shown, gate=fresh_login_required),
            View("/fresh-sync", self.shown_sync, gate=fresh_login_required, is_sync=True),
            View("/read", self.shown, ("GET", "HEAD"), requires_scopes("read")),
            View("/read-sync", self.shown_sync, gate=requires_scopes("read"), is_sync=True),
            View("/read-write", self.shown, gate=requires_scopes("read", "write")),
            View("/editors", self.shown, gate=requires(is_editor)),
            View("/editors-sync", self.shown_sync, gate=requires(is_editor), is_sync=True),
            View("/editors/asked", self.shown, gate=requires(asked_editor)),
            View("/options/own", self.shown, ("GET", "OPTIONS"), login_required),
            View("/web", self.shown, gate=login_required(manager="web")),
            View("/web/fresh", self.shown, gate=fresh_login_required(manager="web")),
            View("/web/read", self.shown, gate=requires_scopes("read", manager="web")),
            View("/meet", self.meet),
            View("/meet-sync", self.meet_sync, is_sync=True),
            View("/keep-context", self.keep_context),
            *self.logins(),
        ]

    def automatic(self):
        """Return what is written so that a framework that answers OPTIONS itself does so; each app finds its form."""
        return [
            View("/options/automatic", self.shown, gate=login_required),
            View("/options/open", self.shown),
        ]

    def logins(self):
        return [
            View("/session/in", self.log_in, ("POST",)),
            View("/session/in-sync", self.log_in_sync, ("POST",), is_sync=True),
            View("/session/in-and-fail", self.log_in_and_fail, ("POST",)),
            View("/session/out", self.log_out, ("POST",)),
            View("/session/out-sync", self.log_out_sync, ("POST",), is_sync=True),
            View("/session/confirm", self.confirm, ("POST",)),
            View("/session/confirm-sync", self.confirm_sync, ("POST",), is_sync=True),
        ]

    def gated(self):
        methods = ("GET", "POST", "OPTIONS")
        admin = [View(f"/admin{path}", self.shown, methods) for path in ("/page", "/help", "/help/more", "/helpdesk")]
        return [*admin, View("/bank/page", self.shown, methods)]


class Answers:
    """What the application says by itself; streams, background tasks and /abort have no form without a framework."""

    async def plain(self, scope):
        return Reply(PLAIN, headers=PLAIN_HEADERS)

    async def vary(self, scope):
        return Reply(PLAIN, headers=[(b"vary", scope["query_string"])])

    async def cookies(self, scope):
        return Reply(PLAIN, headers=COOKIE_LINES)

    async def own(self, scope):
        status = int(scope["path"].rpartition("/")[2])
        return Reply(own_body(status), status, OWN_HEADERS)

    def views(self):
        own = [View(f"/own/{status}", self.own) for status in (200, 401, 403, 404, 500, 503)]
        return [View("/plain", self.plain), View("/vary", self.vary), View("/cookies", self.cookies), *own]


ABORTS = (401, 403, 404, 500)


async def stream():
    async for chunk in _chunks(anyio.lowlevel.checkpoint):
        yield chunk


async def stream_midway():
    async for chunk in _chunks(members_only):
        yield chunk


async def _chunks(before_second):
    yield CHUNKS[0]
    await before_second()
    for chunk in CHUNKS[1:]:
        yield chunk


class Failures:
    """What goes on after a refusal, or fails by itself."""

    async def catches(self, scope):
        return await self.answer_with(418)

    async def catches_unavailable(self, scope):
        return await self.answer_with(503)

    async def answer_with(self, status):
        try:
            await members_only()
        except AuthError:
            return Reply(CAUGHT, status)
        return Reply(PLAIN)

    async def catches_and_fails(self, scope):
        try:
            await members_only()
        except AuthError:
            raise OwnError from None
        return Reply(PLAIN)

    def catches_and_fails_sync(self, scope):
        try:
            readers_only()
        except AuthError as error:
            raise OwnError from error
        return Reply(PLAIN)

    async def raises(self, scope):
        raise OwnError

    def raises_sync(self, scope):
        raise OwnError

    async def require(self, scope):
        get_auth(scope).require()
        return Reply(report(scope))

    async def require_read(self, scope):
        get_auth(scope).require("read")
        return Reply(report(scope))

    async def require_fresh(self, scope):
        get_auth(scope).require(fresh=True)
        return Reply(report(scope))

    async def task_group(self, scope):
        async with anyio.create_task_group() as group:
            group.start_soon(members_only)
        return Reply(report(scope))

    async def task_group_crowd(self, scope):
        async with anyio.create_task_group() as group:
            group.start_soon(members_only)
            group.start_soon(members_only)
        return Reply(report(scope))

    def views(self):
        return [
            View("/catches", self.catches),
            View("/catches-unavailable", self.catches_unavailable),
            View("/catches-and-fails", self.catches_and_fails),
            View("/catches-and-fails-sync", self.catches_and_fails_sync, is_sync=True),
            View("/raises", self.raises),
            View("/raises-sync", self.raises_sync, is_sync=True),
            View("/require", self.require),
            View("/require-read", self.require_read),
            View("/require-fresh", self.require_fresh),
            View("/task-group", self.task_group),
            View("/task-group-crowd", self.task_group_crowd),
        ]


def all_views(site):
    return [*Pages(site).views(), *Answers().views(), *Failures().views()]


class HungUpError(Exception):
    """The client has gone away."""


class Sockets:
    """Websockets; each takes an object with `scope`, `accept`, `receive`, `send` and `close`."""

    def __init__(self, site):
        self.site = site

    async def answer_texts(self, socket, gate=None):
        try:
            while True:
                text = await socket.receive()
                if gate is not None:
                    await gate()
                await socket.send(whoami(socket.scope, text))
        except HungUpError:
            pass

    async def echo(self, socket):
        self.site.visit(socket.scope)
        await socket.accept()
        await self.answer_texts(socket)

    async def after_accept(self, socket):
        await socket.accept()
        await socket.send("hello")
        await self.answer_texts(socket, members_only)

    async def after_accept_read(self, socket):
        async def gate():
            readers_only()

        await socket.accept()
        await socket.send("hello")
        await self.answer_texts(socket, gate)

    async def require(self, socket):
        async def by_hand():
            get_auth(socket.scope).require()

        await socket.accept()
        await self.answer_texts(socket, by_hand)

    async def log_in(self, socket):
        self.site.managers[0].login_user(socket.scope, "ada")
        await self.echo(socket)

    async def own_close(self, socket):
        await socket.close(4000)

    async def catches(self, socket):
        try:
            await members_only()
        except AuthError:
            await socket.accept()
            await socket.send("please log in")
            await socket.close(4000)

    async def catches_and_fails(self, socket):
        try:
            await members_only()
        except AuthError:
            raise OwnError from None

    async def raises(self, socket):
        raise OwnError

    async def raises_after_accept(self, socket):
        await socket.accept()
        raise OwnError

    def views(self):
        return [
            View("/ws/echo", self.echo),
            View("/ws/login", self.echo, gate=login_required),
            View("/ws/read", self.echo, gate=requires_scopes("read")),
            View("/ws/editors", self.echo, gate=requires(is_editor)),
            View("/ws/editors/asked", self.echo, gate=requires(asked_editor)),
            View("/ws/after-accept", self.after_accept),
            View("/ws/after-accept-read", self.after_accept_read),
            View("/ws/require", self.require),
            View("/ws/session/in", self.log_in),
            View("/ws/own-close", self.own_close),
            View("/ws/catches", self.catches),
            View("/ws/catches-and-fails", self.catches_and_fails),
            View("/ws/raises", self.raises),
            View("/ws/raises-after-accept", self.raises_after_accept),
        ]

    def gated(self):
        return [View("/admin/ws", self.echo), View("/admin/ws/after-accept", self.after_accept_read)]


def gates(admin, bank):
    """Return the two gates that the contract has, by their paths."""
    return {"/admin": Gate(admin, scopes=["admin"], exempt=["/admin/help"]), "/bank": Gate(bank, fresh=True)}


def first_segment(path):
    return "/" + path[1:].partition("/")[0]


class Gated:
    """Puts the gates in front of a framework that mounts no ASGI application."""

    def __init__(self, app):
        self.app = app
        self.gates = gates(app, app)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        path = scope.get("path", "")
        scope["route"] = path
        await self.gates.get(first_segment(path), self.app)(scope, receive, send)


class EnoughThreads:
    """Gives the event loop threads for every visitor: by default their number depends on the machine."""

    def __init__(self, app):
        self.app = app
        self.loop = None

    async def __call__(self, scope, receive, send):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Trio has threads enough.
            loop = self.loop
        if loop is not self.loop:
            loop.set_default_executor(ThreadPoolExecutor(16))
            self.loop = loop
        await self.app(scope, receive, send)


class InAnotherTask:
    """Runs what it wraps in a task of its own."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async with anyio.create_task_group() as group:
            group.start_soon(self.app, scope, receive, send)
