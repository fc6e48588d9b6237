"""Times in words, and durations from them: "in 14 minutes", "3 days ago"; "15m"."""

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Final

from asgi_login.tokens import MAX_NUMERIC_DATE

# A year of the calendar is 365 days long here: it is for people to read.
_UNITS: Final = {"year": 31_536_000, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
# What a time means: before it, and from it on.
_MEANINGS: Final = {
    "exp": ("expires {}", "expired {}"),
    "nbf": ("valid {}, not before", "valid since {}"),
    "iat": ("issued {}, in the future", "issued {}"),
    "auth_time": ("logged in {}, in the future", "logged in {}"),
}


def duration(text: str) -> timedelta:
    """Parse "90s", "15m", "8h" or "30d", for argparse."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ArgumentTypeError("a number and its unit are needed: 90s, 15m, 8h or 30d")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def length(seconds: float) -> str:
    """Return how long this is, in the largest unit of which it has one: "14 minutes"."""
    for unit, size in _UNITS.items():
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a second"


def describe(claim: str, value: object, now: float) -> str | None:
    """Return what the time in a claim means, or None for any other claim, and for what is no time."""
    if claim not in _MEANINGS or (type(value) is not int and type(value) is not float):
        return None
    if not 0 <= value <= MAX_NUMERIC_DATE:
        return None
    date = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    before, after = _MEANINGS[claim]
    if value > now:
        return f"{date}, {before.format(f'in {length(value - now)}')}"
    return f"{date}, {after.format(f'{length(now - value)} ago')}"
