"""What a manager knows of another issuer's keys, which change while it runs: `asgi_login.issuers` finds them."""

from abc import ABC, abstractmethod

from asgi_login.errors import InvalidToken
from asgi_login.tokens.foreign_rules import ForeignRules
from asgi_login.tokens.keys import Key


class ForeignKeys(ABC):
    """The keys of one other issuer.

    Attributes:
        url: The issuer: what stands in `iss`.
        rules: What its tokens must claim.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def url(self) -> str: ...  # noqa: D102 - described above
    @property
    @abstractmethod
    def rules(self) -> ForeignRules: ...  # noqa: D102

    @abstractmethod
    def find(self, kid: str | None) -> "ForeignKey | None":
        """Return the key that counts now under a `kid`, or None; without a `kid`, the only key there is.

        It never waits. Where the keys should be looked for anew, it begins to do so.
        """

    @abstractmethod
    async def learn(self, kid: str | None) -> None:
        """Find out about a `kid` for which there is no key, once, unless that was tried a moment ago.

        Raises:
            ServiceUnavailable: There are no keys that count, and the issuer does not give any.
        """


class ForeignKey:
    """One key of another issuer, as long as the issuer has it.

    Attributes:
        key: The key.
        issuer: Whose it is.
    """

    __slots__ = ("issuer", "key")

    def __init__(self, key: Key, issuer: ForeignKeys) -> None:
        self.key: Key = key
        self.issuer: ForeignKeys = issuer

    def is_current(self) -> bool:
        """Tell whether the issuer still has this key, as far as is known; what it has signed counts only then."""
        return self.issuer.find(self.key.kid) is self


class UnknownKey(InvalidToken):
    """A token says that another issuer made it, and names a key that is not known yet, or no longer.

    Attributes:
        issuer: Where the key may be found.
        kid: The `kid` that the token names, or None.
    """

    def __init__(self, issuer: ForeignKeys, kid: str | None) -> None:
        super().__init__("kid: the issuer has no such key", reason_code="unknown_key", foreign=True)
        self.issuer: ForeignKeys = issuer
        self.kid: str | None = kid

    async def learn(self) -> None:
        """Look for the key, so that the token can be verified once more.

        Raises:
            ServiceUnavailable: The issuer's keys cannot be found now.
        """
        await self.issuer.learn(self.kid)

    def again(self) -> InvalidToken:  # type: ignore[override]
        """Return what is left of it once the key was looked for: a token that is invalid."""
        return InvalidToken(self.reason, reason_code="unknown_key", foreign=True)
