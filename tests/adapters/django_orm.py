"""A Django project with a database, in a process of its own: `python django_orm.py <case>` prints what became of it.

Not in the process of the tests: Django's settings are the process's, and others there have none for a database.
"""

import json
import os
import sys
import tempfile
import threading
import unittest
import warnings
from pathlib import Path

import anyio
import django
from django.conf import settings

CASE = sys.argv[1]
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(tempfile.mkdtemp()) / "db.sqlite3",
            "CONN_MAX_AGE": int(os.environ.get("CONN_MAX_AGE", "0")),
            "TEST": {"NAME": None},
        }
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="tests",
    USE_TZ=True,
    MIDDLEWARE=["asgi_login.django.LoginMiddleware"],
    ASGI_LOGIN_MANAGER=f"{__name__}.manager",
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.backends.sqlite3.base import DatabaseWrapper  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import AsyncClient, Client, TestCase  # noqa: E402
from django.urls import path  # noqa: E402
from helpers import SECRET, bearer, hello, http_scope, send_request  # noqa: E402

from asgi_login import AuthMiddleware, LoginManager, login_required  # noqa: E402
from asgi_login.testing import logged_in  # noqa: E402

AT_ONCE = 8
manager = LoginManager(SECRET)
together = threading.Barrier(AT_ONCE)
threads = set()


def load(sub):
    # All at once, or none: as many threads, and as many connections.
    together.wait(timeout=20)
    threads.add(threading.get_ident())
    return User.objects.filter(username=sub).first()


def load_alone(sub):
    threads.add(threading.get_ident())
    return User.objects.filter(username=sub).first()


async def load_async(sub):
    return await User.objects.filter(username=sub).afirst()


LOADERS = {
    "plain": load,
    "async": load_async,
    "awaitable": lambda sub: User.objects.filter(username=sub).afirst(),
    "trio": load,
    "in a transaction": load_alone,
}
manager.user_loader(LOADERS[CASE])


class Watch:
    """Knows which connections are open."""

    def __init__(self):
        self.opened = 0
        self.open = set()
        connect, close = DatabaseWrapper.get_new_connection, DatabaseWrapper._close

        def get_new_connection(wrapper, params):
            self.opened += 1
            self.open.add(wrapper)
            return connect(wrapper, params)

        def closed(wrapper):
            self.open.discard(wrapper)
            return close(wrapper)

        DatabaseWrapper.get_new_connection, DatabaseWrapper._close = get_new_connection, closed


async def ask(app):
    answer = await send_request(app, http_scope(headers=[bearer(logged_in(manager, "ada").token)]))
    return answer.body.decode()


async def all_at_once(app, answers):
    async def one():
        answers.append(await ask(app))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(one)


def serve():
    """Ask three times for many users at once, on a loop that lives on afterwards."""
    call_command("migrate", verbosity=0)
    User.objects.create(username="ada")
    connections.close_all()
    watch, answers = Watch(), []

    async def main():
        app = AuthMiddleware(hello, manager)
        for _ in range(3):
            await all_at_once(app, answers)
        return {"answers": sorted(set(answers)), "opened": watch.opened, "left open": len(watch.open)}

    return anyio.run(main, backend="trio" if CASE == "trio" else "asyncio")


@login_required
def me(request):
    return HttpResponse(request.user.username)


urlpatterns = [path("", me)]


class InATransaction(TestCase):
    """Django's own: what it writes is seen on its connection only, and taken back after each test."""

    @classmethod
    def setUpTestData(cls):
        User.objects.create(username="ada")

    def test_the_loader_of_a_client_sees_what_the_test_has_written(self):
        response = Client().get("/", headers=logged_in(manager, "ada").headers)
        assert response.content == b"ada", response.content
        assert Client().get("/", headers=logged_in(manager, "eve").headers).status_code == 401

    async def test_the_loader_of_an_async_client_sees_it_too(self):
        response = await AsyncClient().get("/", headers=logged_in(manager, "ada").headers)
        assert response.content == b"ada", response.content

    async def test_the_loader_of_an_application_sees_it_too(self):
        assert await ask(AuthMiddleware(hello, manager)) == "<User: ada>"


def test():
    """Run Django's own tests, as its test runner does."""
    from django.test.utils import get_runner, setup_test_environment  # noqa: PLC0415

    setup_test_environment()
    runner = get_runner(settings)(verbosity=0)
    databases = runner.setup_databases()
    result = unittest.TextTestRunner(sys.stderr).run(unittest.defaultTestLoader.loadTestsFromTestCase(InATransaction))
    runner.teardown_databases(databases)
    return {"ran": result.testsRun, "failed": len(result.failures) + len(result.errors)}


if __name__ == "__main__":
    warnings.simplefilter("error")
    # What is left for the garbage collector, a connection too, is told by an exception that nobody can catch.
    unraisable = []
    sys.unraisablehook = lambda problem: unraisable.append(repr(problem.exc_value))
    outcome = test() if CASE == "in a transaction" else serve()
    sys.stdout.write(json.dumps(outcome | {"unraisable": unraisable}))
