"""Cross-site request cross_origin: whether a request that a browser made may act for its user.

The order of the checks is that of Go's net/http.CrossOriginProtection: what the browser says of itself
(Sec-Fetch-Site) comes before what we can only compare (Origin with Host).
"""

import re
from collections.abc import Iterable
from typing import Final

from asgi_login.scope import Scope, single_headers

NOT_THIS_HOST: Final = "Origin is not this host"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {len(name): name for name in (b"origin", b"sec-fetch-site", b"host")}


def check_origin(scope: Scope, trusted_origins: frozenset[bytes]) -> str | None:
    """Return why a request must not act for the browser's user, or None if it may.

    Safe methods are allowed: they change nothing, and links from other sites are what the web is made of.
    A websocket handshake is a GET that opens a two-way channel, so it gets no such pass.
    """
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
        return None
    headers = single_headers(scope, _HEADERS)
    if headers is None:
        return "Origin, Host or Sec-Fetch-Site was sent twice or is too long, or there are too many lines"
    origin, site, host = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"").lower(), headers.get(b"host")
    # `none` is the user's own doing: an address typed in, a bookmark.
    if origin in trusted_origins or site in {b"same-origin", b"none"}:
        return None
    # `same-site` too: a sub-domain, or another port of the host, may belong to somebody else.
    if site:
        return "Sec-Fetch-Site is not same-origin"
    # Fails open: every browser of the last years sends one of the two headers with an unsafe request,
    # so this is no browser, and nobody else's cookies are in play.
    if not origin:
        return None
    return None if host and _is_own_origin(scope, origin, host.lower()) else NOT_THIS_HOST


def _is_own_origin(scope: Scope, origin: bytes, host: bytes) -> bool:
    secure = scope.get("scheme") in {"https", "wss"}
    # Browsers never write the default port into Origin; proxies do write it into Host.
    if not secure and origin == b"http://" + host.removesuffix(b":80"):
        return True
    # Also where the request arrived as http: TLS ended at a proxy, and the browser's origin is https.
    # The reverse, an http page calling an https site, is an attacker on the network and stays refused.
    return origin == b"https://" + host.removesuffix(b":443")


# Scheme, then a name, an IPv4 or a bracketed IPv6 address, then perhaps a port, as browsers serialize an origin
# (RFC 6454 §6.2): lower case, international names in their xn-- form, never a path, query or user.
_ORIGIN = re.compile(r"(https?)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_DEFAULT_PORT = {"http": "80", "https": "443"}


def parse_origins(origins: Iterable[str]) -> frozenset[bytes]:
    """Validate the `trusted_origins` of a transport: each exactly what a browser sends as Origin.

    Raises:
        TypeError: `origins` is one string.
        ValueError: An entry that no browser would ever send.
    """
    if isinstance(origins, str):
        raise TypeError(f"trusted_origins takes a sequence of origins: write trusted_origins=({origins!r},)")
    parsed: set[bytes] = set()
    for origin in origins:
        if not isinstance(origin, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"trusted_origins holds strings like 'https://example.com', not {type(origin).__name__}")
        match = _ORIGIN.fullmatch(origin)
        if match is None:
            raise ValueError(
                f"trusted_origins: {origin!r} is no origin; write it as browsers do, like 'https://example.com' or "
                "'http://localhost:3000': in lower case, without path, query, user or trailing slash"
            )
        if match[2] == _DEFAULT_PORT[match[1]]:
            raise ValueError(f"trusted_origins: browsers leave the default port out of {origin!r}; so must you")
        parsed.add(origin.encode())
    return frozenset(parsed)
