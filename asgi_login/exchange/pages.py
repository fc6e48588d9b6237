"""Requests that a page makes for itself, by htmx, by Turbo or by a form: which page the browser comes back to.

A navigation is the page that it asks for. These are parts of the page that is there, and none to come back to.
"""

from typing import Final
from urllib.parse import quote, urlsplit

from asgi_login.exchange.next_url import MAX_NEXT, safe_next
from asgi_login.scope import Scope, first_values, header

_HTML: Final = b"text/html"
_TURBO_STREAM: Final = b"text/vnd.turbo-stream.html"
_HEADERS: Final = frozenset(
    {
        b"accept",
        b"hx-boosted",
        b"hx-current-url",
        b"hx-history-restore-request",
        b"hx-request",
        b"referer",
        b"sec-fetch-site",
        b"turbo-frame",
    }
)
# An address that is sent in a header is percent-encoded already.
_SAFE = "/?:@!$&'()*+,;=~-._%[]"


def is_htmx(scope: Scope) -> bool:
    """Tell whether htmx has made a request: what it needs to leave the page is `HX-Redirect`, never a 3xx."""
    return header(scope, b"hx-request") == b"true"


def page_behind(scope: Scope, here: str, public_url: str | None) -> str | None:
    """Return the path of the page that has made a request, or None if it does not say that a page has.

    Args:
        scope: Of the request.
        here: The address of the request.
        public_url: The origin of this site, or None where nobody has said.
    """
    said = first_values(scope, _HEADERS)
    site, method = said.get(b"sec-fetch-site"), scope["method"]
    if said.get(b"hx-request") == b"true":
        if method == "GET" and b"true" in {said.get(b"hx-boosted"), said.get(b"hx-history-restore-request")}:
            return here  # the whole of the next page
        # Without Sec-Fetch-Site, as over plain http, still no other site's: a browser asks us before it sends
        # headers like these across origins (Fetch standard, CORS-preflight request).
        is_ours = site == b"same-origin" or (site is None and public_url is None)
        return _path_of(said.get(b"hx-current-url"), public_url, is_ours=is_ours)
    first = said.get(b"accept", b"").partition(b",")[0].partition(b";")[0].strip().lower()
    if b"turbo-frame" in said or first == _TURBO_STREAM or (first == _HTML and method == "POST"):
        return _path_of(said.get(b"referer"), public_url, is_ours=site == b"same-origin")
    return None


def _path_of(url: bytes | None, public_url: str | None, *, is_ours: bool) -> str:
    """Return path and query of a page of this site, or "/" if it is none: its host is compared, and never kept."""
    if url is None or len(url) > MAX_NEXT:
        return "/"
    try:
        page = urlsplit(url.decode("latin-1"))
    except ValueError:
        return "/"
    if not is_ours and f"{page.scheme}://{page.netloc}" != public_url:
        return "/"
    return safe_next(quote(page._replace(scheme="", netloc="", fragment="").geturl(), safe=_SAFE, encoding="latin-1"))
