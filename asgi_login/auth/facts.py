"""The attributes of an Auth: compiled code makes and reads one for each request. Auth itself, being public, is not."""

from collections.abc import Mapping
from typing import Any

from asgi_login.compiling import mypyc_attr
from asgi_login.config import Config
from asgi_login.errors import AuthError
from asgi_login.tokens import VerifiedToken
from asgi_login.transports import Transport


@mypyc_attr(allow_interpreted_subclasses=True)
class AuthFacts:
    """The attributes of an Auth, which compiled code reads directly.

    Args:
        config: The settings of the manager.
        transport: What carried the credential, accepted or not.
        token: The verified token, if it was accepted.
        user: What the user loader returned.
        error: Why the credential was refused.
        is_fresh: Whether the token may count as fresh.
        others: With several managers, those of the other managers, by name.
    """

    # Nothing here may refer back to the scope: each request would become cyclic garbage.
    __slots__ = ("_config", "_error", "_is_fresh", "_others", "_token", "_transport", "_user")

    def __init__(  # noqa: PLR0917 - made for each request, by position in a tenth less of its time
        self,
        config: Config,
        transport: Transport | None = None,
        token: VerifiedToken | None = None,
        user: Any = None,  # noqa: ANN401 - the application's user
        error: AuthError | None = None,
        is_fresh: bool = True,  # noqa: FBT001, FBT002
        others: Mapping[str, Any] | None = None,
    ) -> None:
        self._config: Config = config
        self._transport: Transport | None = transport
        self._token: VerifiedToken | None = token
        self._user: Any = user
        self._error: AuthError | None = error
        self._is_fresh: bool = is_fresh
        self._others: Mapping[str, Any] | None = others
