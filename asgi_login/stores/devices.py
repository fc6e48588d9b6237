"""What a store knows of a user's logins: one device for each session."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from asgi_login.stores.entry import MOST_AHEAD, CutOff

MOST_DEVICES = 100
"""How many devices of a user are kept; the one that was seen longest ago is forgotten first."""


@dataclass(frozen=True)
class Device:
    """Where a user is logged in.

    Attributes:
        session_id: The `sid` of the session.
        started_at: When the user logged in there, in seconds since the epoch.
        seen_at: When the session was last renewed.
        expires_at: When it ends if it is not used any more.
        name: What the application calls it; by default its User-Agent.
    """

    session_id: str
    started_at: float
    seen_at: float
    expires_at: float
    name: str

    def to_json(self) -> str:
        """Return everything but `session_id`, as a store writes it."""
        times = {"start": self.started_at, "seen": self.seen_at, "end": self.expires_at}
        return json.dumps({**times, "name": self.name}, separators=(",", ":"))

    @classmethod
    def from_json(cls, session_id: str, text: str) -> "Device":
        """Return the device that `to_json` wrote."""
        found = cast("dict[str, Any]", json.loads(text))
        return cls(session_id, float(found["start"]), float(found["seen"]), float(found["end"]), str(found["name"]))


def standing(devices: Iterable[Device], cut_off: CutOff | None, *, leeway: float, now: float) -> tuple[Device, ...]:
    """Return the devices whose login has neither expired nor been ended by the cut-off; the one last seen comes first.

    A cut-off takes the devices of a user away. One that is there all the same was written by a process that had not
    heard of the cut-off, unless the login is of about the same second.
    """
    left = [device for device in devices if device.expires_at > now]
    if cut_off is not None:
        began_before = cut_off.at - leeway - MOST_AHEAD
        left = [one for one in left if one.started_at >= began_before or one.session_id == cut_off.kept]
    return tuple(sorted(left, key=lambda device: (-device.seen_at, device.session_id)))
