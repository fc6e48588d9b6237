"""What a manager with a store can end before its time: tokens, sessions, and all logins of a user."""

from collections.abc import Awaitable
from typing import TypeVar

from asgi_login.asgi_types import AnyScope
from asgi_login.auth import get_auth
from asgi_login.config import Config
from asgi_login.endings import check_text, end, end_login, end_user, read_any, revocation_in
from asgi_login.errors import ServiceUnavailable
from asgi_login.exchange import answering_own_end, mark_refusal
from asgi_login.scope import HasScope
from asgi_login.stores import Device

T = TypeVar("T")


class Revoking:
    """The methods of a LoginManager that need a store."""

    _config: Config

    async def revoke_token(self, token: str) -> None:
        """End one token on every machine: an access token, or with any other kind its whole login.

        Args:
            token: A token of this manager's, which may have expired.

        Raises:
            InvalidToken: It is no token of this manager's, or has no `jti` by which it could be ended.
            TypeError: `token` is no str.
            ServiceUnavailable: The store did not say that it was written.
            ValueError: The manager has no store.
        """
        revocation_in(self._config)
        if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"revoke_token takes the token as a str, not {type(token).__name__}")
        verified = await read_any(self._config, token)
        with answering_own_end():
            await _in_request(end(self._config, verified))

    async def revoke_session(self, sid: str) -> None:
        """End a login on every machine: its session, its remember or refresh token, and all tokens with the same `sid`.

        Args:
            sid: `Auth.session_id`, or `Device.session_id`. It stays the same when a login is renewed, restored or
                refreshed.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
            ValueError: The manager has no store.
        """
        with answering_own_end():
            await _in_request(end_login(self._config, sid))

    async def revoke_user(self, sub: str, *, keep: AnyScope | HasScope | None = None) -> None:
        """Log a user out everywhere: end every token and session that was issued until now.

        Args:
            sub: What the user loader finds the user by.
            keep: The request or websocket whose own session stays.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
            ValueError: The manager has no store.
        """
        revocation_in(self._config)
        check_text("sub", sub)
        kept = None if keep is None else get_auth(keep, manager=self._config.name).session_id
        with answering_own_end():
            await _in_request(end_user(self._config, sub, keep=kept))

    async def devices(self, sub: str) -> tuple[Device, ...]:
        """Return where a user is logged in; the device that was seen last comes first. Needs `Sessions(listed=True)`.

        Raises:
            ServiceUnavailable: The store does not answer.
            ValueError: The manager has no store, or its sessions are not listed.
        """
        if self._config.sessions is None or not self._config.sessions.listed:
            raise ValueError("devices() needs Sessions(listed=True)")
        check_text("sub", sub)
        return await _in_request(revocation_in(self._config).devices(sub))


async def _in_request(call: Awaitable[T]) -> T:
    """Await what a view asks of the store. Where the framework has only a 500 for a failure, the answer is 503."""
    try:
        return await call
    except ServiceUnavailable as error:
        mark_refusal(error)
        raise
