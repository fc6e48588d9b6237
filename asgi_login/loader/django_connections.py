"""Django's database connections around a user loader: on the thread that Django expects, and closed afterwards.

Django keeps a connection for each thread, and closes those of a request's thread at its end. A loader runs before
Django has heard of the request: what it opened would stay open, and be used for ever, broken or not.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any


def is_django_loaded() -> bool:
    """Tell whether the application has Django's ORM in its process, if perhaps not yet set up."""
    return "django.db" in sys.modules


def django_connections() -> Any:  # noqa: ANN401 - Django is not imported here
    """Return Django's database connections, or None where Django is not loaded and set up."""
    database, apps = sys.modules.get("django.db"), sys.modules.get("django.apps")
    if database is None or apps is None or not apps.apps.ready:
        return None
    return database.connections


def runs_on_asyncio() -> bool:
    """Tell asyncio from trio, which asgiref does not know."""
    # Here, because it takes as long to import as the rest of the package.
    import asyncio  # noqa: PLC0415

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def closing(function: Callable[[], object], connections: Any) -> Callable[[], object]:  # noqa: ANN401
    """Return `function`, after which the connections of its thread are closed."""

    def call() -> object:
        try:
            return function()
        finally:
            _close(connections)

    return call


async def run_for_django(function: Callable[[], object], connections: Any) -> object:  # noqa: ANN401
    """Call a plain function on the thread that Django would call it on, and leave no connection open.

    Within a request that Django handles, that is the request's thread, whose connections Django closes; in Django's
    tests it is that of the test, whose transaction no other thread sees. Elsewhere the context makes a thread for this
    one call, as Django does for each request: without it, all loaders of the process would wait for one thread.
    """
    from asgiref.sync import ThreadSensitiveContext, sync_to_async  # noqa: PLC0415 - Django brings it

    def call() -> object:
        try:
            return function()
        except StopIteration as problem:
            # As in a coroutine (PEP 479). A future that is given it never finishes.
            raise RuntimeError("the user loader raised StopIteration") from problem

    async with ThreadSensitiveContext() as context:
        is_ours = context.token is not None
        return await sync_to_async(closing(call, connections) if is_ours else call)()


async def await_for_django(awaitable: Awaitable[Any]) -> Any:  # noqa: ANN401 - the application's user
    """Await what may use Django's asynchronous ORM, which calls plain functions on threads, and do the same for it."""
    connections = django_connections()
    if connections is None or not runs_on_asyncio():
        return await awaitable
    from asgiref.sync import ThreadSensitiveContext, sync_to_async  # noqa: PLC0415 - Django brings it

    async with ThreadSensitiveContext() as context:
        try:
            return await awaitable
        finally:
            if context.token is not None:
                await sync_to_async(_close)(connections)


def _close(connections: Any) -> None:  # noqa: ANN401
    for connection in connections.all(initialized_only=True):
        # A test's transaction would be rolled back.
        if not connection.in_atomic_block:
            connection.close()
