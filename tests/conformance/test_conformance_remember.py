import pytest
from conformance.answers import CROSS_ORIGIN, EXPIRED, INVALID_TOKEN, NOT_FRESH, UNAUTHORIZED, assert_refused
from conformance.browser import BOTH, REMEMBER, SESSION, names
from conformance.logins import OTHER_SECRET, Logins, forge

pytestmark = pytest.mark.anyio

MINUTE, DAY = 60, 86_400
IDLE, REMEMBER_FOR = 15 * MINUTE, 30 * DAY
FOREIGN = [("origin", "https://evil.example")]
PLAIN_AND_ASYNC = pytest.mark.parametrize("kind", ["", "-sync"], ids=["async", "plain"])


@pytest.fixture
async def remembered(browser):
    await browser.log_in(query=b"remember")
    return browser


class TestLogin:
    @PLAIN_AND_ASYNC
    async def test_a_login_that_is_remembered_sets_two_cookies(self, browser, kind):
        connection = await browser.log_in(f"/session/in{kind}", query=b"remember")
        assert names(connection) == browser.names == BOTH
        [line] = [line for line in connection.set_cookies if line.startswith(REMEMBER)]
        assert {f"Max-Age={REMEMBER_FOR}", "Secure", "HttpOnly", "SameSite=Lax"} <= set(line.split("; "))
        assert await browser.user() == "ada"

    async def test_a_login_as_somebody_else_forgets_the_one_before(self, remembered):
        await remembered.log_in(query=b"sub=bob")
        assert remembered.names == {SESSION}
        assert await remembered.user() == "bob"
        remembered.clock.tick(IDLE)
        assert_refused(await remembered.get("/login"), EXPIRED)

    @pytest.mark.parametrize("held", [BOTH, {SESSION}, {REMEMBER}], ids=["both", "session", "remember"])
    @PLAIN_AND_ASYNC
    async def test_a_logout_forgets_the_login(self, remembered, kind, held):
        remembered.keep_only(*held)
        connection = await remembered.post(f"/session/out{kind}")
        assert (connection.json["user"], names(connection), remembered.names) == ("ada", BOTH, set())
        assert await remembered.user() is None
        assert_refused(await remembered.get("/login"), UNAUTHORIZED)


class TestRestoring:
    @pytest.mark.parametrize("path", ["/public", "/read"])
    @pytest.mark.parametrize("session", ["gone", "expired"])
    async def test_a_remembered_login_is_restored_with_two_new_cookies(self, remembered, session, path):
        earlier = remembered.values
        if session == "gone":
            remembered.keep_only(REMEMBER)
        else:
            remembered.clock.tick(IDLE)
        connection = await remembered.get(path)
        page = connection.json
        assert (page["user"], page["scopes"], page["transport"], page["fresh"]) == ("ada", ["read"], "cookie", False)
        assert (names(connection), connection.header("cache-control")) == (BOTH, ["no-store"])
        assert connection.vary == ["cookie"]
        assert all(remembered.values[name] != earlier[name] for name in BOTH)
        following = await remembered.get(path)
        assert (following.json["user"], following.set_cookies) == ("ada", [])

    async def test_a_restored_login_is_never_fresh(self, remembered):
        remembered.keep_only(REMEMBER)
        assert_refused(await remembered.get("/fresh"), NOT_FRESH, sets=BOTH)
        assert_refused(await remembered.get("/fresh"), NOT_FRESH)
        remembered.clock.tick(IDLE / 2)
        assert_refused(await remembered.get("/fresh"), NOT_FRESH, sets={SESSION})

    async def test_a_restored_login_lives_for_another_lifetime(self, remembered):
        proved = remembered.clock()
        for _ in range(3):
            remembered.clock.tick(REMEMBER_FOR - MINUTE)
            connection = await remembered.get("/login")
            assert connection.scope["state"]["auth"].claims["auth_time"] == proved
        remembered.clock.tick(REMEMBER_FOR)
        assert_refused(await remembered.get("/login"), EXPIRED)

    @pytest.mark.parametrize("held", [BOTH, {REMEMBER}], ids=["both", "remember"])
    @PLAIN_AND_ASYNC
    async def test_a_login_that_is_confirmed_is_fresh_and_still_remembered(self, remembered, kind, held):
        remembered.keep_only(*held)
        remembered.clock.tick(10 * MINUTE + 1)
        assert (await remembered.post(f"/session/confirm{kind}")).json["fresh"] is False
        assert remembered.names == BOTH
        assert (await remembered.get("/fresh")).json["user"] == "ada"
        remembered.clock.tick(DAY)
        page = (await remembered.get("/public")).json
        assert (page["user"], page["fresh"]) == ("ada", False)


class TestRefusal:
    async def test_another_site_cannot_use_what_is_remembered(self, remembered):
        remembered.keep_only(REMEMBER)
        assert_refused(await remembered.post("/public", headers=FOREIGN), CROSS_ORIGIN)
        connection = await remembered.post("/public", headers=[("origin", "https://site.example")])
        assert connection.json["user"] == "ada"

    @pytest.mark.parametrize("held", [BOTH, {SESSION}, {REMEMBER}], ids=["both", "session", "remember"])
    async def test_a_user_who_is_gone_is_nobody_and_forgotten(self, browser, held):
        await browser.log_in(query=b"sub=gone&remember")
        browser.keep_only(*held)
        jar = browser.jar
        connection = await browser.get("/public")
        assert (connection.json["user"], connection.json["error"]) == (None, "InvalidToken")
        assert (names(connection), browser.names) == (BOTH, set())
        browser.jar = jar
        assert_refused(await browser.get("/login"), INVALID_TOKEN, sets=BOTH)

    @pytest.mark.parametrize(
        "what",
        ["garbage", "no ASCII", "access token", "session token", "another key", "no sub", "cut short", "long"],
    )
    async def test_what_remembers_nobody_is_no_login_and_never_an_error(self, remembered, what):
        kept = remembered.values
        header, claims, signature = kept[REMEMBER].split(".")
        remember = {"alg": "HS256", "typ": "remember+jwt"}
        value = {
            "garbage": "not-a-token",
            "no ASCII": b"\xff\xfe.\xe4.\xe4",
            "access token": Logins(clock=remembered.clock).token(),
            "session token": kept[SESSION],
            "another key": forge(remember, {"sub": "ada", "exp": 2_000_000_000}, OTHER_SECRET),
            "no sub": forge(remember, {"exp": 2_000_000_000}),
            "cut short": f"{header}.{claims}.{signature[:-4]}",
            "long": "a" * 9_000,
        }[what]
        remembered.clock.tick(IDLE)
        remembered.put(REMEMBER, value)
        for held in (BOTH, {REMEMBER}):
            remembered.keep_only(*held)
            connection = await remembered.get("/public")
            page = connection.json
            assert (connection.status, page["user"], page["error"]) == (200, None, "InvalidToken")
            assert names(connection) == set()
            assert_refused(await remembered.get("/login"), INVALID_TOKEN)

    async def test_a_remembered_login_that_is_too_old_is_told_so(self, remembered):
        value = remembered.values[REMEMBER]
        remembered.clock.tick(REMEMBER_FOR)
        # The browser has dropped it by now.
        assert remembered.names == {SESSION}
        remembered.put(REMEMBER, value)
        remembered.keep_only(REMEMBER)
        assert (await remembered.get("/public")).json["error"] == "InvalidToken"
        assert_refused(await remembered.get("/login"), EXPIRED)
