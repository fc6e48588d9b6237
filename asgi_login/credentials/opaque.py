"""A credential that is no token of ours, and the transport that finds it."""

from typing import cast

from asgi_login.credentials.loader import CredentialLoader
from asgi_login.errors import InvalidToken
from asgi_login.scope import GivenScope, Scope
from asgi_login.tokens import VerifiedToken
from asgi_login.transports import BearerTransport, Transport


class OpaqueCredential(bytes):
    """A credential that the application knows. It equals its bytes: to another manager it may be a token."""

    loader: CredentialLoader

    async def load(self, scope: Scope) -> VerifiedToken:
        """Return what the application knows of it.

        Raises:
            Exception: Whatever the application's function raises.
            InvalidToken: Nobody knows it, or it has expired.
        """
        return await self.loader.load(bytes(self), scope)

    def __repr__(self) -> str:
        # A repr ends up in logs.
        return "<OpaqueCredential>"


class OpaqueTransport:
    """A transport whose credentials the application knows.

    Args:
        transport: Finds them.
        loader: Knows them.
    """

    __slots__ = ("ambient", "loader", "name", "transport", "trusted_origins", "vary")

    def __init__(self, transport: Transport, loader: CredentialLoader) -> None:
        self.transport: Transport = transport
        self.loader: CredentialLoader = loader
        self.name: str = transport.name
        self.ambient: bool = transport.ambient
        self.trusted_origins: frozenset[bytes] = getattr(transport, "trusted_origins", frozenset[bytes]())
        self.vary: bytes | None = getattr(transport, "vary", b"Cookie" if transport.ambient else None)

    def extract(self, scope: GivenScope, /) -> bytes | None:
        """Return the credential of a request, or None.

        Raises:
            InvalidRequest: It is malformed.
            InvalidToken: It cannot be written in UTF-8.
            TypeError: The transport returned something else than a str, bytes or None.
        """
        found = self.transport.extract(scope)
        if not found:
            return None
        credential = OpaqueCredential(_to_bytes(found))
        credential.loader = self.loader
        return credential

    def openapi_scheme(self) -> dict[str, object] | None:
        """Return how the transport stands in OpenAPI, or None if it does not say that."""
        if isinstance(self.transport, BearerTransport):
            return {"type": "http", "scheme": "bearer"}
        describe = getattr(self.transport, "openapi_scheme", None)
        return None if describe is None else cast("dict[str, object] | None", describe())

    def __repr__(self) -> str:
        return repr(self.transport)


def _to_bytes(found: str | bytes) -> bytes:
    if isinstance(found, bytes):
        return found
    # bytes(7) are seven zeros, and a loader would be asked about them.
    if not isinstance(found, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a transport's extract() returns a str, bytes or None, not {type(found).__name__}")
    try:
        return found.encode()
    except UnicodeEncodeError:
        # A query that was decoded with "surrogateescape".
        raise InvalidToken("the credential is not UTF-8", reason_code="malformed_request") from None
