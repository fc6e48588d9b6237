"""Recognises views whose framework answers OPTIONS by itself, so that no gate is needed.

Most frameworks answer it before they call a view, and so before a decorator. Django's class-based views answer it
themselves, behind a decorator.
"""

from functools import partial
from typing import Final

_DJANGO: Final = "django.views.generic.base"
_OURS: Final = "asgi_login.gates.decorators"


def leaves_options_to_framework(view: object) -> bool:
    """Tell whether all that runs for OPTIONS is code of the framework, which lists the allowed methods.

    Args:
        view: What a decorator stands around, perhaps with other decorators of ours between. Django's are the function
            that `View.as_view` has made, and `View.dispatch` as `method_decorator` passes it, a partial of a bound
            method.
    """
    while _module(view) == _OURS:
        view = getattr(view, "__wrapped__", None)
    view_class: object = getattr(view, "view_class", None)
    names: tuple[str, ...] = ("setup", "dispatch", "options")
    # What stands on the instance itself comes before its class: Django copies `as_view(options=...)` to it.
    own: object = getattr(view, "view_initkwargs", {})
    if isinstance(view, partial):
        view = view.func
        instance = getattr(view, "__self__", None)
        view_class, names, own = getattr(instance, "__class__", None), ("options",), getattr(instance, "__dict__", {})
    if not isinstance(own, dict) or not own.keys().isdisjoint(names):
        return False
    # One that the application has overridden or decorated may do anything: it is a view of its own.
    return all(_module(one) == _DJANGO for one in (view, *(getattr(view_class, name, None) for name in names)))


def _module(function: object) -> object:
    """Return where a function's code stands, which `functools.wraps` does not change."""
    return getattr(getattr(function, "__func__", function), "__globals__", {}).get("__name__")
