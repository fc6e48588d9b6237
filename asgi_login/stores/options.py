"""The settings that every store has, frozen and validated."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """The settings that every store has.

    Attributes:
        keep: How long a cut-off of a user is remembered. No login and no token may live longer.
        max_staleness: How long a process goes on by what it knows while it hears nothing from the store.
        timeout: How long one question to the store may take.
        insecure_fail_open: Accept tokens that the store must be asked about while it does not answer.
    """

    keep: timedelta = timedelta(days=31)
    max_staleness: timedelta = timedelta(seconds=10)
    timeout: timedelta = timedelta(milliseconds=250)
    insecure_fail_open: bool = False

    @property
    def cut_off_ahead(self) -> int:
        """By how many seconds a cut-off may lie ahead of time, if a user is logged out several times in a second.

        It is less than the margin of a view, so that a process that begins to follow asks about whatever it ends.
        """
        return int(self.max_staleness.total_seconds())

    def __post_init__(self) -> None:
        for name in ("keep", "max_staleness", "timeout"):
            value = getattr(self, name)
            if not isinstance(value, timedelta):
                raise TypeError(f"{name} is a timedelta, like timedelta(seconds=10), not {type(value).__name__}")
        if type(self.insecure_fail_open) is not bool:
            raise TypeError("insecure_fail_open is True or False")
        if not timedelta(minutes=1) <= self.keep <= timedelta(days=36_525):
            raise ValueError("keep must be at least a minute and at most 100 years")
        # A process hears from a healthy store every half second, and notices after another that it does not.
        if not timedelta(seconds=2) <= self.max_staleness <= timedelta(hours=1):
            raise ValueError(
                "max_staleness must be at least 2 seconds, because a healthy store is heard every half second, and at "
                "most an hour"
            )
        if not timedelta(milliseconds=1) <= self.timeout <= timedelta(minutes=1):
            raise ValueError("timeout must be at least a millisecond and at most a minute")
        if self.timeout > self.max_staleness:
            raise ValueError("timeout must not be longer than max_staleness")
