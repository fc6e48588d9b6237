"""What a token says, for people and cookies: nobody has checked its signature, so nothing here may let anybody in."""

from collections.abc import Mapping
from typing import Self

from asgi_login.errors import InvalidToken
from asgi_login.tokens.base64url import decode
from asgi_login.tokens.claims import MAX_NUMERIC_DATE, ClaimRules
from asgi_login.tokens.parts import read_header, split
from asgi_login.tokens.strict_json import parse_object
from asgi_login.tokens.verified import Claims, InvalidClaims


class UnverifiedToken:
    """The header and the claims of a token that anybody may have made.

    Attributes:
        header: The members of the header, whatever they are.
        claims: The claims, read-only.
    """

    __slots__ = ("_header", "claims", "header")

    def __init__(self, encoded: bytes, header: Mapping[str, object], claims: Claims) -> None:
        self._header = encoded
        self.header: Mapping[str, object] = header
        self.claims: Claims = claims

    @classmethod
    def of(cls, token: bytes) -> Self:
        """Take a token apart.

        Raises:
            InvalidToken: It is none that can be read.
        """
        _, header, payload, _ = split(token)
        try:
            return cls(header, parse_object(decode(header)), parse_object(decode(payload)))
        except ValueError as problem:
            raise InvalidToken(str(problem), reason_code="malformed_token") from None

    def refute(self, rules: ClaimRules, now: float) -> None:
        """Check what can be checked without a key. A token that passes may still be forged.

        Raises:
            InvalidToken: No signature would make it valid now.
        """
        read_header(self._header)
        try:
            rules.check_times(rules.read(dict(self.claims), kind="", kid=""), now)
        except InvalidClaims as problem:
            raise problem.refusal() from None


def peek_expiry(token: str) -> float | None:
    """Return the `exp` of a token, or None. The token is not verified: this only limits the life of a cookie."""
    try:
        exp = parse_object(decode(token.split(".")[1].encode())).get("exp")
    except (IndexError, ValueError):
        return None
    return exp if (type(exp) is int or type(exp) is float) and 0 <= exp <= MAX_NUMERIC_DATE else None
