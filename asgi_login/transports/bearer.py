"""The Authorization header with the Bearer scheme (RFC 6750 §2.1)."""

from collections.abc import Callable, Sequence

from asgi_login.scope import GivenScope, header_values
from asgi_login.transports.bearer_token import bearer_token
from asgi_login.transports.protocol import SetOnce, check_name


class BearerTransport(SetOnce):
    """The Authorization header with the Bearer scheme (RFC 6750 §2.1).

    Args:
        name: What `Auth.transport` says.
    """

    ambient: bool = False
    # RFC 9111 §3.5: caches know of Authorization without being told.
    vary: bytes | None = None
    read: Callable[[Sequence[bytes]], bytes | None]

    def __init__(self, name: str = "bearer") -> None:
        self.name: str = check_name(name)
        # Does what `extract` does, given the values of the Authorization lines.
        self.read = bearer_token

    def extract(self, scope: GivenScope, /) -> bytes | None:
        """Return what follows `Bearer`; another scheme is not ours to judge.

        Raises:
            InvalidRequest: Authorization is sent twice, or what follows `Bearer` cannot be one token.
        """
        return bearer_token(header_values(scope, b"authorization"))

    def __repr__(self) -> str:
        return f"BearerTransport({self.name!r})"
