"""Decides, without input or output, which keys of an issuer count, and when they are fetched.

| keys                                | kid     | outcome                                                       |
|-------------------------------------|---------|---------------------------------------------------------------|
| younger than `refresh_every` ± 10 % | known   | it counts                                                     |
| older, within `keep_for`            | known   | it counts, and the keys are fetched meanwhile                 |
| beyond `keep_for`, or none yet      | any     | fetched, and waited for; within the back-off, unavailable     |
| any                                 | unknown | fetched, and waited for; within `cooldown` after the last     |
|                                     |         | attempt, refused                                              |

A flood of tokens with invented `kid`s costs one fetch. While an issuer is down, its keys count for `keep_for`, and it
is asked after 1, 2, 4 … 60 seconds. Every time is that of one monotonic clock, in seconds, and is passed in.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from asgi_login.tokens import ForeignKey

_LONGEST_PAUSE: Final = 60.0
# So that processes that were started together do not ask together.
_SPREAD: Final = 0.1
_NO_KEYS: Final[Mapping[str, ForeignKey]] = MappingProxyType({})


class Plan(Enum):
    """What is done about a `kid` for which no key counts."""

    READY = "there is a key by now"
    FETCH = "fetch the keys, and wait for them"
    REFUSE = "nobody knows it: that was tried a moment ago"
    UNAVAILABLE = "the issuer did not answer a moment ago"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When keys are fetched, in seconds: see Issuer."""

    refresh_every: float
    keep_for: float
    cooldown: float


class KeySource:
    """The keys of one issuer, and when they were asked for.

    Args:
        timing: The settings.
        random: Returns a number from 0 to 1.

    Attributes:
        due_at: From when on the keys are fetched anew while they count.
    """

    __slots__ = (
        "_attempted_at",
        "_failures",
        "_fetched_at",
        "_keys",
        "_random",
        "_retry_at",
        "_timing",
        "_usable_until",
        "due_at",
    )

    def __init__(self, timing: Timing, random: Callable[[], float]) -> None:
        self._timing = timing
        self._random = random
        self._keys = _NO_KEYS
        self._fetched_at = -math.inf
        self._attempted_at = -math.inf
        self._retry_at = -math.inf
        self._failures = 0
        self._usable_until = -math.inf
        self.due_at: float = math.inf

    @property
    def keys(self) -> Mapping[str, ForeignKey]:
        """The keys that were fetched last, by their `kid`, whether they count or not."""
        return self._keys

    def find(self, kid: str | None, now: float) -> ForeignKey | None:
        """Return the key that counts now under a `kid`, or None; without a `kid`, the only key there is."""
        if now >= self._usable_until:
            return None
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def is_usable(self, now: float) -> bool:
        """Tell whether there are keys that count."""
        return now < self._usable_until

    def plan(self, kid: str | None, now: float) -> Plan:
        """Say what is done about a `kid`, if nothing is being fetched."""
        if not self.is_usable(now):
            return Plan.FETCH if now >= self._retry_at else Plan.UNAVAILABLE
        if self.find(kid, now) is not None:
            return Plan.READY
        return Plan.FETCH if now - self._attempted_at >= self._timing.cooldown else Plan.REFUSE

    def succeeded(self, keys: Mapping[str, ForeignKey], now: float) -> None:
        """Take the keys that were fetched, in place of those before."""
        self._keys = keys
        self._fetched_at = self._attempted_at = now
        self._failures = 0
        self._retry_at = -math.inf
        self._usable_until = now + self._timing.keep_for
        self.due_at = now + self._spread(self._timing.refresh_every)

    def failed(self, now: float) -> None:
        """Take note that the keys could not be fetched."""
        self._attempted_at = now
        # Bounded, because 2.0 ** 1024 is an OverflowError.
        self._failures = min(self._failures + 1, 10)
        self._retry_at = now + self._spread(min(2.0 ** (self._failures - 1), _LONGEST_PAUSE))
        self._usable_until = self._fetched_at + self._timing.keep_for
        # An unknown `kid` may have caused it while the keys are fresh.
        self.due_at = max(self.due_at, self._retry_at)

    def interrupted(self) -> None:
        """Take note that a fetch was cut off, because its event loop has ended.

        Where each request has an event loop of its own, nothing is ever fetched behind it. The next time that the keys
        are due, a request waits for them.
        """
        self._usable_until = min(self._usable_until, self.due_at)

    def _spread(self, seconds: float) -> float:
        return seconds * (1 - _SPREAD + 2 * _SPREAD * self._random())
