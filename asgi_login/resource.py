"""Resource: what the tokens of a manager are for, and where clients get them (RFC 9728)."""

import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit

from asgi_login.settings import check_type
from asgi_login.tokens import check_scope_names, is_text

AudienceT = TypeVar("AudienceT", bound="str | Sequence[str] | None")

_LOOPBACK: Final = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?")
_URL: Final = re.compile(r"[\x21-\x7e]+")
# What stands between quotes in a challenge, and is compared with the path that servers have decoded: RFC 3986 §3.3
# without percent-encoding.
_PATH: Final = re.compile(r"(?:/|(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?)?")
_WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


# Without slots, as settings.Sessions.
@dataclass(frozen=True)
class Resource:
    """An API or MCP server that tokens are issued for, as it describes itself to clients that do not know it.

    Attributes:
        url: Its URL, as clients and authorization servers write it; a slash at the end counts. It is also the audience
            of the manager.
        authorization_servers: The issuers that clients get their tokens from; at least one.
        scopes: The OAuth scopes that clients need for the most common requests; None or an empty sequence says nothing.
        name: What people call it, or None.
        documentation: The URL of a page for developers, or None.

    Raises:
        TypeError: An argument is of another type.
        ValueError: A URL is none, or has a query or a fragment; or plain http where the host is not this machine.

    Example:
        >>> resource = Resource("https://mcp.example.com/mcp", authorization_servers=["https://login.example.com"])
        >>> manager = LoginManager(key, resource=resource)
    """

    url: str
    _: KW_ONLY
    authorization_servers: Sequence[str]
    scopes: Sequence[str] | None = None
    name: str | None = None
    documentation: str | None = None

    def __post_init__(self) -> None:
        check_type("Resource(url)", self.url, str)
        if not is_text(self.url) or not is_server_url(self.url) or not _PATH.fullmatch(urlsplit(self.url).path):
            raise ValueError(
                "Resource(url) is a URL like 'https://mcp.example.com/mcp', with https except on this machine, without "
                f"query, fragment and percent-encoding (RFC 9728 §1.2); not {self.url!r}"
            )
        object.__setattr__(self, "authorization_servers", _checked_servers(self.authorization_servers))
        if self.scopes is not None:
            object.__setattr__(self, "scopes", check_scope_names("Resource(scopes=)", self.scopes))
        check_type("Resource(name=)", self.name, str, type(None))
        check_type("Resource(documentation=)", self.documentation, str, type(None))
        if self.documentation is not None and not self.documentation.startswith(("https://", "http://")):
            raise ValueError("Resource(documentation=) is the URL of a page, like 'https://docs.example.com/mcp'")

    @property
    def metadata_path(self) -> str:
        """Where the metadata is on the host of the resource (RFC 9728 §3.1)."""
        return _WELL_KNOWN + (urlsplit(self.url).path if urlsplit(self.url).path != "/" else "")

    @property
    def metadata_url(self) -> str:
        """The URL of the metadata."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{self.metadata_path}"


def _checked_servers(urls: Sequence[str]) -> tuple[str, ...]:
    if isinstance(urls, str) or not isinstance(urls, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError('authorization_servers is a sequence of URLs, like ["https://login.example.com"]')
    for url in urls:
        check_type("each of authorization_servers", url, str)
    if not urls or not all(map(is_server_url, urls)):
        raise ValueError(
            "authorization_servers names at least one issuer, like 'https://login.example.com', with https except on "
            f"this machine (RFC 8414 §2); not {list(urls)!r}"
        )
    return tuple(urls)


def audience_with(resource: Resource | None, audience: AudienceT, *, any_audience: bool) -> AudienceT | str:
    """Return the audience of a manager that stands for a resource: its URL, and what else it is said to be called.

    Raises:
        ValueError: The audience is another one, or any.
    """
    check_type("resource", resource, Resource, type(None))
    if resource is None:
        return audience
    if any_audience:
        raise ValueError(
            "resource= and insecure_any_audience=True contradict each other: clients ask for tokens whose audience is "
            "the URL of the resource, and others must be refused (RFC 8707 §2)"
        )
    if audience is None:
        return resource.url
    if resource.url not in ((audience,) if isinstance(audience, str) else audience):
        raise ValueError(
            f"audience= is {audience!r}, and clients are told to ask for tokens for {resource.url!r}: leave audience= "
            "out, because the URL of the resource is the audience"
        )
    return audience


def is_server_url(url: str) -> bool:
    """Tell whether this names a server as OAuth has it: https, or http on this machine, without query and fragment."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    # Bytes beyond ASCII, quotes and backslashes have no place in a URL (RFC 3986 §2).
    if not _URL.fullmatch(url) or set('?#"\\').intersection(url) or "@" in parts.netloc:
        return False
    is_secure = parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(parts.netloc) is not None)
    return bool(host) and is_secure
