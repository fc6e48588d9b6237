"""A cache of what was found out about a credential, so that the same bytes are not verified again."""

from typing import Final, Generic, TypeVar

ValueT = TypeVar("ValueT")

# Envoy's bound: longer tokens are rare, and cost more to keep than to verify.
MAX_CACHED_BYTES: Final = 4_096


class Cache(Generic[ValueT]):
    """Maps the exact bytes of a token to the result of its verification.

    Not the only bytes that say it: of an ECDSA signature anybody can make a second one. That is verified by itself.

    Args:
        size: How many tokens are kept at most; 0 for none.

    There are two generations. New and used entries go into the young one. When it holds half of `size`, it becomes the
    old one, and the previous old one is dropped. Each step is one or two look-ups, even under a flood of distinct
    tokens; removing the oldest entry of a single dict would have to step over all entries removed before it.

    Safe in threads without a lock, also without the GIL: each step is one operation on a dict, and whatever they
    interleave to, an entry is right or absent.
    """

    __slots__ = ("_half", "_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._half = max(size // 2, 1)
        self._young: dict[bytes, ValueT] = {}
        self._old: dict[bytes, ValueT] = {}

    def get(self, token: bytes) -> ValueT | None:
        """Return what is kept for these bytes, or None."""
        found = self._young.get(token)
        if found is None and (found := self._old.get(token)) is not None:
            self.put(token, found)
        return found

    def put(self, token: bytes, verified: ValueT) -> None:
        """Keep a fully verified token. Refused tokens are never kept: an attacker would choose what fills the cache."""
        if not self._size or len(token) > MAX_CACHED_BYTES:
            return
        young = self._young
        if len(young) >= self._half:
            self._old = young if self._size > 1 else {}
            young = self._young = {}
        young[token] = verified
