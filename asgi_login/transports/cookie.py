"""The cookie that carries a token: read as the browser sends it, written so that no browser drops it."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, Self, TypeAlias, TypedDict, Unpack

from asgi_login.scope import GivenScope, cookie, header_values
from asgi_login.transports.csrf import parse_origins
from asgi_login.transports.protocol import SetOnce, check_name

SameSite: TypeAlias = Literal["lax", "strict", "none"]

# RFC 6265bis §5.6: browsers drop a cookie whose name and value together are longer.
MAX_COOKIE_BYTES: Final = 4_096

# What checks settings is compiled when there is a cookie to set up: an API has none.
_COOKIE_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 §5.6.2, token
_PREFIX = r"(?i:__(?:host-http|host|secure|http)-)"
_PATH = r"/[\x20-\x3a\x3c-\x7e]*"
_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")  # RFC 6265bis §4.1.1, cookie-octet
# What browsers take for trustworthy without TLS (Secure Contexts §3.1) is left out.
_PLAIN_HTTP = re.compile(rb"http://(?!(?:[^/:]+\.)?localhost(?::|$)|127\.|\[::1\])")


class CookieTooLongError(ValueError):
    """Browsers would drop this cookie: its name and value together are longer than 4,096 bytes."""


class InsecureAttributes(TypedDict, total=False):
    """The arguments of a CookieTransport that do not need TLS."""

    name: str
    path: str
    domain: str | None
    httponly: bool
    samesite: SameSite
    max_age: int | None
    trusted_origins: Iterable[str]


class _Attributes(InsecureAttributes, total=False):
    secure: bool
    partitioned: bool


class CookieTransport(SetOnce):
    """A cookie (RFC 6265bis), by default one that no other host, no script and no plain connection can touch.

    Args:
        cookie_name: With the prefix `__Host-` the browser itself enforces Secure, Path=/ and no Domain.
        name: What `Auth.transport` says.
        path: The path below which the browser sends it.
        domain: The domain whose sub-domains get it too; None for this host only.
        secure: Whether it travels over TLS only. On http://localhost not every browser keeps such a
            cookie; for development there is `insecure_for_development`.
        httponly: Whether scripts cannot read it.
        samesite: "lax", "strict" or "none".
        max_age: Seconds for which the browser keeps it, never longer than its token lives; None until it is closed.
        partitioned: Whether each embedding site gets a jar of its own (CHIPS).
        trusted_origins: Other origins whose pages may send requests with it, like "https://app.example.com".

    Raises:
        ValueError: A browser would drop this cookie, or an attribute is malformed.
        TypeError: An argument is of the wrong type.
    """

    ambient: bool = True
    vary: bytes | None = b"Cookie"
    cookie_name: str
    trusted_origins: frozenset[bytes]

    def __init__(
        self,
        cookie_name: str = "__Host-access-token",
        *,
        name: str = "cookie",
        path: str = "/",
        domain: str | None = None,
        secure: bool = True,
        httponly: bool = True,
        samesite: SameSite = "lax",
        max_age: int | None = None,
        partitioned: bool = False,
        trusted_origins: Iterable[str] = (),
    ) -> None:
        self.name: str = check_name(name)
        trusted_origins = tuple(trusted_origins) if not isinstance(trusted_origins, str) else trusted_origins
        self.trusted_origins = parse_origins(trusted_origins)
        if not re.fullmatch(_COOKIE_NAME, cookie_name):
            raise ValueError(f"{cookie_name!r} is no cookie name: use letters, digits, '-' and '_'")
        if not re.fullmatch(_PATH, path):
            raise ValueError(f"the cookie's path {path!r} must start with a slash and hold visible ASCII without ';'")
        if domain is not None and not re.fullmatch(_DOMAIN, domain):
            raise ValueError(f"the cookie's domain {domain!r} must be a plain host name, without a leading dot")
        if samesite not in ("lax", "strict", "none"):
            raise ValueError(f"samesite is 'lax', 'strict' or 'none', not {samesite!r}")
        if max_age is not None and (type(max_age) is not int or max_age <= 0):
            raise ValueError("max_age is a positive number of whole seconds, or None until the browser closes")
        if not secure and (samesite == "none" or partitioned):
            raise ValueError("browsers drop a cookie with samesite='none' or partitioned=True that is not secure")
        _check_prefix(cookie_name, path=path, domain=domain, secure=secure, httponly=httponly)
        self.cookie_name = cookie_name
        self._wire_name = cookie_name.encode()
        self._max_age = max_age
        self._settings = _Attributes(
            name=name,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
            trusted_origins=trusted_origins,
        )
        attributes = [f"Path={path}"]
        if domain is not None:
            attributes.append(f"Domain={domain}")
        flags = {"Secure": secure, "HttpOnly": httponly, "Partitioned": partitioned}
        attributes += [flag for flag, on in flags.items() if on]
        attributes.append(f"SameSite={samesite.capitalize()}")
        self._attributes = "; ".join(attributes)

    @classmethod
    def insecure_for_development(cls, cookie_name: str = "access-token", **same: Unpack[InsecureAttributes]) -> Self:
        """Make a cookie that also travels over plain http, for development on this machine only; arguments as above."""
        return cls(cookie_name, secure=False, **same)

    def extract(self, scope: GivenScope, /) -> bytes | None:
        """Return the cookie's value; an empty one, or two that differ, count as none."""
        return self.read(header_values(scope, b"cookie"))

    def read(self, lines: Sequence[bytes]) -> bytes | None:
        """Do what `extract` does, given the values of the Cookie lines."""
        return cookie(lines, self._wire_name) or None

    def openapi_scheme(self) -> dict[str, str]:
        """Return how the cookie stands in OpenAPI (OpenAPI 3.1 §4.8.27, Security Scheme Object)."""
        return {"type": "apiKey", "in": "cookie", "name": self.cookie_name}

    def companion(self, name: str, *, max_age: int) -> Self:
        """Return a cookie with the same prefix and attributes, that is called `name` behind the prefix."""
        prefix = re.match(_PREFIX, self.cookie_name)
        settings: _Attributes = {**self._settings, "max_age": max_age}
        return type(self)(f"{prefix[0] if prefix else ''}{name}", **settings)

    def is_dropped_by(self, origin: bytes) -> bool:
        """Tell whether browsers drop this cookie at an origin: a Secure one over plain http, but on this machine."""
        return self._settings.get("secure", True) and _PLAIN_HTTP.match(origin) is not None

    def set_cookie_header(self, token: str, *, expires_in: float | None = None) -> tuple[bytes, bytes]:
        """Return the header pair that sets the cookie.

        Args:
            token: The value.
            expires_in: Seconds that the token still lives; the browser keeps the cookie no longer.

        Raises:
            ValueError: The value holds what a cookie cannot (RFC 6265bis §4.1.1), or name and value together
                are longer than the 4,096 bytes that browsers keep.
        """
        if not _COOKIE_VALUE.fullmatch(token):
            raise ValueError("a cookie's value is ASCII without spaces, quotes, commas, semicolons and backslashes")
        size = len(self.cookie_name) + len(token)
        if size > MAX_COOKIE_BYTES:
            raise CookieTooLongError(
                f"browsers drop a cookie of {size} bytes: put less into the token, {MAX_COOKIE_BYTES} is the limit"
            )
        max_age = self._max_age
        if max_age is not None and expires_in is not None:
            max_age = max(0, min(max_age, int(expires_in)))
        age = "" if max_age is None else f"; Max-Age={max_age}"
        return b"set-cookie", f"{self.cookie_name}={token}{age}; {self._attributes}".encode()

    def delete_cookie_header(self) -> tuple[bytes, bytes]:
        """Return the header pair that deletes the cookie, with the same attributes, so that browsers do."""
        past = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        return b"set-cookie", f"{self.cookie_name}=; {past}; {self._attributes}".encode()

    def __repr__(self) -> str:
        return f"CookieTransport({self.cookie_name!r}, name={self.name!r}, attributes={self._attributes!r})"


def _check_prefix(cookie_name: str, *, path: str, domain: str | None, secure: bool, httponly: bool) -> None:
    """RFC 6265bis §4.1.3; browsers compare the prefixes without case, and drop cookies that break their promise."""
    prefix = cookie_name.lower()
    if not prefix.startswith(("__host-", "__secure-", "__http-", "__host-http-")):
        return
    if not secure:
        raise ValueError(
            f"browsers drop {cookie_name!r} without secure=True: rename it, or on this machine use "
            "CookieTransport.insecure_for_development()"
        )
    if prefix.startswith("__host-") and (path != "/" or domain is not None):
        raise ValueError(f"browsers drop {cookie_name!r} with a path or domain: use the prefix __Secure- instead")
    if prefix.startswith(("__http-", "__host-http-")) and not httponly:
        raise ValueError(f"browsers drop {cookie_name!r} without httponly=True: rename it")
