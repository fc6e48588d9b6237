"""What kind of callable something is."""

import inspect
from functools import partial


def is_async_callable(function: object) -> bool:
    """Tell whether calling it only makes a coroutine: an async function, a partial or an object that is one."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
