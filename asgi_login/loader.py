"""The application's user loader, whatever kind of callable it is."""

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar, cast

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from asgi_login._asgi import Scope
from asgi_login._callables import is_async_callable
from asgi_login.claims import Claims

UserT = TypeVar("UserT")

# As many as anyio's default limiter, but our own: an application that fills the default one with slow work
# would otherwise lock everybody out.
_MAX_THREADS = 40


class UserLoader(Generic[UserT]):
    """Holds the loader, which is registered after the manager is made, and calls it."""

    __slots__ = ("_call", "_is_async", "_limiter", "_wants_claims", "_wants_scope")

    def __init__(self) -> None:
        self._call: Callable[..., object] | None = None
        self._limiter = RunVar[CapacityLimiter]("asgi_login_user_loader")

    def register(self, function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        """Decide once how `function` is called: with `sub`, then `args` and `kwargs`, then `scope` or `claims`.

        Raises:
            TypeError: It is not callable, or cannot be called like that.
        """
        if not callable(function):
            raise TypeError(f"a user loader is a function of the user's id, not {type(function).__name__}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            # What it returns is a generator, which is not None: everybody would be logged in as that.
            raise TypeError("a user loader returns the user: it cannot be a generator, use return in place of yield")
        extras = _check_call(function, args, kwargs)
        self._call = function
        if args or kwargs:
            self._call = _with_arguments(function, args, kwargs)
        self._wants_scope = "scope" in extras
        self._wants_claims = "claims" in extras
        self._is_async = is_async_callable(function)

    async def load(self, sub: str, scope: Scope, claims: Claims) -> UserT | None:
        """Return the user, or None if there is no such user.

        Whatever the loader raises is raised: a database that is down must never look like a stranger.

        Raises:
            RuntimeError: No loader is registered.
        """
        if self._call is None:
            raise RuntimeError("no user loader is registered: decorate a function with @manager.user_loader")
        call = self._call
        if self._wants_scope:
            call = partial(call, scope=scope)
        if self._wants_claims:
            call = partial(call, claims=claims)
        user = call(sub) if self._is_async else await self._in_thread(call, sub)
        if inspect.isawaitable(user):
            user = await cast("Awaitable[object]", user)
        return cast("UserT | None", user)

    async def _in_thread(self, call: Callable[..., object], sub: str) -> object:
        # An event loop of its own has a limiter of its own.
        limiter = self._limiter.get(None)
        if limiter is None:
            limiter = CapacityLimiter(_MAX_THREADS)
            self._limiter.set(limiter)
        # In a list, because trio refuses a thread that returns a coroutine.
        return (await anyio.to_thread.run_sync(lambda: [call(sub)], limiter=limiter))[0]


def _with_arguments(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> Callable[..., object]:
    def call(sub: str, **extras: object) -> object:
        return function(sub, *args, **kwargs, **extras)

    return call


def _check_call(function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> set[str]:
    """Return which of `scope` and `claims` the function takes by name, after making sure that it can be called."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some builtins have no signature to look at.
        return set()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = {name for name, parameter in signature.parameters.items() if parameter.kind in by_name}
    extras = named & {"scope", "claims"}
    try:
        taken = extras & signature.bind_partial("", *args, **kwargs).arguments.keys()
        signature.bind("", *args, **kwargs, **dict.fromkeys(extras - taken))
    except TypeError as problem:
        raise TypeError(f"the user loader cannot be called with the user's id and these arguments: {problem}") from None
    if taken:
        raise TypeError(f"the user loader's parameter {min(taken)!r} is one that we pass: give yours another name")
    return extras
