"""What a manager with refresh tokens issues: an access token and a refresh token as a pair."""

from collections.abc import Iterable

from asgi_login.config import Config
from asgi_login.errors import ServiceUnavailable
from asgi_login.exchange import mark_refusal
from asgi_login.refresh import TokenPair, issue_pair


class Issuing:
    """The methods of a LoginManager that need `refresh=`."""

    _config: Config

    async def issue_tokens(
        self, sub: str, *, scopes: Iterable[str] = (), user: object = None, client_id: str | None = None
    ) -> TokenPair:
        """Begin a login and return its first tokens. The access tokens of a login carry the same `sid` as its others.

        Args:
            sub: What the user loader finds the user by.
            scopes: The OAuth scopes that the login grants.
            user: The user, where `Sessions(stamp=)` is set.
            client_id: The only client that may use the refresh token; None for any (RFC 6749 §6).

        Raises:
            ServiceUnavailable: The store did not say that it was written.
            TypeError: `sub` is not a non-empty str, or a stamp is set and `user` is missing.
            ValueError: The manager has no `refresh=`, or a scope is none.

        Example:
            >>> if password_is_right(form):
            ...     pair = await manager.issue_tokens(form["name"], scopes=["orders:read"])
        """
        try:
            return await issue_pair(self._config, sub, scopes=scopes, user=user, client_id=client_id)
        except ServiceUnavailable as error:
            # In a view, the answer is a 503 though the framework may know nothing better than 500.
            mark_refusal(error)
            raise
