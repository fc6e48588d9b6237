"""The application's function that knows a credential, and what a request is checked with once it is known."""

import hashlib
import math
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final, cast

from asgi_login.errors import InvalidToken
from asgi_login.grant import Grant
from asgi_login.loader import Callback
from asgi_login.scope import Scope
from asgi_login.settings import positive_timedelta
from asgi_login.tokens import (
    ACCESS,
    MAX_NUMERIC_DATE,
    MAX_TOKEN_BYTES,
    Cache,
    InvalidClaims,
    VerifiedToken,
    check_times,
)
from asgi_login.transports import CONTROLS

# Later than any NumericDate that a token may say.
_NEVER: Final = MAX_NUMERIC_DATE + 1
# PostgreSQL raises at a NUL in a text, and a log file takes a line break for the next line.
# As many as a manager keeps of its tokens by default.
_CACHE_SIZE: Final = 4_096


class CredentialLoader:
    """Asks the application's function whose a credential is.

    Args:
        function: Returns a Grant, or None for a credential that it does not know. Async or plain, with `scope` or not.
        cache_for: How long its answer counts for the same credential; None asks each time.
        leeway: By how much clocks may differ, in seconds.
        clock: Returns the time in seconds since the epoch.

    Raises:
        TypeError: The function cannot be called like that, or `cache_for` is no timedelta.
        ValueError: `cache_for` is not positive, or the function takes the scope, of which the cache knows nothing.
    """

    __slots__ = ("_cache", "_cache_for", "_call", "_clock", "_hash_key", "_leeway")

    def __init__(
        self,
        function: Callable[..., object],
        *,
        cache_for: timedelta | None,
        leeway: float,
        clock: Callable[[], float],
    ) -> None:
        self._call = Callback("credential_loader", function, "credential")
        if cache_for is not None and self._call.takes_scope:
            # One that looks at the client's address would be asked about the first address only.
            raise ValueError(
                "cache_for= keeps one answer for each credential, but this credential loader also looks at the scope: "
                "leave out cache_for=, or check in the user loader what depends on the request"
            )
        self._cache_for = 0.0 if cache_for is None else positive_timedelta("cache_for", cache_for).total_seconds()
        self._cache: Cache[tuple[VerifiedToken, float]] = Cache(_CACHE_SIZE if self._cache_for else 0)
        # A dump of the memory must not hold keys that can be used, nor hashes that can be looked up.
        self._hash_key = secrets.token_bytes(32)
        self._leeway = leeway
        self._clock = clock

    async def load(self, credential: bytes, scope: Scope) -> VerifiedToken:
        """Return what the application knows of a credential, in the form of a verified token.

        Raises:
            Exception: Whatever the function raises.
            InvalidToken: The function does not know it, or it has expired.
            TypeError: The function returned something else than a Grant or None.
        """
        if len(credential) > MAX_TOKEN_BYTES:
            raise InvalidToken("the credential is too long", reason_code="malformed_request")
        now = self._clock()
        digest = hashlib.blake2b(credential, key=self._hash_key, digest_size=32).digest() if self._cache_for else b""
        cached = self._cache.get(digest)
        if cached is not None and now < cached[1]:
            token = cached[0]
        else:
            token = self._token_of(await self._grant_for(credential, scope))
            self._cache.put(digest, (token, now + self._cache_for))
        try:
            check_times(token, now)
        except InvalidClaims as problem:
            raise problem.refusal() from None
        return token

    async def _grant_for(self, credential: bytes, scope: Scope) -> Grant:
        try:
            text = credential.decode()
        except UnicodeDecodeError:
            raise InvalidToken("the credential is not UTF-8", reason_code="malformed_request") from None
        if CONTROLS.search(text):
            raise InvalidToken("the credential has a control character", reason_code="malformed_request")
        grant = await self._call(text, scope=scope)
        if grant is None:
            # Another manager may know it.
            raise InvalidToken("no such credential", reason_code="unknown_credential", foreign=True)
        if not isinstance(grant, Grant):
            raise TypeError(f"a credential loader returns a Grant or None, not {type(grant).__name__}")
        return grant

    def _token_of(self, grant: Grant) -> VerifiedToken:
        claims = {name: _frozen(value) for name, value in grant.claims.items()}
        claims["sub"] = grant.sub
        return VerifiedToken(
            ACCESS,
            "",
            grant.sub,
            MappingProxyType(claims),
            frozenset(grant.scopes),
            _NEVER if grant.expires_at is None else grant.expires_at,
            None,
            _time(claims, "iat"),
            _time(claims, "auth_time"),
            self._leeway,
        )


def _time(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    # Whatever is compared with NaN is false: it would outlive every revocation.
    if value is None or type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    raise TypeError(f"Grant(claims=): {name} is in seconds since the epoch, like datetime.timestamp()")


def _frozen(value: object) -> object:
    """Return a copy that cannot be changed: the claims of a token are read-only at every depth."""
    if isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value)
        return MappingProxyType({name: _frozen(member) for name, member in members.items()})
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in cast("list[object]", value))
    return value
