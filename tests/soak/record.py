"""What was ended, when the store was away, and what contradicts the promise: an ended login is refused everywhere."""

import math
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

# So soon the other process refuses, if nothing is wrong with the store.
PROMPT = 1.0
# So soon a process is back after the store, where a question may take no time at all: it tries once a second.
BACK = 1.75


@dataclass(frozen=True)
class End:
    """Somebody was told that a login or a token has ended.

    Attributes:
        at: When the answer came.
        process: The number of the process that gave it.
        how: What was asked for.
    """

    at: float
    process: int
    how: str


@dataclass
class Fault:
    """A time in which some processes cannot reach the store; it ends when they can again."""

    what: str
    processes: tuple[int, ...]
    began: float
    ended: float = math.inf

    def touches(self, process, since, until, *, back):
        return process in self.processes and since <= self.ended + back and until >= self.began


@dataclass
class Record:
    """Everything that the people of one run have seen.

    Args:
        max_staleness: Seconds for which a process that cannot hear the store may go on by what it knows.
        timeout: Seconds that a question to the store may take. One that is lost in the last moment of a fault is
            noticed so much later.
    """

    max_staleness: float
    timeout: float
    ends: dict[str, End] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    latest: float = 0.0
    told: set[tuple[int, str]] = field(default_factory=set)

    @property
    def back(self):
        """Seconds after a fault in which a process may still blame the store."""
        return BACK + self.timeout

    def is_away(self, process, since, until):
        """Tell whether a process may have had trouble with the store at some moment of a time."""
        return any(fault.touches(process, since, until, back=self.back) for fault in self.faults)

    def answered(self, answer):
        """Check an answer by itself: whom it is for, and whether it may be a 503."""
        self.statuses[answer.status] += 1
        if answer.status == 503:
            if not self.is_away(answer.process, answer.sent, answer.received):
                self.violate(answer, "a 503 though the store was there")
        elif answer.status not in {200, 401}:
            self.violate(answer, f"the status {answer.status}")
        if answer.user is None:
            return
        for key in (answer.sid, answer.jti):
            end = self.ends.get(key)
            problem = None if end is None else self._problem(answer, end)
            # One sentence for each, however often it was shown.
            if problem is not None and (answer.process, key) not in self.told:
                self.told.add((answer.process, key))
                self.violate(answer, f"accepted {answer.at - end.at:.3f} s after its {end.how}, {problem}")

    def _problem(self, answer, end):
        """Return what is wrong with an answer that was given to somebody who had been ended, or None."""
        late = answer.at - end.at
        self.latest = max(self.latest, late)
        if answer.process == end.process:
            return "by the same process" if answer.sent > end.at else None
        if late > self.max_staleness:
            return "beyond max_staleness"
        if late > PROMPT and not self.is_away(answer.process, end.at, answer.at):
            return "though the store was there"
        return None

    def refused(self, answer, end):
        """Note the first refusal by the other process, if nothing was wrong with the store."""
        if not self.is_away(answer.process, end.at, answer.received):
            self.took.append(answer.received - end.at)

    def violate(self, answer, sentence):
        self.violations.append(
            f"process {answer.process}, {answer.path} for {answer.sid or answer.user or 'nobody'}: {sentence}"
        )


def began(record, what, processes):
    """Note that a fault begins now."""
    record.faults.append(Fault(what, processes, time.monotonic()))
    return record.faults[-1]


def percentile(values, percent):
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else math.nan
