"""Where and how logins and logouts may be called, and what is refused there."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import anyio.to_thread
import pytest
from browser_jar import OTHER_ORIGIN, OWN_ORIGIN, REMEMBER, Browser, page
from helpers import COOKIE, OTHER_SECRET, bearer, cookie, http_scope, make_manager, send_request
from sessions.browsing import IDLE, with_sessions

from asgi_login import AuthMiddleware, BearerTransport, CookieTransport, CrossOriginRequest, NotAuthenticated


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
@pytest.mark.parametrize("name", ["web", "admin"])
def test_a_manager_is_not_known_by_its_name(clock, call, name):
    web = make_manager(clock=clock, name="web", transports=[CookieTransport("__Host-web")])
    admin = make_manager(OTHER_SECRET, clock=clock, name="admin", transports=[CookieTransport("__Host-admin")])
    namesake = make_manager("n" * 32, clock=clock, name=name, transports=[CookieTransport(f"__Host-{name}")])
    browser = Browser.of(web, admin)
    arguments = ["ada"] if call == "login_user" else []
    with pytest.raises(RuntimeError, match="is not in this request's AuthMiddleware"):
        browser.send(lambda scope: getattr(namesake, call)(scope, *arguments))


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


def test_an_answer_that_a_provider_posts_can_log_in_by_a_call_that_says_so(browser, manager):
    answer = browser.send(
        lambda scope: manager.login_user(scope, "ada", insecure_cross_origin=True), headers=OTHER_ORIGIN
    )
    assert answer.status == 200
    assert browser.visit().user == "ada"


def test_a_session_can_have_claims_of_the_applications_own(browser, manager, clock):
    browser.login(manager, claims={"act": {"sub": "root"}, "tenant": 7}, remember=True)
    for wait in (0, IDLE * 3 / 4, IDLE * 2):
        clock.now += wait
        auth = browser.visit()
        assert (auth.user, auth.claims["act"], auth.claims["tenant"]) == ("ada", {"sub": "root"}, 7)


@pytest.mark.parametrize(
    "name", ["sub", "exp", "sid", "mgr", "fresh", "permanent", "auth_time", "stamp", "fp", "scope"]
)
def test_a_claim_that_is_ours_cannot_be_set_by_a_login(browser, manager, name):
    with pytest.raises(ValueError, match=rf"cannot set {name}"):
        browser.login(manager, claims={name: 1})


def test_a_login_that_proved_nothing_is_not_fresh_until_it_is_confirmed(browser, manager):
    browser.login(manager, fresh=False)
    assert (browser.visit().user, browser.auth.fresh) == ("ada", False)
    browser.confirm(manager)
    assert browser.visit().fresh
