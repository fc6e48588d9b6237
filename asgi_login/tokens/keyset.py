"""The keys of one manager: which one signs, and which one the `kid` of a token names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self, TypeAlias

from asgi_login.tokens.key_material import GENERATE, HMAC_BYTES, NOT_A_JWK, HasSecretValue, revealed
from asgi_login.tokens.keys import Key

Secret: TypeAlias = str | bytes | HasSecretValue | Mapping[str, str | bytes | HasSecretValue] | Key
"""One key in any of the forms that LoginManager takes."""


class KeySet:
    """The keys of a manager: the first signs, all verify, each found by its `kid` only.

    A token without `kid` is checked only if there is exactly one key. Trying every key would let a key verify tokens
    that were never meant for it.
    """

    __slots__ = ("_by_kid", "_keys")

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise ValueError("at least one key is needed; " + GENERATE)
        self._keys = tuple(keys)
        self._by_kid = {key.kid: key for key in keys}
        if len(self._by_kid) < len(keys):
            raise ValueError("two keys have the same kid: a key is listed twice, or one needs another kid")

    @classmethod
    def of(cls, secret: Secret | Sequence[Secret], algorithm: str) -> Self:
        """Build a set from any form of LoginManager's `secret`. `algorithm` is that of secrets that are not a Key."""
        secret = revealed(secret)
        if isinstance(secret, (str, bytes, Mapping, Key)):
            return cls([_to_key(secret, algorithm)])
        if not isinstance(secret, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"secret is a str, bytes, dict, Key or a sequence of these, not {type(secret).__name__}")
        return cls([_to_key(one, algorithm) for one in secret])  # type: ignore[arg-type]

    @property
    def signing_key(self) -> Key:
        """The key that signs."""
        return self._keys[0]

    def find(self, kid: str | None) -> Key | None:
        """Return the key that a token names, or None."""
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return self._by_kid.get(kid)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __repr__(self) -> str:
        return f"KeySet({list(self._keys)!r})"


def _to_key(secret: Secret, algorithm: str) -> Key:
    secret = revealed(secret)
    if isinstance(secret, Key):
        return secret
    if not isinstance(secret, Mapping):
        return Key(secret, algorithm)
    if not {"kty", "keys"}.isdisjoint(secret):
        raise ValueError(NOT_A_JWK)
    if set(secret) - {"private_key", "password"} or "private_key" not in secret:
        raise ValueError('a secret given as a dict has the keys "private_key" and, if it is encrypted, "password"')
    if algorithm in HMAC_BYTES:
        raise ValueError(f'{algorithm} has no private key: pass algorithm="RS256", or the secret itself')
    return Key(secret["private_key"], algorithm, password=secret.get("password"))
