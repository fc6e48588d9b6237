"""What a store does. Whoever writes one for another database follows this."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from asgi_login.errors import ServiceUnavailable
from asgi_login.stores.devices import Device
from asgi_login.stores.entry import CutOff, Entry, Kind
from asgi_login.stores.families import Rotation, Use
from asgi_login.stores.options import StoreOptions


class UnsafeStore(ServiceUnavailable):
    """The store may forget what was ended, so that it must not be relied on until its own settings are mended."""


class Answer(NamedTuple):
    """What a store knows about one token.

    Attributes:
        ended: The kind of the mark on its `jti` ("t") or `sid` ("s"), or None.
        cut_off: The cut-off of its user, or None.
    """

    ended: Kind | None
    cut_off: CutOff | None


class Beginning(NamedTuple):
    """Where a process begins to follow the log.

    Attributes:
        position: The end of the log, or somewhat before.
        now: The store's clock, in seconds since the epoch, read at the same moment.
        epoch: A random text that lives as long as the store's data. If it changes, the data was lost.
        writer: A text that changes when other hands take over the writing, which may not have the last entries: after a
            failover, or a restart.
    """

    position: str
    now: float
    epoch: str
    writer: str


class Batch(NamedTuple):
    """What was read from the log.

    Attributes:
        entries: In the order in which they were written. Of kinds that this release does not know, nothing is here.
        position: Where to go on reading.
        complete: Whether these are all entries that were there when the read was sent.
        now, epoch, writer: As in a Beginning, read after the entries.
    """

    entries: Sequence[Entry]
    position: str
    complete: bool
    now: float
    epoch: str
    writer: str


class Channel(Protocol):
    """A store, bound to the name of one manager. Managers with other names see nothing of it.

    Every method that cannot reach the store raises OSError (which ConnectionError and TimeoutError are). If the store
    was reached and cannot do it, because it is full or a replica or not safe to use, the method raises
    ServiceUnavailable. Then nothing may have been done, or all of it. Methods do not retry, except once after a
    connection turned out to be closed, and need no timeout: they are cancelled if they take too long.
    """

    async def end(self, kind: Kind, value: str, until: float) -> None:
        """Mark a token ("t") or a session ("s") as ended until a time, in seconds since the epoch.

        In one atomic step, the mark is written, an Entry is added to the log, and the family of a session is forgotten.
        A mark that is already there never becomes shorter. When this returns, every `ask` that begins later finds the
        mark.
        """
        ...

    async def cut_off(self, sub: str, *, keep: str | None) -> CutOff:
        """End every login of a user until now, but for the session `keep`, and return the cut-off.

        In one atomic step, the store reads its own clock, writes `CutOff(floor(now) + leeway, keep)`, made to succeed
        the one that is there with `ahead=options.cut_off_ahead`, keeps it for `options.keep`, adds an Entry to the log,
        and forgets the user's devices but for the kept one.
        """
        ...

    async def ask(self, jti: str | None, sid: str | None, sub: str) -> Answer:
        """Return what is known of a token with these claims, in one round trip."""
        ...

    async def remember_device(self, sub: str, device: Device) -> None:
        """Write a device of a user, in place of one with the same session. At most MOST_DEVICES are kept."""
        ...

    async def devices(self, sub: str) -> tuple[Device, ...]:
        """Return the devices of a user whose sessions have neither expired nor been ended: see `still_logged_in`."""
        ...

    async def start_family(self, sid: str, sub: str, *, idle: float, lifetime: float) -> CutOff | None:
        """Begin the family of a login that happens now, and return the cut-off of its user, if there is one.

        In one atomic step, the store reads its own clock and the cut-off, and writes `Family.begin`. The same `sid`
        again begins anew. A family is forgotten when it was not used for `idle` seconds, and after `lifetime` seconds.
        """
        ...

    async def rotate(self, use: Use) -> Rotation:
        """Use a token up, and return what comes of it.

        In one atomic step, the store reads its own clock, the family, the mark of the session and the cut-off of the
        user, does what `use_up` says and writes what it returns. If the outcome is "reused", the session is marked as
        ended for `options.keep`, and an Entry is added to the log. Raise UnsafeStore where `ask` would.
        """
        ...

    async def end_family(self, sid: str) -> None:
        """Forget a family, so that no token of it is good any more. Other tokens of the session go on."""
        ...


class FollowedChannel(Channel, Protocol):
    """A channel of a store that several processes share: each follows its log."""

    async def begin(self) -> Beginning:
        """Return where the log ends, with the store's clock of that moment.

        Check that the store is safe to use: UnsafeStore if it may forget what was written. `ask` raises it too, also
        before the first `begin`.
        """
        ...

    async def read(self, position: str, *, wait: bool) -> Batch:
        """Return what was written after a position.

        If there is nothing, wait up to half a second for the first entry, or not at all without `wait`. Whatever was
        written in the last half hour must still be there.
        """
        ...

    async def offer(self, entries: Sequence[Entry]) -> None:
        """Write what is not there any more, after the store has lost it.

        For each entry, in one atomic step: if its mark is missing, or its cut-off missing or earlier, it is written and
        added to the log.
        """
        ...

    async def close(self) -> None:
        """Close what belongs to the running event loop. The channel may be used again afterwards."""
        ...


@runtime_checkable
class LocalChannel(Channel, Protocol):
    """A channel of a store in this process: there is nothing to follow, because it tells what happens at once."""

    def attach(self, listener: Callable[[Entry], None]) -> None:
        """Call `listener` with each entry, before the call that writes it returns.

        It is a bound method, and is held weakly.
        """
        ...


class Store(Protocol):
    """Remembers for all processes what was ended."""

    @property
    def options(self) -> StoreOptions:
        """The settings of the store."""
        ...

    def open(self, name: str, *, leeway: float, clock: Callable[[], float]) -> FollowedChannel | LocalChannel:
        """Return the channel of the manager with this name, without input or output.

        Args:
            name: The manager's name.
            leeway: The manager's leeway, in seconds; it is added to cut-offs.
            clock: The manager's clock, for a store that has none of its own.
        """
        ...
