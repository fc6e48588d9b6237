"""Verifies tokens of other issuers too, whose keys come and go.

`iss` says whose key is looked for: two issuers may call different keys by one `kid`. So the claims are parsed before
the signature is checked, strictly and within the bounds of a token. Until then `iss` is used for nothing else.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from asgi_login.errors import InvalidToken, without_context
from asgi_login.tokens.base64url import InvalidBase64url, decode
from asgi_login.tokens.claims import ClaimRules
from asgi_login.tokens.codec import ACCESS, ACCESS_ONLY, TokenCodec, UnacceptableTokenError
from asgi_login.tokens.foreign_keys import ForeignKeys, UnknownKey
from asgi_login.tokens.keys import Key
from asgi_login.tokens.keyset import KeySet
from asgi_login.tokens.parts import read_header, split, type_of
from asgi_login.tokens.strict_json import InvalidJSON, parse_object
from asgi_login.tokens.verified import InvalidClaims, VerifiedToken

_Parts: TypeAlias = tuple[bytes, bytes, bytes, bytes]


class ForeignCodec(TokenCodec):
    """A codec that takes tokens of other issuers beside those of its own keys. Takes what TokenCodec does."""

    __slots__ = ("_issuers",)

    def __init__(self, keys: KeySet, rules: ClaimRules, *, clock: Callable[[], float], cache_size: int = 0) -> None:
        super().__init__(keys, rules, clock=clock, cache_size=cache_size)
        self._issuers: dict[str, ForeignKeys] = {one.url: one for one in keys.foreign}

    def verify(self, token: bytes, kinds: frozenset[str] = ACCESS_ONLY) -> VerifiedToken:
        """Verify a token, as TokenCodec does; one that is kept in the cache, only as long as its key counts.

        Raises:
            UnknownKey: Its key is not known, and may be found.
            InvalidToken: Whatever else is wrong with it.
        """
        known = self._cache.get(token)
        if known is None or known.origin is None or known.origin.is_current():
            return super().verify(token, kinds)
        again = self.verify_uncached(token, kinds)
        self._cache.put(token, again)
        return again

    def read(self, token: bytes, kinds: frozenset[str]) -> VerifiedToken:
        """Verify everything but the times of a token.

        Raises:
            UnknownKey: Its key is not known, and may be found.
            InvalidToken: Whatever else is wrong with it.
        """
        parts = split(token)
        try:
            claims = parse_object(decode(parts[2]))
            issuer = self._issuer_of(claims)
            if issuer is not None:
                return self._read_foreign(parts, claims, issuer, kinds)
        except InvalidClaims as problem:
            raise without_context(problem.refusal()) from None
        except (InvalidJSON, InvalidBase64url) as unreadable:
            raise without_context(InvalidToken(str(unreadable), reason_code="malformed_token")) from None
        return super().read(token, kinds)

    def issue(
        self, kind: str, data: Mapping[str, object], *, now: float, key: Key | None = None
    ) -> tuple[str, VerifiedToken]:
        """Return a new signed token, as TokenCodec does.

        Raises:
            UnacceptableTokenError: Its `iss` names an Issuer, whose keys would be looked for on reading.
        """
        issued = super().issue(kind, data, now=now, key=key)
        if issued[1].claims.get("iss") in self._issuers:
            raise UnacceptableTokenError("this token would be refused: its iss names an Issuer")
        return issued

    def _issuer_of(self, claims: dict[str, object]) -> ForeignKeys | None:
        """Return the other issuer that made a token, or None for our own keys."""
        iss = claims.get("iss")
        issuer = self._issuers.get(iss) if type(iss) is str else None
        if issuer is None and not self.keys.has_own:
            raise InvalidToken("iss: none of the issuers", reason_code="wrong_issuer", foreign=True)
        return issuer

    def _read_foreign(
        self, parts: _Parts, claims: dict[str, object], issuer: ForeignKeys, kinds: frozenset[str]
    ) -> VerifiedToken:
        signed, header, _, signature = parts
        members, kid = read_header(header)
        if type_of(members) not in issuer.rules.types:
            raise InvalidToken("typ: no kind of token that is accepted of this issuer", reason_code="wrong_type")
        if ACCESS not in kinds:
            raise InvalidToken(
                "typ: another issuer's token does not belong here", reason_code="wrong_type", foreign=True
            )
        found = issuer.find(kid)
        if found is None:
            raise UnknownKey(issuer, kid)
        # RFC 8725 §3.1: the key decides the algorithm, and the token must agree.
        if members.get("alg") != found.key.algorithm:
            raise InvalidToken("alg: not the algorithm of the key", reason_code="wrong_algorithm", foreign=True)
        if not found.key.verify(signed, decode(signature)):
            raise InvalidToken("wrong signature", reason_code="wrong_signature", foreign=True)
        verified = issuer.rules.read(claims, self.rules, kind=ACCESS, kid=found.key.kid)
        verified.origin = found
        return verified


def codec_for(keys: KeySet, rules: ClaimRules, *, clock: Callable[[], float], cache_size: int) -> TokenCodec:
    """Return the codec of a manager; only one with keys of other issuers pays for these."""
    codec = ForeignCodec if keys.foreign else TokenCodec
    return codec(keys, rules, clock=clock, cache_size=cache_size)
