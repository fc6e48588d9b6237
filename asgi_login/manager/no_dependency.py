"""Tells whoever passes the core LoginManager to Depends() to import the one of asgi_login.fastapi."""

from typing import TYPE_CHECKING, Final, NoReturn

_SENTENCE: Final = (
    "this LoginManager is no dependency: write `from asgi_login.fastapi import LoginManager`, whose managers are, in "
    "place of `from asgi_login import LoginManager`"
)


class _NoSignature:
    """Raises the sentence where FastAPI asks for the signature of a dependency, when a route is declared.

    It has no setter, so that the signature of a manager that is a dependency comes first.
    """

    def __get__(self, instance: object, owner: type) -> NoReturn:
        if instance is None:
            # The class has the signature of its constructor.
            raise AttributeError("__signature__")
        raise TypeError(_SENTENCE)


class NotADependency:
    """Base class of objects that are not callable: a call raises TypeError."""

    if not TYPE_CHECKING:
        __signature__ = _NoSignature()

        def __call__(self, *_arguments: object, **_named: object) -> NoReturn:
            """Raise the sentence."""
            raise TypeError(_SENTENCE)
