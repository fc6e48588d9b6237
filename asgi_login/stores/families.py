"""Families: a login whose token is replaced at each use. A store knows its generation, and none of its tokens.

A token says which generation it is of. The first use of the newest one makes the next, and whoever shows an older one
has a copy: the user's, or a thief's (RFC 9700 §4.14.2). Nobody can tell which, so that the whole login ends.

A client that has lost an answer, or that used the token twice at once, shows the generation before the newest. Within a
short window it is given another token of the newest one. That makes no branch, because the next use of either token
makes the other one old.

`use_up` is what a store does in one atomic step. A store that decides elsewhere, as Redis does in a script, comes to
the same result.
"""

import math
from typing import Literal, NamedTuple, TypeAlias

from asgi_login.stores.entry import CutOff

Outcome: TypeAlias = Literal["won", "again", "ahead", "reused", "gone"]


class Use(NamedTuple):
    """A verified token that is shown to be replaced.

    Attributes:
        sid: The session that it belongs to.
        sub: Its user.
        generation: The one that it says it is of. 0 is a token that was issued before there were generations: its first
            use starts the family.
        idle: Seconds that the family lives without another use.
        window: Seconds within which a token may be used again.
        until: The family lives at least until then, if it is used: in seconds since the epoch, or 0.
        born: For generation 0, when the login began, in whole seconds since the epoch.
        advances: False only asks what would come of it. An old token ends the login all the same.
        ends: Whether an old token ends the login. False where it was the newest a moment ago.
    """

    sid: str
    sub: str
    generation: int
    idle: float
    window: float
    until: float = 0
    born: int = 0
    advances: bool = True
    ends: bool = True


class Rotation(NamedTuple):
    """What comes of a use.

    Attributes:
        outcome: "won": it was of the newest generation, and the next one begins. "again": that has happened within the
            window. "ahead": it is newer than what the store knows, which has lost something. "reused": it is an old
            one, and the login is ended. "gone": there is no such family any more.
        left: Seconds that the family may live at most, if the use was good.
    """

    outcome: Outcome
    left: float = 0


class Family(NamedTuple):
    """What a store keeps of a family. Times are in milliseconds of the store's clock, but for `born`.

    Attributes:
        generation: The newest.
        at: When it began.
        end: When the family ends, however often it is used.
        born: When the login began, in whole seconds: later than any cut-off of its user that was there before.
        until: When the family is forgotten unless it is used.
    """

    generation: int
    at: int
    end: int
    born: int
    until: int

    @classmethod
    def begin(cls, cut_off: CutOff | None, *, idle: float, lifetime: float, now: int) -> "Family":
        """Return a new family; it is of a login that has happened now."""
        second = now // 1000
        # Cut-offs are whole seconds, and lie ahead by the leeway. A login after one of them is not ended by it.
        born = second if cut_off is None else max(second, cut_off.at + 1)
        return cls(1, now, now + milliseconds(lifetime), born, now + milliseconds(min(idle, lifetime)))

    def is_ended_by(self, cut_off: CutOff, sid: str) -> bool:
        """Tell whether a cut-off of its user ends the family."""
        return self.born <= (cut_off.after if cut_off.kept == sid else cut_off.at)


def use_up(
    family: Family | None, use: Use, cut_off: CutOff | None, *, is_marked: bool, now: int
) -> tuple[Rotation, Family | None]:
    """Return what comes of a use, and what is kept of the family: None if nothing.

    Args:
        family: What the store keeps, or None.
        use: The token that is shown.
        cut_off: That of its user, or None.
        is_marked: Whether the session has been ended.
        now: Of the store's clock, in milliseconds.
    """
    until = milliseconds(use.until)
    if family is not None and family.until <= now:
        family = None
    if family is None and use.generation == 0:
        family = Family(0, now, until, use.born, until)
    if family is None:
        return Rotation("gone"), None
    end = max(family.end, until)
    if now >= end or is_marked or (cut_off is not None and family.is_ended_by(cut_off, use.sid)):
        return Rotation("gone"), None
    outcome = _outcome(family, use, now)
    if outcome == "reused":
        return Rotation("reused"), None if use.ends else family
    if outcome != "again" and use.advances:
        lives_until = min(now + milliseconds(use.idle), end)
        family = Family(use.generation + 1, now, end, family.born, lives_until)
    return Rotation(outcome, (end - now) / 1000), family if family.generation else None


def _outcome(family: Family, use: Use, now: int) -> Outcome:
    if use.generation == family.generation:
        return "won"
    if use.generation > family.generation:
        # The signature proves that it was issued. The store has lost it, in a failover.
        return "ahead"
    # abs(): the clock of the store may have been set back a little, or a replica's is behind.
    if use.generation == family.generation - 1 and abs(now - family.at) < milliseconds(use.window):
        return "again"
    return "reused"


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds, in which stores count the life of a family."""
    return math.ceil(seconds * 1000)
