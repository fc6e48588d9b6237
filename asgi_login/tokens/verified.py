"""The result of verifying a token: its claims, and from when until when they are valid."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from asgi_login.errors import InvalidToken
from asgi_login.reasons import Reason

Claims: TypeAlias = Mapping[str, object]
"""The claims of a verified token: read-only at every depth."""


class InvalidClaims(ValueError):
    """A claim breaks a rule. The message names the rule, never the value.

    Args:
        reason: The rule.
        reason_code: The code of the refusal.
        expired: Whether `exp` has passed; the only rule whose breaking a client is told.
        foreign: Whether the token is meant for somebody else.
    """

    def __init__(
        self, reason: str, *, reason_code: Reason = "bad_claim", expired: bool = False, foreign: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason_code: Reason = reason_code
        self.expired = expired
        self.foreign = foreign

    def refusal(self) -> InvalidToken:
        """Return the error that refuses the token."""
        return InvalidToken(str(self), reason_code=self.reason_code, expired=self.expired, foreign=self.foreign)


class Origin(Protocol):
    """The key of another issuer."""

    def is_current(self) -> bool:
        """Tell whether what it has signed still counts."""
        ...


class SessionMemo:
    """What is computed once for each session token, and kept with it in the cache.

    Attributes:
        ends_at: When the lifetime of the session is over, in seconds since the epoch.
        renew_at: When the session is renewed; infinity if it cannot be.
        fingerprint: The function that describes a client, from the scope; None if clients are not compared.
        client: The client that last used the session, or None if that is unknown or too long to be kept.
    """

    __slots__ = ("client", "ends_at", "fingerprint", "renew_at")

    def __init__(self, ends_at: float, renew_at: float, fingerprint: Callable[[Any], object] | None) -> None:
        self.ends_at: float = ends_at
        self.renew_at: float = renew_at
        self.fingerprint: Callable[[Any], object] | None = fingerprint
        self.client: bytes | None = None


class VerifiedToken:
    """A token whose signature and claims were found to be right.

    Attributes:
        kind: Its `typ`, as this library writes it.
        kid: The key that signed it.
        sub: Its subject.
        claims: All claims, read-only.
        scopes: The OAuth scopes.
        exp, nbf, iat, auth_time: In seconds since the epoch.
        valid_from, valid_until: The token is valid between these times, leeway included.
        origin: The key of another issuer that signed it, or None for a key of the manager's own.
        session_memo: For a session, what was computed when it was first used.
        good_since: With a store, since when the token is known not to have been ended: see `stores.entry.Revocable`.
    """

    __slots__ = (
        "auth_time",
        "claims",
        "exp",
        "good_since",
        "iat",
        "kid",
        "kind",
        "nbf",
        "origin",
        "scopes",
        "session_memo",
        "sub",
        "valid_from",
        "valid_until",
    )

    def __init__(  # noqa: PLR0917 - of the one call that is made, in check()
        self,
        kind: str,
        kid: str,
        sub: str,
        claims: Claims,
        scopes: frozenset[str],
        exp: float,
        nbf: float | None,
        iat: float | None,
        auth_time: float | None,
        leeway: float,
    ) -> None:
        self.kind: str = kind
        self.kid: str = kid
        self.sub: str = sub
        self.claims: Claims = claims
        self.scopes: frozenset[str] = scopes
        self.exp: float = exp
        self.nbf: float | None = nbf
        self.iat: float | None = iat
        self.auth_time: float | None = auth_time
        starts = iat or 0
        if nbf is not None or auth_time is not None:
            starts = max(starts, nbf or 0, auth_time or 0)
        self.valid_from: float = starts - leeway
        self.valid_until: float = exp + leeway
        self.origin: Origin | None = None
        self.session_memo: SessionMemo | None = None
        self.good_since: float = 0.0

    def bind_session(self, memo: SessionMemo) -> None:
        """Attach what was computed for a session, and end it with its lifetime at the latest."""
        # In this order, so that another thread that sees the memo also sees the end.
        self.valid_until = min(self.valid_until, memo.ends_at)
        self.session_memo = memo

    def held_open(self) -> "VerifiedToken":
        """Return the token as it counts on a connection that is open: a session until its lifetime is over."""
        memo = self.session_memo
        if memo is None:
            return self
        end = memo.ends_at
        times = (end, self.nbf, self.iat, self.auth_time)
        # Not by copy(), which does not know the attributes of a compiled object.
        held = VerifiedToken(self.kind, self.kid, self.sub, self.claims, self.scopes, *times, leeway=0.0)
        held.valid_from, held.valid_until = self.valid_from, end
        held.origin, held.session_memo, held.good_since = self.origin, memo, self.good_since
        return held

    def __repr__(self) -> str:
        # A repr ends up in logs, and claims must not.
        return f"<VerifiedToken {self.kind} kid={self.kid!r}>"


def check_times(verified: VerifiedToken, now: float) -> None:
    """Check that the token is valid now.

    Raises:
        InvalidClaims: The token is not valid yet, or no longer.
    """
    if now < verified.valid_from:
        starts = {
            "nbf: not valid yet": verified.nbf,
            "iat: in the future": verified.iat,
            "auth_time: in the future": verified.auth_time,
        }
        latest = max(starts, key=lambda reason: starts[reason] or 0)
        raise InvalidClaims(latest, reason_code="not_yet_valid")
    if now >= verified.valid_until:
        raise InvalidClaims("exp: expired", expired=True)
