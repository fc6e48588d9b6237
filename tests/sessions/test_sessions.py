"""Logins in a browser: what is written into its jar, and what of it counts later, from whom, and for how long."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import anyio.to_thread
import pytest
from browser_jar import CAFE, HOME, OTHER_ORIGIN, OWN_ORIGIN, REMEMBER, Browser, page, site
from helpers import (
    COOKIE,
    NOW,
    OTHER_SECRET,
    SECRET,
    Clock,
    bearer,
    cookie,
    http_scope,
    make_manager,
    parts,
    public_pem,
    rsa_pem,
    run,
    send_request,
)

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    CrossOriginRequest,
    Gate,
    InvalidToken,
    Key,
    LoginManager,
    NotAuthenticated,
    Sessions,
    get_auth,
)

MINUTE, DAY = 60, 86_400
IDLE = 15 * MINUTE
ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
DELETED = f"=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; {ATTRIBUTES}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def manager(clock):
    return make_manager(clock=clock)


@pytest.fixture
def browser(manager):
    return Browser.of(manager)


def with_sessions(clock, *, manager=None, **settings):
    """Return a manager and a browser for these settings of `Sessions`."""
    manager = make_manager(clock=clock, sessions=Sessions(**settings), **(manager or {}))
    return manager, Browser.of(manager)


def claims_of(token):
    return parts(token)[1]


def kind_of(token):
    return parts(token)[0]["typ"]


# What is written


def test_a_login_sets_the_session_and_deletes_what_remembered_another(browser, manager):
    session, remember = browser.login(manager).all("set-cookie")
    assert re.fullmatch(rf"{COOKIE}=[A-Za-z0-9_.-]+; {ATTRIBUTES}", session)
    assert remember == REMEMBER + DELETED
    assert browser.names == {COOKIE}
    assert browser.visit().user == "ada"


def test_a_session_token_says_who_when_and_from_where(browser, manager):
    browser.login(manager, scopes=["read", "write"])
    header, claims = parts(browser.token())
    assert header["typ"] == "session+jwt"
    fixed = {"sub": "ada", "scope": "read write", "auth_time": NOW, "iat": NOW, "exp": NOW + IDLE}
    fixed |= {"fresh": True, "permanent": False}
    assert claims.items() >= fixed.items()
    assert set(claims) == {*fixed, "sid", "jti", "fp"}
    assert browser.visit().scopes == {"read", "write"}


def test_a_remembered_login_sets_a_cookie_that_outlives_the_browser(browser, manager):
    browser.login(manager, remember=True)
    header, claims = parts(browser.token(REMEMBER))
    assert header["typ"] == "remember+jwt"
    assert claims["exp"] == NOW + 30 * DAY
    assert {"sid", "auth_time"} <= set(claims)
    assert claims_of(browser.token())["permanent"] is True
    browser.close()
    assert browser.names == {REMEMBER}


@pytest.mark.parametrize("fraction", [0, 0.25, 0.99])
@pytest.mark.parametrize("name", [COOKIE, REMEMBER])
def test_a_cookie_does_not_outlive_its_token(clock, name, fraction):
    clock.now += fraction
    transports = [BearerTransport(), CookieTransport(max_age=90 * DAY)]
    manager = make_manager(clock=clock, transports=transports)
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    (stored,) = [one for one in browser.jar.values() if one.name == name]
    assert stored.until <= claims_of(stored.value)["exp"]


@pytest.mark.parametrize("status", [200, 204, 302, 404, 500])
def test_a_login_is_written_onto_whatever_the_response_is(browser, manager, status):
    answer = browser.send(lambda scope: manager.login_user(scope, "ada"), answer=status)
    assert answer.status == status
    assert browser.visit().user == "ada"


def test_a_login_is_written_onto_the_start_of_a_stream_whose_chunks_stay(browser, manager):
    assert browser.login(manager).body == b"one two"


@pytest.mark.parametrize("remember", [False, True])
def test_a_login_is_written_onto_the_accept_of_a_websocket(browser, manager, remember):
    accept, close = browser.connect(lambda scope: manager.login_user(scope, "ada", remember=remember))
    assert accept["type"] == "websocket.accept"
    assert close == {"type": "websocket.close", "code": 1000}
    assert browser.visit().user == "ada"
    assert browser.names == ({COOKIE, REMEMBER} if remember else {COOKIE})


def test_a_session_is_renewed_on_the_accept_of_a_websocket(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    before = browser.token()
    browser.connect()
    assert browser.token() != before


OWN_LINES = [
    (b"set-cookie", b'a="1, 2"; Path=/'),
    (b"Set-Cookie", b"a=3; Path=/x"),
    (b"set-cookie", b"__Host-access-tokenx=1"),
    (b"set-cookie", b"b=\xe4"),
    (b"x-own", b"1"),
]


def test_the_applications_own_cookies_stay_byte_for_byte(browser, manager):
    scope = http_scope("POST", headers=OWN_ORIGIN, do=lambda scope: manager.login_user(scope, "ada"), reply=OWN_LINES)
    answer = run(send_request(browser.app, scope))
    assert answer.headers[: len(OWN_LINES)] == OWN_LINES
    assert [name for name, _ in answer.headers[len(OWN_LINES) :]] == [b"set-cookie", b"set-cookie", b"cache-control"]


def test_an_earlier_line_for_our_cookie_is_replaced_by_the_login(browser, manager):
    stale = (b"Set-Cookie", f"{COOKIE}=stale".encode())
    answer = browser.send(lambda scope: manager.login_user(scope, "ada"), reply=[stale])
    assert sum(line.startswith(f"{COOKIE}=") for line in answer.all("set-cookie")) == 1
    assert browser.visit().user == "ada"


def test_no_store_takes_the_place_of_the_applications_cache_control(browser, manager):
    reply = [(b"Cache-Control", b"public, max-age=60"), (b"cache-control", b"immutable")]
    answer = browser.send(lambda scope: manager.login_user(scope, "ada"), reply=reply)
    assert answer.all("cache-control") == ["no-store"]
    assert browser.send(manager.logout_user, reply=reply).all("cache-control") == ["no-store"]


def test_a_session_that_is_only_read_leaves_caching_to_the_application_and_varies(browser, manager):
    browser.login(manager)
    answer = browser.send(reply=[(b"cache-control", b"max-age=60"), (b"vary", b"Accept")])
    assert answer.header("cache-control") == "max-age=60"
    assert answer.header("vary") == "Accept, Cookie"
    assert answer.all("set-cookie") == []


def test_a_renewed_session_varies_and_is_not_stored(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    answer = browser.send(reply=[(b"cache-control", b"max-age=60")])
    assert (answer.header("cache-control"), answer.header("vary")) == ("no-store", "Cookie")


@pytest.mark.parametrize("headers", [[], [(b"cookie", b"other=1")], [(b"authorization", b"Basic eDp5")]])
def test_a_request_without_our_credentials_gets_the_applications_bytes(browser, headers):
    reply = [(b"cache-control", b"max-age=60"), (b"set-cookie", b"a=1")]
    answer = browser.send(headers=headers, reply=reply)
    assert answer.headers == reply


def test_a_header_credential_gets_the_applications_bytes(browser, manager):
    token = manager.create_access_token(data={"sub": "ada"})
    scope = http_scope(headers=[bearer(token)], reply=OWN_LINES)
    assert run(send_request(browser.app, scope)).headers == OWN_LINES


def test_a_logout_deletes_both_cookies_with_the_attributes_that_set_them(browser, manager):
    browser.login(manager, remember=True)
    assert browser.logout(manager).all("set-cookie") == [COOKIE + DELETED, REMEMBER + DELETED]
    assert browser.jar == {}
    assert not browser.visit().is_authenticated


@pytest.mark.parametrize(
    "transport",
    [
        CookieTransport("__Secure-sid", path="/app", domain="example.com", samesite="strict"),
        CookieTransport("sid", samesite="none", partitioned=True),
        CookieTransport("__Host-sid", httponly=False, max_age=60),
        CookieTransport.insecure_for_development(),
    ],
    ids=lambda transport: transport.cookie_name,
)
def test_a_cookie_is_deleted_with_whatever_attributes_set_it(clock, transport):
    manager = make_manager(clock=clock, transports=[transport])
    browser = Browser.of(manager)
    set_lines = browser.login(manager, remember=True).all("set-cookie")
    deleting_lines = browser.logout(manager).all("set-cookie")

    def shape(line):
        name, *attributes = line.split("; ")
        kept = [one for one in attributes if not one.startswith(("Max-Age=", "Expires="))]
        return name.partition("=")[0], kept

    assert list(map(shape, set_lines)) == list(map(shape, deleting_lines))
    assert browser.jar == {}


@pytest.mark.parametrize(
    ("steps", "user"),
    [
        (["login ada", "login user1"], "user1"),
        (["login ada", "logout"], None),
        (["logout", "login ada"], "ada"),
        (["login ada", "logout", "login user1", "logout"], None),
    ],
)
def test_of_several_calls_in_one_request_the_last_counts(browser, manager, steps, user):
    def do(scope):
        for step in steps:
            if step == "logout":
                manager.logout_user(scope)
            else:
                manager.login_user(scope, step.removeprefix("login "), remember=True)

    browser.send(do)
    assert browser.visit().user == user


def test_a_login_changes_nothing_for_the_request_that_makes_it(browser, manager):
    browser.login(manager)
    assert browser.auth.user is None
    browser.logout(manager)
    assert browser.auth.user == "ada"


@pytest.mark.parametrize("action", ["login", "logout"])
def test_a_login_or_logout_stands_although_the_session_was_due_for_renewal(browser, manager, clock, action):
    browser.login(manager, remember=True)
    clock.now += IDLE / 2
    if action == "logout":
        browser.logout(manager)
    else:
        browser.login(manager, "user1")
    assert browser.visit().user == (None if action == "logout" else "user1")


def test_a_cookie_that_the_application_deletes_is_not_brought_back_by_a_renewal(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    name, line = manager.cookie_transport.delete_cookie_header()
    browser.send(reply=[(name, line)])
    assert not browser.visit().is_authenticated


def test_a_cookie_that_the_application_sets_is_not_replaced_by_a_renewal(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    token = manager.create_access_token(data={"sub": "user1"})
    browser.send(reply=[manager.cookie_transport.set_cookie_header(token)])
    assert browser.visit().user == "user1"


@pytest.mark.parametrize("action", ["login", "logout"])
@pytest.mark.parametrize("due", [False, True], ids=["young", "due"])
def test_of_nested_middlewares_the_inner_one_decides_what_is_written(manager, clock, action, due):
    browser = Browser(AuthMiddleware(site(manager), manager), clock)
    browser.login(manager)
    clock.now += IDLE / 2 if due else 0
    if action == "logout":
        browser.logout(manager)
    else:
        browser.login(manager, "user1")
    assert browser.visit().user == (None if action == "logout" else "user1")


def test_a_logout_ends_a_session_in_an_older_cookie_of_the_manager(clock):
    old = CookieTransport("__Host-old", name="old")
    before = make_manager(clock=clock, transports=[old])
    browser = Browser.of(before)
    browser.login(before)
    manager = make_manager(clock=clock, transports=[CookieTransport("__Host-new", name="new"), old])
    browser.app = site(manager)
    assert browser.visit().user == "ada"
    browser.logout(manager)
    assert not browser.visit().is_authenticated


# What is refused where it is called


@pytest.mark.parametrize("remember", [False, True])
def test_a_cookie_that_browsers_would_drop_is_an_error_at_login(manager, remember):
    scopes = [f"scope-{i:04}" for i in range(400)]
    seen = []

    def do(scope):
        with pytest.raises(ValueError, match="4096"):
            manager.login_user(scope, "ada", scopes=scopes, remember=remember)
        seen.append(True)

    answer = Browser.of(manager).send(do)
    assert seen == [True]
    assert answer.all("set-cookie") == []


@pytest.mark.parametrize("sub", [None, 7, b"ada", "", "a" * 256, "a\nb", ["ada"], True])
def test_a_sub_that_is_no_text_is_a_type_error_in_a_sentence(browser, manager, sub):
    with pytest.raises(TypeError, match="non-empty str"):
        browser.login(manager, sub)


@pytest.mark.parametrize("scopes", ["read", b"read", 5, [5], None])
def test_scopes_that_are_no_sequence_of_strings_are_a_type_error(browser, manager, scopes):
    with pytest.raises(TypeError, match="scopes"):
        browser.login(manager, scopes=scopes)


def test_with_a_stamp_a_login_without_the_user_is_a_type_error(clock):
    manager, browser = with_sessions(clock, stamp=str)
    with pytest.raises(TypeError, match="user=user"):
        browser.login(manager)


@pytest.mark.parametrize("bad", [None, 5, b"hash"])
def test_a_stamp_that_is_no_str_is_a_type_error(clock, bad):
    manager, browser = with_sessions(clock, stamp=lambda user: bad)
    with pytest.raises(TypeError, match="stamp"):
        browser.login(manager, user="ada")


@pytest.mark.parametrize("call", ["login_user", "logout_user", "confirm_login"])
def test_without_the_middleware_each_call_is_a_runtime_error(manager, call):
    arguments = ["ada"] if call == "login_user" else []
    with pytest.raises(RuntimeError, match="AuthMiddleware"):
        getattr(manager, call)(http_scope("POST", headers=OWN_ORIGIN), *arguments)


@pytest.mark.parametrize("call", ["login_user", "logout_user", "confirm_login"])
def test_a_manager_that_is_not_in_the_middleware_is_a_runtime_error(browser, clock, call):
    stranger = make_manager(OTHER_SECRET, clock=clock, name="stranger")
    arguments = ["ada"] if call == "login_user" else []
    with pytest.raises(RuntimeError, match="stranger"):
        browser.send(lambda scope: getattr(stranger, call)(scope, *arguments))


@pytest.mark.parametrize("call", ["login_user", "logout_user", "confirm_login"])
@pytest.mark.parametrize("moment", ["after the start", "after the end"])
def test_after_the_response_has_started_each_call_is_a_runtime_error(manager, call, moment):
    arguments = ["ada"] if call == "login_user" else []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if moment == "after the end":
            await send({"type": "http.response.body", "body": b""})
        with pytest.raises(RuntimeError, match="started"):
            getattr(manager, call)(scope, *arguments)
        if moment == "after the start":
            await send({"type": "http.response.body", "body": b""})

    answer = Browser(AuthMiddleware(app, manager), manager.config.clock).send(method="POST")
    assert answer.headers == []


def test_after_a_websocket_was_accepted_a_login_is_a_runtime_error(manager):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        with pytest.raises(RuntimeError, match="started"):
            manager.login_user(scope, "ada")
        await send({"type": "websocket.close"})

    Browser(AuthMiddleware(app, manager), manager.config.clock).connect()


def test_after_the_request_a_login_is_a_runtime_error(browser, manager):
    kept = []
    browser.send(kept.append)
    with pytest.raises(RuntimeError, match="over"):
        manager.login_user(kept[0], "ada")


@pytest.mark.parametrize(
    ("settings", "call", "match"),
    [
        ({"sessions": None}, "login_user", "sessions=None"),
        ({"transports": [BearerTransport()]}, "login_user", "CookieTransport"),
        ({"transports": [BearerTransport()]}, "logout_user", "CookieTransport"),
    ],
)
def test_a_manager_for_an_api_only_says_so(clock, settings, call, match):
    manager = make_manager(clock=clock, **settings)
    arguments = ["ada"] if call == "login_user" else []
    with pytest.raises(ValueError, match=match):
        Browser.of(manager).send(lambda scope: getattr(manager, call)(scope, *arguments))


@pytest.mark.parametrize("credential", [None, "header", "access token in the cookie"])
def test_there_is_nothing_to_confirm_without_a_session(browser, manager, credential):
    token = manager.create_access_token(data={"sub": "ada"})
    headers = [*OWN_ORIGIN, bearer(token)] if credential == "header" else OWN_ORIGIN
    if credential == "access token in the cookie":
        browser.put(token)
    answer = browser.send(manager.confirm_login, headers=headers)
    assert (answer.status, answer.all("www-authenticate")) == (401, ['Bearer realm="api"'])
    assert answer.all("set-cookie") == []


def test_a_session_that_has_expired_is_refused_a_confirmation_as_expired(browser, manager, clock):
    browser.login(manager)
    token = browser.token()
    clock.now += IDLE
    answer = browser.send(manager.confirm_login, headers=[*OWN_ORIGIN, cookie(token)])
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.all("www-authenticate")[0]


class ReversedCookie(CookieTransport):
    """Writes and reads tokens backwards, as another might encrypt them."""

    def extract(self, scope):
        return (super().extract(scope) or b"")[::-1]

    def set_cookie_header(self, token, **more):
        return super().set_cookie_header(token[::-1], **more)


def test_a_cookie_of_a_derived_class_is_read_by_it_and_so_is_what_remembers(clock):
    manager = make_manager(clock=clock, transports=[ReversedCookie()])
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    assert browser.visit().user == "ada"
    browser.drop()
    assert browser.visit().user == "ada"


def test_what_is_wrong_for_another_manager_says_nothing_about_a_confirmation(clock):
    web = make_manager(clock=clock, name="web", transports=[CookieTransport()])
    api = make_manager(OTHER_SECRET, clock=clock, name="api", realm="elsewhere", transports=[BearerTransport()])
    answer = Browser.of(api, web).send(web.confirm_login, headers=[*OWN_ORIGIN, bearer("a.b.c")])
    assert (answer.status, answer.all("www-authenticate")) == (401, ['Bearer realm="api"'])


def test_a_confirmation_without_a_session_is_answered_where_the_framework_makes_it_a_500(manager):
    async def app(scope, receive, send):
        try:
            manager.confirm_login(scope)
        except NotAuthenticated:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b"broken"})

    answer = Browser(AuthMiddleware(app, manager), manager.config.clock).send(None, headers=OWN_ORIGIN)
    assert answer.status == 401


@pytest.mark.parametrize("call", ["login_user", "logout_user", "confirm_login"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("has_session", [False, True])
def test_another_site_can_log_nobody_in_or_out(browser, manager, call, kind, has_session):
    if has_session:
        browser.login(manager)
    before = dict(browser.jar)
    raised = []

    def do(scope):
        try:
            getattr(manager, call)(scope, *(["user1"] if call == "login_user" else []))
        except CrossOriginRequest:
            raised.append(call)
            raise

    if kind == "http":
        answer = browser.send(do, headers=OTHER_ORIGIN)
        assert answer.status == 403
        assert answer.all("set-cookie") == []
    else:
        (message,) = browser.connect(do, headers=OTHER_ORIGIN)
        assert (message["type"], message["code"]) == ("websocket.close", 1008)
    # With a cookie the application does not even run.
    assert raised == ([] if has_session else [call])
    assert browser.jar == before


@pytest.mark.parametrize("call", ["login_user", "logout_user"])
def test_another_site_can_log_nobody_in_or_out_with_a_header_credential_either(browser, manager, call):
    token = manager.create_access_token(data={"sub": "ada"})
    arguments = ["user1"] if call == "login_user" else []
    answer = browser.send(
        lambda scope: getattr(manager, call)(scope, *arguments), headers=[*OTHER_ORIGIN, bearer(token)]
    )
    assert answer.status == 403
    assert browser.jar == {}


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([(b"host", b"example.com")], True),
        ([(b"host", b"example.com"), (b"sec-fetch-site", b"same-origin")], True),
        ([(b"host", b"example.com"), (b"sec-fetch-site", b"same-site")], False),
        ([(b"host", b"example.com"), (b"sec-fetch-site", b"cross-site")], False),
        ([(b"host", b"example.com"), (b"origin", b"null")], False),
        ([(b"host", b"example.com"), (b"origin", b"https://app.example.com")], True),
        ([*OWN_ORIGIN, (b"origin", b"https://example.com")], False),
    ],
)
def test_a_login_goes_by_the_table_of_cross_origin_requests(clock, headers, allowed):
    cookie = CookieTransport(trusted_origins=["https://app.example.com"])
    manager = make_manager(clock=clock, transports=[cookie])
    answer = Browser.of(manager).send(lambda scope: manager.login_user(scope, "ada"), headers=headers)
    assert answer.status == (200 if allowed else 403)


def test_a_refused_login_that_the_application_catches_sets_nothing(browser, manager):
    def do(scope):
        with pytest.raises(CrossOriginRequest):
            manager.login_user(scope, "ada")

    answer = browser.send(do, headers=OTHER_ORIGIN)
    assert (answer.status, answer.all("set-cookie")) == (200, [])


def test_a_connection_is_a_scope_or_has_one(browser, manager):
    browser.send(lambda scope: manager.login_user(SimpleNamespace(scope=scope), "ada"))
    assert browser.visit().user == "ada"


@pytest.mark.anyio
async def test_a_plain_view_in_a_worker_thread_logs_in(manager):
    async def app(scope, receive, send):
        await anyio.to_thread.run_sync(lambda: manager.login_user(scope, "ada"))
        await page(scope, receive, send)

    answer = await send_request(AuthMiddleware(app, manager), http_scope("POST", headers=OWN_ORIGIN))
    assert [line.partition("=")[0] for line in answer.all("set-cookie")] == [COOKIE, REMEMBER]


def test_logins_in_many_threads_never_meet(manager):
    manager = make_manager(users=None)

    def visit(i):
        browser = Browser.of(manager)
        seen = set()
        for turn in range(20):
            browser.login(manager, f"user-{i}-{turn}", remember=turn % 2 == 0)
            seen.add(browser.visit().user == f"user-{i}-{turn}")
        return seen

    with ThreadPoolExecutor(8) as pool:
        assert set().union(*pool.map(visit, range(8))) == {True}


# Nothing of what was there before is kept


def test_a_login_begins_a_new_session_even_for_the_same_user(browser, manager):
    browser.login(manager)
    first = claims_of(browser.token())
    browser.login(manager)
    second = claims_of(browser.token())
    assert first["sid"] != second["sid"]
    assert first["jti"] != second["jti"]


def test_a_planted_session_is_not_what_the_victim_gets(browser, manager):
    browser.login(manager, scopes=["planted"])
    planted = browser.token()
    victim = browser.copy()
    victim.login(manager, "user1")
    assert victim.token() != planted
    assert claims_of(victim.token())["sid"] != claims_of(planted)["sid"]
    assert victim.visit().scopes == frozenset()


@pytest.mark.parametrize("remember", [False, True])
def test_a_login_as_another_user_leaves_nothing_of_the_first(browser, manager, clock, remember):
    browser.login(manager, "ada", remember=True, scopes=["admin"])
    browser.login(manager, "user1", remember=remember)
    browser.close()
    auth = browser.visit()
    assert auth.user == ("user1" if remember else None)
    assert auth.scopes == frozenset()


# Idle and lifetime


def test_a_session_dies_when_it_is_idle(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE - 1
    assert browser.copy().visit().user == "ada"
    clock.now += 1
    auth = browser.visit()
    assert auth.user is None
    assert isinstance(auth.error, InvalidToken)
    assert auth.error.expired


@pytest.mark.parametrize(("age", "renewed"), [(0, False), (IDLE / 2 - 1, False), (IDLE / 2, True), (IDLE - 1, True)])
def test_a_session_is_renewed_once_half_of_idle_is_gone(browser, manager, clock, age, renewed):
    browser.login(manager, scopes=["read"])
    before = browser.token()
    clock.now += age
    browser.visit()
    assert (browser.token() != before) is renewed
    old, new = claims_of(before), claims_of(browser.token())
    assert {name: old[name] for name in old.keys() - {"exp", "iat", "jti"}} == {
        name: new[name] for name in new.keys() - {"exp", "iat", "jti"}
    }
    assert new["exp"] == (NOW + int(age) + IDLE if renewed else old["exp"])
    assert browser.auth.expires_at == new["exp"]


def test_a_session_in_use_goes_on_until_its_lifetime_ends_and_no_longer(clock):
    manager, browser = with_sessions(clock, lifetime=timedelta(hours=1))
    browser.login(manager)
    while clock.now < NOW + 3600:
        assert browser.visit().user == "ada"
        assert claims_of(browser.token())["exp"] <= NOW + 3600
        clock.now += MINUTE
    assert browser.visit().user is None


def test_a_session_that_cannot_live_longer_is_not_written_again(clock):
    manager, browser = with_sessions(clock, lifetime=timedelta(minutes=15))
    browser.login(manager)
    clock.now += 14 * MINUTE
    assert browser.send().all("set-cookie") == []


def test_a_lifetime_that_was_shortened_ends_sessions_that_are_out_already(clock):
    manager, browser = with_sessions(clock, idle=timedelta(days=2), lifetime=timedelta(days=30))
    browser.login(manager)
    clock.now += DAY
    browser.app = site(make_manager(clock=clock, sessions=Sessions(lifetime=timedelta(days=1))))
    assert browser.visit().error.expired


def test_concurrent_renewals_are_all_good(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    tabs = [browser.copy() for _ in range(3)]
    assert [tab.visit().user for tab in tabs] == ["ada"] * 3
    assert len({tab.token() for tab in [*tabs, browser]}) == 4
    clock.now += IDLE / 2 - 1
    assert [tab.visit().user for tab in [*tabs, browser]] == ["ada"] * 4


def test_a_copied_token_lives_on_after_logout_until_it_expires(browser, manager, clock):
    browser.login(manager)
    thief = browser.copy()
    browser.logout(manager)
    assert thief.visit().user == "ada"
    clock.now += IDLE
    assert thief.visit().user == "ada" or thief.auth.error.expired


@pytest.mark.parametrize("jump", [10 * 365 * DAY, -10 * 365 * DAY])
def test_a_clock_that_jumps_ten_years_ends_sessions_and_breaks_nothing(browser, manager, clock, jump):
    browser.login(manager, remember=True)
    clock.now += jump
    assert browser.copy().visit().user is None
    browser.put(browser.token() or "a.b.c", REMEMBER)
    assert browser.visit().user is None


# Remember


def test_a_remembered_login_is_restored_when_the_session_is_gone(browser, manager, clock):
    browser.login(manager, remember=True, scopes=["read"])
    first, remembered = claims_of(browser.token()), browser.token(REMEMBER)
    clock.now += 20 * DAY
    browser.close()
    auth = browser.visit()
    assert (auth.user, auth.scopes, auth.fresh) == ("ada", {"read"}, False)
    session = claims_of(browser.token())
    assert kind_of(browser.token()) == "session+jwt"
    assert session["sid"] != first["sid"]
    assert session["auth_time"] == clock.now
    assert (session["fresh"], session["permanent"]) == (False, True)
    assert browser.token(REMEMBER) != remembered
    assert claims_of(browser.token(REMEMBER))["exp"] == clock.now + 30 * DAY
    assert auth.claims["sid"] == session["sid"]


def test_a_remembered_login_is_restored_when_the_session_is_expired(browser, manager, clock):
    browser.login(manager, remember=True)
    session = browser.token()
    clock.now += IDLE
    browser.put(session)
    assert browser.visit().user == "ada"
    assert browser.token() != session


def test_a_restored_session_starts_a_new_lifetime(clock):
    manager, browser = with_sessions(clock, lifetime=timedelta(hours=1))
    browser.login(manager, remember=True)
    clock.now += 3600
    assert browser.visit().user == "ada"
    clock.now += 10 * MINUTE
    browser.drop(REMEMBER)
    assert browser.visit().user == "ada"


def test_a_restored_session_is_never_fresh_even_right_away(browser, manager):
    browser.login(manager, remember=True)
    browser.close()
    assert browser.send(path="/fresh").status == 401
    assert not browser.visit().fresh
    browser.confirm(manager)
    assert browser.visit().fresh
    assert browser.send(path="/fresh").status == 200


def test_a_login_is_not_remembered_after_its_time(browser, manager, clock):
    browser.login(manager, remember=True)
    token = browser.token(REMEMBER)
    clock.now += 30 * DAY
    assert browser.names == {COOKIE}
    browser.close()
    browser.put(token, REMEMBER)
    assert browser.visit().user is None


def test_a_logout_ends_a_remembered_login(browser, manager, clock):
    browser.login(manager, remember=True)
    browser.close()
    browser.logout(manager)
    clock.now += DAY
    assert browser.names == set()
    assert not browser.visit().is_authenticated


def test_a_restored_session_is_written_once_and_then_read(browser, manager):
    browser.login(manager, remember=True)
    browser.close()
    assert len(browser.send().all("set-cookie")) == 2
    assert browser.send().all("set-cookie") == []


def test_another_site_cannot_use_a_remembered_login(browser, manager):
    browser.login(manager, remember=True)
    browser.close()
    before = dict(browser.jar)
    ran = []
    answer = browser.send(ran.append, headers=OTHER_ORIGIN)
    assert (answer.status, answer.all("set-cookie"), ran) == (403, [], [])
    assert browser.jar == before


def test_a_broken_session_is_not_made_up_for_by_what_is_remembered(browser, manager):
    browser.login(manager, remember=True)
    browser.put(browser.token()[:-2])
    assert browser.visit().user is None
    assert isinstance(browser.auth.error, InvalidToken)


@pytest.mark.parametrize("value", ["x", "a.b.c", "\xff", "", '"', "a" * 9000])
def test_garbage_that_remembers_nobody_stops_no_public_page(browser, value):
    browser.put(value.encode("latin-1").decode("latin-1"), REMEMBER)
    answer = browser.send()
    assert answer.status == 200
    assert answer.all("set-cookie") == []
    assert browser.auth.user is None


# Fresh


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (599, True), (600, True), (601, False)])
def test_a_login_is_fresh_for_a_while_after_it(browser, manager, clock, age, fresh):
    browser.login(manager)
    clock.now += age
    assert browser.visit().fresh is fresh
    assert browser.send(path="/fresh").status == (200 if fresh else 401)


def test_use_does_not_keep_a_login_fresh(browser, manager, clock):
    browser.login(manager)
    for _ in range(11):
        clock.now += MINUTE
        browser.visit()
    assert not browser.auth.fresh


def test_a_confirmed_login_is_fresh_from_the_next_request_on(browser, manager, clock):
    browser.login(manager, scopes=["read"])
    sid = claims_of(browser.token())["sid"]
    clock.now += 12 * MINUTE
    browser.confirm(manager)
    assert not browser.auth.fresh
    auth = browser.visit()
    assert (auth.fresh, auth.scopes, auth.claims["sid"]) == (True, {"read"}, sid)
    assert auth.claims["auth_time"] == clock.now


@pytest.mark.parametrize("remember", [False, True])
def test_a_confirmed_login_stays_as_permanent_as_it_was(browser, manager, remember):
    browser.login(manager, remember=remember)
    browser.confirm(manager)
    assert claims_of(browser.token())["permanent"] is remember


def test_a_login_that_is_not_fresh_is_told_so_or_sent_to_confirm_it(clock):
    manager, browser = with_sessions(clock, reauthenticate_at="/confirm", manager={"redirect_to": "/login"})
    browser.login(manager)
    clock.now += 11 * MINUTE
    answer = browser.send(path="/fresh")
    assert answer.status == 401
    assert 'error="insufficient_user_authentication"' in answer.header("www-authenticate")
    answer = browser.send(path="/fresh", headers=[(b"accept", b"text/html")], query_string=b"a=1")
    assert (answer.status, answer.header("location")) == (303, "/confirm?next=%2Ffresh%3Fa%3D1")


# Protection


@pytest.mark.parametrize("changed", [{"client": CAFE}, {"agent": "Chrome"}, {"agent": None}, {"client": None}])
@pytest.mark.parametrize(
    ("protection", "remember", "outcome"),
    [
        ("basic", False, ("ada", False)),
        ("basic", True, ("ada", False)),
        ("strong", False, (None, False)),
        ("strong", True, ("ada", False)),
        (None, False, ("ada", True)),
        (None, True, ("ada", True)),
    ],
)
def test_a_changed_client(clock, protection, remember, outcome, changed):
    user, fresh = outcome
    manager, browser = with_sessions(clock, protection=protection)
    browser.login(manager, remember=remember)
    elsewhere = browser.copy(**changed)
    auth = elsewhere.visit()
    assert (auth.user, auth.fresh) == (user, fresh)
    if user is None:
        assert auth.error is None
        assert elsewhere.jar == {}
        assert elsewhere.send(path="/private").status == 401
    elif fresh:
        assert elsewhere.token() == browser.token()
    else:
        assert claims_of(elsewhere.token())["fresh"] is False
        assert claims_of(elsewhere.token())["fp"] == claims_of(browser.token())["fp"]


def test_a_changed_client_ends_a_strongly_protected_session_by_deleting_both_cookies(clock):
    manager, browser = with_sessions(clock, protection="strong")
    browser.login(manager)
    answer = browser.copy(client=CAFE).send(path="/private")
    assert answer.all("set-cookie") == [COOKIE + DELETED, REMEMBER + DELETED]
    assert answer.header("vary") == "Cookie"
    assert "error" not in answer.header("www-authenticate")


@pytest.mark.parametrize("protection", ["basic", "strong"])
@pytest.mark.parametrize("remember", [False, True])
def test_the_same_client_notices_nothing_of_the_protection(clock, protection, remember):
    manager, browser = with_sessions(clock, protection=protection)
    browser.login(manager, remember=remember)
    for _ in range(5):
        browser.client = ("192.0.2.1", browser.client[1] + 1)
        assert browser.send().all("set-cookie") == []
        assert browser.auth.fresh


@pytest.mark.parametrize("remember", [False, True])
def test_a_session_once_not_fresh_stays_so_back_home_and_through_renewals(clock, remember):
    manager, browser = with_sessions(clock, fresh_for=timedelta(days=1))
    browser.login(manager, remember=remember)
    browser.client = CAFE
    browser.visit()
    browser.client = HOME
    assert not browser.visit().fresh
    clock.now += IDLE / 2
    browser.visit()
    assert not browser.visit().fresh
    browser.confirm(manager)
    assert browser.visit().fresh


def test_a_thief_does_not_become_the_client_that_is_known(clock):
    manager, browser = with_sessions(clock, fresh_for=timedelta(days=1))
    browser.login(manager)
    thief = browser.copy(client=CAFE)
    for _ in range(5):
        clock.now += IDLE / 2
        assert thief.visit().user == "ada"
        assert not thief.auth.fresh
        assert claims_of(thief.token())["fp"] == claims_of(browser.token())["fp"]


def test_a_login_confirmed_elsewhere_belongs_there(clock):
    manager, browser = with_sessions(clock)
    browser.login(manager)
    browser.client = CAFE
    browser.confirm(manager)
    assert browser.visit().fresh
    assert not browser.copy(client=HOME).visit().fresh


def test_a_changed_client_is_written_down_once_and_not_at_each_request(browser, manager):
    browser.login(manager)
    browser.client = CAFE
    assert len(browser.send().all("set-cookie")) == 1
    assert browser.send().all("set-cookie") == []


def test_a_remembered_login_is_restored_for_a_changed_client_too(clock):
    manager, browser = with_sessions(clock, protection="strong")
    browser.login(manager, remember=True)
    browser.close()
    browser.client = CAFE
    assert [browser.visit().user for _ in range(3)] == ["ada"] * 3


def test_a_fingerprint_of_the_applications_own_decides(clock):
    def device(scope):
        return dict(scope["headers"]).get(b"x-device", b"")

    manager, browser = with_sessions(clock, protection="strong", fingerprint=device)
    browser.send(lambda scope: manager.login_user(scope, "ada"), headers=[*OWN_ORIGIN, (b"x-device", b"1")])
    browser.client, browser.agent = CAFE, "Chrome"
    assert browser.visit(headers=[(b"x-device", b"1")]).user == "ada"
    assert browser.visit(headers=[(b"x-device", b"2")]).user is None


def test_a_fingerprint_is_keyed_and_never_the_address_itself(clock):
    tokens = []
    for secret in (SECRET, OTHER_SECRET):
        manager = make_manager(secret, clock=clock)
        browser = Browser.of(manager)
        browser.login(manager)
        tokens.append(claims_of(browser.token())["fp"])
    assert tokens[0] != tokens[1]
    assert all("192" not in one and len(one) == 22 for one in tokens)


# Rotated keys


@pytest.mark.parametrize("protection", ["basic", "strong"])
def test_a_session_survives_the_rotation_of_keys(clock, protection):
    sessions = Sessions(protection=protection, stamp=str.upper)
    before = make_manager(SECRET, clock=clock, sessions=sessions)
    browser = Browser.of(before)
    browser.login(before, user="ada", remember=True)
    after = make_manager([OTHER_SECRET, SECRET], clock=clock, sessions=sessions)
    browser.app = site(after)
    assert browser.visit().fresh
    clock.now += IDLE / 2
    browser.visit()
    assert browser.visit().fresh
    browser.app = site(make_manager(OTHER_SECRET, clock=clock, sessions=sessions))
    assert browser.visit().fresh


def test_a_changed_client_is_noticed_across_a_rotation(clock):
    before = make_manager(SECRET, clock=clock)
    browser = Browser.of(before)
    browser.login(before)
    browser.app = site(make_manager([OTHER_SECRET, SECRET], clock=clock))
    elsewhere = browser.copy(client=CAFE)
    assert not elsewhere.visit().fresh
    clock.now += IDLE / 2
    elsewhere.visit()
    assert not elsewhere.visit().fresh
    elsewhere.client = HOME
    clock.now += IDLE / 2
    assert elsewhere.visit().user == "ada"
    assert not elsewhere.auth.fresh


def test_a_retired_key_ends_its_sessions(clock):
    before = make_manager(SECRET, clock=clock)
    browser = Browser.of(before)
    browser.login(before, remember=True)
    browser.app = site(make_manager(OTHER_SECRET, clock=clock))
    assert browser.visit().user is None
    browser.close()
    assert browser.visit().user is None


def test_a_session_near_the_limit_survives_a_rotation_to_a_key_with_longer_signatures(clock):
    before = make_manager(SECRET, clock=clock)
    browser = Browser.of(before)
    scopes = [f"scope-{i:04}" for i in range(233)]
    browser.login(before, scopes=scopes)
    assert len(browser.token()) > 3700
    browser.app = site(make_manager([Key(rsa_pem(), "RS256"), SECRET], clock=clock))
    clock.now += IDLE / 2
    assert browser.visit().user == "ada"


# Stamp


class Users(dict):
    """Users whose stamp is their password's hash."""

    def manager(self, clock, secret=SECRET, **settings):
        sessions = Sessions(stamp=lambda user: user["hash"], **settings)
        manager = LoginManager(
            secret, transports=[BearerTransport(), CookieTransport()], clock=clock, sessions=sessions
        )

        @manager.user_loader
        async def load(sub):
            return self.get(sub)

        return manager


@pytest.fixture
def users():
    return Users(ada={"hash": "one", "email": "a"})


@pytest.mark.parametrize("jar", ["session", "session and remember", "remember"])
@pytest.mark.parametrize("change", ["password", "user gone"])
def test_a_changed_stamp_or_a_user_who_is_gone_ends_every_login_at_the_next_request(users, clock, jar, change):
    manager = users.manager(clock)
    browser = Browser.of(manager)
    browser.login(manager, user=users["ada"], remember="remember" in jar)
    other_device = browser.copy(client=CAFE)
    if jar == "remember":
        browser.close()
        other_device.close()
    if change == "password":
        users["ada"] = {"hash": "two"}
    else:
        del users["ada"]
    for device in (browser, other_device):
        answer = device.send(path="/private")
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.header("www-authenticate")
        assert device.jar == {}
        assert isinstance(device.visit().error, NotAuthenticated | None)


def test_another_change_of_the_user_ends_nothing(users, clock):
    manager = users.manager(clock)
    browser = Browser.of(manager)
    browser.login(manager, user=users["ada"], remember=True)
    users["ada"] = {"hash": "one", "email": "b"}
    assert browser.visit().is_authenticated
    browser.close()
    assert browser.visit().is_authenticated
    clock.now += IDLE / 2
    browser.visit()
    assert browser.visit().is_authenticated


def test_a_login_after_the_change_is_good(users, clock):
    manager = users.manager(clock)
    browser = Browser.of(manager)
    users["ada"] = {"hash": "two"}
    browser.login(manager, user=users["ada"])
    assert browser.visit().is_authenticated


def test_a_session_issued_before_there_was_a_stamp_is_refused_once_there_is_one(users, clock):
    before = make_manager(clock=clock)
    browser = Browser.of(before)
    browser.login(before, remember=True)
    browser.app = site(users.manager(clock))
    session = browser.copy()
    session.drop(REMEMBER)
    browser.close()
    for one in (session, browser):
        assert isinstance(one.visit().error, InvalidToken)
        assert one.jar == {}


def test_an_access_token_has_no_stamp_to_compare(users, clock):
    manager = users.manager(clock)
    browser = Browser.of(manager)
    browser.put(manager.create_access_token(data={"sub": "ada"}))
    assert browser.visit().is_authenticated


def test_a_stamp_travels_as_a_keyed_hash_of_fixed_length(users, clock):
    stamps = []
    for secret, value in [(SECRET, "one"), (SECRET, "two" * 1000), (OTHER_SECRET, "one")]:
        users["ada"] = {"hash": value}
        manager = users.manager(clock, secret)
        browser = Browser.of(manager)
        browser.login(manager, user=users["ada"], remember=True)
        stamps.append(claims_of(browser.token())["stamp"])
        assert claims_of(browser.token(REMEMBER))["stamp"] == stamps[-1]
    assert len(set(stamps)) == 3
    assert {len(one) for one in stamps} == {22}


@pytest.mark.parametrize("jar", ["session", "remember"])
def test_a_changed_stamp_ends_a_session_under_a_key_whose_public_half_alone_was_kept(users, clock, jar):
    old, new = Key(rsa_pem(), "RS256"), SECRET
    before = users.manager(clock, old)
    browser = Browser.of(before)
    browser.login(before, user=users["ada"], remember=True)
    if jar == "remember":
        browser.close()
    users["ada"] = {"hash": "two"}
    browser.app = site(users.manager(clock, [new, Key(public_pem(rsa_pem()), "RS256")]))
    assert not browser.visit().is_authenticated


# Kinds of tokens


@pytest.fixture
def tokens(browser, manager):
    browser.login(manager, remember=True)
    access = manager.create_access_token(data={"sub": "ada"})
    return {"session": browser.token(), "remember": browser.token(REMEMBER), "access": access}


@pytest.mark.parametrize(
    ("slot", "accepted"),
    [("header", {"access"}), (COOKIE, {"access", "session"}), (REMEMBER, {"remember"})],
)
@pytest.mark.parametrize("kind", ["access", "session", "remember"])
def test_kinds_of_tokens_never_stand_in_for_one_another(manager, tokens, slot, accepted, kind):
    browser = Browser.of(manager)
    if slot == "header":
        auth = browser.visit(headers=[bearer(tokens[kind])])
    else:
        browser.put(tokens[kind], slot)
        auth = browser.visit()
    assert auth.is_authenticated is (kind in accepted)
    assert isinstance(auth.error, InvalidToken) is (kind not in accepted)


def test_an_access_token_in_the_cookie_is_never_renewed(manager, tokens, clock):
    browser = Browser.of(manager)
    browser.put(tokens["access"])
    clock.now += 14 * MINUTE
    assert browser.send().all("set-cookie") == []
    assert browser.auth.user == "ada"


def test_without_sessions_a_session_token_is_refused(manager, tokens, clock):
    browser = Browser.of(make_manager(clock=clock, sessions=None))
    browser.put(tokens["session"])
    assert isinstance(browser.visit().error, InvalidToken)
    browser.drop()
    browser.put(tokens["remember"], REMEMBER)
    assert (browser.visit().user, browser.auth.error) == (None, None)


# A manager that only verifies


@pytest.fixture
def issuer_and_verifier(clock):
    settings = {"audience": "app", "algorithm": "RS256", "clock": clock}
    return make_manager(rsa_pem(), **settings), make_manager(public_pem(rsa_pem()), **settings)


def test_a_manager_that_only_verifies_reads_a_session_and_writes_nothing(issuer_and_verifier, clock):
    issuer, verifier = issuer_and_verifier
    browser = Browser.of(issuer)
    browser.login(issuer, remember=True)
    browser.app, browser.client = site(verifier), CAFE
    clock.now += IDLE / 2
    assert browser.send().all("set-cookie") == []
    assert browser.auth.user == "ada"
    browser.close()
    assert browser.visit().user is None


def test_a_manager_that_only_verifies_logs_nobody_in(issuer_and_verifier):
    _, verifier = issuer_and_verifier
    with pytest.raises(ValueError, match="private key"):
        Browser.of(verifier).login(verifier)


def test_strong_protection_needs_a_key_that_signs():
    with pytest.raises(ValueError, match="strong"):
        make_manager(public_pem(rsa_pem()), algorithm="RS256", audience="a", sessions=Sessions(protection="strong"))


# Several managers


@pytest.fixture
def two(clock):
    web = make_manager(clock=clock, name="web", transports=[CookieTransport("__Host-web")])
    admin = make_manager(
        OTHER_SECRET, clock=clock, name="admin", users=["root"], transports=[CookieTransport("__Host-admin")]
    )
    return web, admin


def test_each_manager_writes_and_deletes_cookies_of_its_own(two):
    web, admin = two
    browser = Browser.of(*two)
    browser.login(web, remember=True)
    browser.login(admin, "root", remember=True)
    names = {"__Host-web", "__Host-web-remember-token", "__Host-admin", "__Host-admin-remember-token"}
    assert browser.names == names
    assert (browser.visit().user, browser.auth.manager) == ("ada", "web")
    browser.logout(web)
    assert browser.names == {"__Host-admin", "__Host-admin-remember-token"}
    assert (browser.visit().user, browser.auth.manager) == ("root", "admin")


def test_both_managers_can_log_in_on_one_response(two):
    web, admin = two
    browser = Browser.of(*two)

    def do(scope):
        web.login_user(scope, "ada")
        admin.login_user(scope, "root")

    browser.send(do)
    assert browser.names == {"__Host-web", "__Host-admin"}


@pytest.mark.parametrize("kind", ["session", "remember"])
def test_the_token_of_one_manager_is_useless_to_the_other(two, kind):
    web, _ = two
    suffix = "" if kind == "session" else "-remember-token"
    browser = Browser.of(*two)
    browser.login(web, "ada", remember=True)
    token = browser.token(f"__Host-web{suffix}")
    other = Browser.of(*two)
    other.put(token, f"__Host-admin{suffix}")
    assert other.visit().user is None


def test_there_is_nothing_to_confirm_for_the_manager_whose_session_it_is_not(two):
    web, admin = two
    browser = Browser.of(*two)
    browser.login(web)
    assert browser.send(admin.confirm_login, headers=OWN_ORIGIN).status == 401


def test_an_ended_session_of_one_manager_is_deleted_although_the_other_knows_the_user(clock):
    sessions = Sessions(protection="strong")
    web = make_manager(clock=clock, name="web", transports=[CookieTransport("__Host-web")], sessions=sessions)
    admin = make_manager(OTHER_SECRET, clock=clock, name="admin", transports=[CookieTransport("__Host-admin")])
    browser = Browser.of(web, admin)
    browser.login(web)
    browser.login(admin, "user1")
    browser.client = CAFE
    assert browser.visit().user == "user1"
    assert "__Host-web" not in browser.names


# Settings


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"idle": timedelta(0)}, "idle"),
        ({"lifetime": timedelta(seconds=-1)}, "lifetime"),
        ({"remember_for": timedelta(0)}, "remember_for"),
        ({"fresh_for": timedelta(0)}, "fresh_for"),
        ({"idle": timedelta(days=2), "lifetime": timedelta(days=1)}, "idle"),
        ({"protection": "Strong"}, "protection"),
        ({"reauthenticate_at": "javascript:alert(1)//"}, "reauthenticate_at"),
        ({"reauthenticate_at": "//evil.example"}, "reauthenticate_at"),
    ],
)
def test_settings_that_would_never_work_are_refused_in_a_sentence(settings, match):
    with pytest.raises(ValueError, match=match):
        Sessions(**settings)


def test_a_gate_around_a_page_is_closed_then_open_then_closed(manager, clock):
    browser = Browser(AuthMiddleware(Gate(page, exempt=["/login"]), manager), clock)
    assert browser.send().status == 401
    browser.send(lambda scope: manager.login_user(scope, "ada"), path="/login")
    assert browser.send().status == 200
    browser.send(manager.logout_user)
    assert browser.send().status == 401


def test_the_state_of_a_request_tells_the_renewed_session(browser, manager, clock):
    browser.login(manager)
    clock.now += IDLE / 2
    seen = []
    browser.send(lambda scope: seen.append(get_auth(scope).expires_at))
    assert seen == [clock.now + IDLE]


# What happens while the user is loaded


def slow_manager(clock, wait, **sessions):
    """Return a manager whose loader takes some seconds, or turns the clock back."""
    manager = make_manager(clock=clock, sessions=Sessions(**sessions))

    @manager.user_loader
    async def load(sub):
        clock.now += wait[0]
        return sub

    return manager, Browser.of(manager)


@pytest.mark.parametrize("client", [HOME, CAFE])
@pytest.mark.parametrize("lifetime", [IDLE, IDLE + 2])
def test_a_session_that_ends_while_its_user_is_loaded_still_counted(clock, client, lifetime):
    wait = [0]
    manager, browser = slow_manager(clock, wait, lifetime=timedelta(seconds=lifetime))
    browser.login(manager)
    clock.now += IDLE - 1
    wait[0] = 5
    browser.client = client
    assert browser.visit().user == "ada"
    assert browser.visit().user is None


@pytest.mark.parametrize("client", [HOME, CAFE])
@pytest.mark.parametrize("remember", [False, True])
def test_a_clock_that_goes_back_while_the_user_is_loaded_breaks_nothing(clock, client, remember):
    wait = [0]
    manager, browser = slow_manager(clock, wait)
    browser.login(manager, remember=remember)
    if remember:
        browser.drop()
    clock.now += 1
    wait[0] = -5
    browser.client = client
    assert browser.visit().user == "ada"


@pytest.mark.parametrize("size", [0, 4096])
def test_what_is_left_of_a_session_does_not_depend_on_the_cache(clock, size):
    sessions = Sessions(lifetime=timedelta(seconds=1_000))
    manager = make_manager(clock=clock, leeway=timedelta(minutes=5), token_cache_size=size, sessions=sessions)
    browser = Browser.of(manager)
    browser.login(manager)
    clock.now += 600
    renewing = browser.visit()
    following = browser.visit()
    for auth in (renewing, following):
        auth.require()
    clock.now += 400
    for auth in (renewing, following):
        with pytest.raises(InvalidToken):
            auth.require()
