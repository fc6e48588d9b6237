"""What remembers who was logged out: this process, or a Redis that several demos share."""

import logging

from asgi_login import MemoryStore
from asgi_login.stores import Store


def open_store(redis: str | None) -> Store:
    """Return the store of the manager.

    Args:
        redis: The URL of a Redis or Valkey, or None to remember in this process. Nothing is connected yet.

    Raises:
        ImportError: redis-py is not installed.
        ValueError: The URL is wrong.

    """
    if redis is None:
        # A MemoryStore warns that it is for one process. The introduction of the demo says the same.
        logging.getLogger("asgi_login").addFilter(
            lambda record: not str(record.msg).startswith("MemoryStore remembers")
        )
        return MemoryStore()
    from asgi_login.redis import RedisStore  # noqa: PLC0415 - a demo without Redis needs no redis-py

    return RedisStore(redis)
