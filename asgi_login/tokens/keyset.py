"""The keys of one manager: which one signs, and which one the `kid` of a token names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self, TypeAlias, cast

from asgi_login.tokens.foreign_keys import ForeignKeys
from asgi_login.tokens.key_material import GENERATE, HMAC_BYTES, NOT_A_JWK, HasSecretValue, revealed
from asgi_login.tokens.keys import Key

OwnSecret: TypeAlias = str | bytes | HasSecretValue | Mapping[str, str | bytes | HasSecretValue] | Key
"""One key in any of the forms that LoginManager takes."""

Secret: TypeAlias = OwnSecret | ForeignKeys
"""The same, or an Issuer."""


class KeySet:
    """The keys of a manager: the first signs, all verify, each found by its `kid` only.

    A token without `kid` is checked only if there is exactly one key. Trying every key would let a key verify tokens
    that were never meant for it.

    Args:
        keys: The manager's own keys.
        foreign: Those of other issuers, which are found by `iss` first.

    Attributes:
        foreign: The same.
    """

    __slots__ = ("_by_kid", "_keys", "foreign")

    def __init__(self, keys: Sequence[Key], foreign: Sequence[ForeignKeys] = ()) -> None:
        if not keys and not foreign:
            raise ValueError("at least one key is needed; " + GENERATE)
        self._keys = tuple(keys)
        self._by_kid = {key.kid: key for key in keys}
        if len(self._by_kid) < len(keys):
            raise ValueError("two keys have the same kid: a key is listed twice, or one needs another kid")
        self.foreign: tuple[ForeignKeys, ...] = tuple(foreign)
        if len({one.url for one in foreign}) < len(foreign):
            raise ValueError("an Issuer is listed twice")

    @classmethod
    def of(cls, secret: Secret | Sequence[Secret], algorithm: str) -> Self:
        """Build a set from any form of LoginManager's `secret`. `algorithm` is that of secrets that are not a Key."""
        secret = revealed(secret)
        if isinstance(secret, (str, bytes, Mapping, Key, ForeignKeys)):
            secret = [secret]
        if not isinstance(secret, Sequence):
            raise TypeError(
                f"secret is a str, bytes, dict, Key, Issuer or a sequence of these, not {type(secret).__name__}"
            )
        secrets = cast("Sequence[Secret]", secret)
        own = [_to_key(one, algorithm) for one in secrets if not isinstance(one, ForeignKeys)]
        return cls(own, [one for one in secrets if isinstance(one, ForeignKeys)])

    @property
    def signing_key(self) -> Key:
        """The key that signs.

        Raises:
            ValueError: All keys are those of other issuers.
        """
        if not self._keys:
            raise ValueError(
                "this manager has only an Issuer and cannot issue tokens; pass a key of your own beside it"
            )
        return self._keys[0]

    @property
    def can_sign(self) -> bool:
        """Whether there is a key that signs."""
        return bool(self._keys) and self._keys[0].can_sign

    @property
    def has_own(self) -> bool:
        """Whether there are keys that do not come from an Issuer."""
        return bool(self._keys)

    @property
    def has_others(self) -> bool:
        """Whether somebody else signs with one of the keys: an Issuer, or whoever has a private key to a public one."""
        return bool(self.foreign) or not all(key.can_sign for key in self._keys)

    def find(self, kid: str | None) -> Key | None:
        """Return the key that a token names, or None."""
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return self._by_kid.get(kid)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __repr__(self) -> str:
        return f"KeySet({[*self._keys, *self.foreign]!r})"


def _to_key(secret: OwnSecret, algorithm: str) -> Key:
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
