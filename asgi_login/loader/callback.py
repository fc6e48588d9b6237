"""A function of the application's that checks a credential, whatever kind of callable it is."""

import inspect
from collections.abc import Callable
from functools import partial

from asgi_login.loader.django_connections import await_for_django
from asgi_login.loader.loader import is_async_callable, marker_among
from asgi_login.loader.threads import Threads
from asgi_login.scope import Scope


class Callback:
    """Calls a function with values of a request; with the ASGI scope too, if it has a parameter named `scope`.

    An asynchronous function is awaited, and a plain one runs in a worker thread. Whatever it raises is raised.

    Args:
        name: What the application calls it: the name of the setting.
        function: The function.
        parameters: What it takes by position.

    Attributes:
        takes_scope: Whether the function takes the scope.

    Raises:
        TypeError: It is not callable, or cannot be called like that.
    """

    __slots__ = ("_function", "_is_async", "_threads", "takes_scope")

    def __init__(self, name: str, function: Callable[..., object], *parameters: str) -> None:
        if not callable(function):
            raise TypeError(f"{name}= is a function of {' and '.join(parameters)}, not {type(function).__name__}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{name}= cannot be a generator: use return in place of yield")
        self._function = function
        self.takes_scope: bool = _takes_scope(name, function, parameters)
        self._is_async = is_async_callable(function)
        self._threads = Threads()

    async def __call__(self, *values: object, scope: Scope) -> object:
        """Call it, and return what it returns."""
        call = partial(self._function, *values, **({"scope": scope} if self.takes_scope else {}))
        found = call() if self._is_async else await self._threads.run(call)
        return await await_for_django(found) if inspect.isawaitable(found) else found


def _takes_scope(name: str, function: Callable[..., object], parameters: tuple[str, ...]) -> bool:
    """Tell whether a function takes `scope` by name, after making sure that it can be called."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some builtins have no signature to look at.
        return False
    marker = marker_among(list(signature.parameters.values())[len(parameters) :])
    if marker is not None:
        raise TypeError(
            f"{name}= is called by the endpoint, which knows no {marker}(...): open what the function needs in it, or "
            "pass it with functools.partial"
        )
    takes = "scope" in signature.parameters
    try:
        signature.bind(*parameters, **({"scope": None} if takes else {}))
    except TypeError as problem:
        raise TypeError(f"{name}= cannot be called with {' and '.join(parameters)}: {problem}") from None
    return takes
