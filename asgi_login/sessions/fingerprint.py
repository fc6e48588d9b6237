"""What a client looks like: its address and its User-Agent, coarse enough to survive an ordinary day."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from asgi_login.scope import Scope, header


def fingerprint(scope: Scope) -> bytes:
    """Return what is compared to tell whether a session is still used by the client that logged in.

    The address is `scope["client"]` alone: whoever can send a request can send X-Forwarded-For. Of an IPv6 address
    the network counts (/64): hosts change the rest by themselves, every day (RFC 8981).
    """
    return _network(scope.get("client")) + b"\0" + (header(scope, b"user-agent") or b"")


def _network(client: Any) -> bytes:  # noqa: ANN401 - whatever a server puts there
    # None or ('', '0') on a unix socket, a list from some servers.
    host = client[0] if isinstance(client, (tuple, list)) and client else None  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(host, str):
        return b""
    # No address is longer; a proxy that passes a client's own words on must not fill the cache with them.
    return _network_of(host) if len(host) <= _MAX_ADDRESS else host.encode(errors="replace")


_MAX_ADDRESS = 64


@lru_cache(maxsize=4096)
def _network_of(host: str) -> bytes:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host.encode(errors="replace")
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or ip_network((address, 64), strict=False).network_address
    return address.packed
