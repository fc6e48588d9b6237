"""What a token of another issuer must claim, and in which claims it says what ours say in `sub`, `scope` and `aud`."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from asgi_login.tokens.claims import ClaimRules, is_text, scopes_of, scopes_of_value
from asgi_login.tokens.strict_json import thawed
from asgi_login.tokens.verified import Claims, InvalidClaims, VerifiedToken

# What is said by a provider that follows RFC 9068, and by the others.
_USUAL_TYPES: Final = frozenset({"at+jwt", "jwt"})
_OUR_TYPES: Final = frozenset({"session+jwt", "remember+jwt", "refresh+jwt"})
# What an ID token has and an access token has not (OpenID Connect Core §2, §3.3.2.11).
_OF_ID_TOKENS = ("nonce", "at_hash", "c_hash")
_MISSING: Final = object()
# Where a claim would be that is not there: empty all the way down.
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class ForeignRules(NamedTuple):
    """The rules for the tokens of one other issuer.

    Attributes:
        subject: The claim that names the user.
        scopes: The claim that holds the scopes, or the way to it, with dots.
        audience: The claim that holds the audience.
        required: Claims that must have a certain value, as JSON.
        types: The `typ` that are accepted, in lower case and without `application/`.
    """

    subject: str
    scopes: str
    audience: str
    required: Mapping[str, str]
    types: frozenset[str]

    def read(self, claims: dict[str, object], manager: ClaimRules, *, kind: str, kid: str) -> VerifiedToken:
        """Check the claims, but not the times, and return the token. The caller must not keep the dict.

        Raises:
            InvalidClaims: A rule is broken.
        """
        sub = claims.get(self.subject)
        if not is_text(sub):
            raise InvalidClaims(f"{self.subject}: does not name a user, by 1 to 255 characters without controls")
        refuse_id_tokens(claims)
        if self.audience in claims or not manager.any_audience:
            manager.check_audience(claims.get(self.audience), self.audience)
        for name, value in self.required.items():
            if _as_json(claims.get(name, _MISSING)) != value:
                raise InvalidClaims(f"{name}: not what require= says")
        scopes = scopes_of(claims) if self.scopes == "scope" else scopes_of_value(self._scopes_in(claims), self.scopes)
        return manager.to_token(claims, kind=kind, kid=kid, sub=sub, scopes=scopes)

    def _scopes_in(self, claims: Claims) -> object:
        """Return the value of the claim, or that at the end of the way, or an empty text."""
        # First by its whole name: those of Auth0's rules are URLs, which have dots.
        if self.scopes in claims:
            return claims[self.scopes]
        value: object = claims
        for name in self.scopes.split("."):
            value = self._member(value, name)
        return "" if value is _NOTHING else value

    def _member(self, value: object, name: str) -> object:
        if not isinstance(value, Mapping):
            raise InvalidClaims(f"{self.scopes}: not found in objects")
        return cast("Claims", value).get(name, _NOTHING)


def refuse_id_tokens(claims: Claims) -> None:
    """Refuse what an issuer made to tell a client who has logged in, and not for an API (RFC 8725 §2.8, §3.12).

    Raises:
        InvalidClaims: This is an ID token.
    """
    for name in _OF_ID_TOKENS:
        if name in claims:
            raise InvalidClaims(f"{name}: this is an ID token", reason_code="wrong_type")
    azp, aud = claims.get("azp"), claims.get("aud")
    if azp is not None and aud in (azp, (azp,)):
        raise InvalidClaims("azp: the audience is the client itself, as of an ID token", reason_code="wrong_type")


def _as_json(value: object) -> str | None:
    """Return a value as JSON, in which True, 1, 1.0 and "1" differ; None for a claim that is missing."""
    return None if value is _MISSING else json.dumps(value, sort_keys=True, default=thawed)


def rules_of_issuer(
    *,
    scopes_claim: str,
    subject_claim: str,
    audience_claim: str,
    require: Mapping[str, object],
    access_token_types: Sequence[str] | None,
) -> ForeignRules:
    """Validate the settings and return the rules.

    Raises:
        TypeError, ValueError: One is wrong.
    """
    names = {"scopes_claim": scopes_claim, "subject_claim": subject_claim, "audience_claim": audience_claim}
    for argument, name in names.items():
        if not is_text(name):
            raise TypeError(f'{argument} is the name of a claim, like "scope"')
    if not isinstance(require, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError('require maps claims to the values that they must have: {"token_use": "access"}')
    required: dict[str, str] = {}
    for name, value in require.items():
        if not is_text(name):
            raise TypeError("require: the name of a claim is a str")
        try:
            required[name] = json.dumps(value, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError):
            raise TypeError(f"require: the value of {name!r} has no JSON form") from None
    return ForeignRules(
        subject=subject_claim,
        scopes=scopes_claim,
        audience=audience_claim,
        required=required,
        types=_types(access_token_types),
    )


def _types(types: Sequence[str] | None) -> frozenset[str]:
    if types is None:
        return _USUAL_TYPES
    if isinstance(types, str) or not isinstance(types, Sequence) or not types:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError('access_token_types takes a sequence, like ("at+jwt",)')
    if not all(is_text(one) for one in types):
        raise TypeError('access_token_types are values of typ, like "at+jwt"')
    found = frozenset(one.lower().removeprefix("application/") for one in types)
    if own := found & _OUR_TYPES:
        raise ValueError(f"access_token_types: {', '.join(sorted(own))} is what this library calls its own")
    return found
