"""Applications of ASGI 2, which are called twice: with the scope, and what that returns with receive and send."""

import inspect
from collections.abc import Callable
from typing import cast

from asgi_login.asgi_types import AnyApp, ASGIApp


def single_callable(app: AnyApp) -> ASGIApp:
    """Return an application as one of ASGI 3: itself, unless its signature says that it is one of ASGI 2.

    Of ASGI 2 is a class whose constructor takes the scope and whose instances take receive and send, and anything else
    that can be called with one argument and not with three. Arguments such as `*args` tell nothing; then what it
    wraps, according to `functools.wraps`, is looked at. Everything else is left alone, as an application of ASGI 3.
    """
    try:
        is_double = _is_double_class(app) if isinstance(app, type) else _is_double_function(app)
    except Exception:  # noqa: BLE001 - some callables have no signature, and a proxy may not know yet what it stands for
        is_double = False
    if not is_double:
        return cast("ASGIApp", app)
    # Here, because it imports asyncio, and hardly any application needs it.
    from asgiref.compatibility import (  # noqa: PLC0415
        guarantee_single_callable,  # pyright: ignore[reportUnknownVariableType] - it has no annotations
    )

    return cast("Callable[[object], ASGIApp]", guarantee_single_callable)(app)


def _is_double_class(app: type) -> bool:
    # An endpoint of Starlette's is a class of ASGI 3: it is made with all three, and then awaited.
    return not hasattr(app, "__await__") and _takes(app, 1) and _takes(app.__call__, 3)


def _is_double_function(app: object) -> bool:
    for follow_wrapped in (False, True):
        takes_scope = _takes(app, 1, follow_wrapped=follow_wrapped)
        if takes_scope != _takes(app, 3, follow_wrapped=follow_wrapped):
            return takes_scope
    return False


def _takes(function: object, count: int, *, follow_wrapped: bool = True) -> bool:
    """Tell whether something can be called with so many arguments."""
    signature = inspect.signature(cast("Callable[..., object]", function), follow_wrapped=follow_wrapped)
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
