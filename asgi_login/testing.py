"""For tests of applications: a user who is logged in, without minting tokens by hand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from asgi_login.manager import LoginManager
from asgi_login.transports import BearerTransport, CookieTransport, HeaderTransport


@dataclass(frozen=True)
class Credentials:
    """What a test client sends to be a certain user.

    Attributes:
        token: The access token.
        headers: For `headers=` of any client: Authorization, or Cookie or a header of the application's choice where
            that is how the token travels.
        cookies: For the jar of a client, as in `client.cookies.update(...)`; empty where the token travels in a header.
    """

    token: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)


def logged_in(
    manager: LoginManager[Any],
    sub: str,
    *,
    scopes: Iterable[str] = (),
    expires: timedelta | None = None,
    claims: Mapping[str, object] | None = None,
    transport: str | None = None,
) -> Credentials:
    """Return what a client sends to be the user `sub`: for httpx and the test clients of every framework.

    Args:
        manager: Whose user.
        sub: What the user loader is called with.
        scopes: The OAuth scopes that the token grants.
        expires: How long the token lives; None for the manager's default.
        claims: Other claims of the token; `auth_time` makes for a fresh login.
        transport: The name of the transport to use; None for the manager's first.

    A Secure cookie that a server sets never comes back from a client on http://testserver, nor to a websocket whose URL
    is a path or begins with ws://; these are no such cookies, and do.

    Raises:
        ValueError: The manager has no such transport, or it is one of the application's own.

    Example:
        >>> response = client.get("/orders", headers=logged_in(manager, "ada", scopes=["orders:read"]).headers)
    """
    token = manager.create_access_token(data={**(claims or {}), "sub": sub}, expires=expires, scopes=scopes)
    for candidate in manager.config.transports:
        if transport not in (None, candidate.name):
            continue
        if isinstance(candidate, BearerTransport):
            return Credentials(token, {"Authorization": f"Bearer {token}"}, {})
        if isinstance(candidate, CookieTransport):
            name = candidate.cookie_name
            return Credentials(token, {"Cookie": f"{name}={token}"}, {name: token})
        if isinstance(candidate, HeaderTransport):
            return Credentials(token, {candidate.header: token}, {})
    names = ", ".join(one.name for one in manager.config.transports)
    raise ValueError(
        f"logged_in knows the bearer, header and cookie transports; this manager has {names}, asked for: {transport}"
    )
