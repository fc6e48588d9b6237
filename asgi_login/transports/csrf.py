"""Cross-site request forgery (CSRF): decides whether a request that a browser sent may act for its user.

The order of the checks is that of Go's net/http.CrossOriginProtection: what the browser says of itself
(Sec-Fetch-Site) comes before what we can only compare (Origin with Host).
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from asgi_login.scope import Scope, origin_headers

NOT_THIS_HOST: Final = "Origin is not this host"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(scope: Scope, trusted_origins: AbstractSet[bytes]) -> str | None:
    """Return why a request must not act for the browser's user, or None if it may.

    Safe methods are allowed: they change nothing, and links from other sites are what the web is made of.
    A websocket handshake is a GET that opens a two-way channel, so it gets no such pass.
    """
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
        return None
    headers = origin_headers(scope)
    if headers is None:
        return "Origin, Host or Sec-Fetch-Site was sent twice or is too long, or there are too many lines"
    origin, site, host = headers
    # `none` is the user's own doing: an address typed in, a bookmark.
    if origin in trusted_origins or (site and site.lower() in {b"same-origin", b"none"}):
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
    # Also where the request arrived as http: TLS ended at a proxy, and the browser's origin is https.
    # The reverse, an http page calling an https site, is an attacker on the network and stays refused.
    # Browsers never write the default port into Origin; proxies do write it into Host.
    if origin == b"https://" + host.removesuffix(b":443"):
        return True
    return scope.get("scheme") not in {"https", "wss"} and origin == b"http://" + host.removesuffix(b":80")


# Scheme, then a name, an IPv4 or a bracketed IPv6 address, then perhaps a port, as browsers serialize an origin
# (RFC 6454 §6.2): lower case, international names in their xn-- form, never a path, query or user. Extensions of
# browsers and applications around a web view have schemes of their own: chrome-extension, capacitor, tauri.
_ORIGIN: Final = r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
_DEFAULT_PORT: Final = {"http": "80", "https": "443"}
_NOBODYS: Final = "is what files, sandboxed frames and others send that belong to no site: any page can send it"
_NEVER_SENT: Final = {
    "null": _NOBODYS,
    "file": f"has no origin: its pages send 'null', and that {_NOBODYS}",
    "data": f"has no origin: its pages send 'null', and that {_NOBODYS}",
    "ws": "is a websocket; name the page that opens it, like 'http://example.com'",
    "wss": "is a websocket; name the page that opens it, like 'https://example.com'",
    "ftp": "is no page that a browser shows",
}


def parse_origins(origins: Iterable[object], argument: str = "trusted_origins") -> frozenset[bytes]:
    """Validate origins, such as `trusted_origins`: each exactly what a browser or web view sends as Origin.

    Raises:
        TypeError: `origins` is one string.
        ValueError: An entry that no browser would ever send.
    """
    if isinstance(origins, str):
        raise TypeError(f"{argument} takes a sequence of origins: write {argument}=({origins!r},)")
    parsed: set[bytes] = set()
    for origin in origins:
        if not isinstance(origin, str):
            raise TypeError(f"{argument} holds strings like 'https://example.com', not {type(origin).__name__}")
        never_sent = _NEVER_SENT.get(origin.partition(":")[0].lower())
        if never_sent is not None:
            raise ValueError(f"{argument}: {origin!r} {never_sent}")
        match = re.fullmatch(_ORIGIN, origin)
        if match is None:
            raise ValueError(
                f"{argument}: {origin!r} is no origin; write it as browsers do, like 'https://example.com', "
                "'http://localhost:3000' or 'capacitor://localhost': in lower case, without path, query, user or "
                "trailing slash"
            )
        if match[2] and match[2] == _DEFAULT_PORT.get(match[1]):
            raise ValueError(f"{argument}: browsers leave the default port out of {origin!r}; so must you")
        parsed.add(origin.encode())
    return frozenset(parsed)
