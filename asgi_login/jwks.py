"""Makes keys of a JSON Web Key Set (RFC 7517 §5): those that can be used; the others are left out, with the reason.

One odd key must not cost the others, and one that could mean two things must not be used.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK

from asgi_login.tokens import Key

MAX_KEYS: Final = 64
# The kind of key that each algorithm takes (RFC 7518 §6.1, RFC 8037 §2).
_KTY: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384"), "EC"),
    "EdDSA": "OKP",
}
ALGORITHMS: Final = tuple(_KTY)
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384"}
_PUBLIC: Final[tuple[str, ...]] = ("kty", "crv", "n", "e", "x", "y")
# RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2.
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class UnusableSetError(ValueError):
    """This is no set of keys, or none of its keys can be used."""


class UnusableKeyError(ValueError):
    """A key cannot be used; the message says why, and quotes nothing of it."""


def read_set(document: Mapping[str, object], algorithms: Sequence[str]) -> tuple[dict[str, Key], tuple[str, ...]]:
    """Return the keys of a set by their `kid`, and why others were left out.

    Args:
        document: The set.
        algorithms: Those that are accepted. A key that does not say which is its own gets the first that fits.

    Raises:
        UnusableSetError: It is no set of at most 64 keys, or has none that can be used.
    """
    entries = document.get("keys")
    if type(entries) is not tuple:
        raise UnusableSetError("this is no JSON Web Key Set")
    jwks = cast("tuple[object, ...]", entries)
    if len(jwks) > MAX_KEYS:
        raise UnusableSetError(f"the set has {len(jwks)} keys, more than {MAX_KEYS}")
    found: list[Key] = []
    left_out: list[str] = []
    for position, jwk in enumerate(jwks):
        try:
            found.append(_to_key(jwk, algorithms))
        except UnusableKeyError as reason:
            left_out.append(f"key {position}: {reason}")
    times = Counter(key.kid for key in found)
    left_out += [f"kid {kid!r} names {count} keys" for kid, count in times.items() if count > 1]
    keys = {key.kid: key for key in found if times[key.kid] == 1}
    if not keys:
        raise UnusableSetError("the set has no key that can be used: " + ("; ".join(left_out) or "it is empty"))
    return keys, tuple(left_out)


def _to_key(entry: object, algorithms: Sequence[str]) -> Key:
    if not isinstance(entry, Mapping):
        raise UnusableKeyError("no object")
    jwk = dict(cast("Mapping[str, object]", entry))
    kty = jwk.get("kty")
    if kty == "oct":
        raise UnusableKeyError("a secret (kty oct), which nobody may publish")
    if not _PRIVATE.isdisjoint(jwk):
        raise UnusableKeyError("a private key, which nobody may publish")
    if jwk.get("use", "sig") != "sig":
        raise UnusableKeyError("not for signatures (use)")
    operations = jwk.get("key_ops", ("verify",))
    if type(operations) is not tuple or "verify" not in operations:
        raise UnusableKeyError("not for verifying (key_ops)")
    algorithm = _algorithm(jwk, algorithms)
    kid = jwk.get("kid")
    if kid is not None and type(kid) is not str:
        raise UnusableKeyError("kid: not a string")
    try:
        # Nothing but the key itself: what PyJWT makes of other members, such as x5c, is no concern of ours.
        material = {name: jwk[name] for name in _PUBLIC if name in jwk}
        public: Any = PyJWK(material, algorithm).key
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return Key(pem, algorithm, kid=kid)
    except Exception as problem:  # noqa: BLE001 - what raises what here is up to three libraries
        # Ours says what is wrong with a key; the others' may quote it.
        raise UnusableKeyError(str(problem) if type(problem) is ValueError else "malformed") from None


def _algorithm(jwk: Mapping[str, object], algorithms: Sequence[str]) -> str:
    """Return the one algorithm of a key, for ever: what a token says never chooses (RFC 8725 §3.1)."""
    alg = jwk.get("alg")
    for algorithm in algorithms:
        fits = _KTY[algorithm] == jwk.get("kty") and _CURVES.get(algorithm) in {None, jwk.get("crv")}
        if fits and alg in {None, algorithm}:
            return algorithm
    raise UnusableKeyError("of no algorithm that is accepted")
