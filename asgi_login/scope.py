"""The ASGI scope: what it is inside, and the only place that reads a header or a cookie out of one."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, cast

from asgi_login.asgi_types import AnyScope

# The scope that is passed to a function which others write. They annotate it as asgiref or as their framework does,
# and no type but Any fits both a TypedDict and a MutableMapping.
GivenScope: TypeAlias = Any

# What scopes and messages are inside: servers pass dicts, and a TypedDict has no room for keys of our own.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

# Pairs of bytes; but many applications write a pair as a list, which compiled code must not take for a tuple.
Headers: TypeAlias = list[Any]
# The values of every Authorization line of a request, and those of every Cookie line. Not annotated as a tuple:
# compiled code takes those apart, and NO_LINES is known by its identity.
CredentialLines: TypeAlias = Sequence[Sequence[bytes]]
NO_LINES: Final[CredentialLines] = ((), ())
# The header pairs that set or delete cookies, by the cookie's name.
Cookies: TypeAlias = Mapping[str, tuple[bytes, bytes]]
NO_COOKIES: Final[Cookies] = MappingProxyType({})

# RFC 9213 §2.2: caches that know one of the others take it before Cache-Control.
CACHE_CONTROLS: Final = frozenset({b"cache-control", b"cdn-cache-control", b"surrogate-control"})

# Bounds on what one client may make us look at. Browsers send some twenty lines, and a proxy adds some more.
MAX_HEADER_LINES: Final = 1_000
# A host name has at most 253 bytes (RFC 1035 §3.1), to which Origin adds a scheme and a port.
MAX_SINGLE_BYTES: Final = 1_024
# More than any token has that is read, so that what is cut off here is too long for one in any case.
MAX_AUTHORIZATION_BYTES: Final = 32_768
MAX_COOKIE_LINES_BYTES: Final = 16_384
# Go stopped at 3,000 cookies after CVE-2025-58186.
MAX_COOKIE_PAIRS: Final = 3_000
# Pairs with our cookie's name somewhere in them: its twins on other paths, and cookies called like it.
MAX_COOKIE_NAMESAKES: Final = 100

# RFC 9110 §5.6.3: optional white space is SP and HTAB. bytes.strip() without an argument also eats
# VT and FF, str.strip() even NBSP and NEL, which lets two parsers read one line differently.
OWS: Final = b" \t"


class HasScope(Protocol):
    """A request, websocket or connection object of a framework."""

    @property
    def scope(self) -> AnyScope:
        """The ASGI scope."""
        ...


def scope_of(scope_or_connection: AnyScope | HasScope) -> Scope:
    """Return the ASGI scope itself, or that of a framework's object.

    Raises:
        TypeError: It is neither.
    """
    scope: object = getattr(scope_or_connection, "scope", scope_or_connection)
    if not isinstance(scope, MutableMapping) and hasattr(scope, "environ"):
        raise TypeError(
            f"this {type(scope_or_connection).__name__} came over WSGI, which AuthMiddleware does not see: serve the "
            "application over ASGI; for Django's test Client, and Django over WSGI, there is "
            "asgi_login.django.LoginMiddleware"
        )
    if not isinstance(scope, MutableMapping):
        raise TypeError(f"pass the request, the websocket or its ASGI scope, not {type(scope_or_connection).__name__}")
    return cast("Scope", scope)


# The names may be byte arrays, so that no compiled code may take them for bytes.
def headers_of(scope: Scope) -> list[Any]:
    """Return the headers; a one-shot iterator is replaced by a list, so that the application can still read it."""
    headers: Iterable[Any] = scope.get("headers", ())
    if isinstance(headers, list):
        return headers
    listed = list(headers)
    # A tuple can be read again, so that the scope is left as it is.
    if not isinstance(headers, tuple):
        scope["headers"] = listed
    return listed


def request_line(scope: Scope) -> str:
    """Return what a log line calls a request: its method and path, without anything that could break the line."""
    method = str(scope.get("method", "WEBSOCKET"))[:20]
    if not method.isascii() or not method.isprintable() or " " in method:
        # Over HTTP/2, some servers pass on whatever a client says.
        method = repr(method)
    return f"{method} {str(scope.get('path', ''))[:200]!r}"


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """Return the values of every line of a header, in order; `name` is in lower case, the lines' are in any."""
    length = len(name)
    return [value for key, value in headers_of(scope) if len(key) == length and key.lower() == name]


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the value of a header that is sent at most once, or None; of several, the first."""
    length = len(name)
    headers: Sequence[Any] = scope.get("headers", ())
    lines: list[Any] = headers if isinstance(headers, list) else headers_of(scope)
    for line in lines:
        key = line[0]
        if len(key) == length and key.lower() == name:
            value: bytes = line[1]
            return value
    return None


def first_values(scope: Scope, names: frozenset[bytes]) -> dict[bytes, bytes]:
    """Return the first value of each header of `names` that is there, read in one pass; none of too many lines."""
    found: dict[bytes, bytes] = {}
    headers = headers_of(scope)
    for key, value in headers if len(headers) <= MAX_HEADER_LINES else ():
        name = key.lower()
        if name in names:
            found.setdefault(name, value)
    return found


def origin_headers(scope: Scope) -> tuple[bytes | None, bytes | None, bytes | None] | None:
    """Return Origin, Sec-Fetch-Site and Host, each None if it is not there, read in one pass.

    None for all means that one is sent twice or too long, or that there are too many lines to look through.
    """
    origin: bytes | None = None
    site: bytes | None = None
    host: bytes | None = None
    headers: Sequence[Any] = scope.get("headers", ())
    lines: list[Any] = headers if isinstance(headers, list) else headers_of(scope)
    if len(lines) > MAX_HEADER_LINES:
        return None
    for line in lines:
        key = line[0]
        length = len(key)
        # As in `credential_lines`.
        if (length == 6 or length == 4 or length == 14) and key not in (b"accept", b"cookie"):  # noqa: PLR1714, PLR2004
            name, value = key.lower(), line[1]
            if name == b"origin":
                before, origin = origin, value
            elif name == b"host":
                before, host = host, value
            elif name == b"sec-fetch-site":
                before, site = site, value
            else:
                continue
            if before is not None or len(value) > MAX_SINGLE_BYTES:
                return None
    return origin, site, host


def has_too_many_lines(scope: Scope) -> bool:
    """Tell whether a request has more header lines than any client needs; those are not looked through."""
    return len(headers_of(scope)) > MAX_HEADER_LINES


def credential_lines(scope: Scope) -> CredentialLines | None:
    """Return the values of the Authorization and of the Cookie lines, read in one pass; NO_LINES if there are neither.

    None means that there are too many header lines to look through: a megabyte of them takes ten milliseconds.
    """
    authorization: list[bytes] | None = None
    cookies: list[bytes] | None = None
    # Nearly all servers pass a list.
    headers: Sequence[Any] = scope.get("headers", ())
    lines: list[Any] = headers if isinstance(headers, list) else headers_of(scope)
    if len(lines) > MAX_HEADER_LINES:
        return None
    for line in lines:
        key = line[0]
        length = len(key)
        # Most lines are ruled out by their length, which is cheaper than folding their case. Nearly all clients send an
        # Accept, which is as long as Cookie. Compiled code compares numbers faster than it looks into a set.
        if (length == 6 or length == 13) and key != b"accept":  # noqa: PLR1714, PLR2004
            name, value = key.lower(), line[1]
            if name == b"cookie":
                if cookies is None:
                    cookies = [value]
                else:
                    cookies.append(value)
            elif name == b"authorization":
                if authorization is None:
                    authorization = [value]
                else:
                    authorization.append(value)
    if authorization is None and cookies is None:
        return NO_LINES
    return authorization or (), cookies or ()


def cookie(lines: Sequence[bytes], name: bytes) -> bytes | None:
    """Return the value of the cookie called exactly `name` in the values of Cookie lines, or None.

    The Cookie lines are one list (RFC 6265bis), split at every `;`, also inside quotes: a parser
    that honours quotes or `$Version` lets a neighbour swallow our cookie ("cookie sandwich"). Nothing is
    unquoted or decoded. Two different values count as absent: browsers do not say which of them a
    sub-domain has planted, and taking the one that verifies would log the victim in as somebody else.
    """
    line = lines[0] if len(lines) == 1 else b";".join(lines)
    # A line has one pair more than semicolons, so that a short one needs no counting.
    if len(line) >= MAX_COOKIE_PAIRS and (
        len(line) - len(lines) >= MAX_COOKIE_LINES_BYTES or line.count(b";") >= MAX_COOKIE_PAIRS
    ):
        return None
    before, is_there, after = line.partition(name)
    if not is_there:
        return None
    # As browsers write it, and no other pair that might be called like it: nothing else needs to be looked at.
    between, equals, after = after.partition(b"=")
    value, _, after = after.partition(b";")
    if equals and not between and not (after and after.find(name) >= 0) and (not before or before[-2:] == b"; "):
        return value.strip(OWS)
    return _only_value(line, name)


def _only_value(line: bytes, name: bytes) -> bytes | None:
    """Return what all cookies that are called `name` hold, or None if there is none, or if they differ."""
    found: bytes | None = None
    at = line.find(name)
    # Only the pairs that hold the name are looked at, each once.
    for _ in range(MAX_COOKIE_NAMESAKES):
        if at < 0:
            return found
        end = line.find(b";", at)
        pair = line[line.rfind(b";", 0, at) + 1 : end if end >= 0 else None]
        key, equals, value = pair.partition(b"=")
        if key.strip(OWS) == name and equals:
            value = value.strip(OWS)
            if found is not None and value != found:
                return None
            found = value
        at = line.find(name, end) if end >= 0 else -1
    return found if at < 0 else None
