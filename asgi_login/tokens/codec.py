"""Issues and verifies JSON Web Tokens, with strict types (RFC 7515, 7519, 8725, 9068).

The keys make and check signatures. This module checks everything around them, the cheap and structural parts first.
Claims are parsed only after the signature was found to be right.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from asgi_login.errors import InvalidToken, without_context
from asgi_login.tokens.base64url import InvalidBase64url, decode, encode
from asgi_login.tokens.cache import Cache
from asgi_login.tokens.claims import ClaimRules, check_scope_names, is_text
from asgi_login.tokens.keys import Key
from asgi_login.tokens.keyset import KeySet
from asgi_login.tokens.parts import MAX_TOKEN_BYTES, read_header, split, type_of
from asgi_login.tokens.strict_json import InvalidJSON, parse_object, thawed
from asgi_login.tokens.verified import InvalidClaims, VerifiedToken, check_times

# The `typ` that is written (RFC 8725 §3.11), and the kind of token that each `typ` means on reading. Our access tokens
# follow RFC 9068; those of other issuers say JWT or nothing.
ACCESS: Final = "at+jwt"
SESSION: Final = "session+jwt"
REMEMBER: Final = "remember+jwt"
REFRESH: Final = "refresh+jwt"
ACCESS_ONLY: Final = frozenset({ACCESS})
_OUR_KINDS: Final = (ACCESS, SESSION, REMEMBER, REFRESH)
_KINDS: Final = {"jwt": ACCESS, **{kind: kind for kind in _OUR_KINDS}}

# A bound on the number of headers kept of other issuers' tokens.
_MAX_KNOWN_HEADERS: Final = 64


class UnacceptableTokenError(ValueError):
    """A token that was about to be issued would be refused on reading."""


class TokenCodec:
    """Issues and verifies the tokens of one manager.

    Args:
        keys: The first signs. Each verifies the tokens whose `kid` names it.
        rules: The rules for the claims.
        clock: Seconds since the epoch.
        cache_size: How many verified tokens are kept; 0 for none.
        token_bytes: The source of randomness for `jti`.
    """

    __slots__ = ("_cache", "_clock", "_known_headers", "_token_bytes", "keys", "rules")

    def __init__(
        self,
        keys: KeySet,
        rules: ClaimRules,
        *,
        clock: Callable[[], float],
        cache_size: int = 0,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.keys: KeySet = keys
        self.rules: ClaimRules = rules
        self._clock = clock
        self._token_bytes = token_bytes
        self._cache: Cache[VerifiedToken] = Cache(cache_size)
        self._known_headers = {_header(key, kind): (key, kind) for key in keys for kind in _OUR_KINDS}

    def verify(self, token: bytes, kinds: frozenset[str] = ACCESS_ONLY) -> VerifiedToken:
        """Verify a token of one of these kinds. One kind is never accepted in place of another.

        Raises:
            InvalidToken: Whatever is wrong with it.
        """
        known = self._cache.get(token)
        if known is None:
            known = self.verify_uncached(token, kinds)
            self._cache.put(token, known)
            return known
        if known.kind not in kinds:
            raise InvalidToken(f"typ: a {known.kind} does not belong here", reason_code="wrong_type", foreign=True)
        clock = self._clock
        now = clock()
        if not known.valid_from <= now < known.valid_until:
            try:
                check_times(known, now)
            except InvalidClaims as problem:
                raise without_context(problem.refusal()) from None
        return known

    def verify_uncached(self, token: bytes, kinds: frozenset[str]) -> VerifiedToken:
        """Verify a token without a look at the cache, and without keeping it there.

        Raises:
            InvalidToken: Whatever is wrong with it.
        """
        verified = self.read(token, kinds)
        try:
            self.rules.check_times(verified, self._clock())
        except InvalidClaims as problem:
            raise without_context(problem.refusal()) from None
        return verified

    def read(self, token: bytes, kinds: frozenset[str]) -> VerifiedToken:
        """Verify everything but the times of a token: what it says may be over, or not have begun.

        Raises:
            InvalidToken: Whatever is wrong with it.
        """
        signed, header, payload, signature = split(token)
        try:
            known = self._known_headers.get(header)
            key, kind = known or self._read_header(header)
            if not key.verify(signed, decode(signature)):
                raise InvalidToken("wrong signature", reason_code="wrong_signature", foreign=True)
            if kind not in kinds:
                raise InvalidToken(f"typ: a {kind} does not belong here", reason_code="wrong_type", foreign=True)
            verified = self.rules.read(parse_object(decode(payload)), kind=kind, kid=key.kid)
        except InvalidClaims as problem:
            raise without_context(problem.refusal()) from None
        except (InvalidJSON, InvalidBase64url) as unreadable:
            raise without_context(InvalidToken(str(unreadable), reason_code="malformed_token")) from None
        if known is None and len(self._known_headers) < _MAX_KNOWN_HEADERS:
            self._known_headers[header] = key, kind
        return verified

    def issue_access_token(self, data: Mapping[str, object], *, lifetime: timedelta, scopes: Iterable[str] = ()) -> str:
        """Return a new signed access token.

        The claims are checked by the rules for reading, so that no token is issued that would be refused.

        Raises:
            TypeError: `sub` is not a non-empty str, or a claim has no JSON form.
            ValueError: A claim breaks a rule, or the token is too long to be read.
        """
        if not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f'data maps claims to values, like {{"sub": "ada"}}; not {type(data).__name__}')
        claims = dict(data)
        granted = check_scope_names("scopes", scopes)
        if granted:
            if "scope" in claims or "scopes" in claims:
                raise ValueError("data holds scopes already: pass them as scopes=")
            claims["scope"] = " ".join(granted)
        now = self._clock()
        exp = max(int(now + lifetime.total_seconds()), int(now) + 1)
        return self.issue(ACCESS, {**claims, "exp": exp}, now=now)[0]

    def issue(
        self, kind: str, data: Mapping[str, object], *, now: float, key: Key | None = None
    ) -> tuple[str, VerifiedToken]:
        """Return a new signed token of any kind, and the result of verifying it.

        Raises:
            TypeError: `sub` is not a non-empty str, or a claim has no JSON form.
            UnacceptableTokenError: A claim breaks a rule, or the token is too long to be read.
            ValueError: The key cannot sign.
        """
        key = key or self.keys.signing_key
        if not key.can_sign:
            raise ValueError("this manager has only a public key and cannot issue tokens; pass the private key")
        if not is_text(data.get("sub")):
            raise TypeError('data["sub"] must be a str that names the user, like str(user.id): 1 to 255 characters')
        claims = {**data, "iat": int(now), "jti": self.random_id()}
        issued = {"iss": self.rules.issuer, "aud": self.rules.audience}
        claims.update({name: value for name, value in issued.items() if value is not None})
        payload = _to_json(claims)
        try:
            verified = self.rules.read(parse_object(payload), kind=kind, kid=key.kid)
            self.rules.check_times(verified, now)
        except InvalidClaims as problem:
            raise without_context(UnacceptableTokenError(f"this token would be refused: {problem}")) from None
        except InvalidJSON as unreadable:
            raise without_context(
                UnacceptableTokenError(f"this token would be refused: data is {unreadable}")
            ) from None
        signed = _header(key, kind) + b"." + encode(payload)
        token = signed + b"." + encode(key.sign(signed))
        if len(token) > MAX_TOKEN_BYTES:
            raise UnacceptableTokenError(
                f"the token has {len(token)} bytes, more than the {MAX_TOKEN_BYTES} that are read"
            )
        return token.decode(), verified

    def random_id(self) -> str:
        """Return 128 random bits as text."""
        return encode(self._token_bytes(16)).decode()

    def _read_header(self, header: bytes) -> tuple[Key, str]:
        members, kid = read_header(header)
        key = self.keys.find(kid)
        if key is None:
            raise InvalidToken("kid: no such key", reason_code="unknown_key", foreign=True)
        # RFC 8725 §3.1: the key decides the algorithm, and the token must agree.
        if members.get("alg") != key.algorithm:
            raise InvalidToken("alg: not the algorithm of the key", reason_code="wrong_algorithm", foreign=True)
        kind = _KINDS.get(type_of(members))
        if kind is None:
            raise InvalidToken("typ: no kind of token that is accepted", reason_code="wrong_type")
        return key, kind


def _to_json(claims: Mapping[Any, object]) -> bytes:
    try:
        return json.dumps(claims, separators=(",", ":"), allow_nan=False, default=thawed).encode()
    except RecursionError:
        raise without_context(
            UnacceptableTokenError("this token would be refused: data is nested too deeply")
        ) from None
    except (TypeError, ValueError):
        # The claims one by one, because json does not say which it was.
        for name, value in claims.items():
            _check_has_json_form(name, value)
        raise


def _check_has_json_form(name: object, value: object) -> None:
    """Raise what is wrong with a claim, by its name; the value is the application's own and is not shown."""
    if not isinstance(name, str):
        raise TypeError(f"data has a claim whose name is a {type(name).__name__}: names are str")
    try:
        json.dumps(value, allow_nan=False, default=thawed)
    except TypeError as problem:
        # json names the type only.
        raise without_context(
            TypeError(f"data[{name!r}] has no JSON form ({problem}): write it as a str, like str(value)")
        ) from None
    except ValueError:
        raise without_context(
            UnacceptableTokenError(
                f"this token would be refused: data[{name!r}] holds NaN, an infinite number or itself"
            )
        ) from None


def _header(key: Key, typ: str) -> bytes:
    members = {"alg": key.algorithm, "typ": typ, "kid": key.kid}
    return encode(json.dumps(members, separators=(",", ":")).encode())
