"""What a process knows by itself of what was ended: a set of entries, and a horizon. No input or output.

A process follows the log of a store. Its horizon is the moment since when it knows every entry. Whatever ends a token
comes after the token was issued: if a token was issued after the horizon, what ended it is in the set, or nothing did.
An older token must be asked for, once; from then on it is as if it had been issued at the moment of the question.

Entries stand in two generations. After each `window` the older one is dropped, and the horizon moves to the start of
the other one. So the set holds what was ended within two windows, and not what was ended in the life of a token.

`margin` is added to the horizon. For that long, a process that has not yet heard of the end of a session may go on
renewing it, and its new token is younger than the end of its session.
"""

import math
import threading
import time
from collections.abc import Callable

from asgi_login.stores.entry import CutOff, Entry, Revocable

# A healthy store is heard every half second, and after another half a reader gives up; the rest is for a busy loop.
PROMPT = 1.5

_Marks = dict[str, float]
_CutOffs = dict[str, tuple[float, CutOff]]


class View:
    """What is known, and since when.

    Args:
        margin: Seconds after the horizon within which a token must still be asked for.
        window: Seconds after which a generation is dropped.
        max_staleness: Seconds for which the view counts while nothing is heard.
        monotonic: The clock of this process that is never set; it measures what is stale, and since when a token is
            known to be good. Times of tokens are compared with the store's clock only.
    """

    __slots__ = (
        "_asked_after",
        "_heard_at",
        "_issued_after",
        "_lock",
        "_margin",
        "_max_staleness",
        "_monotonic",
        "_prompt_until",
        "_sets",
        "_window",
        "_young_since",
    )

    def __init__(
        self,
        *,
        margin: float,
        window: float,
        max_staleness: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._margin = margin
        self._window = window
        self._max_staleness = max_staleness
        self._monotonic = monotonic
        # Of tokens, sessions and users: the young generation and the old one. They are replaced together.
        self._sets: tuple[_Marks, _Marks, _Marks, _Marks, _CutOffs, _CutOffs] = ({}, {}, {}, {}, {}, {})
        # The horizon, by the store's clock with the margin added, and by our own.
        self._issued_after = math.inf
        self._asked_after = math.inf
        self._young_since = math.inf, math.inf
        self._heard_at = -math.inf
        self._prompt_until = -math.inf
        # Several loops may follow; those who only look need no lock.
        self._lock = threading.Lock()

    def clears(self, token: Revocable) -> bool:
        """Tell whether this token certainly has not been ended, as far as a process that hears the store can know.

        False means that it was ended, or that it is not known: `ends` and `vouches` tell.
        """
        if self._monotonic() > self._prompt_until:
            return False
        young_tokens, old_tokens, young_sessions, old_sessions, young_users, old_users = self._sets
        claims, sub = token.claims, token.sub
        # As in `ends` and `vouches`, without a call: each request comes here.
        jti, sid = claims.get("jti"), claims.get("sid")
        if (
            (type(jti) is str and (jti in young_tokens or jti in old_tokens))
            or (type(sid) is str and (sid in young_sessions or sid in old_sessions))
            or ((sub in young_users or sub in old_users) and self.ends(token))
        ):
            return False
        heard_at, iat = self._heard_at, token.iat
        if token.good_since >= heard_at >= self._asked_after or (iat is not None and iat > self._issued_after):
            return True
        return self.vouches(token)

    def ends(self, token: Revocable) -> bool:
        """Tell whether this token is known to have been ended."""
        young_tokens, old_tokens, young_sessions, old_sessions, young_users, old_users = self._sets
        claims = token.claims
        # Claims of foreign tokens may be anything, also what cannot be looked up.
        jti = claims.get("jti")
        if type(jti) is str and (jti in young_tokens or jti in old_tokens):
            return True
        sid = claims.get("sid")
        if type(sid) is str and (sid in young_sessions or sid in old_sessions):
            return True
        found = young_users.get(token.sub) or old_users.get(token.sub)
        return found is not None and found[1].ends(token, self._margin)

    def vouches(self, token: Revocable) -> bool:
        """Tell whether the set would hold what ended this token: it is younger than the horizon, or was asked since.

        A token for which this is true, and which is not in the set, was good when the store was last heard.
        """
        good_since = token.good_since
        iat = token.iat
        if good_since < self._asked_after and (iat is None or iat <= self._issued_after):
            return False
        # So a token in use is not asked for again when the horizon moves on.
        if good_since < self._heard_at:
            token.good_since = self._heard_at
        return True

    def is_current(self) -> bool:
        """Tell whether the store was heard within `max_staleness`."""
        return self._monotonic() <= self._heard_at + self._max_staleness or self._prompt_until == math.inf

    def is_begun(self) -> bool:
        """Tell whether there is a horizon."""
        return self._asked_after < math.inf

    def cut_off_of(self, sub: str) -> CutOff | None:
        """Return the cut-off of a user, if it is recent."""
        *_, young, old = self._sets
        found = young.get(sub) or old.get(sub)
        return None if found is None else found[1]

    def apply(self, entry: Entry) -> None:
        """Take note of an entry. Whatever is already known may come again, in any order."""
        with self._lock:
            young_tokens, _, young_sessions, _, young_users, old_users = self._sets
            if entry.cut_off is None:
                marks = young_tokens if entry.kind == "t" else young_sessions
                marks[entry.value] = max(entry.until, marks.get(entry.value, 0.0))
                return
            known = young_users.get(entry.value) or old_users.get(entry.value)
            if known is None or known[1].order() <= entry.cut_off.order():
                young_users[entry.value] = entry.until, entry.cut_off

    def begin(self, *, now: float, sent: float, received: float) -> None:
        """Start a new horizon, because nothing is known of what happened before.

        What is in the set stays there: it was ended all the same.

        Args:
            now: The store's clock, at the moment from which everything will be heard.
            sent: Our clock before the store was asked for that moment.
            received: Our clock after it had answered.
        """
        with self._lock:
            self._issued_after = now + self._margin
            self._asked_after = received
            self._young_since = now, received
            self._note(sent)

    def heard(self, *, now: float, sent: float, received: float, complete: bool = True) -> None:
        """Note that the store was heard, and drop a generation when its time has come.

        Args:
            now: The store's clock, after everything that was applied so far had been written.
            sent: Our clock when the read was sent.
            received: Our clock after its answer.
            complete: Whether everything that was there when the read was sent has been applied.
        """
        with self._lock:
            if complete:
                self._note(sent)
            since, since_here = self._young_since
            if received - since_here < self._window:
                return
            young_tokens, _, young_sessions, _, young_users, _ = self._sets
            self._sets = {}, young_tokens, {}, young_sessions, {}, young_users
            self._issued_after = since + self._margin
            self._asked_after = since_here
            self._young_since = now, received

    def fall_silent(self) -> None:
        """Note that nobody listens any more, so that the next request makes somebody."""
        self._prompt_until = -math.inf

    def always_hear(self) -> None:
        """Count as current for ever: the store is in this process, and tells everything at once."""
        self._prompt_until = math.inf

    def _note(self, sent: float) -> None:
        self._heard_at = max(self._heard_at, sent)
        self._prompt_until = max(self._prompt_until, sent + PROMPT)

    def entries(self, now: float) -> list[Entry]:
        """Return everything in the set that has not expired."""
        with self._lock:
            young_tokens, old_tokens, young_sessions, old_sessions, young_users, old_users = self._sets
            found = [Entry("t", value, until) for value, until in {**old_tokens, **young_tokens}.items()]
            found += [Entry("s", value, until) for value, until in {**old_sessions, **young_sessions}.items()]
            users = {**old_users, **young_users}
            found += [Entry("u", sub, until, cut_off) for sub, (until, cut_off) in users.items()]
        return [entry for entry in found if entry.until > now]
