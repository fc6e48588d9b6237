"""Several managers in one middleware: each whose credential is there has an outcome of its own."""

import pytest
from conformance.driver import bearer, cookie, http
from conformance.logins import OTHER_SECRET, Logins, User, forge

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    CrossOriginRequest,
    Gate,
    InvalidToken,
    current_auth,
    get_auth,
    login_required,
)

pytestmark = pytest.mark.anyio

EVIL = [(b"origin", b"https://evil.example")]


async def page(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def web():
    return Logins(name="web", transports=[BearerTransport(), CookieTransport("__Host-web")])


@pytest.fixture
def admin():
    return Logins(OTHER_SECRET, name="admin", transports=[CookieTransport("__Host-admin")])


def outcomes(connection):
    return {name: get_auth(connection.scope, manager=name).user for name in ("web", "admin")}


def both(web, admin):
    return [cookie(web.token("ada"), "__Host-web"), cookie(admin.token("bob"), "__Host-admin")]


async def test_a_browser_logged_in_at_both_managers_is_known_by_both(web, admin):
    connection = await http(AuthMiddleware(page, [web.manager, admin.manager]), "/", headers=both(web, admin))
    assert outcomes(connection) == {"web": User("ada"), "admin": User("bob")}
    assert connection.scope["state"]["user"] == User("ada")


@pytest.mark.parametrize("name", ["web", "admin"])
async def test_a_gate_that_names_a_manager_lets_its_own_user_in(web, admin, name):
    @login_required(manager=name)
    async def view(scope, receive, send):
        await page(scope, receive, send)

    for app in (view, Gate(page, manager=name)):
        wrapped = AuthMiddleware(app, [web.manager, admin.manager])
        assert (await http(wrapped, "/", headers=both(web, admin))).status == 200


async def test_the_first_error_is_kept_where_nobody_is_known(web, admin):
    lines = [cookie("a.b.c", "__Host-web"), cookie(admin.token("bob", expires=None), "__Host-web-other")]
    auth = (await http(AuthMiddleware(page, [admin.manager, web.manager]), "/", headers=lines)).scope["state"]["auth"]
    assert (type(auth.error), auth.manager) == (InvalidToken, "web")


async def test_a_token_in_a_header_that_nobody_accepts_keeps_every_cookie_out(web, admin):
    app = AuthMiddleware(page, [web.manager, admin.manager])
    connection = await http(app, "/", headers=[bearer("a.b.c"), *both(web, admin)])
    assert outcomes(connection) == {"web": None, "admin": None}
    assert connection.scope["state"]["auth"].transport == "bearer"


async def test_beside_an_accepted_header_another_manager_still_reads_its_cookie(web, admin):
    app = AuthMiddleware(page, [web.manager, admin.manager])
    headers = [bearer(web.token("cy")), *both(web, admin)]
    assert outcomes(await http(app, "/", headers=headers)) == {"web": User("cy"), "admin": User("bob")}


async def test_a_header_that_one_manager_accepts_is_no_bad_credential_for_another(web):
    other = Logins(OTHER_SECRET, name="admin", transports=[BearerTransport(), CookieTransport("__Host-admin")])
    for managers in ([web.manager, other.manager], [other.manager, web.manager]):
        connection = await http(
            AuthMiddleware(page, managers),
            "/",
            headers=[bearer(web.token("ada")), cookie(other.token("bob"), "__Host-admin")],
        )
        assert outcomes(connection) == {"web": User("ada"), "admin": User("bob")}
        assert connection.scope["state"]["user"] == User("ada")


async def test_each_manager_loads_its_user_once(web, admin):
    loaded = []
    for logins in (web, admin):
        logins.manager.user_loader(lambda sub: loaded.append(sub) or User(sub))
    await http(AuthMiddleware(page, [web.manager, admin.manager]), "/", headers=both(web, admin))
    assert loaded == ["ada", "bob"]


async def test_another_site_is_stopped_before_the_application_where_no_manager_trusts_it(web, admin):
    app = AuthMiddleware(page, [web.manager, admin.manager])
    for lines in (both(web, admin), both(web, admin)[1:], [cookie("a.b.c", "__Host-web"), both(web, admin)[1]]):
        assert (await http(app, "/", method="POST", headers=[*EVIL, *lines])).status == 403


async def test_an_origin_that_one_manager_trusts_opens_that_ones_cookie_only(admin):
    cookies = CookieTransport("__Host-web", trusted_origins=["https://evil.example"])
    web = Logins(name="web", transports=[cookies])
    app = AuthMiddleware(page, [web.manager, admin.manager])
    connection = await http(app, "/", method="POST", headers=[*EVIL, *both(web, admin)])
    assert connection.status == 200
    assert outcomes(connection) == {"web": User("ada"), "admin": None}
    assert isinstance(get_auth(connection.scope, manager="admin").error, CrossOriginRequest)


async def test_a_response_varies_with_the_cookie_of_any_manager(web, admin):
    app = AuthMiddleware(page, [web.manager, admin.manager])
    connection = await http(app, "/", headers=[bearer(web.token("cy")), both(web, admin)[1]])
    assert connection.header("vary") == ["Cookie"]


async def test_a_name_that_no_manager_has_is_told(web, admin):
    connection = await http(AuthMiddleware(page, [web.manager, admin.manager]), "/", headers=[])
    with pytest.raises(RuntimeError, match=r"no manager named 'shop' .* only web, admin"):
        get_auth(connection.scope, manager="shop")


async def test_a_view_can_name_the_manager_itself(web, admin):
    found = []

    async def view(scope, receive, send):
        found.extend([current_auth(web.manager).user, current_auth(manager=admin.manager).user])
        found.extend([get_auth(scope, web.manager).user, get_auth(scope, manager=admin.manager).user])
        await page(scope, receive, send)

    await http(AuthMiddleware(view, [web.manager, admin.manager]), "/", headers=both(web, admin))
    assert found == [User("ada"), User("bob")] * 2


async def test_a_manager_is_not_taken_for_another_of_its_name(web):
    # Its users may be of another class.
    namesake = Logins(OTHER_SECRET, name="web").manager
    connection = await http(AuthMiddleware(page, web.manager), "/", headers=[bearer(web.token("ada"))])
    assert get_auth(connection.scope, web.manager).user == User("ada")
    with pytest.raises(RuntimeError, match="the manager 'web' is not in this AuthMiddleware"):
        get_auth(connection.scope, namesake)


async def test_what_is_no_manager_is_told(web):
    connection = await http(AuthMiddleware(page, web.manager), "/")
    for value in (connection.scope, object(), b"web"):
        with pytest.raises(TypeError, match="manager= takes a LoginManager, or its name"):
            get_auth(connection.scope, value)


async def test_of_nested_middlewares_with_one_key_the_second_says_so_at_its_first_request(web):
    admin = Logins(name="admin", transports=[BearerTransport(), CookieTransport("__Host-admin")])
    app = AuthMiddleware(AuthMiddleware(Gate(page), admin.manager), web.manager)
    for headers in ([], [bearer(web.token("ada"))]):
        connection = await http(app, "/", headers=headers)
        assert isinstance(connection.error, RuntimeError)
        assert "'admin' and 'web' share a key" in str(connection.error)


@pytest.mark.parametrize(
    ("one", "other"), [({"audience": "web"}, {"audience": "admin"}), ({"issuer": "web"}, {"issuer": "admin"})]
)
async def test_nested_middlewares_with_one_key_are_told_apart_by_audience_or_issuer(one, other):
    outer, inner = Logins(name="web", **one), Logins(name="admin", **other)
    app = AuthMiddleware(AuthMiddleware(Gate(page), inner.manager), outer.manager)
    assert (await http(app, "/", headers=[bearer(inner.token("ada"))])).status == 200
    assert (await http(app, "/", headers=[bearer(outer.token("ada"))])).status == 401


async def test_a_manager_may_be_in_two_nested_middlewares(web):
    app = AuthMiddleware(AuthMiddleware(Gate(page), web.manager), web.manager)
    assert (await http(app, "/", headers=[bearer(web.token("ada"))])).status == 200


async def test_a_middleware_may_stand_inside_of_one_and_later_of_another_with_the_same_key(web):
    inner = AuthMiddleware(Gate(page), web.manager)
    for name in ("first", "second"):
        outer = Logins(OTHER_SECRET, name=name)
        connection = await http(AuthMiddleware(inner, outer.manager), "/", headers=[bearer(web.token("ada"))])
        assert connection.status == 200


async def test_a_header_token_of_two_managers_that_one_of_them_refuses_keeps_out_the_cookie_of_that_one():
    async def without_ada(sub):
        return None if sub == "ada" else User(sub)

    one, two = (
        Logins(name=name, audience=name, transports=[BearerTransport(), CookieTransport(f"__Host-{name}")])
        for name in ("one", "two")
    )
    claims = {"sub": "ada", "aud": ["one", "two"], "iat": int(one.clock()), "exp": int(one.clock()) + 60}
    one.manager.user_loader(without_ada)
    headers = [bearer(forge({"alg": "HS256", "typ": "at+jwt"}, claims)), cookie(one.token("bob"), "__Host-one")]
    connection = await http(AuthMiddleware(page, [one.manager, two.manager]), "/", headers=headers)
    assert isinstance(get_auth(connection.scope, manager="one").error, InvalidToken)
    assert get_auth(connection.scope, manager="two").user == User("ada")
