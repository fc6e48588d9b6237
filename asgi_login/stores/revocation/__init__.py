"""Revocation: what one manager knows of what was ended, and how it keeps up with a store.

Read `view` first: it decides what a process can know by itself, without input or output. `revocation` asks the store
about the rest. `follower` keeps the view up to date, one task for each event loop, and `breaker` gives up on a store
that does not answer.
"""

from asgi_login.stores.revocation.revocation import Revocation

__all__ = ["Revocation"]
