"""The adapter for Litestar: what is native to it and no other framework has."""

import pytest
from helpers import OTHER_SECRET, Clock, make_manager
from litestar import Controller, Litestar, Request, Response, Router, get, post
from litestar.config.response_cache import CACHE_FOREVER, ResponseCacheConfig
from litestar.plugins import InitPlugin
from litestar.testing import TestClient

from asgi_login import BearerTransport, CookieTransport, Sessions, login_required, requires_scopes
from asgi_login.litestar import LoginPlugin, guard
from asgi_login.testing import logged_in

MANAGER = make_manager()
TRANSPORTS = pytest.mark.parametrize("transport", ["bearer", "cookie"])


def named(user):
    return f"the page of {user}"


@get("/decorated", cache=60)
@login_required
async def decorated(request: Request) -> str:
    return named(request.user)


@get("/guarded", cache=60, guards=[guard()])
async def guarded(request: Request) -> str:
    return named(request.user)


@get("/by-rule", guards=[guard(check=lambda auth: auth.user == "user1")])
async def by_rule(request: Request) -> str:
    return named(request.user)


@get("/excluded", opt={"exclude_from_auth": True})
async def excluded(request: Request) -> str:
    return named(request.user)


def test_a_guard_asks_the_application_s_own_check():
    with TestClient(Litestar([by_rule], plugins=[LoginPlugin(MANAGER)])) as client:
        refused = client.get("/by-rule", headers=logged_in(MANAGER, "ada").headers)
        assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
        assert client.get("/by-rule", headers=logged_in(MANAGER, "user1").headers).text == named("user1")
        assert client.get("/by-rule").status_code == 401


def test_an_application_that_is_closed_by_default_has_one_open_route():
    with TestClient(Litestar([guarded, excluded], plugins=[LoginPlugin(MANAGER)], guards=[guard()])) as client:
        assert client.get("/guarded").status_code == 401
        assert client.get("/excluded").text == named(None)
        assert client.get("/schema/openapi.json").status_code == 401


@get("/open", cache=60)
async def personalised(request: Request) -> str:
    return named(request.user)


@get("/scoped", cache=True)
@requires_scopes("read")
async def scoped(request: Request) -> str:
    return named(request.user)


@get("/forever", cache=CACHE_FOREVER)
@login_required
async def forever(request: Request) -> str:
    return named(request.user)


@get("/own-key", cache=60, cache_key_builder=lambda request: "the same for everybody")
@login_required
async def own_key(request: Request) -> str:
    return named(request.user)


class Cached(Controller):
    path = "/controller"

    @get(["/", "/other"], cache=60, cache_key_builder=lambda request: request.url.path)
    @login_required
    async def page(self, request: Request) -> str:
        return named(request.user)


PATHS = [
    "/decorated",
    "/guarded",
    "/scoped",
    "/forever",
    "/own-key",
    "/controller",
    "/controller/other",
    "/router/decorated",
]


def application(*handlers, manager=MANAGER, **settings):
    handlers = handlers or (
        decorated,
        guarded,
        personalised,
        scoped,
        forever,
        own_key,
        Cached,
        Router("/router", route_handlers=[decorated]),
    )
    managers = manager if isinstance(manager, list) else [manager]
    plugins = [LoginPlugin(managers), *settings.pop("plugins", ())]
    return Litestar(handlers, plugins=plugins, openapi_config=None, logging_config=None, **settings)


def sent_by(sub, transport=None, manager=MANAGER):
    return logged_in(manager, sub, scopes=["read"], transport=transport).headers


class LaterPlugin(InitPlugin):
    """Sets the application's response cache after us."""

    def on_app_init(self, app_config):
        app_config.response_cache_config = ResponseCacheConfig()
        return app_config


CACHES = pytest.mark.parametrize(
    "settings",
    [
        {},
        {"response_cache_config": ResponseCacheConfig(default_expiration=3600)},
        {"response_cache_config": ResponseCacheConfig(key_builder=lambda request: request.url.path)},
        {"response_cache_config": ResponseCacheConfig(cache_response_filter=lambda scope, status: True)},
    ],
    ids=["default", "expiration", "key builder", "filter"],
)


class TestResponseCache:
    @CACHES
    @TRANSPORTS
    @pytest.mark.parametrize("path", PATHS)
    def test_a_cached_page_of_one_user_is_served_to_nobody_else(self, settings, transport, path):
        with TestClient(application(**settings)) as client:
            assert client.get(path, headers=sent_by("ada", transport)).text == named("ada")
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"Authorization": "Bearer nonsense"}).status_code == 401
            assert client.get(path, headers=sent_by("user1", transport)).text == named("user1")
            assert client.get(path, headers=sent_by("ada", transport)).text == named("ada")

    @CACHES
    @TRANSPORTS
    def test_neither_is_a_page_without_a_gate_that_looks_at_the_user(self, settings, transport):
        with TestClient(application(**settings)) as client:
            for sub in ("ada", "user1"):
                assert client.get("/open", headers=sent_by(sub, transport)).text == named(sub)
                assert client.get("/open").text == named(None)
            assert client.get("/open", headers=sent_by("ada", transport)).text == named("ada")

    @pytest.mark.parametrize("path", PATHS)
    def test_a_strangers_refusal_is_not_served_to_users(self, path):
        settings = {"response_cache_config": ResponseCacheConfig(cache_response_filter=lambda scope, status: True)}
        with TestClient(application(**settings)) as client:
            assert client.get(path).status_code == 401
            assert client.get(path, headers=sent_by("ada")).text == named("ada")

    @pytest.mark.parametrize("path", PATHS)
    def test_a_plugin_that_replaces_the_cache_of_the_application_opens_nothing(self, path):
        with TestClient(application(plugins=[LaterPlugin()])) as client:
            assert client.get(path, headers=sent_by("ada")).text == named("ada")
            assert client.get(path).status_code == 401
            assert client.get(path, headers=sent_by("user1")).text == named("user1")

    @pytest.mark.parametrize("handler", [decorated, own_key])
    def test_a_handler_that_is_registered_later_is_no_exception(self, handler):
        app = application(personalised)
        app.register(handler)
        (path,) = handler.paths
        with TestClient(app) as client:
            assert client.get(path, headers=sent_by("ada")).text == named("ada")
            assert client.get(path).status_code == 401
            assert client.get(path, headers=sent_by("user1")).text == named("user1")

    def test_a_user_who_is_gone_or_whose_token_has_expired_gets_no_page_of_before(self):
        clock, users = Clock(), ["ada"]
        manager = make_manager(users=users, clock=clock)
        with TestClient(application(decorated, manager=manager)) as client:
            headers = sent_by("ada", manager=manager)
            assert client.get("/decorated", headers=headers).status_code == 200
            users.clear()
            assert client.get("/decorated", headers=headers).status_code == 401
            users.append("ada")
            clock.now += 15 * 60
            assert client.get("/decorated", headers=headers).status_code == 401

    def test_users_of_each_of_several_managers_are_no_strangers(self):
        web = make_manager(name="web", transports=[CookieTransport("__Host-web")])
        admin = make_manager(OTHER_SECRET, name="admin", transports=[BearerTransport()])
        with TestClient(application(decorated, manager=[web, admin])) as client:
            for manager in (admin, web):
                for sub in ("ada", "user1"):
                    headers = sent_by(sub, manager=manager)
                    assert client.get("/decorated", headers=headers).text == named(sub)
            assert client.get("/decorated").status_code == 401

    def test_the_cookie_of_a_renewed_session_is_not_kept(self):
        clock = Clock()
        manager = make_manager(clock=clock, transports=[CookieTransport()], sessions=Sessions(protection=None))

        @post("/login")
        async def login(request: Request) -> None:
            manager.login_user(request, "ada")

        with TestClient(application(login, personalised, manager=manager), base_url="https://site.example") as client:
            client.post("/login")
            clock.now += 10 * 60
            renewing = client.get("/open")
            assert (renewing.text, "set-cookie" in renewing.headers) == (named("ada"), True)
            client.cookies.clear()
            stranger = client.get("/open")
            assert (stranger.text, "set-cookie" in stranger.headers) == (named(None), False)

    def test_a_token_that_a_login_view_sets_is_not_kept_for_the_next_visitor(self):
        @post("/token", cache=60)
        async def token(request: Request) -> Response[str]:
            sub = request.query_params["sub"]
            response = Response(sub)
            MANAGER.set_cookie(response, MANAGER.create_access_token(data={"sub": sub}))
            return response

        same_key = ResponseCacheConfig(key_builder=lambda request: request.url.path)
        with TestClient(application(token, response_cache_config=same_key)) as client:
            lines = [client.post(f"/token?sub={sub}").headers["set-cookie"] for sub in ("ada", "user1")]
        assert lines[0] != lines[1]

    @CACHES
    @pytest.mark.parametrize("path", ["/counted", "/counted-with-a-key"])
    def test_strangers_still_share_what_is_cached(self, settings, path):
        runs = []

        @get("/counted", cache=60)
        async def counted() -> str:
            runs.append("a run")
            return str(len(runs))

        @get("/counted-with-a-key", cache=60, cache_key_builder=lambda request: "key")
        async def counted_with_a_key() -> str:
            runs.append("a run")
            return str(len(runs))

        with TestClient(application(counted, counted_with_a_key, **settings)) as client:
            assert [client.get(path).text for _ in range(3)] == ["1", "1", "1"]
            assert client.get(path, headers=sent_by("ada")).text == "2"
            assert client.get(path).text == "1"

    def test_nothing_of_users_fills_the_store(self):
        app = application()
        with TestClient(app) as client:
            for _ in range(3):
                client.get("/open", headers=sent_by("ada"))
            store = app.response_cache_config.get_store_from_app(app)
            assert store._store == {}
            client.get("/open")
            assert len(store._store) == 1

    def test_the_settings_of_an_application_are_not_changed_in_place(self):
        config = ResponseCacheConfig()
        before = config.key_builder, config.cache_response_filter
        application(response_cache_config=config)
        assert (config.key_builder, config.cache_response_filter) == before
