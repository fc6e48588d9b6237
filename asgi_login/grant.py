"""Grant: what the application says of a credential that it has checked itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from asgi_login.tokens import MAX_NUMERIC_DATE, check_scope_names, is_text


# Without slots, as settings.Sessions.
@dataclass(frozen=True)
class Grant:
    """Who has shown a credential, such as a password, and what that entitles them to.

    Attributes:
        sub: What the user loader finds the user by.
        scopes: The OAuth scopes that may be granted.
        expires_at: When it ends, in seconds since the epoch; nothing that is issued for it lives longer. None for no
            end of its own.
        claims: Other claims of the tokens that are issued for it.

    Raises:
        TypeError: `sub` is not a non-empty str, `expires_at` no number, `scopes` no sequence or `claims` no mapping.
        ValueError: A scope is none, or `expires_at` is later than the year 9999 or no number (NaN).
    """

    sub: str
    scopes: Iterable[str] = ()
    expires_at: float | None = None
    claims: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    def __post_init__(self) -> None:
        if not is_text(self.sub):
            raise TypeError("Grant(sub) is a non-empty str of at most 255 characters, like str(user.id)")
        if self.expires_at is not None and type(self.expires_at) not in {int, float}:
            raise TypeError("Grant(expires_at=) is in seconds since the epoch, like datetime.timestamp(), or None")
        # No comparison with NaN is true, so that it would never have passed.
        if self.expires_at is not None and not self.expires_at <= MAX_NUMERIC_DATE:
            raise ValueError(
                "Grant(expires_at=) is in seconds since the epoch, up to the year 9999; None is for no end of its own"
            )
        if not isinstance(self.claims, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError('Grant(claims=) maps claims to values, like {"tenant": "acme"}')
        object.__setattr__(self, "scopes", check_scope_names("Grant(scopes=)", self.scopes))
        object.__setattr__(self, "claims", MappingProxyType(dict(self.claims)))
