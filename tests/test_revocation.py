"""A logout that holds: a manager with a store, as an application uses it."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import anyio
import pytest
from conformance.driver import DENIAL, bearer, cookie, http, websocket
from conformance.logins import OTHER_SECRET, Logins, User, forge
from starlette.applications import Starlette
from starlette.routing import Route
from store_browser import OWN, Browser, Down, logged_in, page, user_of

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Gate,
    InvalidToken,
    LoginManager,
    MemoryStore,
    Refresh,
    ServiceUnavailable,
    Sessions,
    get_auth,
)

pytestmark = pytest.mark.anyio

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def logins(store):
    return Logins(
        transports=[BearerTransport(), CookieTransport("__Host-login")],
        store=store,
        sessions=Sessions(listed=True),
    )


@pytest.mark.parametrize("held", ["both", "session", "remember"])
async def test_a_logout_ends_every_copy_of_the_login(logins, held):
    browser = await logged_in(logins)
    copy = browser.copy()
    if held != "both":
        copy.jar = {name: value for name, value in copy.jar.items() if ("remember" in name) == (held == "remember")}
    await browser.post("/logout")
    connection = await copy.get("/")
    assert isinstance(connection.scope["state"]["auth"].error, InvalidToken)
    assert copy.jar == {}


async def test_another_login_of_the_user_goes_on(logins):
    one, other = await logged_in(logins), await logged_in(logins)
    await one.post("/logout")
    assert user_of(await other.get("/")) == User("ada")


async def test_a_login_ends_the_one_that_the_browser_had_if_the_view_logs_it_out_first(logins):
    browser = await logged_in(logins)
    copy = browser.copy()
    await browser.post("/logout-and-login")
    assert user_of(await browser.get("/")) == User("ada")
    assert user_of(await copy.get("/")) is None
    assert len(await logins.manager.devices("ada")) == 1


async def test_a_logout_everywhere_ends_every_login_and_token_and_a_new_login_in_the_same_second_lives(logins):
    one, other, token = await logged_in(logins), await logged_in(logins), logins.token("ada")
    await one.post("/everywhere")
    assert user_of(await other.get("/")) is None
    app = AuthMiddleware(Gate(page), logins.manager)
    assert (await http(app, "/", headers=[bearer(token)])).status == 401
    again = await logged_in(logins)
    assert user_of(await again.get("/")) == User("ada")
    assert (await http(AuthMiddleware(_ok, logins.manager), "/", headers=[bearer(logins.token())])).status == 200


async def test_a_logout_everywhere_ends_also_what_came_after_another_one_in_the_same_second(logins):
    await logins.manager.revoke_user("ada")
    between, token = await logged_in(logins), logins.token("ada")
    await logins.manager.revoke_user("ada")
    assert user_of(await between.get("/")) is None
    assert (await http(AuthMiddleware(Gate(page), logins.manager), "/", headers=[bearer(token)])).status == 401
    again = await logged_in(logins)
    assert user_of(await again.get("/")) == User("ada")
    assert [device.session_id for device in await logins.manager.devices("ada")] == [
        get_auth((await again.get("/")).scope).session_id
    ]


async def _ok(scope, receive, send):
    get_auth(scope).require()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_renewed_session_is_the_one_that_ends(logins):
    browser = await logged_in(logins)
    before = browser.copy()
    logins.clock.tick(600)
    await browser.get("/")
    assert browser.jar != before.jar
    await before.post("/logout")
    assert user_of(await browser.get("/")) is None


async def test_one_token_is_revoked(logins):
    token, other = logins.token("ada"), logins.token("ada")
    await logins.manager.revoke_token(token)
    app = AuthMiddleware(_ok, logins.manager)
    assert (await http(app, "/", headers=[bearer(token)])).status == 401
    assert (await http(app, "/", headers=[bearer(other)])).status == 200


async def test_a_token_that_was_verified_before_is_revoked_all_the_same(logins):
    token = logins.token("ada")
    app = AuthMiddleware(_ok, logins.manager)
    assert (await http(app, "/", headers=[bearer(token)])).status == 200
    await logins.manager.revoke_token(token)
    assert (await http(app, "/", headers=[bearer(token)])).status == 401


async def test_an_expired_token_can_be_revoked_and_a_forged_one_cannot(logins):
    token = logins.token("ada")
    logins.clock.tick(3600)
    await logins.manager.revoke_token(token)
    forged = Logins(OTHER_SECRET).token("ada")
    for wrong in (forged, "nonsense", token[:-4] + "AAAA", "é"):
        with pytest.raises(InvalidToken):
            await logins.manager.revoke_token(wrong)


async def test_a_revoked_session_token_ends_its_login(logins):
    browser = await logged_in(logins)
    await logins.manager.revoke_token(browser.jar["__Host-login"])
    assert user_of(await browser.get("/")) is None


async def test_a_user_is_logged_out_everywhere_but_here(logins):
    here, there = await logged_in(logins), await logged_in(logins)
    connection = await here.get("/")
    await logins.manager.revoke_user("ada", keep=connection.scope)
    assert user_of(await there.get("/")) is None
    assert user_of(await here.get("/")) == User("ada")


async def test_what_holds_a_request_is_asked_again(logins):
    browser = await logged_in(logins)
    auth = (await browser.get("/")).scope["state"]["auth"]
    auth.require()
    await logins.manager.revoke_session(auth.session_id)
    with pytest.raises(InvalidToken):
        auth.require()


async def test_the_devices_of_a_user_are_listed_until_they_are_logged_out(logins):
    one, other = await logged_in(logins), await logged_in(logins)
    listed = await logins.manager.devices("ada")
    assert len(listed) == 2
    logins.clock.tick(600)
    connection = await one.get("/")
    sid = connection.scope["state"]["auth"].session_id
    newest = (await logins.manager.devices("ada"))[0]
    assert (newest.session_id, newest.seen_at) == (sid, logins.clock.now)
    await other.post("/logout")
    assert [one.session_id for one in await logins.manager.devices("ada")] == [sid]


async def test_a_logout_that_could_not_be_written_is_a_503_and_deletes_the_cookies(store):
    store = Down()
    logins = Logins(transports=[CookieTransport("__Host-login")], store=store)
    browser = await logged_in(logins)
    store.is_down = True
    connection = await browser.post("/logout")
    assert (connection.status, connection.header("retry-after")) == (503, ["1"])
    assert connection.json["error"] == "temporarily_unavailable"
    assert connection.header("www-authenticate") == []
    assert browser.jar == {}


async def test_a_credential_that_nobody_can_judge_is_a_503_before_the_application_runs():
    store = Down()
    logins = Logins(store=store)
    logins.clock.tick(-100)
    old = logins.token("ada")
    logins.clock.tick(100)
    store.is_down = True
    visits = []

    async def app(scope, receive, send):
        visits.append(scope["path"])
        await page({**scope, "manager": logins.manager}, receive, send)

    wrapped = AuthMiddleware(app, logins.manager, skip=["/health"])
    connection = await http(wrapped, "/", headers=[bearer(old)])
    assert (connection.status, visits) == (503, [])
    assert (await http(wrapped, "/health", headers=[bearer(old)])).status == 200
    assert (await http(wrapped, "/")).status == 200


@pytest.mark.parametrize("call", ["revoke_token", "revoke_session", "revoke_user"])
async def test_without_a_store_there_is_a_sentence(call):
    manager = LoginManager(SECRET)
    with pytest.raises(ValueError, match=r"needs LoginManager\(store=\)"):
        await getattr(manager, call)("x")


async def test_a_logout_everywhere_without_a_store_says_so():
    logins = Logins(transports=[CookieTransport("__Host-login")])
    browser = await logged_in(logins)
    error = (await browser.post("/everywhere")).error
    assert isinstance(error, ValueError)
    assert "needs LoginManager(store=)" in str(error)


async def test_a_list_that_nobody_keeps_is_told():
    with pytest.raises(ValueError, match=r"needs Sessions\(listed=True\)"):
        await LoginManager(SECRET, store=MemoryStore()).devices("ada")


async def test_a_token_without_an_id_cannot_be_ended_by_itself(logins):
    now = int(logins.clock())
    token = forge({"alg": "HS256", "typ": "at+jwt"}, {"sub": "ada", "iat": now, "exp": now + 60})
    with pytest.raises(InvalidToken) as caught:
        await logins.manager.revoke_token(token)
    assert caught.value.reason == "jti: missing, so that the token cannot be ended by itself"


async def test_a_logout_with_a_forged_cookie_only_deletes_it(logins):
    browser = Browser(logins, {"__Host-login": "forged"})
    assert (await browser.post("/logout")).status == 200
    assert browser.jar == {}


@pytest.mark.parametrize("says", ["websocket.accept", "websocket.close"])
async def test_a_websocket_whose_logout_could_not_be_written_is_told_so(says):
    store = Down()
    logins = Logins(transports=[CookieTransport("__Host-login")], store=store)
    browser = await logged_in(logins)
    store.is_down = True

    async def app(scope, receive, send):
        logins.manager.logout_user(scope)
        await receive()
        await send({"type": says})

    headers = [*OWN, *(cookie(value, name) for name, value in browser.jar.items())]
    connection = await websocket(AuthMiddleware(app, logins.manager), "/", headers=headers)
    assert (connection.messages[-1]["code"], connection.messages[-1]["reason"]) == (1013, "temporarily_unavailable")


def test_a_store_that_forgets_too_soon_is_refused():
    with pytest.raises(ValueError, match="pass keep= to the store"):
        LoginManager(SECRET, store=MemoryStore(keep=timedelta(days=7)))


def test_a_token_beyond_the_memory_of_the_store_is_refused(logins):
    with pytest.raises(ValueError, match="lives longer than the store remembers"):
        logins.manager.create_access_token(data={"sub": "ada"}, expires=timedelta(days=32))


def test_a_list_of_logins_needs_a_store():
    with pytest.raises(ValueError, match=r"listed=True\) needs LoginManager\(store=\)"):
        LoginManager(SECRET, sessions=Sessions(listed=True))


@pytest.mark.parametrize("sub", [7, "", None, b"ada"])
async def test_what_is_no_user_id_is_told_instead_of_ending_nothing(logins, sub):
    for call in (logins.manager.revoke_user, logins.manager.revoke_session, logins.manager.devices):
        with pytest.raises(TypeError, match="non-empty str"):
            await call(sub)


async def test_a_login_remembered_for_longer_stays_in_the_list_for_as_long(logins):
    browser = Browser(logins)

    async def log_in(scope, receive, send):
        logins.manager.login_user(scope, "ada", remember=timedelta(days=31))
        await _answer(send)

    await browser._send("/", "POST", OWN, app=log_in)
    [device] = await logins.manager.devices("ada")
    assert device.expires_at == logins.clock.now + 31 * 86_400


async def _answer(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_login_is_not_refused_because_its_list_cannot_be_written():
    store = Down()
    logins = Logins(transports=[CookieTransport("__Host-login")], store=store, sessions=Sessions(listed=True))
    store.is_down = True
    browser = Browser(logins)
    assert (await browser.post("/login-for-now")).status == 200
    store.is_down = False
    assert user_of(await browser.get("/")) == User("ada")


@pytest.mark.parametrize(("extensions", "says"), [(DENIAL, 503), ({}, 1013)])
async def test_a_websocket_whose_login_nobody_can_judge_is_refused_before_the_application_runs(extensions, says):
    store = Down()
    logins = Logins(store=store)
    # Its channel has no log that could be followed, so that each token is asked for.
    headers = [bearer(logins.token())]
    logins.manager.config.revocation._view.fall_silent()
    store.is_down = True
    app = AuthMiddleware(None, logins.manager)
    connection = await websocket(app, "/", headers=headers, extensions=extensions)
    assert (connection.status or connection.close_code) == says


async def test_the_answer_to_an_ended_token_is_that_to_any_other_bad_one(logins):
    ended, app = logins.token(), AuthMiddleware(Gate(page), logins.manager)
    await logins.manager.revoke_token(ended)
    answers = [await http(app, "/", headers=[bearer(token)]) for token in (ended, "not.a.token")]
    assert answers[0].messages == answers[1].messages


async def test_logging_out_everywhere_ends_the_cookies_login_of_another_user_too(logins):
    browser = await logged_in(logins)
    copy = browser.copy()
    await browser.post("/everywhere", bearer(logins.token("bob")))
    assert browser.jar == {}
    assert user_of(await copy.get("/")) is None


async def test_an_answer_of_the_application_s_own_to_a_store_that_is_down_is_left_alone():
    store = Down()
    logins = Logins(store=store, sessions=Sessions(listed=True))
    store.is_down = True

    async def view(scope, receive, send):
        try:
            await logins.manager.devices("ada")
        except ServiceUnavailable:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"come back later"})

    assert (await http(AuthMiddleware(view, logins.manager), "/")).body == b"come back later"


@pytest.mark.parametrize("token", [None, 7, b"bytes"])
async def test_what_is_no_token_is_told(logins, token):
    with pytest.raises(TypeError, match="takes the token as a str"):
        await logins.manager.revoke_token(token)


@pytest.mark.parametrize("call", ["devices", "revoke_user", "revoke_session", "issue_tokens"])
async def test_what_a_view_asks_of_a_store_that_is_down_is_answered_503_by_a_framework_that_knows_nothing_of_it(call):
    store = Down()
    logins = Logins(store=store, sessions=Sessions(listed=True), refresh=Refresh())
    store.is_down = True

    async def view(request):
        await getattr(logins.manager, call)("ada")

    app = AuthMiddleware(Starlette(routes=[Route("/", view)]), logins.manager)
    connection = await http(app, "/")
    assert (connection.status, connection.json["error"]) == (503, "temporarily_unavailable")
    assert connection.error is None


def test_a_store_that_is_none_is_told():
    with pytest.raises(TypeError, match="store is a MemoryStore"):
        LoginManager(SECRET, store="redis://127.0.0.1")


async def test_a_duration_beyond_the_memory_of_the_store_is_told_by_its_name(logins):
    async def log_in(scope, receive, send):
        with pytest.raises(ValueError, match=r"remember=\) .* what the store"):
            logins.manager.login_user(scope, "ada", remember=timedelta(days=60))
        await _answer(send)

    await Browser(logins)._send("/", "POST", OWN, app=log_in)


async def test_a_logout_ends_the_login_of_the_cookies_where_a_header_came_first(logins):
    browser = await logged_in(logins)
    copy = browser.copy()
    await browser.post("/logout", bearer(logins.token("bob")))
    assert user_of(await copy.get("/")) is None


async def test_a_logout_ends_the_login_of_another_session_s_remember_cookie(logins):
    first, second = await logged_in(logins), await logged_in(logins)
    copy = first.copy()
    mixed = {name: (first if "remember" in name else second).jar[name] for name in first.jar}
    await Browser(logins, mixed).post("/logout")
    assert user_of(await copy.get("/")) is None


@pytest.mark.parametrize("failure", [ServiceUnavailable("theirs"), InvalidToken("theirs")])
async def test_a_logout_holds_though_the_request_is_refused_afterwards(logins, failure):
    async def fails(scope, receive, send):
        logins.manager.logout_user(scope)
        raise failure

    browser = await logged_in(logins)
    copy = browser.copy()
    assert (await browser._send("/", "POST", OWN, fails)).status == failure.status
    assert user_of(await copy.get("/")) is None


async def test_a_logout_holds_though_the_websocket_is_closed_before_it_is_accepted(logins):
    async def closes(scope, receive, send):
        logins.manager.logout_user(scope)
        await receive()
        await send({"type": "websocket.close", "code": 1000})

    browser = await logged_in(logins)
    lines = [cookie(value, name) for name, value in browser.jar.items()]
    await websocket(AuthMiddleware(closes, logins.manager), "/", headers=[*OWN, *lines])
    assert user_of(await browser.get("/")) is None


async def test_a_token_issued_before_what_the_store_remembers_is_refused_however_late_it_is_seen(logins):
    now = int(logins.clock())
    claims = {"sub": "ada", "iat": now - 86_400 * 20, "exp": now + 86_400 * 12}
    headers = [bearer(forge({"alg": "HS256", "typ": "at+jwt"}, claims))]
    connection = await http(AuthMiddleware(_ok, logins.manager), "/", headers=headers)
    assert "lives longer than the store remembers" in connection.scope["state"]["auth"].error.reason


def test_many_threads_can_tell_one_store(store):
    heard = []

    class Listener:
        def hear(self, entry):
            heard.append(entry)

    listeners = [Listener() for _ in range(20)]
    channel = store.open("auth", leeway=5, clock=time.time)

    def attach_and_end(listener):
        channel.attach(listener.hear)
        anyio.run(partial(channel.end, "s", f"session-{id(listener)}", time.time() + 60))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(attach_and_end, listeners))
    heard.clear()
    anyio.run(partial(channel.end, "s", "last", time.time() + 60))
    assert len(heard) == len(listeners)
