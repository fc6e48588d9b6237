"""What we add to the headers of the application's own response: our cookies, and what caches must know."""

from typing import Final

from asgi_login.exchange.record import RequestRecord
from asgi_login.scope import CACHE_CONTROLS, NO_COOKIES, Cookies, Headers, Message

# An explicit lifetime lets any cache store (RFC 9111 §3), as Cache-Control does. Pragma means nothing in a response
# (§5.4).
_SAY_OF_CACHING: Final = CACHE_CONTROLS | {b"expires"}
_LOOKED_AT: Final = _SAY_OF_CACHING | {b"vary"}
_LENGTHS: Final = frozenset(map(len, _LOOKED_AT))


def start_of_response(message: Message, record: RequestRecord) -> Message:
    """Return the start of a response with our cookies, and with what caches must know; none can be added after it."""
    record.has_started = True
    changes, varying, cookies = record.changes, record.varying, NO_COOKIES
    if changes is not None:
        cookies = changes.cookies
        changes.tell()
    if not varying and not cookies:
        return message
    headers: Headers = [*message.get("headers", ())]
    # What accepts a websocket is no response that a cache could keep.
    is_kept = varying and message["type"] != "websocket.accept"
    is_plain = is_kept and changes is None and not record.renewed
    for line in headers if is_plain else ():
        key = line[0]
        if len(key) in _LENGTHS and key.lower() in _LOOKED_AT:
            is_plain = False
            break
    if is_plain:
        headers += ((b"vary", b", ".join(varying)), (b"cache-control", b"private"))
    else:
        for name in varying:
            add_vary(headers, name)
        if cookies or record.renewed:
            set_cookies(headers, cookies, record.renewed)
        if is_kept:
            keep_private(headers)
    # The message is the application's: it may send the same one again.
    started = {**message}
    started["headers"] = headers
    return started


def keep_private(headers: Headers) -> None:
    """Keep a user's page out of shared caches (RFC 9111 §5.2.2.7), unless the application has said what caches may do.

    A content delivery network that ignores Vary would hand it to others, say under a path that an attacker has made
    look like a picture (web cache deception).
    """
    if not any(key.lower() in _SAY_OF_CACHING for key, _ in headers):
        headers.append((b"cache-control", b"private"))


def add_vary(headers: Headers, name: bytes) -> None:
    """Add `name` to what the response varies by (RFC 9110 §12.5.5), unless it says so already."""
    lines = [i for i, (key, _) in enumerate(headers) if len(key) == 4 and key.lower() == b"vary"]  # noqa: PLR2004
    if not lines:
        headers.append((b"vary", name))
        return
    said = {one.strip().lower() for i in lines for one in headers[i][1].split(b",")}
    if said.isdisjoint({b"*", name.lower()}):
        key, value = headers[lines[-1]]
        headers[lines[-1]] = key, value + b", " + name


def set_cookies(headers: Headers, chosen: Cookies, automatic: Cookies) -> None:
    """Add our cookies, one line for each name (RFC 6265bis §4.1.1), and keep the response out of caches.

    Args:
        headers: Of the response.
        chosen: What the application has asked for, by logging somebody in or out; replaces a line of its own.
        automatic: What happens by itself, like a renewal; yields to a line that the application has written.
    """
    written = {value.partition(b"=")[0].decode("latin-1") for key, value in headers if key.lower() == b"set-cookie"}
    cookies = {**{name: header for name, header in automatic.items() if name not in written}, **chosen}
    if not cookies:
        return
    ours = {name.encode() for name in cookies}
    headers[:] = [
        (key, value)
        for key, value in headers
        if key.lower() not in CACHE_CONTROLS and not (key.lower() == b"set-cookie" and value.partition(b"=")[0] in ours)
    ]
    headers += [*cookies.values(), (b"cache-control", b"no-store")]
