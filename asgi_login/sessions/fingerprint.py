"""Describes a client by its address and User-Agent, coarsely enough to stay the same on an ordinary day."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from asgi_login.scope import Scope, header


def fingerprint(scope: Scope) -> bytes:
    """Return a description of the client, to compare with that of the client which logged in.

    The address is that of `scope["client"]`. X-Forwarded-For is not read, because every client can send it. For IPv6,
    only the network (/64) counts, because hosts change the rest every day (RFC 8981).
    """
    client = scope.get("client")
    # None or ('', '0') on a unix socket, a list from some servers.
    host: object = client[0] if client and isinstance(client, (tuple, list)) else None  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(host, str):
        network = b""
    elif len(host) <= _MAX_ADDRESS:
        network = _network_of(host)
    else:
        # No address is longer. A proxy may pass on text that the client chose, which must not fill the cache.
        network = host.encode(errors="replace")
    return network + b"\0" + (header(scope, b"user-agent") or b"")


_MAX_ADDRESS: Final = 64


@lru_cache(maxsize=4096)
def _network_of(host: str) -> bytes:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host.encode(errors="replace")
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or ip_network((address, 64), strict=False).network_address
    return address.packed
