"""Django's adapter: the same answers over ASGI, in both of Django's test clients, and over WSGI."""

import io
import json
import logging
from contextlib import ExitStack
from contextvars import ContextVar
from datetime import timedelta

import anyio
import django
import httpx
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.decorators import login_required as django_login_required
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import got_request_exception
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.test.utils import override_settings
from django.urls import path
from helpers import COOKIE, OTHER_SECRET, SECRET, bearer, hello, http_scope, make_manager, send_request

from asgi_login import (
    AuthMiddleware,
    BasicTransport,
    InsufficientScope,
    InvalidToken,
    Sessions,
    current_auth,
    fresh_login_required,
    get_auth,
    login_required,
    requires_scopes,
)
from asgi_login.django import LoginMiddleware
from asgi_login.testing import logged_in

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="", LOGGING_CONFIG=None, SECRET_KEY="tests", USE_TZ=True)
    django.setup(set_prefix=False)

MIDDLEWARE = "asgi_login.django.LoginMiddleware"
AUTH_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]


def described(request):
    assert get_auth(request) is current_auth()
    return JsonResponse({"user": request.user, "sub": get_auth(request).claims.get("sub"), "path": request.path})


def both(view):
    """Return a view as it is, and as Django's users write it to run on a thread."""

    async def page(request):
        return view(request)

    return {"async": page, "plain": view}


def fails(request):
    raise ZeroDivisionError


def refuses_by_hand(request):
    get_auth(request).require("admin")


def refuses_otherwise(request):
    raise ExceptionGroup("tasks", [InsufficientScope("missing", required=["admin"])])


def logs_in(request):
    request.manager.login_user(request, "ada")
    response = HttpResponse("in")
    response.set_cookie("own", "1")
    response["Cache-Control"] = "max-age=60"
    return response


def logs_out(request):
    request.manager.logout_user(request)
    return HttpResponse("out")


def streams(request):
    return StreamingHttpResponse([b"one ", b"two"])


async def streams_async(request):
    async def chunks():
        yield b"one "
        yield b"two"

    return StreamingHttpResponse(chunks())


async def shows_auser(request):
    return JsonResponse({"user": await request.auser()})


class Site:
    """URLs of one application, and its manager."""

    def __init__(self, **manager):
        self.manager = make_manager(**manager)
        views = {
            "public": both(described),
            "me": both(described),
            "gated": {kind: login_required(view) for kind, view in both(described).items()},
            "admin": {kind: requires_scopes("admin")(view) for kind, view in both(described).items()},
            "fresh": {kind: fresh_login_required(view) for kind, view in both(described).items()},
            "by-hand": both(refuses_by_hand),
            "group": both(refuses_otherwise),
            "fails": both(fails),
            "in": both(self.with_manager(logs_in)),
            "out": both(self.with_manager(logs_out)),
            "stream": {"async": streams_async, "plain": streams},
            "django": {"plain": django_login_required(described, login_url="/django-login")},
            "auser": {"async": shows_auser},
        }
        self.urlpatterns = [
            path(f"{name}/{kind}", view) for name, kinds in views.items() for kind, view in kinds.items()
        ]

    def with_manager(self, view):
        def page(request):
            request.manager = self.manager
            return view(request)

        return page


class Answer:
    """What a client got, however it asked."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers if name.lower() != "set-cookie"}
        self.cookies = [value for name, value in headers if name.lower() == "set-cookie"]
        self.body = body

    def json(self):
        return json.loads(self.body)


def answer_of(response, body):
    cookies = [("set-cookie", morsel.OutputString()) for morsel in response.cookies.values()]
    return Answer(response.status_code, [*response.items(), *cookies], body)


class OverWSGI:
    """Django's own Client; what it is made for."""

    def __init__(self, site):
        self.client = Client(raise_request_exception=False)

    def send(self, method, path, headers=None):
        response = self.client.generic(method, path, headers=headers, secure=True)
        return answer_of(response, response.getvalue())


class OverASGI(OverWSGI):
    """Django's AsyncClient, which makes a scope of its own and knows no middleware around the application."""

    def __init__(self, site):
        self.client = AsyncClient(raise_request_exception=False)

    def send(self, method, path, headers=None):
        async def ask():
            response = await self.client.generic(method, path, headers=headers, secure=True)
            if response.streaming:
                return response, b"".join([chunk async for chunk in response])
            return response, response.content

        return answer_of(*anyio.run(ask))


class Handler(ASGIHandler):
    async def read_body(self, receive):
        # Django leaves some of its temporary files to the garbage collector, and a test is failed for it.
        with await super().read_body(receive) as spooled:
            return io.BytesIO(spooled.read())


class Wrapped:
    """The application in AuthMiddleware, as a server calls it."""

    def __init__(self, site):
        self.transport = httpx.ASGITransport(AuthMiddleware(Handler(), site.manager))
        self.jar = httpx.Cookies()

    def send(self, method, path, headers=None):
        async def ask():
            async with httpx.AsyncClient(
                transport=self.transport, base_url="https://testserver", cookies=self.jar
            ) as client:
                response = await client.request(method, path, headers=headers)
                self.jar = client.cookies
                return response

        response = anyio.run(ask)
        return Answer(response.status_code, response.headers.multi_items(), response.content)


WAYS = {"WSGI": OverWSGI, "AsyncClient": OverASGI, "wrapped": Wrapped}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


@pytest.fixture
def enter():
    """Return a function that makes a site's client, with Django's settings for it."""
    with ExitStack() as stack:

        def enter(way, site=None, *middleware, inside=(), **changes):
            site = site or Site()
            chosen = {"ROOT_URLCONF": site, "ASGI_LOGIN_MANAGER": site.manager, "ALLOWED_HOSTS": ["*"]} | changes
            stack.enter_context(override_settings(MIDDLEWARE=[*middleware, MIDDLEWARE, *inside], **chosen))
            return site, way(site)

        yield enter


@pytest.fixture(params=["async", "plain"])
def kind(request):
    return request.param


class TestRefusals:
    def test_a_gate_answers_as_everywhere_and_django_knows_of_no_unhandled_exception(self, enter, way, kind, caplog):
        site, client = enter(way)
        unhandled = []
        got_request_exception.connect(lambda **_: unhandled.append(1), weak=False, dispatch_uid="tests")
        try:
            nobody = client.send("GET", f"/gated/{kind}")
            assert (nobody.status, nobody.json()["error"]) == (401, "unauthorized")
            assert nobody.headers["www-authenticate"] == 'Bearer realm="api"'
            assert nobody.headers["cache-control"] == "no-store"
            assert nobody.headers["content-type"] == "application/json"
            bad = client.send("GET", f"/gated/{kind}", {"Authorization": "Bearer a.b.c"})
            assert (bad.status, bad.json()["error"]) == (401, "invalid_token")
            headers = logged_in(site.manager, "ada").headers
            for path_, status in (("admin", 403), ("by-hand", 403), ("group", 403), ("fresh", 401)):
                assert client.send("GET", f"/{path_}/{kind}", headers).status == status
        finally:
            got_request_exception.disconnect(dispatch_uid="tests")
        assert unhandled == []
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []

    def test_a_failure_of_the_applications_own_stays_one(self, enter, way, kind, caplog):
        site, client = enter(way)
        for headers in ({}, logged_in(site.manager, "ada").headers):
            assert client.send("GET", f"/fails/{kind}", headers).status == 500
        assert "ZeroDivisionError" in caplog.text

    def test_a_browser_is_sent_to_the_login_page(self, enter, way, kind):
        _, client = enter(way, Site(redirect_to="/login"))
        answer = client.send("GET", f"/gated/{kind}?a=1", {"Accept": "text/html"})
        assert (answer.status, answer.headers["location"]) == (303, f"/login?next=%2Fgated%2F{kind}%3Fa%3D1")

    def test_a_head_request_gets_no_body(self, enter, way, kind):
        _, client = enter(way)
        answer = client.send("HEAD", f"/gated/{kind}")
        assert (answer.status, answer.body) == (401, b"")

    def test_two_authorization_headers_are_a_bad_request(self, enter):
        _, client = enter(OverWSGI)
        answer = client.send("GET", "/gated/plain", {"Authorization": "Bearer a.b.c,Bearer d.e.f"})
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")

    def test_a_manager_that_also_takes_passwords_asks_for_both(self, enter, way, kind):
        site = Site()
        site.manager.credential_loader(BasicTransport())(lambda credential: None)
        _, client = enter(way, site)
        challenges = client.send("GET", f"/gated/{kind}").headers["www-authenticate"]
        assert challenges == 'Bearer realm="api", Basic realm="api", charset="UTF-8"'


class TestUser:
    def test_the_user_is_the_one_that_the_loader_returned(self, enter, way, kind):
        site, client = enter(way)
        headers = logged_in(site.manager, "ada", scopes=["admin"]).headers
        for path_ in ("public", "gated", "admin"):
            shown = client.send("GET", f"/{path_}/{kind}", headers)
            assert (shown.status, shown.json()) == (200, {"user": "ada", "sub": "ada", "path": f"/{path_}/{kind}"})
        assert client.send("GET", "/auser/async", headers).json() == {"user": "ada"}

    def test_without_djangos_users_nobody_is_none(self, enter, way, kind):
        _, client = enter(way)
        assert client.send("GET", f"/public/{kind}").json()["user"] is None
        assert client.send("GET", "/auser/async").json() == {"user": None}

    def test_with_them_nobody_is_an_anonymous_user_and_djangos_own_decorator_works(self, enter, way):
        site = Site()

        def who(request):
            return HttpResponse(f"{type(request.user).__name__} {request.user.is_authenticated}")

        site.urlpatterns = [*site.urlpatterns, path("who", who)]
        _, client = enter(way, site, INSTALLED_APPS=AUTH_APPS)
        assert client.send("GET", "/who").body == b"AnonymousUser False"
        answer = client.send("GET", "/django/plain")
        assert (answer.status, answer.headers["location"]) == (302, "/django-login?next=/django/plain")

    def test_what_another_middleware_has_set_stays_where_nobody_is_logged_in_here(self, enter, way, kind):
        site, client = enter(way, None, f"{__name__}.knows_everybody")
        assert client.send("GET", f"/public/{kind}").json()["user"] == "of the other middleware"
        assert client.send("GET", f"/gated/{kind}").status == 401
        shown = client.send("GET", f"/public/{kind}", logged_in(site.manager, "ada").headers)
        assert shown.json()["user"] == "ada"
        refused = client.send("GET", f"/public/{kind}", {"Authorization": "Bearer a.b.c"})
        assert refused.json()["user"] is None

    def test_it_stands_before_a_middleware_that_is_plain(self, enter, way, kind, caplog):
        site, client = enter(way, inside=[f"{__name__}.passes_on"])
        shown = client.send("GET", f"/gated/{kind}", logged_in(site.manager, "ada").headers)
        assert (shown.status, shown.json()["user"]) == (200, "ada")
        assert client.send("GET", f"/gated/{kind}").status == 401
        client.send("POST", f"/in/{kind}")
        assert client.send("GET", f"/gated/{kind}").json()["user"] == "ada"
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def knows_everybody(get_response):
    def middleware(request):
        request.user = "of the other middleware"
        return get_response(request)

    return middleware


def passes_on(get_response):
    def middleware(request):
        return get_response(request)

    return middleware


class TestSessions:
    def test_a_browser_logs_in_stays_and_logs_out(self, enter, way, kind):
        _, client = enter(way)
        answer = client.send("POST", f"/in/{kind}")
        assert (answer.status, answer.body) == (200, b"in")
        assert answer.headers["cache-control"] == "no-store"
        (ours,) = [line for line in answer.cookies if line.startswith(f"{COOKIE}=")]
        (own,) = [line for line in answer.cookies if line.startswith("own=")]
        assert {part.strip() for part in ours.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
        assert own.startswith("own=1")
        shown = client.send("GET", f"/gated/{kind}")
        assert (shown.status, shown.json()["user"]) == (200, "ada")
        assert "Cookie" in shown.headers["vary"]
        out = client.send("POST", f"/out/{kind}", {"Origin": "https://testserver"})
        assert out.status == 200
        assert "Max-Age=0" in next(line for line in out.cookies if line.startswith(f"{COOKIE}="))

    def test_a_session_is_renewed(self, enter, way, kind):
        site, client = enter(way, Site(sessions=Sessions(idle=timedelta(minutes=10))))
        client.send("POST", f"/in/{kind}")
        site.manager.config.clock.now += 360
        answer = client.send("GET", f"/gated/{kind}")
        assert any(line.startswith(f"{COOKIE}=") for line in answer.cookies)

    def test_another_site_is_refused_before_the_view_runs(self, enter, way, kind):
        _, client = enter(way)
        client.send("POST", f"/in/{kind}")
        answer = client.send("POST", f"/fails/{kind}", {"Origin": "https://evil.example"})
        assert (answer.status, answer.json()["error"]) == (403, "cross_origin_request")

    def test_a_stream_is_left_alone(self, enter, way):
        _, client = enter(way)
        client.send("POST", "/in/plain")
        answer = client.send("GET", f"/stream/{'plain' if way is OverWSGI else 'async'}")
        assert (answer.status, answer.body) == (200, b"one two")


class TestSettings:
    def test_the_setting_may_be_a_path_or_several_managers(self, enter):
        site = Site(secret=OTHER_SECRET * 2)
        other = make_manager(OTHER_SECRET, name="other")
        _, client = enter(OverWSGI, site, ASGI_LOGIN_MANAGER=[f"{__name__}.MANAGER", other])
        for manager in (MANAGER, other):
            assert client.send("GET", "/gated/plain", logged_in(manager, "ada").headers).json()["user"] == "ada"
        assert client.send("GET", "/gated/plain", logged_in(site.manager, "ada").headers).status == 401

    @pytest.mark.parametrize(
        ("setting", "problem", "sentence"),
        [
            (None, ImproperlyConfigured, 'write ASGI_LOGIN_MANAGER = "shop.logins.manager"'),
            ("nowhere.manager", ImproperlyConfigured, "ASGI_LOGIN_MANAGER: No module named 'nowhere'"),
            (f"{__name__}.nothing", ImproperlyConfigured, "ASGI_LOGIN_MANAGER: .*nothing"),
            (SECRET.encode(), TypeError, "takes a LoginManager"),
            ([make_manager(), make_manager()], ValueError, "same name"),
        ],
        ids=["missing", "no module", "no attribute", "no manager", "twice"],
    )
    def test_a_setting_that_leads_nowhere_fails_when_django_starts(self, setting, problem, sentence):
        with override_settings(ASGI_LOGIN_MANAGER=setting), pytest.raises(problem, match=sentence):
            LoginMiddleware(described)


MANAGER = make_manager(name="by-path")


class TestWithoutTheMiddleware:
    """What Django's clients show to somebody who has only wrapped the application in AuthMiddleware."""

    @pytest.mark.parametrize("client", [Client, AsyncClient])
    def test_a_gate_in_a_test_client_names_the_middleware(self, client):
        site = Site()
        with override_settings(ROOT_URLCONF=site, MIDDLEWARE=[], ALLOWED_HOSTS=["*"]):
            get = Client().get if client is Client else async_to_sync(AsyncClient().get)
            with pytest.raises(RuntimeError, match=r"Django's test clients.*asgi_login\.django\.LoginMiddleware"):
                get("/gated/plain")

    def test_a_wsgi_request_is_told_from_one_of_asgi(self):
        site = Site()
        with override_settings(ROOT_URLCONF=site, MIDDLEWARE=[], ALLOWED_HOSTS=["*"]):
            with pytest.raises(TypeError, match=r"came over WSGI.*asgi_login\.django\.LoginMiddleware"):
                Client().get("/by-hand/plain")
            with pytest.raises(TypeError, match=r"came over WSGI.*asgi_login\.django\.LoginMiddleware"):
                Client().post("/in/plain")


def test_a_wrapped_application_is_asked_once(enter):
    loaded = []
    site = Site(loaded=loaded)
    _, client = enter(Wrapped, site)
    client.send("GET", "/gated/async", logged_in(site.manager, "ada").headers)
    assert loaded == ["ada"]


class TestLoader:
    """What a loader does where Django is loaded, whatever it loads users from."""

    def load(self, loader):
        manager = make_manager()
        manager.user_loader(loader)

        async def ask():
            with anyio.fail_after(10):
                scope = http_scope(headers=[bearer(logged_in(manager, "ada").token)])
                return await send_request(AuthMiddleware(hello, manager), scope)

        return anyio.run(ask)

    def test_one_that_raises_stop_iteration_fails_and_nobody_waits_without_end(self):
        with pytest.raises(RuntimeError, match="the user loader raised StopIteration"):
            self.load(lambda sub: next(iter(())))

    @pytest.mark.parametrize("is_async", [False, True])
    def test_what_it_raises_is_raised_or_refuses(self, is_async):
        problems = [ZeroDivisionError("broken"), InvalidToken("closed")]

        def load(sub):
            raise problems.pop(0)

        async def load_async(sub):
            raise problems.pop(0)

        with pytest.raises(ZeroDivisionError):
            self.load(load_async if is_async else load)
        assert self.load(load_async if is_async else load).body == b"None"

    def test_it_sees_the_context_of_its_request(self):
        tenant = ContextVar("tenant")
        tenant.set("acme")
        assert self.load(lambda sub: tenant.get()).body == b"'acme'"
