"""`next`: where a browser goes on after the login, and what a login view may believe of it."""

import re
from collections.abc import Iterable
from typing import Final

from asgi_login.transports import parse_origins

MAX_NEXT: Final = 2_048
# One slash, then neither a slash nor a backslash (browsers read both as the start of a host), and nowhere a
# control character: browsers drop tabs and newlines before they look for the host.
_SAFE_NEXT = re.compile(rf"/(?![/\\])[^\x00-\x1f\x7f-\x9f\\\ud800-\udfff]{{0,{MAX_NEXT - 1}}}")


def safe_next(value: object, default: str = "/", *, allowed_origins: Iterable[str] = ()) -> str:
    r"""Return `value` if a login view may redirect to it without leaving this site, else `default`.

    Args:
        value: What came as `next`, of any type: a path of at most 2,048 characters, perhaps with query and
            fragment. Percent-encoding is not decoded, as browsers do not decode it either to find the host.
        default: Where to go instead; it is not checked.
        allowed_origins: Other sites that it may lead to as well, as an absolute URL, like "https://shop.example.com".

    Raises:
        TypeError, ValueError: One of `allowed_origins` is no origin.

    Example:
        >>> safe_next("/orders?page=2"), safe_next("//evil.example"), safe_next("/\\evil.example", "/home")
        ('/orders?page=2', '/', '/home')
    """
    origins = parse_origins(allowed_origins, "allowed_origins") if allowed_origins else ()
    if not isinstance(value, str):
        return default
    if _SAFE_NEXT.fullmatch(value):
        return value
    for origin in map(bytes.decode, origins):
        # Compared as text: whatever else browsers read as this origin, a user name, another case or a default port,
        # is not worth the risk of reading it in another way than they do.
        if value == origin or (value.startswith(origin) and _SAFE_NEXT.fullmatch(value, len(origin))):
            return value
    return default
