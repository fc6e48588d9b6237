"""What a manager holds of its store: decides whether a token was ended, and ends tokens, sessions and users."""

import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from asgi_login.errors import InvalidToken, ServiceUnavailable
from asgi_login.stores.devices import Device
from asgi_login.stores.entry import CutOff, Entry, Kind, Revocable
from asgi_login.stores.families import Rotation, Use
from asgi_login.stores.protocol import LocalChannel, Store, UnsafeStore
from asgi_login.stores.revocation.view import View

if TYPE_CHECKING:
    from asgi_login.stores.revocation.breaker import CircuitBreaker
    from asgi_login.stores.revocation.follower import Follower

log: logging.Logger = logging.getLogger("asgi_login")

T = TypeVar("T")

_WARN_EVERY = 60.0


class Revocation:
    """Knows what was ended under the name of one manager.

    Args:
        store: The store.
        name: The manager's name.
        leeway: Seconds by which the clocks of processes may differ.
        lives: Seconds that an ordinary token lives: the longer of `default_expiry` and `Sessions.idle`. What was ended
            within them is kept here, so that ordinary tokens are hardly ever asked for.
        clock: The time of day.
        monotonic: The clock that is never set.
        on_down: Called when the store cannot be reached any more.

    Attributes:
        clears: Tells in less than half a microsecond whether a token certainly has not been ended; where it says False,
            `judge` knows.
        ends: Tells whether a token is known here to have been ended. It never asks.
    """

    __slots__ = (
        "__weakref__",
        "_breaker",
        "_channel",
        "_follower",
        "_keep",
        "_leeway",
        "_listeners",
        "_lock",
        "_monotonic",
        "_now",
        "_options",
        "_view",
        "_warn_at",
        "clears",
        "ends",
    )

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        leeway: float,
        lives: float,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        on_down: Callable[[], object] = lambda: None,
    ) -> None:
        self._options = store.options
        self._keep = store.options.keep.total_seconds() + leeway
        self._leeway = leeway
        self._now = clock
        self._monotonic = monotonic
        staleness = self._options.max_staleness.total_seconds()
        margin = staleness + leeway + 1
        self._view = View(margin=margin, window=lives + margin, max_staleness=staleness, monotonic=monotonic)
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[Entry | None], None], ...] = ()
        self._warn_at = 0.0
        # Without a function of our own around them: they are what each request pays.
        self.clears: Callable[[Revocable], bool] = self._view.clears
        self.ends: Callable[[Revocable], bool] = self._view.ends
        self._breaker: CircuitBreaker | None = None
        self._follower: Follower | None = None
        self._channel = channel = store.open(name, leeway=leeway, clock=clock)
        if isinstance(channel, LocalChannel):
            self._attach(channel)
        else:
            # Here, because they need asyncio, whose import takes as long as half of the package.
            from asgi_login.stores.revocation import breaker, follower  # noqa: PLC0415

            self._breaker = breaker.CircuitBreaker(self._options.timeout.total_seconds(), monotonic, on_down)
            self._follower = follower.Follower(
                channel, self._view, self._breaker, clock=clock, monotonic=monotonic, tell=self._tell
            )

    def _attach(self, channel: LocalChannel) -> None:
        channel.attach(self._hear)
        here = self._monotonic()
        self._view.begin(now=self._now(), sent=here, received=here)
        self._view.always_hear()

    async def judge(self, token: Revocable) -> None:
        """Decide about a token that `clears` did not clear, by one question to the store where that is necessary.

        Raises:
            InvalidToken: It was ended.
            ServiceUnavailable: It must be asked for, and the store does not answer.
        """
        self.follow()
        view = self._view
        if view.ends(token):
            raise InvalidToken("the token, its session or its user's logins were ended", reason_code="ended")
        if view.is_current() and view.vouches(token):
            return
        try:
            await self._ask(token)
        except ServiceUnavailable as refusal:
            if not self.overlooks(refusal):
                raise

    def overlooks(self, refusal: ServiceUnavailable) -> bool:
        """Tell whether a token is accepted that the store had to be asked about, and that it did not answer."""
        if isinstance(refusal, UnsafeStore) or not self._options.insecure_fail_open:
            return False
        # Fails open, because the application says that it would rather let ended tokens in than nobody.
        now = self._monotonic()
        if now >= self._warn_at:
            self._warn_at = now + _WARN_EVERY
            log.warning("tokens are accepted that may have been ended (insecure_fail_open): %s", refusal.reason)
        return True

    async def _ask(self, token: Revocable) -> None:
        jti, sid, sub = _text(token.claims.get("jti")), _text(token.claims.get("sid")), token.sub
        asked = self._monotonic()
        answer = await self._call(lambda: self._channel.ask(jti, sid, sub))
        if answer.cut_off is not None:
            self._view.apply(Entry("u", sub, self._now() + self._keep, answer.cut_off))
        if answer.ended is not None and (value := jti if answer.ended == "t" else sid) is not None:
            # Kept, so that sending an ended token again and again does not ask the store again and again.
            self._view.apply(Entry(answer.ended, value, token.exp + self._leeway))
        if self._view.ends(token):
            raise InvalidToken(
                "the store says that the token, its session or its user's logins were ended", reason_code="ended"
            )
        token.good_since = max(token.good_since, asked)

    async def end_token(self, jti: str, until: float) -> None:
        """End one token, which expires at `until`.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
        """
        await self._end("t", jti, until)

    async def end_session(self, sid: str, until: float) -> None:
        """End a session and every token that belongs to it, of which none lives longer than `until`.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
        """
        await self._end("s", sid, until)

    async def _end(self, kind: Kind, value: str, until: float) -> None:
        until += self._leeway
        await self._call(lambda: self._channel.end(kind, value, until))
        self._hear_own(Entry(kind, value, until))

    async def end_user(self, sub: str, *, keep: str | None) -> None:
        """End every login and token of a user that was issued until now, but for the session `keep`.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
        """
        cut_off = await self._call(lambda: self._channel.cut_off(sub, keep=keep))
        self._hear_own(Entry("u", sub, self._now() + self._keep, cut_off))

    def known_cut_off(self, sub: str) -> int | None:
        """Return the recent cut-off of a user that is known here, or None.

        A token that is issued now carries it as `rev`, so that a login in the second of a cut-off is not ended by it.
        """
        found = self._view.cut_off_of(sub)
        return None if found is None else self._rev(found)

    def _rev(self, cut_off: CutOff) -> int:
        # At its bound the next cut-off would not be later than this one, and end nothing that names it.
        is_bound = cut_off.at >= math.floor(self._now()) + math.ceil(self._leeway) + self._options.cut_off_ahead
        return cut_off.at - 1 if is_bound else cut_off.at

    async def remember_device(self, sub: str, device: Device) -> None:
        """Write a device of a user, in place of the one with the same session.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
        """
        await self._call(lambda: self._channel.remember_device(sub, device))

    async def devices(self, sub: str) -> tuple[Device, ...]:
        """Return the devices on which a user is logged in; the one last seen comes first.

        Raises:
            ServiceUnavailable: The store does not answer.
        """
        return await self._call(lambda: self._channel.devices(sub))

    async def start_family(self, sid: str, sub: str, *, idle: float, lifetime: float) -> int | None:
        """Begin the family of a login that happens now; it ends when it is idle for too long, and after its lifetime.

        Returns:
            `rev` for the tokens of the login, or None.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
        """
        cut_off = await self._call(lambda: self._channel.start_family(sid, sub, idle=idle, lifetime=lifetime))
        return None if cut_off is None else self._rev(cut_off)

    async def rotate(self, use: Use) -> Rotation:
        """Use a token up. If it was used up before, its session is ended, and every process hears of it.

        Raises:
            ServiceUnavailable: The store did not say what came of it. It may have been done: then the same use within
                the window has the outcome "again".
        """
        rotation = await self._call(lambda: self._channel.rotate(use))
        if rotation.outcome == "reused" and use.ends:
            self._hear_own(Entry("s", use.sid, self._now() + self._keep))
        return rotation

    async def end_family(self, sid: str) -> None:
        """End a family, whose tokens are of no use from then on. Other tokens of the session go on.

        Raises:
            ServiceUnavailable: The store did not say that it was written.
        """
        await self._call(lambda: self._channel.end_family(sid))

    def follow(self) -> None:
        """Follow the store on the running event loop, if nothing does so yet."""
        if self._follower is not None:
            self._follower.start()

    def subscribe(self, callback: Callable[[Entry | None], None]) -> None:
        """Call `callback` with each entry that is heard, also more than once.

        It is called with None when entries may have been missed; then each token must be judged again. It must be
        quick, and may be called on any thread that runs an event loop of this application.
        """
        with self._lock:
            self._listeners = (*self._listeners, callback)

    def unsubscribe(self, callback: Callable[[Entry | None], None]) -> None:
        """Do not call `callback` any more."""
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one != callback)

    async def _call(self, question: Callable[[], Awaitable[T]]) -> T:
        if self._breaker is None:
            return await question()
        self.follow()
        return await self._breaker.call(question)

    def _hear_own(self, entry: Entry) -> None:
        """Take note of what was ended here, before it comes back from the store."""
        if self._breaker is not None:
            self._view.apply(entry)
            self._tell(entry)

    def _hear(self, entry: Entry) -> None:
        self._view.apply(entry)
        here = self._monotonic()
        self._view.heard(now=self._now(), sent=here, received=here)
        self._tell(entry)

    def _tell(self, entry: Entry | None) -> None:
        for listener in self._listeners:
            try:
                listener(entry)
            except Exception:
                log.exception("a function that was subscribed to what is ended failed")


def _text(claim: object) -> str | None:
    return claim if type(claim) is str else None
