"""What a token may claim: the rules of RFC 7519 §4.1 and RFC 6749 §3.3, on values of exactly the right type.

Nothing is coerced. With `int("12")`, `str(7)` or a truthy `true`, a claim could mean something that nobody issued.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeGuard, cast

from asgi_login.tokens.verified import Claims, InvalidClaims, VerifiedToken, check_times

MAX_STRING: Final = 255
# The last second of the year 9999, beyond which datetime cannot go.
MAX_NUMERIC_DATE: Final = 253_402_300_799
MAX_LEEWAY: Final = timedelta(minutes=5)

# No C0, DEL or C1 control (log injection), no lone surrogate (it cannot be stored or logged).
_NO_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SCOPE_TOKEN: Final = r"[\x21\x23-\x5b\x5d-\x7e]+"  # noqa: S105 - RFC 6749 §3.3
_SCOPE: Final = re.compile(_SCOPE_TOKEN)
_SCOPES: Final = re.compile(rf"(?:{_SCOPE_TOKEN}(?: {_SCOPE_TOKEN})*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """The rules of one manager, in addition to those of the RFCs.

    Attributes:
        issuer: The `iss` that is written, or None.
        issuers: Those that are accepted; if there are none, any is.
        audience: The `aud` that is written, or None.
        audiences: Those that are accepted; if there are none, a token with `aud` is refused.
        any_audience: Whether any `aud` is accepted.
        leeway: Seconds by which clocks may differ, 0 to 300.
        longest: Seconds for which a token may live at most, or None.
    """

    issuer: str | None = None
    issuers: frozenset[str] = frozenset()
    audience: str | None = None
    audiences: frozenset[str] = frozenset()
    any_audience: bool = False
    leeway: float = 0
    longest: float | None = None

    def read(self, claims: dict[str, object], *, kind: str, kid: str) -> VerifiedToken:
        """Check the claims, but not the times, and return the token. The caller must not keep the dict.

        Raises:
            InvalidClaims: A rule is broken.
        """
        sub = claims.get("sub")
        if not is_text(sub):
            raise _no_text("sub")
        if "iss" in claims and not is_text(claims["iss"]):
            raise _no_text("iss")
        if self.issuers and claims.get("iss") not in self.issuers:
            raise InvalidClaims("iss: another issuer", reason_code="wrong_issuer", foreign=True)
        if "aud" in claims or self.audiences:
            self.check_audience(claims.get("aud"), "aud")
        return self.to_token(claims, kind=kind, kid=kid, sub=sub, scopes=scopes_of(claims))

    def to_token(
        self, claims: dict[str, object], *, kind: str, kid: str, sub: str, scopes: frozenset[str]
    ) -> VerifiedToken:
        """Check what is the same for every issuer, but not the times, and return the token.

        Raises:
            InvalidClaims: A rule is broken.
        """
        if "jti" in claims and not is_text(claims["jti"]):
            raise _no_text("jti")
        if "cnf" in claims:
            # RFC 9449 §7.2, RFC 8705 §3: a token bound to a key must not pass as a bearer token.
            raise InvalidClaims("cnf: the token is bound to a key and is no bearer token")
        return VerifiedToken(
            kind,
            kid,
            sub,
            MappingProxyType(claims),
            scopes,
            _numeric_date(claims, "exp"),
            _numeric_date(claims, "nbf") if "nbf" in claims else None,
            _numeric_date(claims, "iat") if "iat" in claims else None,
            _numeric_date(claims, "auth_time") if "auth_time" in claims else None,
            self.leeway,
        )

    def check_times(self, token: VerifiedToken, now: float) -> None:
        """Check that a token is valid now, and does not live longer than its end would be remembered.

        Raises:
            InvalidClaims: It is not valid yet, or no longer, or for too long.
        """
        check_times(token, now)
        # By `iat` too: one that is looked at late must not have been issued before what is remembered.
        if self.longest is not None and token.exp > min(now, now if token.iat is None else token.iat) + self.longest:
            raise InvalidClaims("exp: the token lives longer than the store remembers what was ended")

    def check_audience(self, value: object, name: str) -> None:
        """Check the audience of a token.

        Args:
            value: What the claim holds, or None.
            name: What the claim is called.

        Raises:
            InvalidClaims: It is missing, malformed or another one.
        """
        audiences = cast("tuple[object, ...]", value) if type(value) is tuple else (value,)
        if not all(type(one) is str for one in audiences):
            raise InvalidClaims(f"{name}: missing, or neither a string nor a list of strings")
        # RFC 7519 §4.1.3: whoever is not identified in the claim must refuse the token.
        if not self.any_audience and self.audiences.isdisjoint(audiences):
            raise InvalidClaims(f"{name}: another audience", reason_code="wrong_audience", foreign=True)


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a claim is text: a str of 1 to 255 characters without controls."""
    if type(value) is not str or not 0 < len(value) <= MAX_STRING:
        return False
    # Printable text needs no regular expression: that is four times as fast for nearly every token.
    return value.isprintable() or _NO_TEXT.search(value) is None


def _no_text(name: str) -> InvalidClaims:
    return InvalidClaims(f"{name}: not a string of 1 to {MAX_STRING} characters without controls")


def _numeric_date(claims: Claims, name: str) -> float:
    """Return a NumericDate (RFC 7519 §2): a JSON number, from 1970 to the end of 9999."""
    value = claims.get(name)
    # type(), not isinstance(): True is an int.
    if (type(value) is int or type(value) is float) and 0 <= value <= MAX_NUMERIC_DATE:
        return value
    raise InvalidClaims(f"{name}: missing, or not a NumericDate")


def scopes_of(claims: Claims) -> frozenset[str]:
    """Return the granted scopes: `scope` (RFC 8693 §4.2) or fastapi-login's `scopes`, never both.

    Raises:
        InvalidClaims: They are neither scopes separated by spaces nor a list of scopes.
    """
    if "scope" in claims:
        if "scopes" in claims:
            raise InvalidClaims("scope and scopes in one token")
        return scopes_of_value(claims["scope"], "scope")
    if "scopes" not in claims:
        return frozenset()
    value = claims["scopes"]
    if type(value) is str:
        raise InvalidClaims("scopes: not a list")
    return scopes_of_value(value, "scopes")


def scopes_of_value(value: object, name: str) -> frozenset[str]:
    """Return the scopes that a claim of this name holds: one text, or a list.

    Raises:
        InvalidClaims: It holds something else.
    """
    if type(value) is str:
        return _split(value, name)
    if type(value) is not tuple:
        raise InvalidClaims(f"{name}: neither a string nor a list")
    scopes = cast("tuple[object, ...]", value)
    if not all(type(scope) is str and _SCOPE.fullmatch(scope) for scope in scopes):
        raise InvalidClaims(f"{name}: not a list of scope tokens")
    return frozenset(cast("tuple[str, ...]", scopes))


# There are many tokens, but an issuer grants few different sets of scopes.
@lru_cache(maxsize=256)
def _split(scope: str, name: str) -> frozenset[str]:
    if _SCOPES.fullmatch(scope) is None:
        raise InvalidClaims(f"{name}: not scope tokens separated by single spaces")
    return frozenset(scope.split(" ")) if scope else frozenset()


def check_scope_names(argument: str, scopes: object) -> tuple[str, ...]:
    """Validate scopes that the application names. Return them in order, without duplicates.

    Raises:
        TypeError: A single string or a function stands in place of several scopes.
        ValueError: One is empty or holds a space, a quote or what else RFC 6749 §3.3 forbids.
    """
    if isinstance(scopes, (str, bytes)) or not isinstance(scopes, Iterable):
        raise TypeError(f"{argument} takes scopes one by one, as strings, not {type(scopes).__name__}")
    names: dict[str, None] = {}
    for name in cast("Iterable[object]", scopes):
        if not isinstance(name, str):
            raise TypeError(f"{argument} takes strings, not {type(name).__name__}: call it with the names of scopes")
        if not _SCOPE.fullmatch(name):
            raise ValueError(f"{argument}: {name!r} is no scope; name each alone, without spaces, quotes or controls")
        names[name] = None
    return tuple(names)


def claim_rules(
    issuer: str | Sequence[str] | None,
    audience: str | Sequence[str] | None,
    leeway: timedelta,
    *,
    insecure_any_audience: object,
    longest: timedelta | None = None,
) -> ClaimRules:
    """Validate the settings and return the rules."""
    if not isinstance(insecure_any_audience, bool):
        raise TypeError(f"insecure_any_audience is True or False, not {type(insecure_any_audience).__name__}")
    issuers, audiences = _texts("issuer", issuer), _texts("audience", audience)
    if audiences and insecure_any_audience:
        raise ValueError("audience= and insecure_any_audience=True contradict each other: choose one")
    if not isinstance(leeway, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"leeway is a timedelta, not {type(leeway).__name__}")
    if not timedelta(0) <= leeway <= MAX_LEEWAY:
        raise ValueError("leeway is between 0 and 5 minutes; clocks further apart want NTP, not leeway")
    return ClaimRules(
        issuer=issuers[0] if issuers else None,
        issuers=frozenset(issuers),
        audience=audiences[0] if audiences else None,
        audiences=frozenset(audiences),
        any_audience=insecure_any_audience,
        leeway=leeway.total_seconds(),
        longest=None if longest is None else longest.total_seconds(),
    )


def _texts(name: str, value: str | Sequence[str] | None) -> Sequence[str]:
    """Return the values of a setting that takes one or several."""
    if value is None:
        return ()
    # Only what has an order, because the first is written.
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not values or not all(is_text(one) for one in values):
        raise ValueError(
            f"{name} is a non-empty string of at most 255 characters without controls, a list of these, or None"
        )
    return values
