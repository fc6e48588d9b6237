"""Finds the credential of a request: asks each transport in turn, and takes the first that finds one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from asgi_login.credentials import OpaqueCredential
from asgi_login.errors import AuthError, InvalidToken, without_context
from asgi_login.scope import Scope
from asgi_login.transports import BearerTransport, CookieTransport, Transport

Credential: TypeAlias = tuple[Transport, bytes | AuthError]
"""The transport that found a token, and the token, an OpaqueCredential, or the error of a malformed one."""
Reader: TypeAlias = tuple[Transport, Callable[[Sequence[bytes]], bytes | None] | None]
"""A transport, and its method that reads a token from the lines; None for one that gets the whole scope."""


def readers_of(ours: type[BearerTransport | CookieTransport], transports: Iterable[Transport]) -> tuple[Reader, ...]:
    """Pair each transport with its method that reads a token from the lines.

    A subclass of a built-in transport may read something else, so it gets the whole scope, like any other transport.
    """
    return tuple((one, one.read if isinstance(one, ours) and type(one) is ours else None) for one in transports)


def first_token(readers: tuple[Reader, ...], scope: Scope, lines: Sequence[bytes]) -> Credential | None:
    """Return the first credential that these find in a request, or None."""
    for transport, read in readers:
        try:
            token: object
            if read is None:
                token = _extracted(transport, scope)
            elif lines:
                token = read(lines)
            else:
                continue
            if token:
                return transport, token if type(token) is bytes else _to_bytes(token)
        except AuthError as error:
            return transport, error.again()
    return None


def _extracted(transport: Any, scope: Scope) -> object:  # noqa: ANN401 - what the application wrote returns anything
    return transport.extract(scope)


def _to_bytes(token: object) -> bytes:
    if isinstance(token, bytes):
        return token if isinstance(token, OpaqueCredential) else bytes(token)
    if not isinstance(token, str):
        raise TypeError(f"a transport's extract() returns a str, bytes or None, not {type(token).__name__}")
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        raise without_context(InvalidToken("not ASCII", reason_code="malformed_token")) from None
