"""What an application sets in groups: Sessions, for logins in the browser, and Refresh, for refresh tokens."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

_LONGEST = timedelta(days=36_525)
# Amazon Cognito's.
_LONGEST_WINDOW = timedelta(minutes=1)
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
            _check_duration(name, getattr(self, name))
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


# Without slots, as Sessions.
@dataclass(frozen=True, kw_only=True)
class Refresh:
    """Settings of refresh tokens. Each use of one brings a new one, so that the use of a copy is noticed.

    Attributes:
        idle: How long a login lives without a use of its refresh token.
        lifetime: How long it lives at most, however often it is refreshed.
        reuse_window: How long a token that was used is good once more, for a client that lost the answer or asked twice
            at the same time; at most a minute. A use after that ends the login, whoever sent it. With `timedelta(0)` a
            lost answer ends the login too.
    """

    idle: timedelta = timedelta(days=15)
    lifetime: timedelta = timedelta(days=30)
    # Supabase's.
    reuse_window: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        _check_duration("idle", self.idle)
        _check_duration("lifetime", self.lifetime)
        if self.idle > self.lifetime:
            raise ValueError("idle must not be longer than lifetime")
        if self.reuse_window != timedelta(0):
            positive_timedelta("reuse_window", self.reuse_window)
            if self.reuse_window > _LONGEST_WINDOW:
                raise ValueError("reuse_window must be at most a minute: as long, a copy of a token can be used unseen")


REUSE_WINDOW: Final = Refresh.reuse_window
"""That of remember tokens, which no browser sends again on purpose: it is not configured."""


def _check_duration(name: str, value: timedelta) -> None:
    if not timedelta(seconds=1) <= positive_timedelta(name, value) <= _LONGEST:
        raise ValueError(f"{name} must be at least a second and at most 100 years")


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
