"""Stores: what outlives one process, and which tokens, sessions and users were ended.

Read `entry` first, which is what a process tells the others; then `protocol`, which says what a store does, and
`memory`, the smallest one. `revocation` is what a manager holds: it follows a store, and decides about each token.
`options` are the settings that all stores share, `devices` what a store knows of a user's logins, and `families` what
becomes of a token that is replaced at each use.
"""

from asgi_login.stores.devices import MOST_DEVICES, Device, still_logged_in
from asgi_login.stores.entry import CutOff, Entry, Kind, Revocable
from asgi_login.stores.families import Outcome, Rotation, Use, milliseconds
from asgi_login.stores.memory import MemoryStore
from asgi_login.stores.options import StoreOptions
from asgi_login.stores.protocol import Answer, Batch, Beginning, FollowedChannel, LocalChannel, Store, UnsafeStore
from asgi_login.stores.revocation import Revocation

__all__ = [
    "MOST_DEVICES",
    "Answer",
    "Batch",
    "Beginning",
    "CutOff",
    "Device",
    "Entry",
    "FollowedChannel",
    "Kind",
    "LocalChannel",
    "MemoryStore",
    "Outcome",
    "Revocable",
    "Revocation",
    "Rotation",
    "Store",
    "StoreOptions",
    "UnsafeStore",
    "Use",
    "milliseconds",
    "still_logged_in",
]
