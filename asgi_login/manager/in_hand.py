"""What a manager makes of a token that came another way than by a request: in a first message, a job, or a link."""

from functools import cached_property
from typing import Final, Generic, TypeVar

from asgi_login.asgi_types import AnyScope
from asgi_login.auth import Auth
from asgi_login.authenticator import Authenticator
from asgi_login.config import Config
from asgi_login.errors import AuthError, InvalidToken
from asgi_login.scope import HasScope, Scope, scope_of
from asgi_login.transports import Transport

UserT = TypeVar("UserT")


class _InHand:
    """The transport of a token that somebody has passed to us."""

    name: str = "token"
    ambient: bool = False

    def extract(self, _scope: object, /) -> None:
        """Find nothing: it is not in the scope."""


_IN_HAND: Final[Transport] = _InHand()


class InHand(Generic[UserT]):
    """The methods of a LoginManager for tokens that no transport has found."""

    _config: Config

    async def authenticate_token(self, token: str, *, scope: AnyScope | HasScope | None = None) -> Auth[UserT]:
        """Return whose access token this is, or why it is not accepted, after all checks that a request is given.

        For the first message of a websocket, Socket.IO's `auth`, a job, or a link in a mail. `Auth.require` raises
        where something is missing, also later, and `with auth.active():` lets decorators work.

        Args:
            token: An access token; sessions and refresh tokens are refused, and so is what is no str, because a client
                may put anything into its message.
            scope: The ASGI scope, or an object that has it as `.scope`, for a user loader that takes it.

        Raises:
            Exception: Whatever the user loader raises, but for an AuthError.
            TypeError: The user loader takes the scope, and there is none.

        Example:
            >>> auth = await manager.authenticate_token(message["payload"]["token"], scope=websocket)
            >>> auth.require("orders:read")
        """
        if scope is None and self._config.loader.takes_scope:
            raise TypeError("the user loader takes the scope: pass authenticate_token(token, scope=websocket)")
        found: bytes | AuthError = InvalidToken("no text in ASCII", reason_code="malformed_token")
        if isinstance(token, str) and token.isascii():  # pyright: ignore[reportUnnecessaryIsInstance]
            found = token.encode()
        here: Scope = {"type": "token", "method": "TOKEN", "path": ""} if scope is None else scope_of(scope)
        auth, _ = await self._authenticator.authenticate(here, (_IN_HAND, found))
        return auth

    @cached_property
    def _authenticator(self) -> Authenticator[UserT]:
        return Authenticator[UserT](self._config)
