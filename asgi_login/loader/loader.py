"""The application's user loader, whatever kind of callable it is."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Final, NoReturn, cast

from asgi_login.errors import InvalidToken, without_context
from asgi_login.loader.django_connections import await_for_django, is_django_loaded
from asgi_login.loader.threads import Threads
from asgi_login.scope import Scope
from asgi_login.tokens import Claims

# What a check that failed leaves behind, as in `return user and user.is_active and user`. By exact type: a user's own
# class, or one that is derived from these, may be false for reasons of its own, and may even refuse to say.
_FALSE_WHEN_EMPTY: Final = frozenset(
    {bool, int, float, complex, str, bytes, bytearray, memoryview, range, tuple, list, dict, set, frozenset}
)


def is_async_callable(function: object) -> bool:
    """Tell whether calling it only makes a coroutine: an async function, a partial or an object that is one."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


# Where FastAPI and Litestar define what stands for a value that they inject into the functions that they call.
_MARKERS: Final = frozenset({"fastapi.params", "litestar.params", "litestar.di"})


class UserLoader:
    """Holds the loader, which is registered after the manager is made.

    A user is loaded in two steps, so that the application's own coroutine is awaited without one of ours around it:

        user = await (loader.call(sub, scope, claims) if loader.by_sub is None else loader.by_sub(sub))
        kind = type(user)
        if kind is not loader.user_class and not (kind is loader.plain_class and user):
            user = await loader.finish(user)

    Attributes:
        call: Begins to load the user of a `sub`. Whatever the application's function raises is raised: a database that
            is down must never look like a stranger. RuntimeError if no function is registered.
        by_sub: The application's function itself, if `call` would only call it with the `sub`; else None.
        user_class: Of the last user, if nothing needs to be asked of another of that class: one that cannot be awaited,
            says itself what it is, and is nothing that a failed check leaves behind. The check costs as much as all
            other steps. Before the first user it is that of None.
        takes_scope: Whether the function takes the scope.
        plain_class: Of the last user that was a str, a dict or another builtin, which is a user unless it is empty.
    """

    __slots__ = ("by_sub", "call", "plain_class", "takes_scope", "user_class")

    def __init__(self) -> None:
        self.call: Callable[[str, Scope, Claims], Awaitable[Any]] = _no_loader
        self.by_sub: Callable[[str], Awaitable[Any]] | None = None
        self.user_class: type = type(None)
        self.plain_class: type = type(None)
        self.takes_scope: bool = False

    def register(
        self,
        function: Callable[..., object],
        args: tuple[object, ...],
        kwargs: dict[str, object],
        sub_type: Callable[[str], object] | None,
    ) -> None:
        """Decide once how `function` is called: with `sub`, then `args` and `kwargs`, then `scope` or `claims`.

        Raises:
            TypeError: It is not callable, or cannot be called like that, or `sub_type` parses nothing.
        """
        if not callable(function):
            raise TypeError(f"a user loader is a function of the user's id, not {type(function).__name__}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            # What it returns is a generator, which is not None: everybody would be logged in as that.
            raise TypeError("a user loader returns the user: it cannot be a generator, use return in place of yield")
        if sub_type is not None and (not callable(sub_type) or is_async_callable(sub_type)):
            raise TypeError(
                f"sub_type is a class or a plain function that parses the user's id, like UUID or int, not {sub_type!r}"
            )
        extras = _check_call(function, args, kwargs)
        self.takes_scope = "scope" in extras
        begin: Callable[..., Any] = _adapted(function, args, kwargs, extras)
        self.by_sub = None
        if not is_async_callable(function):
            begin = partial(_in_thread, Threads(), begin)
        elif is_django_loaded():
            begin = partial(_for_django, begin)
        elif sub_type is None and not (args or kwargs or extras):
            self.by_sub = cast("Callable[[str], Awaitable[Any]]", function)
        self.call = begin if sub_type is None else partial(_parsed_first, sub_type, begin)

    def default_to_subject(self) -> None:
        """Take `sub` itself for the user where no function is registered: the application loads its users elsewhere."""
        if self.call is _no_loader:
            self.call = _the_subject

    def check_registered(self) -> None:
        """Refuse to go on where a user is asked for that no function of the application's has loaded.

        Raises:
            RuntimeError: No function is registered.
        """
        if self.call is _no_loader or self.call is _the_subject:
            raise RuntimeError(_NO_LOADER)

    async def finish(self, found: Any) -> Any:  # noqa: ANN401 - the application's user
        """Return the user, once what `call` gave is awaited, if it can be.

        Raises:
            TypeError: It is no user, nor None.
        """
        if found is None:
            return None
        if type(found) not in _FALSE_WHEN_EMPTY and inspect.isawaitable(found):
            found = await found
        kind: type = type(found)  # pyright: ignore[reportUnknownVariableType] - of the application's user
        if kind in _FALSE_WHEN_EMPTY:
            _check_says_somebody(found)
            self.plain_class = kind
        elif inspect.isawaitable(found) or isinstance(found, (GeneratorType, AsyncGeneratorType)):
            # No user but the beginning of one: everybody would be logged in as that.
            raise TypeError(
                "the user loader must return the user, not a generator, or something that is still awaitable after one "
                f"await ({kind.__name__}): run or await it in the loader"
            )
        elif not any("__class__" in vars(base) for base in kind.__mro__[:-1]):
            # A proxy stands for something else each time.
            self.user_class = kind
        return found


def _check_says_somebody(user: object) -> None:
    """Refuse what is neither a user nor None: `False` would pass every gate."""
    if isinstance(user, bool) or not user:
        raise TypeError(
            f"the user loader returned {user!r}, which is no user: return the user, or None if there is none, "
            "as in `return user if user and user.is_active else None`"
        )


async def _in_thread(
    threads: Threads, call: Callable[[object, Scope, Claims], object], sub: object, scope: Scope, claims: Claims
) -> object:
    return await threads.run(lambda: call(sub, scope, claims))


async def _for_django(begin: Callable[..., Awaitable[Any]], sub: object, scope: Scope, claims: Claims) -> object:
    return await await_for_django(begin(sub, scope, claims))


def _parsed_first(
    parse: Callable[[str], object], begin: Callable[..., Awaitable[Any]], sub: str, scope: Scope, claims: Claims
) -> Awaitable[Any]:
    """Begin to load the user whose id has been parsed; what cannot be parsed is nobody's id."""
    try:
        parsed = parse(sub)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        # From None: what the parser says holds the claim.
        name = getattr(parse, "__name__", type(parse).__name__)
        raise without_context(InvalidToken(f"sub is no {name}", reason_code="bad_claim")) from None
    return begin(parsed, scope, claims)


_NO_LOADER: Final = "no user loader is registered: decorate a function with @manager.user_loader"


def _no_loader(_sub: str, _scope: Scope, _claims: Claims) -> NoReturn:
    raise RuntimeError(_NO_LOADER)


async def _the_subject(sub: str, _scope: Scope, _claims: Claims) -> str:
    return sub


def _adapted(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object], extras: set[str]
) -> Callable[[object, Scope, Claims], object]:
    """Return `function` with its arguments in place, taking from us what it wants."""
    if not (args or kwargs or extras):
        return lambda sub, _scope, _claims: function(sub)

    def call(sub: object, scope: Scope, claims: Claims) -> object:
        given = {"scope": scope, "claims": claims}
        return function(sub, *args, **kwargs, **{name: given[name] for name in extras})

    return call


def _check_call(function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> set[str]:
    """Return which of `scope` and `claims` the function takes by name, after making sure that it can be called."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        # Some builtins have no signature to look at.
        return set()
    _check_nothing_injected(signature, args, kwargs)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = {name for name, parameter in signature.parameters.items() if parameter.kind in by_name}
    extras = named & {"scope", "claims"}
    try:
        taken = extras & signature.bind_partial("", *args, **kwargs).arguments.keys()
        signature.bind("", *args, **kwargs, **dict.fromkeys(extras - taken))
    except TypeError as problem:
        raise without_context(
            TypeError(f"the user loader cannot be called with the user's id and these arguments: {problem}")
        ) from None
    if taken:
        raise TypeError(f"the user loader's parameter {min(taken)!r} is one that we pass: give yours another name")
    return extras


def _check_nothing_injected(signature: inspect.Signature, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    """Refuse what a framework fills in where it calls a function itself: a loader would be given the marker."""
    left = [one for one in list(signature.parameters.values())[1 + len(args) :] if one.name not in kwargs]
    marker = marker_among(left, *args, *kwargs.values())
    if marker is not None:
        raise TypeError(
            f"a user loader is called by the manager, which knows no {marker}(...): pass what makes it, as in "
            "user_loader(session_factory=make_session), or load the user in a dependency of your own, from "
            "Depends(manager.subject)"
        )


def marker_among(parameters: Iterable[inspect.Parameter], *values: object) -> str | None:
    """Return the name of the class whose instance a framework would put a value in place of, if there is one."""
    found = list(values)
    for parameter in parameters:
        found += [parameter.default, *getattr(parameter.annotation, "__metadata__", ())]
    return next((type(one).__name__ for one in found if type(one).__module__ in _MARKERS), None)
