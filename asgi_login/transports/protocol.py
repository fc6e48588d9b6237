"""The Transport protocol: what a class needs to find a token in a scope. Write your own for another header."""

from typing import NoReturn, Protocol, runtime_checkable

from asgi_login.attributes import FixedAttributes
from asgi_login.scope import GivenScope


@runtime_checkable
class Transport(Protocol):
    """Where a token travels. Write your own for another header, a query parameter of a websocket, and so on.

    Attributes:
        name: What `Auth.transport` says; unique in a manager.
        ambient: Whether the browser attaches the token by itself, so that requests are origin-checked.

    A transport may also have `trusted_origins`, a frozenset of bytes, and `vary`: the name of the request header that
    the response varies with, as bytes, or None. Without `vary` an ambient one is taken to read cookies.

    A transport that has a method `openapi_scheme()` says itself how it stands in OpenAPI: the method returns a Security
    Scheme Object, like `{"type": "apiKey", "in": "header", "name": "X-Token"}`, or None. One without it is left out.

    A transport of another scheme than Bearer may have a method `challenge(realm)`: it returns what a 401 also says in a
    WWW-Authenticate header of its own.
    """

    @property
    def name(self) -> str:
        """What `Auth.transport` says."""
        ...

    @property
    def ambient(self) -> bool:
        """Whether the browser attaches the token by itself."""
        ...

    def extract(self, scope: GivenScope, /) -> str | bytes | None:
        """Return the token of a request, or None if there is none.

        Raises:
            InvalidRequest: The credential is malformed: the client gets a 400.
        """
        ...


class SetOnce(FixedAttributes):
    """Base class whose attributes can be set only once: what is written and what is read must not drift apart."""

    name: str
    ambient: bool

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise AttributeError(f"a transport is immutable: cannot set {name}; make another one", name=name, obj=self)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a transport is immutable: cannot delete {name}")


def check_name(name: str) -> str:
    """Return the name of a transport if it is one."""
    if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError("a transport's name is a non-empty string")
    return name
