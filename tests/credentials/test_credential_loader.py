"""A credential that is no token of ours: the application's function knows it, and all other checks stay."""

import base64
import gc
import logging
import weakref
from datetime import timedelta
from functools import partial

import anyio
import anyio.lowlevel
import httpx
import pytest

from asgi_login import (
    AuthMiddleware,
    BasicTransport,
    BearerTransport,
    CookieTransport,
    Gate,
    Grant,
    HeaderTransport,
    InvalidToken,
    LoginManager,
    MemoryStore,
    get_auth,
)

pytestmark = pytest.mark.anyio

NOW = 1_750_000_000.0
KEY = "sk_live_5Zq1"


class Clock:
    now = NOW

    def __call__(self):
        return self.now


class Keys:
    """An application with one API key, and what its functions were asked."""

    def __init__(self, transport=None, *, cache_for=None, grant=None, secret="k" * 40, **settings):
        self.clock = Clock()
        self.asked, self.loaded = [], []
        self.grant = grant or Grant("ada", scopes=["read"])
        self.manager = LoginManager(secret, clock=self.clock, **settings)
        self.manager.user_loader(self._load)
        self.app = AuthMiddleware(self._page, self.manager)
        self.transport = transport or HeaderTransport("X-API-Key", name="api-key", ambient=False)
        self.manager.credential_loader(self.transport, cache_for=cache_for)(self._know)

    async def _know(self, key):
        self.asked.append(key)
        return self.grant if key == KEY else None

    async def _load(self, sub):
        self.loaded.append(sub)
        return None if sub == "gone" else sub

    async def _page(self, scope, receive, send):
        await Gate(self._answer, scopes=["read"])(scope, receive, send)

    async def _answer(self, scope, receive, send):
        self.auth = get_auth(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def get(self, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.request("GET", named)

    async def request(self, method, headers):
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
            return await client.request(method, "/", headers=headers)


class Finding:
    """A transport of the application's own that finds the same in every request."""

    name, ambient = "finding", False

    def __init__(self, found):
        self.found = found

    def extract(self, scope):
        return self.found


def basic(credential):
    return "Basic " + base64.b64encode(credential if isinstance(credential, bytes) else credential.encode()).decode()


class TestOutcomes:
    async def test_a_credential_that_is_known_logs_its_user_in(self):
        keys = Keys(grant=Grant("ada", scopes=["read"], expires_at=NOW + 60, claims={"key": {"ids": [7]}}))
        assert (await keys.get(x_api_key=KEY)).status_code == 200
        auth = keys.auth
        assert (auth.user, auth.transport, auth.scopes, auth.expires_at) == ("ada", "api-key", {"read"}, NOW + 60)
        assert (auth.claims["sub"], auth.claims["key"]["ids"]) == ("ada", (7,))
        assert not auth.fresh
        with pytest.raises(TypeError):
            auth.claims["key"]["ids"] = ()

    async def test_one_that_nobody_knows_is_an_invalid_token_and_loads_nobody(self):
        keys = Keys()
        response = await keys.get(x_api_key="sk_guess")
        assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
        assert keys.loaded == []

    async def test_one_without_an_end_says_so(self):
        keys = Keys()
        await keys.get(x_api_key=KEY)
        assert keys.auth.expires_at is None

    async def test_one_that_has_expired_is_refused_as_a_token_is(self):
        keys = Keys(grant=Grant("ada", expires_at=NOW - 1))
        response = await keys.get(x_api_key=KEY)
        assert (response.status_code, response.json()["error_description"]) == (401, "The token has expired")

    async def test_a_user_who_is_gone_is_refused(self):
        assert (await Keys(grant=Grant("gone")).get(x_api_key=KEY)).status_code == 401

    async def test_a_scope_that_it_does_not_grant_is_missing(self):
        response = await Keys(grant=Grant("ada")).get(x_api_key=KEY)
        assert (response.status_code, response.json()["error"]) == (403, "insufficient_scope")

    async def test_a_failure_of_the_function_is_never_an_anonymous_visitor(self):
        keys = Keys()

        async def broken(key):
            raise ConnectionError("the database is down")

        keys.manager.credential_loader(HeaderTransport("X-Other", name="other", ambient=False))(broken)
        with pytest.raises(ConnectionError):
            await keys.get(x_other=KEY)

    async def test_an_auth_error_of_the_function_refuses_the_request(self):
        keys = Keys()

        def suspended(key):
            raise InvalidToken("suspended")

        keys.manager.credential_loader(HeaderTransport("X-Other", name="other", ambient=False))(suspended)
        assert (await keys.get(x_other=KEY)).status_code == 401

    @pytest.mark.parametrize("answer", [False, "ada", {"sub": "ada"}, Grant])
    async def test_what_is_no_grant_is_a_mistake_and_no_user(self, answer):
        keys = Keys()
        keys.manager.credential_loader(HeaderTransport("X-Other", name="other", ambient=False))(lambda key: answer)
        with pytest.raises(TypeError, match="returns a Grant or None"):
            await keys.get(x_other=KEY)

    async def test_a_plain_function_and_one_that_takes_the_scope_are_called(self):
        keys, seen = Keys(), []

        def plain(key, scope):
            seen.append(scope["path"])
            return keys.grant

        keys.manager.credential_loader(HeaderTransport("X-Other", name="other", ambient=False))(plain)
        assert (await keys.get(x_other=KEY)).status_code == 200
        assert seen == ["/"]

    async def test_no_part_of_it_is_logged(self, caplog):
        caplog.set_level(logging.DEBUG)
        await Keys().get(x_api_key="sk_secret_guess")
        assert "sk_secret_guess" not in caplog.text

    @pytest.mark.parametrize("value", ["sk\x1flive", "sk\x7flive", "s" * 16_385])
    async def test_one_that_no_key_can_be_does_not_reach_the_function(self, value):
        keys = Keys()
        response = await keys.get(x_api_key=value)
        assert (response.status_code, response.json()["error"], keys.asked) == (401, "invalid_token", [])

    async def test_one_that_is_not_ascii_is_passed_on_as_text(self):
        keys = Keys()
        await keys.request("GET", [(b"x-api-key", "sk_ä".encode())])
        assert keys.asked == ["sk_ä"]

    async def test_a_time_that_is_no_number_is_a_mistake_and_no_key_without_an_end(self):
        with pytest.raises(ValueError, match="up to the year 9999"):
            Grant("ada", expires_at=float("nan"))
        with pytest.raises(TypeError, match="iat is in seconds"):
            await Keys(grant=Grant("ada", claims={"iat": float("nan")})).get(x_api_key=KEY)

    @pytest.mark.parametrize("milliseconds", [NOW * 1000, float("inf"), 10**400])
    def test_a_time_in_milliseconds_is_refused(self, milliseconds):
        with pytest.raises(ValueError, match="in seconds since the epoch"):
            Grant("ada", expires_at=milliseconds)

    def test_a_generator_is_refused_at_once(self):
        def generator(key):
            yield Grant("ada")

        with pytest.raises(TypeError, match="use return in place of yield"):
            LoginManager("k" * 40).credential_loader(BasicTransport())(generator)

    @pytest.mark.parametrize("cache_for", [None, timedelta(seconds=60)])
    async def test_a_request_that_is_cancelled_meanwhile_leaves_nothing_behind(self, cache_for):
        keys, forever = Keys(), anyio.Event()

        async def waits(key):
            keys.asked.append(key)
            await forever.wait()
            return keys.grant

        other = HeaderTransport("X-Other", name="other", ambient=False)
        keys.manager.credential_loader(other, cache_for=cache_for)(waits)
        async with anyio.create_task_group() as group:
            group.start_soon(partial(keys.get, x_other=KEY))
            while not keys.asked:
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert keys.loaded == []
        forever.set()
        assert (await keys.get(x_other=KEY)).status_code == 200
        assert keys.asked == [KEY, KEY]

    async def test_what_is_not_utf_8_is_an_invalid_token(self):
        keys = Keys()
        response = await keys.request("GET", [(b"x-api-key", b"\xff\xfe")])
        assert (response.status_code, keys.asked) == (401, [])


class TestTransports:
    async def test_a_token_in_authorization_comes_first(self):
        keys = Keys()
        token = keys.manager.create_access_token(data={"sub": "bob"}, scopes=["read"])
        await keys.get(authorization=f"Bearer {token}", x_api_key=KEY)
        assert (keys.auth.user, keys.asked) == ("bob", [])

    async def test_one_of_the_manager_s_own_carries_no_tokens_any_more(self):
        bearer = BearerTransport()
        keys = Keys(bearer, transports=[bearer])
        assert (await keys.get(authorization=f"Bearer {KEY}")).status_code == 200
        token = keys.manager.create_access_token(data={"sub": "bob"}, scopes=["read"])
        assert (await keys.get(authorization=f"Bearer {token}")).status_code == 401

    def test_a_second_bearer_that_would_never_be_asked_is_refused(self):
        with pytest.raises(ValueError, match="every Bearer token"):
            Keys(BearerTransport("keys"))

    def test_the_cookie_of_the_sessions_is_refused(self):
        cookie = CookieTransport()
        with pytest.raises(ValueError, match="carries the sessions"):
            Keys(cookie, transports=[cookie])

    def test_a_name_that_is_taken_is_refused(self):
        with pytest.raises(ValueError, match="same name"):
            Keys(HeaderTransport("X-API-Key", name="bearer", ambient=False))

    def test_a_function_that_cannot_be_called_with_a_credential_is_refused(self):
        manager = LoginManager("k" * 40)
        with pytest.raises(TypeError, match="credential_loader= cannot be called with credential"):
            manager.credential_loader(BasicTransport())(lambda: None)

    async def test_a_password_in_a_header_comes_before_a_cookie(self):
        keys = Keys(BasicTransport(), transports=[CookieTransport()])
        headers = {"Cookie": "__Host-access-token=not-a-token", "Authorization": basic("ada:x")}
        assert ((await keys.request("GET", headers)).status_code, keys.asked) == (401, ["ada:x"])

    async def test_a_cookie_of_another_site_s_request_does_not_reach_the_function(self):
        keys = Keys(CookieTransport("__Host-key", name="key-cookie"))
        headers = {"Cookie": f"__Host-key={KEY}", "Origin": "https://evil.example"}
        response = await keys.request("POST", headers)
        assert (response.status_code, keys.asked) == (403, [])
        response = await keys.request("POST", headers | {"Origin": "https://shop.example"})
        assert (response.status_code, response.headers["vary"]) == (200, "Cookie")

    @pytest.mark.parametrize(
        ("found", "status"), [("", 401), (b"", 401), ("\udcff", 401), (KEY, 200), (KEY.encode(), 200)]
    )
    async def test_a_transport_of_the_applications_own_may_find_anything(self, found, status):
        assert (await Keys(Finding(found)).get()).status_code == status

    @pytest.mark.parametrize("found", [7, True, [KEY], bytearray(b"sk")])
    async def test_one_that_finds_no_text_is_a_mistake(self, found):
        keys = Keys(Finding(found))
        with pytest.raises(TypeError, match="returns a str, bytes or None"):
            await keys.get()
        assert keys.asked == []

    async def test_a_manager_may_have_several(self):
        keys = Keys()
        keys.manager.credential_loader(BasicTransport())(lambda credential: Grant("bob", scopes=["read"]))
        await keys.get(authorization=basic("bob:x"))
        assert keys.auth.user == "bob"
        await keys.get(x_api_key=KEY)
        assert keys.auth.user == "ada"

    async def test_two_managers_ask_each_for_its_own(self):
        first, second = Keys(), Keys(name="second", secret="s" * 40)
        second.manager.credential_loader(HeaderTransport("X-Other", name="other", ambient=False))(second._know)
        app = AuthMiddleware(first._answer, [first.manager, second.manager])
        first.app = app
        assert (await first.get(x_other=KEY)).status_code == 200
        assert (first.auth.manager, first.auth.transport) == ("second", "other")

    async def test_a_key_that_only_the_second_manager_knows_is_no_refusal_of_the_first(self):
        first, second = Keys(), Keys(name="second", secret="s" * 40)
        first.app = AuthMiddleware(first._answer, [first.manager, second.manager])
        first.manager.credential_loader(HeaderTransport("X-Other", name="other", ambient=False))(lambda key: None)
        second.manager.credential_loader(HeaderTransport("X-Other", name="other", ambient=False))(second._know)
        await first.get(x_other=KEY)
        assert (first.auth.user, first.auth.error) == ("ada", None)
        assert get_auth({"state": {"auth": first.auth}}, manager="default").error is None

    def test_a_middleware_that_is_gone_is_not_told(self):
        manager = LoginManager("k" * 40)
        app = AuthMiddleware(lambda scope, receive, send: None, manager)
        gone = weakref.ref(app)
        del app
        gc.collect()
        assert gone() is None
        manager.credential_loader(BasicTransport())(lambda credential: None)


class TestBasic:
    async def test_the_name_and_the_password_reach_the_function(self):
        seen = []
        keys = Keys()

        def check(credential):
            seen.append(credential.partition(":"))
            return Grant("ada", scopes=["read"])

        keys.manager.credential_loader(BasicTransport())(check)
        # RFC 7617 §2: the password may hold colons.
        assert (await keys.get(authorization=basic("ada:p:ß"))).status_code == 200
        assert seen == [("ada", ":", "p:ß")]

    @pytest.mark.parametrize(
        "value",
        ["Basic", "Basic !!", "Basic YTpi=", "Basic YTpi YTpi", basic("nocolon"), basic("a:\n"), basic(b"a:\xff")],
    )
    async def test_what_is_malformed_is_a_bad_request(self, value):
        keys = Keys(BasicTransport())
        response = await keys.get(authorization=value)
        assert (response.status_code, keys.asked) == (400, [])

    async def test_one_that_is_too_long_is_a_bad_request(self):
        assert (await Keys(BasicTransport()).get(authorization=basic("a:" + "b" * 40_000))).status_code == 400

    async def test_two_lines_are_a_bad_request(self):
        lines = [("Authorization", basic("a:b")), ("Authorization", basic("c:d"))]
        assert (await Keys(BasicTransport()).request("GET", lines)).status_code == 400

    async def test_the_challenge_asks_for_it(self):
        response = await Keys(BasicTransport()).get()
        assert response.headers.get_list("www-authenticate") == [
            'Bearer realm="api"',
            'Basic realm="api", charset="UTF-8"',
        ]

    async def test_another_site_s_request_does_not_reach_the_function(self):
        keys = Keys(BasicTransport())
        response = await keys.request("POST", {"Authorization": basic("ada:x"), "Sec-Fetch-Site": "cross-site"})
        assert (response.status_code, keys.asked) == (403, [])

    def test_it_is_immutable_and_shows_its_name(self):
        transport = BasicTransport("login")
        assert repr(transport) == "BasicTransport('login')"
        with pytest.raises(AttributeError):
            transport.name = "other"


class TestCache:
    async def test_the_function_is_asked_once_for_so_long(self):
        keys = Keys(cache_for=timedelta(seconds=60))
        for _ in range(3):
            assert (await keys.get(x_api_key=KEY)).status_code == 200
        assert keys.asked == [KEY]
        keys.clock.now += 60
        await keys.get(x_api_key=KEY)
        assert keys.asked == [KEY, KEY]

    async def test_the_user_is_loaded_each_time(self):
        keys = Keys(cache_for=timedelta(seconds=60))
        await keys.get(x_api_key=KEY)
        await keys.get(x_api_key=KEY)
        assert keys.loaded == ["ada", "ada"]

    async def test_a_refusal_is_not_kept(self):
        keys = Keys(cache_for=timedelta(seconds=60))
        for _ in range(2):
            assert (await keys.get(x_api_key="sk_new")).status_code == 401
        assert keys.asked == ["sk_new", "sk_new"]

    async def test_an_expired_grant_is_refused_though_it_is_kept(self):
        keys = Keys(cache_for=timedelta(seconds=60), grant=Grant("ada", scopes=["read"], expires_at=NOW + 10))
        assert (await keys.get(x_api_key=KEY)).status_code == 200
        keys.clock.now += 10
        assert (await keys.get(x_api_key=KEY)).status_code == 401

    async def test_without_it_the_function_is_asked_each_time(self):
        keys = Keys()
        await keys.get(x_api_key=KEY)
        await keys.get(x_api_key=KEY)
        assert keys.asked == [KEY, KEY]

    def test_an_answer_that_depends_on_the_request_is_not_kept(self):
        # Somebody else's request would be let in from an address of which the function was never asked.
        def from_office(key, scope):
            return Grant("ada") if scope["client"][0] == "192.0.2.1" else None

        register = LoginManager("k" * 40).credential_loader(BasicTransport(), cache_for=timedelta(seconds=60))
        with pytest.raises(ValueError, match="also looks at the scope: leave out cache_for="):
            register(from_office)

    def test_a_duration_that_is_not_positive_is_refused(self):
        with pytest.raises(ValueError, match="cache_for must be positive"):
            Keys(cache_for=timedelta(0))


class TestRevocation:
    @pytest.mark.parametrize("cache_for", [None, timedelta(seconds=60)])
    async def test_the_end_of_a_user_ends_their_credentials(self, cache_for):
        keys = Keys(store=MemoryStore(), cache_for=cache_for)
        assert (await keys.get(x_api_key=KEY)).status_code == 200
        await keys.manager.revoke_user("ada")
        assert (await keys.get(x_api_key=KEY)).status_code == 401

    async def test_one_that_was_made_afterwards_is_good_where_the_grant_says_when(self):
        keys = Keys(store=MemoryStore())
        await keys.manager.revoke_user("ada")
        keys.clock.now += 5
        keys.grant = Grant("ada", scopes=["read"], claims={"iat": keys.clock.now})
        assert (await keys.get(x_api_key=KEY)).status_code == 200

    async def test_a_time_that_is_none_is_a_mistake(self):
        with pytest.raises(TypeError, match="iat is in seconds since the epoch"):
            await Keys(grant=Grant("ada", claims={"iat": "yesterday"})).get(x_api_key=KEY)
