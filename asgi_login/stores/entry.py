"""What was ended: a token, a session, or every login of a user up to a moment; and how that is written down."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol, TypeAlias, cast

Kind: TypeAlias = Literal["t", "s", "u"]
_KINDS = frozenset({"t", "s", "u"})


class Revocable(Protocol):
    """A verified token, as far as its end is concerned.

    Attributes:
        sub: Its subject.
        iat: When it was issued, in seconds since the epoch.
        exp: When it expires.
        claims: All claims; `jti`, `sid`, `rev`, `mgr` and `auth_time` are looked at.
        good_since: 0.0 in a new token. It is written here: the latest time, of this process's monotonic clock, at which
            the token is known not to have been ended.
    """

    good_since: float

    @property
    def sub(self) -> str: ...  # noqa: D102 - described above
    @property
    def iat(self) -> float | None: ...  # noqa: D102
    @property
    def exp(self) -> float: ...  # noqa: D102
    @property
    def claims(self) -> Mapping[str, object]: ...  # noqa: D102


class CutOff(NamedTuple):
    """Ends every token of a user that was issued until a moment, and every session that began until then.

    Attributes:
        at: That moment, in whole seconds since the epoch, by the clock of the store. Leeway is included. If the user
            has a cut-off for this second or later, this one is one second after it, so that it also ends what came
            between.
        kept: The `sid` of the session that stays, or None.
        after: Where `kept` is set: only its tokens that were issued after this moment stay. It is the cut-off that was
            there before and kept another session; without it, a session that had been ended could keep itself.

    Of two cut-offs of a user, the one with the greater `(at, after)` is the later one.
    """

    at: int
    kept: str | None = None
    after: int = 0

    def succeeding(self, earlier: "CutOff | None", *, ahead: int) -> "CutOff":
        """Return this cut-off as it is written where `earlier` stands: after it, within `ahead` seconds from now.

        At that bound it stays where it is: nobody can be kept out for longer by being logged out again and again.
        """
        if earlier is None:
            return self
        after = earlier.after if earlier.kept == self.kept else earlier.at
        at = max(self.at, earlier.at, min(earlier.at + 1, self.at + ahead))
        return CutOff(at, self.kept, after if self.kept is not None else 0)

    def order(self) -> tuple[int, int]:
        """Return what decides which of two cut-offs is the later one."""
        # Nothing stays: as strict as one can be.
        return self.at, self.at if self.kept is None else self.after

    def ends(self, token: Revocable, slack: float) -> bool:
        """Tell whether this ends the token.

        Args:
            token: A verified token of this user.
            slack: How far `rev` may lie beyond `iat`.
        """
        if _is_later(token, self.at, slack):
            return False
        if self.kept is None or token.claims.get("sid") != self.kept:
            return True
        return self.after > 0 and not _is_later(token, self.after, slack)

    def __str__(self) -> str:
        after = f",{self.after}" if self.after else ""
        return f"{self.at}{after}:{self.kept or ''}"

    @classmethod
    def parse(cls, text: str) -> "CutOff":
        """Return the cut-off that `str` wrote.

        Raises:
            ValueError: It is something else.
        """
        moments, _, kept = text.partition(":")
        at, _, after = moments.partition(",")
        return cls(int(at), kept or None, int(after or 0))


def _is_later(token: Revocable, moment: int, slack: float) -> bool:
    """Tell whether the login of the token is later than a cut-off, or was made by a process that knew it."""
    iat = token.iat
    if iat is None:
        return False
    # Cut-offs are whole seconds: a time with fractions in a second that was cut off is not after it.
    if math.floor(min(iat, _logged_in_at(token, iat))) > moment:
        return True
    # Who issues a token in the second of a cut-off says so in `rev`. No honest one lies far beyond `iat`; the bound
    # keeps a foreign issuer's claim of the same name from outliving every cut-off.
    rev = token.claims.get("rev")
    return type(rev) is int and moment <= rev <= iat + slack


def _logged_in_at(token: Revocable, iat: float) -> float:
    """Return when the login began that a token belongs to.

    A session renews itself. A process that has not heard of the cut-off yet may do so, and `iat` of the new token is
    later than the cut-off; `auth_time` is not. In tokens of others it is a matter of their own sessions.
    """
    auth_time = token.claims.get("auth_time") if "mgr" in token.claims else None
    return auth_time if isinstance(auth_time, (int, float)) else iat


class Entry(NamedTuple):
    """One line of the log: something was ended.

    Attributes:
        kind: "t" for a token, "s" for a session, "u" for every login of a user until a cut-off.
        value: The token's `jti`, the session's `sid`, or the user's `sub`.
        until: When this may be forgotten, in seconds since the epoch: what it ends has expired by then.
        cut_off: For a user.
    """

    kind: Kind
    value: str
    until: float
    cut_off: CutOff | None = None

    def fields(self) -> dict[str, str]:
        """Return the entry as it stands in the log: k, v, x, and for a user c."""
        fields = {"k": self.kind, "v": self.value, "x": str(math.ceil(self.until))}
        return fields if self.cut_off is None else {**fields, "c": str(self.cut_off)}

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> "Entry | None":
        """Return the entry that `fields` wrote, or None for a kind that a later release writes.

        Raises:
            ValueError: A field is missing or malformed.
        """
        kind = fields.get("k")
        if kind not in _KINDS:
            return None
        try:
            cut_off = CutOff.parse(fields["c"]) if kind == "u" else None
            return cls(cast("Kind", kind), fields["v"], float(fields["x"]), cut_off)
        except KeyError as missing:
            raise ValueError(f"an entry of the log lacks its field {missing}") from None
