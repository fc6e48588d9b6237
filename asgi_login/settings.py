"""What an application sets in groups: Sessions, for logins in the browser."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

_LONGEST = timedelta(days=36_525)
_URL = re.compile(r"[\x21-\x7e]+")


# Without slots: a frozen class that has them answers an attribute that is none of its fields with nonsense.
@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Settings of logins in the browser.

    Attributes:
        idle: How long a login lives without a request.
        lifetime: How long it lives at most.
        remember_for: How long after its last use a remembered login can be restored.
        remember_at_most: How long after the user last proved who they are it can be restored at all.
        fresh_for: How long after the user proved who they are a login counts as fresh.
        protection: What a changed client does to a login: "basic", "strong", or None for nothing.
        fingerprint: What identifies a client, from the scope; None for its address and User-Agent.
        stamp: A function of the user, such as one that returns the password's hash. When the result changes, all logins
            of the user end.
        listed: Whether the store keeps a list of each user's logins, for `manager.devices(sub)`.
        device: What a login is called there, from the scope; None for its User-Agent, cut to 200 characters.
        reauthenticate_at: Where a browser whose login is not fresh is sent: a path or an absolute URL.
    """

    idle: timedelta = timedelta(minutes=15)
    lifetime: timedelta = timedelta(days=30)
    remember_for: timedelta = timedelta(days=30)
    remember_at_most: timedelta = timedelta(days=365)
    fresh_for: timedelta = timedelta(minutes=10)
    protection: Literal["basic", "strong"] | None = "basic"
    fingerprint: Callable[[Any], bytes] | None = field(default=None, repr=False)
    stamp: Callable[[Any], str] | None = field(default=None, repr=False)
    listed: bool = False
    device: Callable[[Any], str] | None = field(default=None, repr=False)
    reauthenticate_at: str | None = None

    def __post_init__(self) -> None:
        for name in ("idle", "lifetime", "remember_for", "remember_at_most", "fresh_for"):
            if not timedelta(seconds=1) <= positive_timedelta(name, getattr(self, name)) <= _LONGEST:
                raise ValueError(f"{name} must be at least a second and at most 100 years")
        if self.idle > self.lifetime:
            raise ValueError("idle must not be longer than lifetime")
        if self.remember_for > self.remember_at_most:
            raise ValueError("remember_for must not be longer than remember_at_most")
        for name in ("fingerprint", "stamp", "device"):
            if not (getattr(self, name) is None or callable(getattr(self, name))):
                raise TypeError(f"{name} is a function, or None")
        if self.protection not in ("basic", "strong", None):
            raise ValueError(f'protection is "basic", "strong" or None, not {self.protection!r}')
        check_login_url("reauthenticate_at", self.reauthenticate_at)


def is_route_name(url: str) -> bool:
    """Tell whether this is the name of a route, and not a path or URL."""
    return "/" not in url


def check_login_url(argument: str, url: str | None) -> None:
    """Validate where browsers are sent to log in.

    Raises:
        ValueError: It is no path, absolute http(s) URL or route name.
    """
    if url is None:
        return
    check_type(argument, url, str)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    is_path = url.startswith("/") and not url.startswith("//")
    is_url = parts.scheme in {"http", "https"} and bool(parts.netloc)
    if not _URL.fullmatch(url) or "\\" in url or not (is_path or is_url or is_route_name(url)):
        raise ValueError(
            f"{argument} is a path like '/login', an absolute http(s) URL, or with the Starlette and FastAPI adapters "
            f"the name of a route; not {url!r}"
        )


def positive_timedelta(name: str, value: timedelta) -> timedelta:
    """Return `value` if it is a positive timedelta.

    Raises:
        TypeError: It is no timedelta.
        ValueError: It is not positive.
    """
    if not isinstance(value, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{name} is a timedelta, like timedelta(minutes=15), not {type(value).__name__}")
    if value <= timedelta(0):
        raise ValueError(f"{name} must be positive")
    return value


def check_type(argument: str, value: object, *kinds: type) -> None:
    """Raise TypeError unless the value of an argument is of one of these kinds."""
    if not isinstance(value, kinds):
        names = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
        raise TypeError(f"{argument} must be {names}, not {type(value).__name__}")
