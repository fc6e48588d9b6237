"""Stores: what outlives one process, and which tokens, sessions and users were ended.

Read `entry` first, which is what a process tells the others; then `protocol`, which says what a store does, and
`memory`, the smallest one. `revocation` is what a manager holds: it follows a store, and decides about each token.
`options` are the settings that all stores share, `devices` what a store knows of a user's logins.
"""

from asgi_login.stores.devices import MOST_DEVICES, Device, standing
from asgi_login.stores.entry import MOST_AHEAD, CutOff, Entry, Kind, Revocable
from asgi_login.stores.memory import MemoryStore
from asgi_login.stores.options import StoreOptions
from asgi_login.stores.protocol import Answer, Batch, Beginning, FollowedChannel, LocalChannel, Store, UnsafeStore
from asgi_login.stores.revocation import Revocation

__all__ = [
    "MOST_AHEAD",
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
    "Revocable",
    "Revocation",
    "Store",
    "StoreOptions",
    "UnsafeStore",
    "standing",
]
