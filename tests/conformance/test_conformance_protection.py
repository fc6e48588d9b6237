import pytest
from conformance.answers import INVALID_TOKEN, NOT_FRESH, UNAUTHORIZED, assert_refused
from conformance.browser import BOTH, CAFE, HOME, REMEMBER, SESSION, names
from conformance.logins import shared

from asgi_login import Sessions

pytestmark = pytest.mark.anyio

PROTECTED = {one: shared(sessions=Sessions(protection=one)) for one in ("basic", "strong", None)}
STAMPS = {}
STAMPED = shared(sessions=Sessions(stamp=lambda user: STAMPS[user.name]))
BY_TENANT = shared(sessions=Sessions(protection="strong", fingerprint=lambda scope: scope["client"][0][:3].encode()))

ELSEWHERE = {"address": {"client": CAFE}, "User-Agent": {"agent": "Safari"}}
KEPT = pytest.mark.parametrize("query", [b"", b"remember"], ids=["session only", "remembered"])


class TestAnotherClient:
    @pytest.mark.parametrize("change", ELSEWHERE)
    @pytest.mark.parametrize(
        ("protection", "query"),
        [("basic", b"permanent"), ("basic", b"remember"), ("basic", b""), ("strong", b"permanent&remember")],
        ids=["basic permanent", "basic remembered", "basic session only", "strong permanent"],
    )
    async def test_another_client_is_not_fresh_until_the_login_is_confirmed_there(
        self, browse, protection, query, change
    ):
        browser = browse(PROTECTED[protection])
        await browser.log_in(query=query)
        assert (await browser.get("/fresh")).set_cookies == []
        kept = browser.names
        browser.move(**ELSEWHERE[change])
        connection = await browser.get("/public")
        assert (connection.json["user"], connection.json["fresh"]) == ("ada", False)
        assert (names(connection), connection.header("cache-control")) == ({SESSION}, ["no-store"])
        assert browser.names == kept
        # It is written down once, and for good: neither time, nor a renewal, nor the way home make it fresh.
        assert_refused(await browser.get("/fresh"), NOT_FRESH)
        browser.clock.tick(450)
        assert_refused(await browser.get("/fresh"), NOT_FRESH, sets={SESSION})
        browser.move()
        assert_refused(await browser.get("/fresh"), NOT_FRESH)
        browser.move(**ELSEWHERE[change])
        assert (await browser.post("/session/confirm")).json["fresh"] is False
        assert (await browser.get("/fresh")).json["user"] == "ada"
        # From here on it belongs there.
        browser.move()
        assert_refused(await browser.get("/fresh"), NOT_FRESH, sets={SESSION})

    async def test_another_client_does_not_become_the_one_that_is_known(self, browse):
        browser = browse(PROTECTED["basic"])
        await browser.log_in()
        browser.move(client=CAFE)
        for seconds in (0, 450):
            browser.clock.tick(seconds)
            assert names(await browser.get("/public")) == {SESSION}
        # An application that is stricter still knows where the login was.
        strict = browse(PROTECTED["strong"], jar=browser.jar)
        strict.clock.tick(450)
        assert await strict.user() == "ada"
        strict.jar = browser.jar
        strict.move(client=CAFE)
        assert_refused(await strict.get("/login"), UNAUTHORIZED, sets=BOTH)

    @pytest.mark.parametrize("change", ELSEWHERE)
    @pytest.mark.parametrize("path", ["/public", "/login", "/fresh", "/admin/page"])
    async def test_another_client_ends_a_strongly_protected_session(self, browse, path, change):
        browser = browse(PROTECTED["strong"])
        await browser.log_in()
        jar = browser.jar
        browser.move(**ELSEWHERE[change])
        connection = await browser.get(path)
        if path == "/public":
            page = connection.json
            assert (page["user"], page["error"], page["authenticated"]) == (None, None, False)
            assert (connection.header("cache-control"), connection.vary) == (["no-store"], ["cookie"])
            assert names(connection) == BOTH
        else:
            assert_refused(connection, UNAUTHORIZED, sets=BOTH)
        assert browser.names == set()
        # The browser that logged in still has its own copy.
        browser.jar = jar
        browser.move()
        assert (await browser.get("/fresh")).json["user"] == "ada"

    @KEPT
    @pytest.mark.parametrize("change", ELSEWHERE)
    async def test_another_client_is_not_noticed_without_protection(self, browse, query, change):
        browser = browse(PROTECTED[None])
        await browser.log_in(query=query)
        browser.move(**ELSEWHERE[change])
        connection = await browser.get("/fresh")
        assert (connection.json["user"], connection.set_cookies) == ("ada", [])

    @pytest.mark.parametrize("protection", PROTECTED)
    async def test_another_client_may_restore_what_is_remembered(self, browse, protection):
        browser = browse(PROTECTED[protection])
        await browser.log_in(query=b"remember")
        browser.keep_only(REMEMBER)
        browser.move(client=CAFE)
        assert await browser.user() == "ada"
        assert (await browser.get("/public")).set_cookies == []


class TestTheSameClient:
    @KEPT
    @pytest.mark.parametrize(
        ("home", "back"),
        [
            (HOME, (HOME[0], 40_000)),
            (HOME, list(HOME)),
            (HOME, ("::ffff:203.0.113.7", 1)),
            (("2001:db8:1:2::1", 1), ("2001:db8:1:2:ffff::9", 1)),
            (None, None),
            (("", "0"), ("", "0")),
            (("", 0), None),
            (("unix:", None), ("unix:", None)),
        ],
    )
    async def test_an_odd_client_keeps_its_session(self, browse, home, back, query):
        browser = browse(PROTECTED["strong"], client=home)
        await browser.log_in(query=query)
        browser.move(client=back)
        connection = await browser.get("/fresh")
        assert (connection.status, connection.set_cookies) == (200, [])
        browser.clock.tick(450)
        connection = await browser.get("/fresh")
        assert (connection.json["user"], names(connection)) == ("ada", {SESSION})

    @pytest.mark.parametrize(
        ("home", "back"),
        [
            (("2001:db8:1:2::1", 1), ("2001:db8:1:3::1", 1)),
            (HOME, None),
            (("", "0"), HOME),
            (HOME, ("2001:db8::1", 1)),
        ],
    )
    async def test_an_odd_client_that_is_another_ends_the_session(self, browse, home, back):
        browser = browse(PROTECTED["strong"], client=home)
        await browser.log_in()
        browser.move(client=back)
        assert_refused(await browser.get("/login"), UNAUTHORIZED, sets=BOTH)

    async def test_a_client_without_a_user_agent_keeps_its_session(self, browse):
        browser = browse(PROTECTED["strong"], agent=None)
        await browser.log_in()
        assert (await browser.get("/fresh")).set_cookies == []
        browser.move()
        assert await browser.user() is None

    async def test_what_a_client_says_of_its_address_is_not_read(self, browse):
        headers = [("x-forwarded-for", CAFE[0]), ("forwarded", f"for={CAFE[0]}"), ("x-real-ip", CAFE[0])]
        browser = browse(PROTECTED["strong"])
        await browser.log_in()
        assert (await browser.get("/fresh", headers=headers)).set_cookies == []
        browser.move(client=CAFE)
        forged = [(name, value.replace(CAFE[0], HOME[0])) for name, value in headers]
        assert_refused(await browser.get("/login", headers=forged), UNAUTHORIZED, sets=BOTH)

    async def test_a_fingerprint_of_the_applications_own_decides(self, browse):
        browser = browse(BY_TENANT)
        await browser.log_in()
        browser.move(client=("203.9.9.9", 1), agent="Safari")
        assert (await browser.get("/fresh")).set_cookies == []
        browser.move(client=CAFE)
        assert_refused(await browser.get("/login"), UNAUTHORIZED, sets=BOTH)


class TestStamp:
    JARS = pytest.mark.parametrize("held", [BOTH, {SESSION}, {REMEMBER}], ids=["both", "session", "remember"])

    @pytest.fixture
    async def stamped(self, browse):
        STAMPS.update(ada="old password", bob="password")
        browser = browse(STAMPED)
        await browser.log_in(query=b"remember")
        return browser

    @JARS
    async def test_a_changed_stamp_ends_the_login(self, stamped, held):
        stamped.keep_only(*held)
        jar = stamped.jar
        STAMPS["ada"] = "new password"
        connection = await stamped.get("/public")
        assert (connection.status, connection.json["user"], connection.json["error"]) == (200, None, "InvalidToken")
        assert (names(connection), stamped.names) == (BOTH, set())
        for path in ("/login", "/read", "/admin/page"):
            stamped.jar = jar
            assert_refused(await stamped.get(path), INVALID_TOKEN, sets=BOTH)
        assert_refused(await stamped.get("/login"), UNAUTHORIZED)

    @JARS
    async def test_an_unchanged_stamp_is_kept_by_renewals_and_restored_logins(self, stamped, held):
        stamped.keep_only(*held)
        STAMPS["bob"] = "new password"
        for seconds in (0, 450, 0):
            stamped.clock.tick(seconds)
            assert (await stamped.get("/login")).json["user"] == "ada"
        assert (await stamped.post("/session/confirm")).json["user"] == "ada"
        assert (await stamped.get("/fresh")).json["user"] == "ada"
        STAMPS["ada"] = "new password"
        assert_refused(await stamped.get("/login"), INVALID_TOKEN, sets=BOTH)

    async def test_a_login_after_the_change_of_the_stamp_is_good(self, stamped):
        STAMPS["ada"] = "new password"
        assert (await stamped.log_in(query=b"remember")).json["user"] is None
        assert (await stamped.get("/fresh")).json["user"] == "ada"
