"""What starlette-login, Flask-Login, quart-auth and fastapi-users got wrong, and what their users rely on."""

import gc
import threading
from urllib.parse import parse_qs, urljoin, urlsplit

import anyio
import anyio.to_thread
import pytest
from browser_jar import CAFE, HOME, OTHER_ORIGIN, OWN_ORIGIN, REMEMBER, Browser, page, site
from helpers import (
    COOKIE,
    NOW,
    OTHER_SECRET,
    SECRET,
    Clock,
    authenticate,
    b64,
    bearer,
    claims,
    cookie,
    hello,
    hs256,
    http_scope,
    make_manager,
    parts,
    protected,
    request,
    send_request,
    websocket,
)
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Gate,
    InvalidRequest,
    InvalidToken,
    LoginManager,
    Sessions,
    current_auth,
    fresh_login_required,
    get_auth,
    login_required,
    safe_next,
)
from asgi_login.starlette import install

DAY = 86_400


# starlette-login's defects


def test_nobody_is_logged_in_again_after_logout_through_the_remember_cookie(browser, manager, clock):
    browser.login(manager, remember=True)
    browser.logout(manager)
    for days in (0, 1, 20):
        clock.now += days * DAY
        browser.close()
        assert browser.send(path="/private").status == 401


def test_a_loader_that_finds_nobody_leaves_nobody_authenticated(clock):
    users = ["ada"]
    manager = make_manager(clock=clock, users=users)
    browser = Browser.of(manager)
    browser.login(manager)
    users.clear()
    auth = browser.visit()
    assert (auth.user, auth.is_authenticated, auth.scopes, dict(auth.claims)) == (None, False, frozenset(), {})


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"x-real-ip", b"forwarded"])
def test_strong_protection_does_not_believe_what_a_thief_says_of_their_address(clock, name):
    manager = make_manager(clock=clock, sessions=Sessions(protection="strong"))
    browser = Browser.of(manager)
    browser.login(manager)
    thief = browser.copy(client=CAFE)
    assert thief.visit(headers=[(name, HOME[0].encode())]).user is None


@pytest.mark.parametrize("target", ["//evil.example", "///evil.example", "/\\evil.example", "https://evil.example"])
def test_next_never_leaves_the_site(clock, target):
    assert safe_next(target) == "/"
    manager = make_manager(clock=clock, redirect_to="/login")
    answer = request(protected(manager), path=target, headers=[(b"accept", b"text/html")])
    (following,) = parse_qs(urlsplit(answer.header("location")).query)["next"]
    assert urlsplit(urljoin("https://example.com/login", following)).netloc == "example.com"
    assert "\\" not in following


def test_what_remembers_a_login_ends_at_a_time_that_is_signed(browser, manager, clock):
    browser.login(manager, remember=True)
    token = browser.token(REMEMBER)
    header, payload = parts(token)
    assert payload["exp"] == NOW + 30 * DAY
    later = b64(str(payload | {"exp": NOW + 300 * DAY}).replace("'", '"'))
    browser.close()
    browser.put(".".join([token.split(".")[0], later, token.split(".")[2]]), REMEMBER)
    assert browser.visit().user is None
    assert header["alg"] == "HS256"


@pytest.mark.parametrize("slot", ["header", COOKIE])
def test_what_remembers_a_login_is_no_token_of_another_kind(browser, manager, slot):
    browser.login(manager, remember=True)
    token = browser.token(REMEMBER)
    header = bearer(token) if slot == "header" else cookie(token, slot)
    assert isinstance(authenticate(manager, header).error, InvalidToken)


def test_cookies_are_secure_and_lax_by_default(browser, manager):
    for line in browser.login(manager, remember=True).all("set-cookie"):
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))


def test_a_websocket_of_another_site_does_not_act_for_the_user(browser, manager):
    browser.login(manager)
    assert browser.connect(headers=OTHER_ORIGIN) == [
        {"type": "websocket.close", "code": 1008, "reason": "cross_origin_request"}
    ]
    assert browser.auth.user is None


def test_strong_protection_and_remember_work_together(clock):
    manager = make_manager(clock=clock, sessions=Sessions(protection="strong"))
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    browser.close()
    browser.client = CAFE
    assert [browser.visit().user for _ in range(3)] == ["ada"] * 3


def test_a_permanent_session_outlives_the_browser(browser, manager, clock):
    browser.login(manager, remember=True)
    browser.close()
    clock.now += 29 * DAY
    assert browser.visit().user == "ada"


def test_the_applications_own_cookie_is_kept_while_a_login_is_restored(browser, manager):
    browser.login(manager, remember=True)
    browser.close()
    lines = browser.send(reply=[(b"set-cookie", b"cart=7; Path=/shop")]).all("set-cookie")
    assert lines[0] == "cart=7; Path=/shop"
    assert [line.partition("=")[0] for line in lines] == ["cart", COOKIE, REMEMBER]


@pytest.mark.parametrize("headers", [[], [(b"cookie", b"a=1; b=2")], [(b"cookie", b"__Host-access-token=")]])
def test_an_anonymous_response_sets_no_cookie(browser, headers):
    answer = browser.send(headers=headers)
    assert answer.headers == []
    answer = browser.send(headers=headers, path="/private")
    assert answer.all("set-cookie") == []


@pytest.mark.parametrize("name", [COOKIE, REMEMBER, "other"])
@pytest.mark.parametrize("value", [b"\xff", "\u00e9".encode(), b'"\\303\\251"', b"%C3%A9"])
def test_bytes_outside_of_ascii_in_a_cookie_stop_no_page(manager, name, value):
    auth = authenticate(manager, cookie(value, name))
    assert auth.user is None
    assert (auth.error is None) is (name == "other")


async def deny_in_words(websocket):
    await websocket.send_text("not authenticated")
    await websocket.close()


@login_required
async def members(websocket):
    await websocket.accept()
    await websocket.close()


def test_a_websocket_callback_can_send_because_the_socket_is_accepted(manager):
    app = Starlette(routes=[WebSocketRoute("/ws", members)])
    install(app, manager, websocket_denial=deny_in_words)
    with TestClient(app).websocket_connect("/ws") as connection:
        assert connection.receive_text() == "not authenticated"
        with pytest.raises(WebSocketDisconnect):
            connection.receive_text()


def test_without_a_callback_a_websocket_is_refused_with_the_401(manager):
    app = Starlette(routes=[WebSocketRoute("/ws", members)])
    install(app, manager)
    with pytest.raises(WebSocketDenialResponse) as denial, TestClient(app).websocket_connect("/ws"):
        pass
    assert denial.value.status_code == 401


@pytest.mark.parametrize("depth", [1, 2])
def test_a_mounted_application_knows_the_user(manager, depth):
    @login_required
    def plain(request):
        return PlainTextResponse(get_auth(request).user)

    app = Starlette(routes=[Route("/page", plain)])
    for _ in range(depth):
        app = Starlette(routes=[Mount("/sub", app)])
    install(app, manager)
    token = manager.create_access_token(data={"sub": "ada"})
    client = TestClient(app)
    path = "/sub" * depth + "/page"
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"authorization": f"Bearer {token}"}).text == "ada"


@pytest.mark.anyio
async def test_a_plain_loader_does_not_block_the_loop():
    manager = LoginManager(SECRET, transports=[BearerTransport()], clock=Clock())
    looked_up, go_on = threading.Event(), threading.Event()

    @manager.user_loader
    def load(sub):
        looked_up.set()
        assert go_on.wait(10)
        return sub

    answers = []

    async def visit():
        scope = http_scope(headers=[bearer(hs256())])
        answers.append(await send_request(AuthMiddleware(hello, manager), scope))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(visit)
            while not looked_up.is_set():
                await anyio.lowlevel.checkpoint()
            # The loader is waiting for this line, which a blocked loop would never reach.
            go_on.set()
    assert answers[0].body == b"'ada'"


@pytest.mark.parametrize("path", ["/staticadmin", "/static-admin", "/static.html", "/STATIC/x", "/static/../admin"])
def test_an_open_folder_opens_nothing_that_only_begins_like_it(manager, path):
    app = AuthMiddleware(Gate(hello, exempt=["/static"]), manager)
    assert request(app, path=path).status == 401
    assert request(app, path="/static/x").status == 200


@pytest.mark.parametrize("decorator", [login_required, fresh_login_required, login_required(manager="default")])
def test_a_decorated_view_calls_its_parameters_what_it_likes(manager, decorator):
    @decorator
    def view(x, /, *, y=1):
        return PlainTextResponse(str(y))

    app = Starlette(routes=[Route("/", view)])
    install(app, manager)
    token = manager.create_access_token(data={"sub": "ada", "auth_time": NOW})
    assert TestClient(app).get("/", headers={"authorization": f"Bearer {token}"}).text == "1"


# Flask-Login's defects


def test_the_next_user_of_a_browser_does_not_inherit_what_remembers_the_last(browser, manager, clock):
    browser.login(manager, "ada", remember=True)
    browser.login(manager, "user1")
    clock.now += DAY
    assert browser.visit().user is None
    browser.close()
    assert browser.visit().user is None


def test_a_strongly_protected_remembered_login_lives_past_its_second_request(clock):
    manager = make_manager(clock=clock, sessions=Sessions(protection="strong"))
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    for _ in range(50):
        clock.now += 6 * 3600
        assert browser.visit().user == "ada"


def test_the_user_of_a_request_does_not_leak_into_the_next(browser, manager):
    seen = []
    browser.send(lambda scope: seen.append(current_auth().user))
    browser.login(manager)
    browser.send(lambda scope: seen.append(current_auth().user))
    browser.copy(jar={}).send(lambda scope: seen.append(current_auth().user))
    assert seen == [None, "ada", None]
    with pytest.raises(RuntimeError, match="no request"):
        current_auth()


@pytest.mark.anyio
async def test_users_of_concurrent_requests_do_not_meet():
    manager = make_manager(users=None)
    seen = {}

    async def app(scope, receive, send):
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        seen[scope["path"]] = current_auth().user
        await hello(scope, receive, send)

    wrapped = AuthMiddleware(app, manager)
    async with anyio.create_task_group() as tasks:
        for i in range(20):
            headers = [bearer(hs256(claims(sub=f"user-{i}")))] if i % 2 else []
            tasks.start_soon(send_request, wrapped, http_scope(path=f"/{i}", headers=headers))
    assert seen == {f"/{i}": f"user-{i}" if i % 2 else None for i in range(20)}


def test_a_changed_host_moves_no_redirect(clock):
    manager = make_manager(clock=clock, redirect_to="/login")
    forged = [(b"accept", b"text/html"), (b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example")]
    assert request(protected(manager), path="/a", headers=forged).header("location") == "/login?next=%2Fa"


# quart-auth's defects


@pytest.mark.parametrize("scheme", [b"BEARER", b"Bearer", b"bearer\t", b"Bearer\xa0"])
def test_a_scheme_without_a_space_behind_it_is_no_bearer(manager, scheme):
    token = hs256().encode()
    assert authenticate(manager, (b"authorization", scheme + token)).user is None
    assert authenticate(manager, (b"authorization", b"BEARER " + token)).user == "ada"


@pytest.mark.parametrize("headers", [[], [(b"authorization", b"Basic eDp5")], [bearer("x")], [cookie("x")]])
def test_every_401_has_a_challenge(manager, headers):
    answer = request(protected(manager), headers=headers)
    assert answer.status == 401
    assert answer.header("www-authenticate").startswith('Bearer realm="api"')


@pytest.mark.parametrize("value", [b"Bearer", b"Bearer ", b"Bearer a b"])
def test_a_malformed_bearer_is_a_bad_request_also_next_to_a_good_cookie(browser, manager, value):
    browser.login(manager)
    auth = browser.visit(headers=[(b"authorization", value)])
    assert (auth.user, type(auth.error)) == (None, InvalidRequest)


# fastapi-users' defects


def test_a_logout_of_one_manager_leaves_the_logins_of_the_others(clock):
    web = make_manager(clock=clock, name="web", transports=[CookieTransport("__Host-web")])
    admin = make_manager(OTHER_SECRET, clock=clock, name="admin", transports=[CookieTransport("__Host-admin")])
    browser = Browser.of(web, admin)
    browser.login(web, remember=True)
    browser.login(admin, remember=True)
    browser.logout(web)
    assert (browser.visit().user, browser.auth.manager) == ("ada", "admin")
    browser.close()
    assert (browser.visit().user, browser.auth.manager) == ("ada", "admin")


def test_a_logout_leaves_the_token_in_another_transport(browser, manager):
    token = manager.create_access_token(data={"sub": "user1"})
    browser.login(manager)
    browser.send(manager.logout_user, headers=[*OWN_ORIGIN, bearer(token)])
    assert browser.jar == {}
    assert browser.visit(headers=[bearer(token)]).user == "user1"


@pytest.mark.parametrize("slot", ["header", "cookie", "session", "remember"])
def test_a_user_whom_the_loader_does_not_return_passes_nowhere(clock, slot):
    users = ["ada"]
    manager = make_manager(clock=clock, users=users)
    browser = Browser.of(manager)
    token = manager.create_access_token(data={"sub": "ada"})
    headers = [bearer(token)] if slot == "header" else []
    if slot == "cookie":
        browser.put(token)
    elif slot != "header":
        browser.login(manager, remember=True)
    if slot == "remember":
        browser.close()
    users.clear()
    assert browser.send(path="/private", headers=headers).status == 401


def test_a_bearer_token_that_no_logout_can_reach_ends_soon(clock):
    manager = make_manager(clock=clock)
    token = manager.create_access_token(data={"sub": "ada"})
    assert authenticate(manager, bearer(token)).user == "ada"
    clock.now += 15 * 60
    assert authenticate(manager, bearer(token)).error.expired


@pytest.mark.parametrize("max_age", [None, 60, 30 * DAY])
def test_cookie_and_token_do_not_have_lifetimes_that_drift(clock, max_age):
    manager = make_manager(clock=clock, transports=[CookieTransport(max_age=max_age)])
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    for _ in range(5):
        for one in browser.jar.values():
            exp = parts(one.value)[1]["exp"]
            assert one.until is None or one.until <= exp
        clock.now += 50
        browser.visit()


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_manager(transports=[CookieTransport("a"), CookieTransport("b")]),
        lambda: AuthMiddleware(page, [make_manager(), make_manager(OTHER_SECRET)]),
    ],
)
def test_equal_names_are_refused(make):
    with pytest.raises(ValueError, match="same name"):
        make()


# Their behaviours we keep


@pytest.mark.parametrize("as_thread", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("remember", [False, True])
def test_a_view_is_refused_then_open_after_login_then_refused_after_logout(clock, as_thread, remember):
    manager = make_manager(clock=clock)

    def do_login(request):
        manager.login_user(request, "ada", remember=remember)
        return PlainTextResponse("welcome")

    def do_logout(request):
        manager.logout_user(request)
        return PlainTextResponse("bye")

    def secret(request):
        return PlainTextResponse(get_auth(request).user)

    async def async_login(request):
        return do_login(request)

    async def async_logout(request):
        return do_logout(request)

    async def async_secret(request):
        return secret(request)

    views = (do_login, do_logout, secret) if as_thread else (async_login, async_logout, async_secret)
    paths = [("/login", views[0], "POST"), ("/logout", views[1], "POST"), ("/", login_required(views[2]), "GET")]
    app = Starlette(routes=[Route(path, view, methods=[method]) for path, view, method in paths])
    install(app, manager)
    with TestClient(app, base_url="https://example.com") as client:
        assert client.get("/").status_code == 401
        assert client.post("/login").text == "welcome"
        assert client.get("/").text == "ada"
        assert client.post("/logout").text == "bye"
        assert client.get("/").status_code == 401
        assert len(client.cookies) == 0


def test_the_cookie_alone_authenticates(browser, manager):
    browser.login(manager)
    answer = request(protected(manager), headers=[(b"user-agent", b"Firefox"), cookie(browser.token())])
    assert answer.status == 200


def test_a_stale_login_is_refused_by_a_page_that_wants_a_fresh_one_until_it_is_confirmed(browser, manager, clock):
    browser.login(manager)
    assert browser.send(path="/fresh").status == 200
    clock.now += 601
    assert browser.send(path="/fresh").status == 401
    assert browser.send(path="/private").status == 200
    browser.confirm(manager)
    assert browser.send(path="/fresh").status == 200


def test_a_websocket_is_refused_then_accepted(browser, manager):
    app = protected(manager)
    assert [message["type"] for message in websocket(app)] == ["websocket.close"]
    browser.login(manager)
    browser.app = app
    assert browser.connect()[0]["type"] == "websocket.accept"


def test_a_preflight_needs_no_login_and_reaches_no_view(manager):
    preflight = [(b"origin", b"https://a.example"), (b"access-control-request-method", b"POST")]
    answer = request(protected(manager), "OPTIONS", headers=preflight)
    assert (answer.status, answer.body, answer.headers) == (204, b"", [])


def test_a_user_id_that_is_gone_logs_out(clock):
    users = ["ada"]
    manager = make_manager(clock=clock, users=users)
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    users.clear()
    browser.visit()
    assert browser.jar == {}
    users.append("ada")
    assert not browser.visit().is_authenticated


@pytest.mark.parametrize("value", ["x", "ada|deadbeef", "a.b.c", "a" * 4000, hs256(secret=OTHER_SECRET), hs256()])
def test_an_invalid_remember_cookie_is_an_anonymous_page_and_no_500(browser, value):
    browser.put(value, REMEMBER)
    answer = browser.send()
    assert (answer.status, browser.auth.user) == (200, None)
    assert browser.send(path="/private").status == 401


def test_next_carries_path_and_query(clock):
    manager = make_manager(clock=clock, redirect_to="/login")
    answer = request(protected(manager), path="/a b", query_string=b"x=1&y=%2F", headers=[(b"accept", b"text/html")])
    assert answer.status == 303
    assert answer.header("location") == "/login?next=%2Fa%2520b%3Fx%3D1%26y%3D%252F"


def test_the_token_of_one_manager_is_useless_to_a_second(clock):
    admin = make_manager(SECRET, clock=clock, name="admin")
    web = make_manager(OTHER_SECRET, clock=clock, name="web")
    browser = Browser.of(admin)
    browser.login(admin, remember=True)
    other = browser.copy(jar={})
    other.app = site(web)
    for name in (COOKIE, "__Host-admin-remember-token"):
        other.put(browser.token(name))
        assert isinstance(other.visit().error, InvalidToken)
        other.put(browser.token(name), "__Host-web-remember-token")
        assert other.visit().user is None


def test_requests_leave_no_garbage_behind(browser, manager):
    browser.login(manager, remember=True)
    for _ in range(3):
        browser.visit()
    gc.collect()
    browser.visit()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(50):
            browser.visit()
        assert len(gc.get_objects()) - before < 50
    finally:
        gc.enable()
