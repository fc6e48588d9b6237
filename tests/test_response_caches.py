"""Caches of whole responses: the order and the settings with which the documents say that they are safe."""

import asyncio
from itertools import count

from conformance.apps.django_app import Application, LowerCase
from conformance.contract import Site
from conformance.driver import bearer, http
from conformance.logins import Logins, User
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.cache import cache_page
from django.views.decorators.vary import vary_on_headers
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_login import AuthMiddleware, current_auth, login_required
from asgi_login.starlette import install


def name_of_the_user():
    user = current_auth().user
    return user.name if isinstance(user, User) else "stranger"


def test_a_caching_decorator_below_the_gate_answers_nobody_whom_the_gate_keeps_out():
    logins, kept, runs = Logins(), {}, count()

    def cached(view):
        async def from_cache(request):
            key = request.url.path, request.user.name
            if key not in kept:
                kept[key] = await view(request)
            return kept[key]

        return from_cache

    @login_required
    @cached
    async def page(request):
        return PlainTextResponse(f"{request.user.name} {next(runs)}")

    app = Starlette(routes=[Route("/", page)])
    install(app, logins.manager)

    async def visit():
        ada, bob = bearer(logins.token()), bearer(logins.token("bob"))
        return [await http(app, "/", headers=headers) for headers in ([ada], [ada], [bob], [])]

    answers = asyncio.run(visit())
    assert [(one.status, one.body) for one in answers[:3]] == [(200, b"ada 0"), (200, b"ada 0"), (200, b"bob 1")]
    assert answers[3].status == 401


def test_djangos_cache_tells_users_apart_where_the_view_says_what_it_varies_by():
    logins, runs = Logins(), count()

    @cache_page(60)
    @vary_on_headers("Authorization", "Cookie")
    def personalised(request):
        return HttpResponse(f"{name_of_the_user()} {next(runs)}")

    @login_required
    @cache_page(60)
    @vary_on_headers("Authorization", "Cookie")
    def gated(request):
        return HttpResponse(f"{name_of_the_user()} {next(runs)}")

    django = Application(Site([logins.manager], "wrapped"))
    django.urls.urlpatterns = [path("personalised", personalised), path("gated", gated)]
    app = AuthMiddleware(LowerCase(django), logins.manager)

    async def visit(where):
        ada, bob = bearer(logins.token()), bearer(logins.token("bob"))
        return [(await http(app, where, headers=headers)) for headers in ([ada], [ada], [bob], [])]

    answers = asyncio.run(visit("/personalised"))
    assert [one.body for one in answers] == [b"ada 0", b"ada 0", b"bob 1", b"stranger 2"]
    answers = asyncio.run(visit("/gated"))
    assert [one.body for one in answers[:3]] == [b"ada 3", b"ada 3", b"bob 4"]
    assert answers[3].status == 401
