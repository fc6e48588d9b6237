"""The application's user loader, whatever kind of callable it is."""

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar, cast

from asgi_login._asgi import Scope
from asgi_login._callables import is_async_callable
from asgi_login.verified import Claims

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar

UserT = TypeVar("UserT")

# As many as anyio's default limiter, but our own: an application that fills the default one with slow work
# would otherwise lock everybody out.
_MAX_THREADS = 40


class UserLoader(Generic[UserT]):
    """Holds the loader, which is registered after the manager is made, and calls it."""

    __slots__ = ("_call", "_user_class")

    def __init__(self) -> None:
        self._call: Callable[[str, Scope, Claims], Awaitable[object]] = _no_loader
        self._user_class: type = type(None)

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
        call = _adapted(function, args, kwargs, extras)
        if is_async_callable(function):
            self._call = cast("Callable[..., Awaitable[object]]", call)
        else:
            # Here, because it takes half as long as the rest of the package, and only plain functions need it.
            from anyio.lowlevel import RunVar  # noqa: PLC0415

            self._call = partial(_in_thread, RunVar("asgi_login_user_loader"), call)

    async def load(self, sub: str, scope: Scope, claims: Claims) -> UserT | None:
        """Return the user, or None if there is no such user.

        Whatever the loader raises is raised: a database that is down must never look like a stranger.

        Raises:
            RuntimeError: No loader is registered.
        """
        user = await self._call(sub, scope, claims)
        # Whether something can be awaited is a matter of its class, and to ask costs as much as all the rest here. So
        # the class of the last user is kept, which was none; before the first it is that of None. A proxy is asked
        # what it says it is, because that is what isawaitable() would ask.
        if user.__class__ is not self._user_class:
            if inspect.isawaitable(user):
                user = await cast("Awaitable[object]", user)
            _check_user(user)
            self._user_class = user.__class__
        return cast("UserT | None", user)


def _check_user(user: object) -> None:
    """Refuse what is no user but the beginning of one: everybody would be logged in as that."""
    if isinstance(user, (CoroutineType, GeneratorType, AsyncGeneratorType)):
        raise TypeError("the user loader must return the user, not a generator or coroutine that nobody has run")


async def _in_thread(
    limiters: "RunVar[CapacityLimiter]",
    call: Callable[[str, Scope, Claims], object],
    sub: str,
    scope: Scope,
    claims: Claims,
) -> object:
    from anyio import CapacityLimiter, to_thread  # noqa: PLC0415

    # An event loop of its own has a limiter of its own.
    limiter = limiters.get(None)
    if limiter is None:
        limiter = CapacityLimiter(_MAX_THREADS)
        limiters.set(limiter)
    # In a list, because trio refuses a thread that returns a coroutine.
    return (await to_thread.run_sync(lambda: [call(sub, scope, claims)], limiter=limiter))[0]


def _no_loader(_sub: str, _scope: Scope, _claims: Claims) -> NoReturn:
    raise RuntimeError("no user loader is registered: decorate a function with @manager.user_loader")


def _adapted(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object], extras: set[str]
) -> Callable[[str, Scope, Claims], object]:
    """Return `function` with its arguments in place, taking from us what it wants."""
    if not (args or kwargs or extras):
        return lambda sub, _scope, _claims: function(sub)

    def call(sub: str, scope: Scope, claims: Claims) -> object:
        given = {"scope": scope, "claims": claims}
        return function(sub, *args, **kwargs, **{name: given[name] for name in extras})

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
