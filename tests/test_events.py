"""Events: what a manager tells the application of its logins."""

import json
import logging
import re
from dataclasses import FrozenInstanceError
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import get_args

import anyio
import pytest
from conformance.driver import bearer, cookie, http, websocket
from conformance.logins import NOW, OTHER_SECRET, DatabaseDownError, Logins, bad_tokens
from store_browser import Browser, Down, logged_in

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Event,
    EventKind,
    Gate,
    Grant,
    HeaderTransport,
    InvalidToken,
    LoginManager,
    LoginNotFresh,
    MemoryStore,
    NotAuthenticated,
    Reason,
    Refresh,
    Sessions,
    current_auth,
    fresh_login_required,
    login_required,
    requires,
    requires_scopes,
)

pytestmark = pytest.mark.anyio

CLIENT = "203.0.113.7"
DOCS = Path(__file__).parents[1] / "docs"
OBSERVE, DASHBOARD = DOCS / "how-to" / "observe.md", DOCS / "assets" / "grafana-dashboard.json"


@pytest.fixture
def events():
    return []


@pytest.fixture
def logins(events):
    return Logins(
        transports=[BearerTransport(), CookieTransport("__Host-login")],
        store=MemoryStore(),
        refresh=Refresh(),
        on_event=events.append,
    )


@pytest.fixture
async def browser(logins, events):
    browser = await logged_in(logins)
    events.clear()
    return browser


def told(events):
    """Return the kinds and reasons of the events, and forget them."""
    kinds = [(event.kind, event.reason) if event.reason else event.kind for event in events]
    events.clear()
    return kinds


async def view(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_a_login_is_told_with_who_and_where(logins, events):
    await Browser(logins).post("/login")
    (event,) = events
    assert event == Event(
        kind="logged_in", manager="default", sub="ada", sid=event.sid, transport="cookie", client=CLIENT, at=NOW
    )
    assert isinstance(event.sid, str)
    with pytest.raises(FrozenInstanceError):
        event.sub = "eve"


async def test_the_login_and_the_logout_of_a_browser_name_one_session(logins, events):
    browser = await logged_in(logins)
    await browser.post("/logout")
    assert [(event.kind, event.sub) for event in events] == [("logged_in", "ada"), ("logged_out", "ada")]
    assert len({event.sid for event in events}) == 1


async def test_a_visitor_without_a_login_does_not_log_out(logins, events):
    await Browser(logins).post("/logout")
    assert events == []


async def test_logging_out_everywhere_also_revokes_the_user(browser, events):
    await browser.post("/everywhere")
    assert [(event.kind, event.sub) for event in events] == [("revoked", "ada"), ("logged_out", "ada")]


async def test_a_login_that_could_not_be_written_is_not_told(events):
    store = Down()
    logins = Logins(transports=[CookieTransport()], store=store, on_event=events.append)
    store.is_down = True
    assert (await Browser(logins).post("/login")).status == 503
    assert told(events) == [("refused", "unavailable")]


async def test_a_session_that_is_renewed_or_restored_is_told(logins, browser, events):
    logins.clock.tick(600)
    await browser.get("/")
    assert told(events) == ["renewed"]
    await browser.get("/")
    assert told(events) == []
    await browser.close().get("/")
    assert (events[0].sub, events[0].transport) == ("ada", "remember_token")
    assert told(events) == ["restored"]


async def test_a_proof_of_identity_is_told(browser, events):
    await browser.post("/confirm")
    assert [(event.kind, event.sub) for event in events] == [("confirmed", "ada")]


async def test_a_confirmation_without_a_login_is_refused(logins, events):
    await Browser(logins).post("/confirm")
    assert told(events) == [("refused", "no_credential")]


@pytest.mark.parametrize("protection", ["basic", "strong"])
async def test_a_changed_client_is_told_once_for_each_answer(events, protection):
    logins = Logins(transports=[CookieTransport()], sessions=Sessions(protection=protection), on_event=events.append)
    browser = Browser(logins)
    await browser.post("/login-for-now")
    events.clear()
    thief = browser.copy()
    thief.client = ("198.51.100.9", 1)
    await thief.get("/")
    assert [(event.kind, event.sub, event.client) for event in events] == [("client_changed", "ada", "198.51.100.9")]
    events.clear()
    if protection == "basic":
        logins.clock.tick(600)
        await thief.get("/")
        assert told(events) == ["renewed"]


async def test_an_old_remember_token_ends_its_login_and_is_told(logins, browser, events):
    thief = browser.copy().close()
    await browser.close().get("/")
    logins.clock.tick(60)
    events.clear()
    await thief.get("/")
    assert [(event.kind, event.sub, event.transport) for event in events] == [
        ("refresh_reused", "ada", "remember_token"),
        ("refused", "ada", "remember_token"),
    ]
    assert events[1].reason == "reused"


async def test_every_refused_credential_has_a_reason_from_the_list(logins, events):
    expected = {
        "garbage": "malformed_token",
        "two parts": "malformed_token",
        "another signature": "wrong_signature",
        "another payload": "wrong_signature",
        "no algorithm": "wrong_algorithm",
        "an unknown key": "unknown_key",
        "issued in the future": "not_yet_valid",
        "another audience": "wrong_audience",
        "a session token": "wrong_type",
        "no exp": "bad_claim",
        "no sub": "bad_claim",
        "a user that is gone": "unknown_user",
        "nine thousand bytes of nothing": "malformed_token",
    }
    app = AuthMiddleware(view, logins.manager)
    seen = {}
    for what, token in bad_tokens(logins).items():
        await http(app, "/", headers=[bearer(token)])
        (event,) = events
        assert (event.kind, event.transport, event.client, event.manager) == ("refused", "bearer", CLIENT, "default")
        assert event.sub == ("gone" if what == "a user that is gone" else None)
        seen[what] = event.reason
        events.clear()
    assert seen == expected


async def test_an_expired_and_an_ended_token_are_told_apart(logins, events):
    app, token, ended = AuthMiddleware(view, logins.manager), logins.token(), logins.token("bob")
    await logins.manager.revoke_token(ended)
    assert told(events) == ["revoked"]
    await http(app, "/", headers=[bearer(ended)])
    assert events[0].sub == "bob"
    logins.clock.tick(3600)
    await http(app, "/", headers=[bearer(token)])
    assert told(events) == [("refused", "ended"), ("refused", "expired")]


async def test_what_an_application_refuses_itself_is_told_too(logins, events):
    @logins.manager.user_loader
    def load(sub):
        raise InvalidToken("the account is locked")

    await http(AuthMiddleware(view, logins.manager), "/", headers=[bearer(logins.token())])
    assert told(events) == [("refused", "invalid_token")]


async def test_a_failure_of_the_application_is_no_event(logins, events):
    app = AuthMiddleware(view, logins.manager)
    assert isinstance((await http(app, "/", headers=[bearer(logins.token("broken"))])).error, DatabaseDownError)
    assert events == []


GATES = {
    "no_credential": (login_required(view), "/", []),
    "missing_scope": (requires_scopes("write")(view), "/", ["ada"]),
    "not_permitted": (requires(lambda auth: False)(view), "/", ["ada"]),
}


@pytest.mark.parametrize("reason", GATES)
async def test_a_gate_tells_whom_it_keeps_out(logins, events, reason):
    gated, path, users = GATES[reason]
    headers = [bearer(logins.token(user)) for user in users]
    await http(AuthMiddleware(gated, logins.manager), path, headers=headers)
    (event,) = events
    assert (event.kind, event.reason, event.client) == ("refused", reason, CLIENT)
    assert (event.sub, event.transport) == (("ada", "bearer") if users else (None, None))


async def test_a_gate_does_not_tell_again_what_was_told_of_the_credential(logins, events):
    app = AuthMiddleware(Gate(login_required(view)), logins.manager)
    assert (await http(app, "/", headers=[bearer("garbage")])).status == 401
    assert told(events) == [("refused", "malformed_token")]


async def test_a_mounted_gate_tells_of_a_websocket(logins, events):
    app = AuthMiddleware(Gate(view), logins.manager)
    await websocket(app, "/")
    assert told(events) == [("refused", "no_credential")]


async def test_a_login_that_is_not_fresh_has_a_kind_of_its_own(logins, browser, events):
    logins.clock.tick(660)
    app = AuthMiddleware(fresh_login_required(view), logins.manager)
    (name, session), *_ = browser.jar.items()
    assert (await http(app, "/", headers=[cookie(session, name)])).status == 401
    assert told(events) == ["renewed", ("not_fresh", "not_fresh")]


async def test_a_check_by_hand_tells_what_is_missing(logins, events):
    async def by_hand(scope, receive, send):
        with pytest.raises(NotAuthenticated):
            current_auth().require()
        await view(scope, receive, send)

    await http(AuthMiddleware(by_hand, logins.manager), "/")
    assert [(event.kind, event.reason, event.client) for event in events] == [("refused", "no_credential", CLIENT)]


async def test_a_token_in_hand_is_told_of_without_a_client(logins, events):
    await logins.manager.authenticate_token("garbage")
    auth = await logins.manager.authenticate_token(logins.token())
    with pytest.raises(LoginNotFresh):
        auth.require(fresh=True)
    assert [(event.kind, event.transport, event.client) for event in events] == [
        ("refused", "token", None),
        ("not_fresh", "token", None),
    ]


async def test_a_login_from_another_site_is_refused(logins, events):
    browser = Browser(logins)
    await browser.post("/login", ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"))
    assert told(events) == [("refused", "cross_origin")]


async def test_a_forged_request_with_a_cookie_is_refused(browser, events):
    lines = [cookie(value, name) for name, value in browser.jar.items()]
    app = AuthMiddleware(view, browser.logins.manager)
    await http(app, "/", method="POST", headers=[("origin", "https://evil.example"), *lines])
    assert told(events) == [("refused", "cross_origin")]


async def test_revocations_name_what_was_ended(logins, events):
    await logins.manager.revoke_session("a-session")
    await logins.manager.revoke_user("ada")
    await logins.manager.revoke_token(logins.token("bob"))
    assert [(event.kind, event.sub, event.sid) for event in events] == [
        ("revoked", None, "a-session"),
        ("revoked", "ada", None),
        ("revoked", "bob", None),
    ]


async def test_a_pair_of_tokens_is_a_login(logins, events):
    pair = await logins.manager.issue_tokens("ada")
    (event,) = events
    assert (event.kind, event.sub) == ("logged_in", "ada")
    auth = await logins.manager.authenticate_token(pair.access_token)
    assert event.sid == auth.session_id


async def test_a_credential_of_the_application_s_own_is_told_by_its_transport(logins, events):
    @logins.manager.credential_loader(HeaderTransport("X-API-Key", name="api-key", ambient=False))
    async def load_key(key):
        return Grant("ada") if key == "right" else None

    app = AuthMiddleware(view, logins.manager)
    await http(app, "/", headers=[("x-api-key", "wrong")])
    await http(app, "/", headers=[("x-api-key", "right")])
    assert [(event.reason, event.transport) for event in events] == [("unknown_credential", "api-key")]


async def test_a_token_that_another_manager_takes_is_no_refusal(events):
    web = Logins(name="web", on_event=events.append)
    api = Logins(OTHER_SECRET, name="api", on_event=events.append)
    app = AuthMiddleware(view, [web.manager, api.manager])
    await http(app, "/", headers=[bearer(api.token())])
    assert events == []
    await http(app, "/", headers=[bearer(Logins("a-secret-that-nobody-here-has-ever-seen").token())])
    assert [(event.manager, event.reason) for event in events] == [("web", "unknown_key"), ("api", "unknown_key")]
    events.clear()
    expired = api.token()
    api.clock.tick(3600)
    for token in (api.token("gone"), expired):
        await http(app, "/", headers=[bearer(token)])
    assert [(event.manager, event.reason) for event in events] == [("api", "unknown_user"), ("api", "expired")]


async def test_an_anonymous_request_and_a_good_one_are_no_events(logins, browser, events):
    app = AuthMiddleware(view, logins.manager)
    await http(app, "/")
    await http(app, "/", headers=[bearer(logins.token())])
    await browser.get("/")
    assert events == []


def explode(event):
    raise RuntimeError("the disk is full")


async def return_later(event):
    return event


def hidden(event):
    return return_later(event)


@pytest.mark.parametrize("on_event", [explode, hidden])
async def test_a_function_that_fails_changes_no_answer_and_is_logged(on_event, caplog):
    logins = Logins(on_event=on_event)
    app = AuthMiddleware(login_required(view), logins.manager)
    token = logins.token("gone")
    with caplog.at_level(logging.ERROR, "asgi_login"):
        assert (await http(app, "/", headers=[bearer(token)])).status == 401
        assert (await http(app, "/", headers=[bearer(logins.token())])).status == 200
    (record,) = caplog.records
    assert "on_event" in record.getMessage()
    assert token not in caplog.text


async def test_a_function_may_be_called_in_a_thread(logins, events):
    @login_required
    def plain():
        """Only a gate stands before this."""

    async def in_thread(scope, receive, send):
        with pytest.raises(NotAuthenticated):
            await anyio.to_thread.run_sync(plain)
        await view(scope, receive, send)

    await http(AuthMiddleware(in_thread, logins.manager), "/")
    assert [(event.reason, event.client) for event in events] == [("no_credential", CLIENT)]


@pytest.mark.parametrize("on_event", [return_later, partial(return_later), "events.log", 7])
def test_a_function_that_nobody_could_call_is_refused_at_construction(on_event):
    with pytest.raises(TypeError, match="plain function"):
        LoginManager("0123456789-abcdefghij-ABCDEFGHIJ", on_event=on_event)


@pytest.mark.parametrize("client", [None, ("", 0), [], ["198.51.100.9", 1], (b"x", 1), ("x" * 5000, 1)])
async def test_whatever_a_server_says_of_the_client_is_no_failure(logins, events, client):
    await http(AuthMiddleware(view, logins.manager), "/", headers=[bearer("garbage")], client=client)
    (event,) = events
    assert event.client in {None, "198.51.100.9", "x" * 64}


async def test_the_log_says_the_same_reason(logins, events, caplog):
    app = AuthMiddleware(requires_scopes("write")(view), logins.manager)
    with caplog.at_level(logging.INFO, "asgi_login"):
        await http(app, "/", headers=[bearer("garbage")])
        await http(AuthMiddleware(Gate(view), logins.manager), "/")
    assert [event.reason for event in events] == ["malformed_token", "no_credential"]
    for event in events:
        assert any(f"{event.reason}: " in line for line in caplog.messages)


async def test_a_session_older_than_its_lifetime_has_expired(events):
    logins = Logins(
        transports=[CookieTransport()],
        sessions=Sessions(idle=timedelta(days=1), lifetime=timedelta(days=1)),
        on_event=events.append,
    )
    browser = Browser(logins)
    await browser.post("/login-for-now")
    events.clear()
    logins.clock.tick(86_400)
    await browser.get("/")
    assert told(events) == [("refused", "expired")]


def explained(page, heading):
    """Return what the first column of the table under a heading names."""
    part = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)


def test_the_page_explains_every_kind_and_reason():
    assert explained(OBSERVE.read_text(), "What is told") == list(get_args(EventKind))
    assert explained(OBSERVE.read_text(), "Reasons") == list(get_args(Reason))


def test_the_dashboard_asks_for_what_is_counted():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert all("asgi_login_events_total{" in one for one in asked)
    for label, known in {"kind": get_args(EventKind), "reason": get_args(Reason)}.items():
        values = {
            value for one in asked for found in re.findall(rf'{label}=~?"([^"]*)"', one) for value in found.split("|")
        }
        assert values
        assert values <= set(known)


class TestWhatDidNotHappen:
    """What was begun in a request, and came to nothing, is not told."""

    async def served(self, logins, inner, kind="http", **more):
        async def app(scope, receive, send):
            await inner(scope, send)

        managers = [one.manager for one in logins]
        call = http if kind == "http" else websocket
        await call(AuthMiddleware(app, managers), "/", headers=[("origin", "https://site.example")], **more)

    async def test_a_login_that_was_taken_back_in_the_same_request(self, logins, events):
        async def inner(scope, send):
            logins.manager.login_user(scope, "ada")
            logins.manager.logout_user(scope)
            await view(scope, None, send)

        await self.served([logins], inner, method="POST")
        assert events == []

    async def test_the_first_of_two_logins_in_one_request(self, logins, events):
        async def inner(scope, send):
            logins.manager.login_user(scope, "ada")
            logins.manager.login_user(scope, "bob")
            await view(scope, None, send)

        await self.served([logins], inner, method="POST")
        assert [(event.kind, event.sub) for event in events] == [("logged_in", "bob")]

    async def test_a_login_beside_one_that_could_not_be_written(self, events):
        store = Down()
        one = Logins(name="one", transports=[CookieTransport("__Host-one")], on_event=events.append)
        other = Logins(OTHER_SECRET, name="other", transports=[CookieTransport("__Host-other", name="c2")], store=store)

        async def inner(scope, send):
            one.manager.login_user(scope, "ada")
            other.manager.login_user(scope, "bob", remember=True)
            await view(scope, None, send)

        store.is_down = True
        await self.served([one, other], inner, method="POST")
        assert told(events) == [("refused", "unavailable")]

    async def test_a_login_on_a_websocket_that_was_never_accepted(self, logins, events):
        async def inner(scope, send):
            logins.manager.login_user(scope, "ada")
            await send({"type": "websocket.close"})

        await self.served([logins], inner, kind="websocket")
        assert events == []

    async def test_a_logout_of_what_does_not_end(self, events):
        logins = Logins(on_event=events.append)

        @logins.manager.credential_loader(HeaderTransport("X-API-Key", name="api-key", ambient=False))
        async def load_key(key):
            return Grant("ada")

        async def inner(scope, receive, send):
            logins.manager.logout_user(scope)
            await view(scope, receive, send)

        app = AuthMiddleware(inner, logins.manager)
        for line in (("x-api-key", "key"), bearer(logins.token())):
            assert (await http(app, "/", method="POST", headers=[line])).status == 200
        assert events == []


async def test_a_logout_tells_of_each_login_that_it_ends(logins, browser, events):
    async def inner(scope, receive, send):
        logins.manager.logout_user(scope)
        await view(scope, receive, send)

    lines = [cookie(value, name) for name, value in browser.jar.items()]
    own = [("origin", "https://site.example"), bearer(logins.token("bob")), *lines]
    await http(AuthMiddleware(inner, logins.manager), "/", method="POST", headers=own)
    ended = [(event.kind, event.sub, event.sid is not None) for event in events]
    assert ended == [("revoked", None, True), ("logged_out", "bob", False)]


async def test_a_token_that_is_revoked_again_is_told_once(logins, events):
    token = logins.token()
    for _ in range(2):
        await logins.manager.revoke_token(token)
    logins.clock.tick(3600)
    await logins.manager.revoke_token(token)
    assert [(event.kind, event.sub, event.sid) for event in events] == [("revoked", "ada", None)]


async def test_a_user_whom_the_loader_refuses_is_named(logins, events):
    @logins.manager.user_loader
    def load(sub):
        raise InvalidToken("the account is locked")

    await http(AuthMiddleware(view, logins.manager), "/", headers=[bearer(logins.token())])
    assert [(event.sub, event.reason) for event in events] == [("ada", "invalid_token")]


async def test_a_gate_does_not_call_a_session_no_credential_that_its_client_has_ended(events):
    logins = Logins(transports=[CookieTransport()], sessions=Sessions(protection="strong"), on_event=events.append)
    browser = Browser(logins)
    await browser.post("/login-for-now")
    events.clear()
    (name, session), *_ = browser.jar.items()
    app = AuthMiddleware(login_required(view), logins.manager)
    assert (await http(app, "/", headers=[cookie(session, name)], client=("198.51.100.9", 1))).status == 401
    assert told(events) == ["client_changed"]


async def test_an_access_token_cannot_be_confirmed(logins, events):
    async def inner(scope, receive, send):
        logins.manager.confirm_login(scope)

    headers = [("origin", "https://site.example"), bearer(logins.token())]
    await http(AuthMiddleware(inner, logins.manager), "/", method="POST", headers=headers)
    assert told(events) == [("refused", "wrong_type")]


@pytest.mark.parametrize("host", ["\x1b[31mFAKE", "\n FAKE", "\ud800"])
async def test_what_could_break_a_line_is_no_address(logins, events, host):
    await http(AuthMiddleware(view, logins.manager), "/", headers=[bearer("garbage")], client=(host, 1))
    assert [event.client for event in events] == [None]


async def test_a_task_that_outlives_its_request_has_no_client(logins, events):
    started, ended = anyio.Event(), anyio.Event()

    async def later():
        await ended.wait()
        await logins.manager.revoke_user("ada")

    async with anyio.create_task_group() as tasks:

        async def inner(scope, receive, send):
            tasks.start_soon(later)
            started.set()
            await view(scope, receive, send)

        await http(AuthMiddleware(inner, logins.manager), "/")
        ended.set()
    assert [(event.kind, event.client) for event in events] == [("revoked", None)]
