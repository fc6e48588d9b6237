"""A store in the memory of this process: for one process, for examples, and for tests."""

import logging
import math
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta

from asgi_login.stores.devices import MOST_DEVICES, Device, standing
from asgi_login.stores.entry import CutOff, Entry, Kind
from asgi_login.stores.families import Family, Rotation, Use, use_up
from asgi_login.stores.options import StoreOptions
from asgi_login.stores.protocol import Answer, LocalChannel

log: logging.Logger = logging.getLogger("asgi_login")

# Below this, looking for what has expired is not worth it.
_FEW = 1_000


class MemoryStore:
    """Remembers what was ended in this process only, until the process ends.

    Args:
        keep: How long a cut-off of a user is remembered. No login and no token may live longer.
        max_staleness: As for every store; this one is never stale.
        timeout: As for every store; this one answers at once.
        insecure_fail_open: As for every store; this one always answers.

    Works on asyncio and on trio. Managers of the same name that get the same store share what was ended.
    """

    __slots__ = ("_rooms", "options")

    def __init__(
        self,
        *,
        keep: timedelta = timedelta(days=31),
        max_staleness: timedelta = timedelta(seconds=10),
        timeout: timedelta = timedelta(milliseconds=250),
        insecure_fail_open: bool = False,
    ) -> None:
        self.options: StoreOptions = StoreOptions(
            keep=keep, max_staleness=max_staleness, timeout=timeout, insecure_fail_open=insecure_fail_open
        )
        self._rooms: dict[str, _Room] = {}
        log.warning(
            "MemoryStore remembers what was ended in this process only, and forgets it when the process ends: with "
            "several processes, or to survive a restart, use asgi_login.redis.RedisStore"
        )

    def open(self, name: str, *, leeway: float, clock: Callable[[], float]) -> LocalChannel:
        """Return the channel of the manager with this name."""
        return _MemoryChannel(self._rooms.setdefault(name, _Room()), self.options, leeway, clock)


class _Room:
    """What is remembered under one name."""

    __slots__ = ("cut_offs", "devices", "families", "listeners", "lock", "marks", "sweep_at")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.marks: dict[tuple[Kind, str], float] = {}
        self.cut_offs: dict[str, tuple[float, CutOff]] = {}
        self.devices: dict[str, dict[str, Device]] = {}
        self.families: dict[str, Family] = {}
        self.listeners: list[weakref.WeakMethod[Callable[[Entry], None]]] = []
        self.sweep_at = _FEW

    def sweep(self, now: float) -> None:
        """Forget what has expired, once twice as much is there as after the last time."""
        if self._size() < self.sweep_at:
            return
        self.marks = {mark: until for mark, until in self.marks.items() if until > now}
        self.cut_offs = {sub: kept for sub, kept in self.cut_offs.items() if kept[0] > now}
        living = {
            sub: {sid: one for sid, one in devices.items() if one.expires_at > now}
            for sub, devices in self.devices.items()
        }
        self.devices = {sub: devices for sub, devices in living.items() if devices}
        self.families = {sid: family for sid, family in self.families.items() if family.until > now * 1000}
        self.sweep_at = max(_FEW, 2 * self._size())

    def _size(self) -> int:
        return len(self.marks) + len(self.cut_offs) + len(self.devices) + len(self.families)

    def tell(self, entry: Entry) -> None:
        """Call the listeners, and forget those that are gone."""
        with self.lock:
            self.listeners = [reference for reference in self.listeners if reference() is not None]
            listeners = [reference() for reference in self.listeners]
        for listener in listeners:
            if listener is not None:
                listener(entry)


class _MemoryChannel:
    __slots__ = ("_ahead", "_clock", "_keep", "_leeway", "_room")

    def __init__(self, room: _Room, options: StoreOptions, leeway: float, clock: Callable[[], float]) -> None:
        self._room = room
        self._ahead = options.cut_off_ahead
        self._keep = options.keep.total_seconds()
        self._leeway = math.ceil(leeway)
        self._clock = clock

    def attach(self, listener: Callable[[Entry], None]) -> None:
        with self._room.lock:
            self._room.listeners.append(weakref.WeakMethod(listener))

    async def end(self, kind: Kind, value: str, until: float) -> None:
        room = self._room
        with room.lock:
            room.sweep(self._clock())
            room.marks[kind, value] = max(until, room.marks.get((kind, value), 0.0))
            if kind == "s":
                room.families.pop(value, None)
        room.tell(Entry(kind, value, until))

    async def cut_off(self, sub: str, *, keep: str | None) -> CutOff:
        room, now = self._room, self._clock()
        with room.lock:
            room.sweep(now)
            cut_off = CutOff(math.floor(now) + self._leeway, keep)
            cut_off = cut_off.succeeding(self._cut_off(sub), ahead=self._ahead)
            room.cut_offs[sub] = now + self._keep + self._leeway, cut_off
            stays = {sid: device for sid, device in room.devices.pop(sub, {}).items() if sid == keep}
            if stays:
                room.devices[sub] = stays
        room.tell(Entry("u", sub, now + self._keep + self._leeway, cut_off))
        return cut_off

    async def ask(self, jti: str | None, sid: str | None, sub: str) -> Answer:
        if jti is not None and self._is_marked("t", jti):
            return Answer("t", None)
        if sid is not None and self._is_marked("s", sid):
            return Answer("s", None)
        return Answer(None, self._cut_off(sub))

    async def remember_device(self, sub: str, device: Device) -> None:
        room = self._room
        with room.lock:
            room.sweep(self._clock())
            devices = room.devices.setdefault(sub, {})
            devices[device.session_id] = device
            if len(devices) > MOST_DEVICES:
                del devices[min(devices.values(), key=lambda one: one.seen_at).session_id]

    async def devices(self, sub: str) -> tuple[Device, ...]:
        found = tuple(self._room.devices.get(sub, {}).values())
        left = [device for device in found if not self._is_marked("s", device.session_id)]
        return standing(left, self._cut_off(sub), leeway=self._leeway, now=self._clock())

    async def start_family(self, sid: str, sub: str, *, idle: float, lifetime: float) -> CutOff | None:
        room, now = self._room, self._clock()
        with room.lock:
            room.sweep(now)
            cut_off = self._cut_off(sub)
            room.families[sid] = Family.begin(cut_off, idle=idle, lifetime=lifetime, now=math.floor(now * 1000))
        return cut_off

    async def rotate(self, use: Use) -> Rotation:
        room, now, sid = self._room, self._clock(), use.sid
        until = now + self._keep + self._leeway
        with room.lock:
            room.sweep(now)
            rotation, family = use_up(
                room.families.pop(sid, None),
                use,
                self._cut_off(use.sub),
                is_marked=self._is_marked("s", sid),
                now=math.floor(now * 1000),
            )
            if family is not None:
                room.families[sid] = family
            if rotation.outcome == "reused":
                room.marks["s", sid] = until
        if rotation.outcome == "reused":
            room.tell(Entry("s", sid, until))
        return rotation

    async def end_family(self, sid: str) -> None:
        with self._room.lock:
            self._room.families.pop(sid, None)

    def _is_marked(self, kind: Kind, value: str) -> bool:
        return self._room.marks.get((kind, value), 0.0) > self._clock()

    def _cut_off(self, sub: str) -> CutOff | None:
        until, cut_off = self._room.cut_offs.get(sub, (0.0, None))
        return cut_off if until > self._clock() else None
