"""One manager's keys in a store, and what is done with them."""

import logging
import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from asgi_login.errors import ServiceUnavailable
from asgi_login.redis.connections import BLOCK_MS, Connections
from asgi_login.redis.scripts import (
    BEGIN,
    CUT_OFF,
    DEVICES,
    END,
    OFFER,
    REMEMBER_DEVICE,
    ROTATE,
    START_FAMILY,
    STATE,
)
from asgi_login.stores import (
    MOST_DEVICES,
    Answer,
    Batch,
    Beginning,
    CutOff,
    Device,
    Entry,
    Kind,
    Outcome,
    Rotation,
    StoreOptions,
    UnsafeStore,
    Use,
    milliseconds,
    still_logged_in,
)

log: logging.Logger = logging.getLogger("asgi_login")

# A read brings so many entries at most.
_BATCH = 1_000


class RedisChannel:
    """The keys of one manager."""

    def __init__(
        self, connections: Connections, options: StoreOptions, *, keys: str, leeway: int, allow_eviction: bool
    ) -> None:
        self._connections = connections
        self._allow_eviction = allow_eviction
        self._ahead = options.cut_off_ahead
        self._keep = math.ceil(options.keep.total_seconds() + leeway)
        self._keys = keys
        self._log = f"{keys}log"
        self._leeway = leeway
        self._unsafe: str | None = "the store was not looked at yet"
        self._is_looked_at = False

    async def end(self, kind: Kind, value: str, until: float) -> None:
        """Write a mark and a line of the log, and wait for the replicas."""
        entry = Entry(kind, value, until)
        keys = self._log, self._mark(entry), *([self._family(value)] if kind == "s" else ())
        await self._connections.write(*_script(END, keys, entry.fields().values()))

    async def cut_off(self, sub: str, *, keep: str | None) -> CutOff:
        """Write a cut-off by the clock of the store, and a line of the log."""
        keys = self._log, f"{self._keys}u:{sub}", f"{self._keys}d:{sub}"
        facts = sub, keep or "", self._leeway, self._keep, self._ahead
        written = await self._connections.write(*_script(CUT_OFF, keys, facts))
        return CutOff.parse(_text(written))

    async def ask(self, jti: str | None, sid: str | None, sub: str) -> Answer:
        """Return both marks and the cut-off, in one command."""
        await self._check_safe()
        marks: dict[str, Kind] = {}
        if jti is not None:
            marks[f"{self._keys}t:{jti}"] = "t"
        if sid is not None:
            marks[f"{self._keys}s:{sid}"] = "s"
        *found, cut_off = await self._connections.do("MGET", *marks, f"{self._keys}u:{sub}")
        ended: Kind | None = None
        for kind, mark in zip(marks.values(), found, strict=True):
            ended = kind if mark is not None else ended
        return Answer(ended, None if cut_off is None else _cut_off(cut_off))

    async def begin(self) -> Beginning:
        """Return the end of the log, after looking whether the store is safe to use."""
        keys = self._log, f"{self._keys}epoch"
        found = await self._connections.do(*_script(BEGIN, keys, (secrets.token_hex(16),)))
        now, epoch, role, writer, last, limit, policy, version = map(_text, found)
        await self._refuse_replica(role)
        self._unsafe = self._danger(version, limit, policy)
        self._is_looked_at = True
        if self._unsafe is not None:
            raise UnsafeStore(self._unsafe)
        # A little before the end: who logs in here in the second of a cut-off must know of it.
        earlier = int(now) - 1000 * (self._leeway + self._ahead + 1)
        position = last if int(last.partition("-")[0]) <= earlier else f"{earlier}-0"
        return Beginning(position, int(now) / 1000, epoch, writer)

    async def _check_safe(self) -> None:
        if not self._is_looked_at:
            await self.begin()
        if self._unsafe is not None:
            raise UnsafeStore(self._unsafe)

    def _danger(self, version: str, limit: str, policy: str) -> str | None:
        if not (version.isdecimal() and limit.isdecimal()):
            return "it does not say in INFO which version of Redis it speaks and how much memory it may use"
        if int(version) < 7:  # noqa: PLR2004
            return f"this server speaks Redis {version}: Redis or Valkey 7 or later is needed"
        if int(limit) and policy != "noeviction" and not self._allow_eviction:
            return (
                f"it may forget what was ended when its memory is full (maxmemory-policy {policy}), so that every "
                "credential is refused: set maxmemory-policy to noeviction, use a server without a limit, or say "
                "insecure_allow_eviction=True"
            )
        return None

    async def _refuse_replica(self, role: str) -> None:
        if role != "master":
            # It may have lost its master, and hear of nothing any more.
            await self._connections.leave()
            raise ServiceUnavailable("this server is a replica: connect to the one that writes")

    async def read(self, position: str, *, wait: bool) -> Batch:
        """Return what was written after a position."""
        block = ("BLOCK", BLOCK_MS) if wait else ()
        read = "XREAD", "COUNT", _BATCH, *block, "STREAMS", self._log, position
        found, state = await self._connections.read(read, _script(STATE, (self._log, f"{self._keys}epoch"), ()))
        lines = _lines(found)
        entries = [entry for _, fields in lines if (entry := _entry(fields)) is not None]
        now, role, writer, epoch = _text(state).split(" ")
        await self._refuse_replica(role)
        last = lines[-1][0] if lines else position
        return Batch(entries, last, len(lines) < _BATCH, int(now) / 1000, epoch, writer)

    async def offer(self, entries: Sequence[Entry]) -> None:
        """Write what is missing."""
        lines = [one.fields() for one in entries]
        fields = [line.get(name, "") for line in lines for name in "kvxc"]
        await self._connections.write(*_script(OFFER, (self._log, *map(self._mark, entries)), fields))

    async def remember_device(self, sub: str, device: Device) -> None:
        """Write a device of a user."""
        facts = device.session_id, device.to_json(), math.ceil(device.expires_at), MOST_DEVICES
        await self._connections.write(*_script(REMEMBER_DEVICE, (f"{self._keys}d:{sub}",), facts))

    async def devices(self, sub: str) -> tuple[Device, ...]:
        """Return the devices of a user."""
        keys = f"{self._keys}d:{sub}", f"{self._keys}u:{sub}"
        found = await self._connections.do(*_script(DEVICES, keys, (f"{self._keys}s:",)))
        now, cut_off, *rest = map(_text, found)
        pairs = zip(rest[::2], rest[1::2], strict=True)
        devices = [found for sid, text in pairs if (found := _device(sid, text)) is not None]
        last = _cut_off(cut_off) if cut_off else None
        return still_logged_in(devices, last, leeway=self._leeway, now=int(now) / 1000)

    async def start_family(self, sid: str, sub: str, *, idle: float, lifetime: float) -> CutOff | None:
        """Write a family by the clock of the store."""
        keys, lives = (self._family(sid), f"{self._keys}u:{sub}"), (milliseconds(idle), milliseconds(lifetime))
        cut_off = _text(await self._connections.write(*_script(START_FAMILY, keys, lives)))
        return CutOff.parse(cut_off) if cut_off else None

    async def rotate(self, use: Use) -> Rotation:
        """Use a token up by the clock of the store, in one script."""
        await self._check_safe()
        keys = self._log, self._family(use.sid), f"{self._keys}s:{use.sid}", f"{self._keys}u:{use.sub}"
        times = map(milliseconds, (use.idle, use.window, use.until))
        facts = use.sid, use.generation, *times, use.born, self._keep * 1000, int(use.advances), int(use.ends)
        outcome, left = map(_text, await self._connections.write(*_script(ROTATE, keys, facts)))
        return Rotation(cast("Outcome", outcome), int(left) / 1000)

    async def end_family(self, sid: str) -> None:
        """Delete a family."""
        await self._connections.write("DEL", self._family(sid))

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        await self._connections.close()

    def _family(self, sid: str) -> str:
        return f"{self._keys}f:{sid}"

    def _mark(self, entry: Entry) -> str:
        return f"{self._keys}{entry.kind}:{entry.value}"


def _script(script: str, keys: Sequence[str], arguments: Iterable[object]) -> tuple[object, ...]:
    return ("EVAL", script, len(keys), *keys, *arguments)


def _text(value: object) -> str:
    """Return text, also where the application's client does not decode."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _cut_off(value: object) -> CutOff:
    try:
        return CutOff.parse(_text(value))
    except ValueError:
        raise ServiceUnavailable("a cut-off in the store is malformed: somebody else writes there") from None


def _device(sid: str, text: str) -> Device | None:
    try:
        return Device.from_json(sid, text)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        log.warning("a malformed device was skipped: %s", type(problem).__name__)
        return None


def _lines(found: Any) -> list[tuple[str, dict[str, str]]]:  # noqa: ANN401 - what redis-py gives
    """Return the lines of one stream out of an answer to XREAD, which is a mapping in RESP3 and a list in RESP2."""
    if not found:
        return []
    if isinstance(found, Mapping):
        # In RESP3 the lines lie in one more list.
        ((stream,),) = cast("Mapping[str, list[Any]]", found).values()
    else:
        stream = found[0][1]
    return [(_text(line[0]), _fields(line[1])) for line in stream]


def _fields(fields: Mapping[object, object]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in fields.items()}


def _entry(fields: Mapping[str, str]) -> Entry | None:
    try:
        return Entry.read(fields)
    except ValueError as problem:
        log.warning("a malformed line of the log was skipped: %s", problem)
        return None
