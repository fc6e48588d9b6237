"""What the middleware asks of whoever finds out who sent a request, and what comes out of it."""

from abc import ABC, abstractmethod
from typing import Any, TypeAlias, TypeVar

from asgi_login.auth import AnyAuth, Auth
from asgi_login.scope import Cookies, Scope

UserT = TypeVar("UserT")
Outcome: TypeAlias = tuple[Auth[UserT], Cookies]
"""The Auth of a request, and the cookies to write back because a session was renewed or has ended."""


class BaseAuthenticator(ABC):
    """What the middleware asks: the authenticator of one manager, or of several.

    Attributes:
        anonymous: The Auth of a request without a credential.
        settles: Whether `settle` may have anything to decide.
    """

    __slots__ = ("anonymous", "settles")

    def __init__(self, anonymous: AnyAuth, *, settles: bool) -> None:
        self.anonymous: AnyAuth = anonymous
        self.settles: bool = settles

    @abstractmethod
    def find(self, scope: Scope) -> object | None:
        """Return what a request has of credentials, for `authenticate`, or None if it is anonymous."""

    @abstractmethod
    async def authenticate(self, scope: Scope, found: Any) -> Outcome[Any]:  # noqa: ANN401 - what `find` has found
        """Return who sent the request."""

    @abstractmethod
    async def settle(self, scope: Scope, auth: AnyAuth, cookies: Cookies) -> Cookies:
        """Return those of the cookies that are to be sent, as the response starts."""
