"""What verifying a token costs by itself, without a request around it."""

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from benchmarks.keys import SECRET, private_key, private_pem, public_pem
from benchmarks.node import MissingError, NodeVerifier
from benchmarks.ours import access_token, make_manager
from benchmarks.report import Section, Table, timing_table
from benchmarks.runner import Run, calls_of, measure

HMAC_ALONE = "hmac.digest alone"
RSA_ALONE = "public_key.verify alone"
FAST_JWT = "fast-jwt on Node, HS256"
OURS = "asgi-login, HS256"
PYJWT = "PyJWT decode, HS256"
_OURS_RS256 = "asgi-login, RS256"


def verification(*, rounds: int, seconds: float) -> Section:
    """Measure both algorithms; every contestant has accepted the token and refused a forged one."""
    hs256 = access_token(make_manager())
    rs256 = access_token(make_manager(private_pem(), algorithm="RS256"))
    runs = {"HS256": _hs256(hs256), "RS256": _rs256(rs256)}
    notes = []
    with _node(hs256, rs256) as node:
        if isinstance(node, str):
            notes.append(f"Not measured: fast-jwt on Node; {node}.")
        else:
            for name, run in node.items():
                runs["HS256" if "HS256" in name else "RS256"][name] = run
        samples = measure(runs["HS256"] | runs["RS256"], rounds=rounds, seconds=seconds)
    tables = [
        _table("HS256", OURS, {name: samples[name] for name in runs["HS256"]}, notes),
        _table("RS256 (2048 bits)", _OURS_RS256, {name: samples[name] for name in runs["RS256"]}, notes),
    ]
    return Section(tables, samples)


def _table(algorithm, base, samples, notes) -> Table:
    return timing_table(f"Verification alone, {algorithm}", samples, base=base, notes=notes)


def hmac_alone() -> Run:
    """Return the check of an HMAC without anything around it, of a token of ours."""
    signed, secret = access_token(make_manager()).rpartition(".")[0].encode(), SECRET.encode()
    return calls_of(lambda: hmac.digest(secret, signed, "sha256"))


def rsa_alone() -> Run:
    """Return the check of an RSA signature without anything around it, of a token of ours."""
    signed, _, signature = access_token(make_manager(private_pem(), algorithm="RS256")).rpartition(".")
    public, scheme, digest = private_key().public_key(), padding.PKCS1v15(), hashes.SHA256()
    signature_bytes, signed_bytes = urlsafe_b64decode(signature + "=="), signed.encode()
    return calls_of(lambda: public.verify(signature_bytes, signed_bytes, scheme, digest))


def _hs256(token: str) -> dict[str, Run]:
    raw = token.encode()
    verify = make_manager(token_cache_size=0).config.tokens.verify
    cached = make_manager().config.tokens.verify
    runs = {
        HMAC_ALONE: hmac_alone(),
        OURS: calls_of(lambda: verify(raw)),
        "asgi-login, HS256, cached": calls_of(lambda: cached(raw)),
        PYJWT: calls_of(lambda: jwt.decode(token, SECRET, ["HS256"])),
    }
    assert verify(raw).claims["sub"] == cached(raw).claims["sub"] == jwt.decode(token, SECRET, ["HS256"])["sub"]
    joserfc = _joserfc("oct", SECRET, "HS256", token)
    return runs | ({"joserfc decode and validate, HS256": joserfc} if joserfc else {})


def _rs256(token: str) -> dict[str, Run]:
    raw = token.encode()
    public = private_key().public_key()
    verify = make_manager(private_pem(), algorithm="RS256", token_cache_size=0).config.tokens.verify
    cached = make_manager(private_pem(), algorithm="RS256").config.tokens.verify
    pem = public_pem()
    assert verify(raw).claims["sub"] == cached(raw).claims["sub"] == jwt.decode(token, public, ["RS256"])["sub"]
    runs = {
        RSA_ALONE: rsa_alone(),
        _OURS_RS256: calls_of(lambda: verify(raw)),
        "asgi-login, RS256, cached": calls_of(lambda: cached(raw)),
        "PyJWT decode, RS256, with a key object": calls_of(lambda: jwt.decode(token, public, ["RS256"])),
        "PyJWT decode, RS256, with a PEM": calls_of(lambda: jwt.decode(token, pem, ["RS256"])),
    }
    joserfc = _joserfc("RSA", pem, "RS256", token)
    return runs | ({"joserfc decode and validate, RS256": joserfc} if joserfc else {})


def _joserfc(kind: str, material: str | bytes, algorithm: str, token: str) -> Run | None:
    try:
        from joserfc import jwk
        from joserfc import jwt as joserfc_jwt
    except ModuleNotFoundError:
        return None
    key = jwk.import_key(material, kind)
    claims = joserfc_jwt.JWTClaimsRegistry(exp={"essential": True}, sub={"essential": True})

    def decode() -> object:
        decoded = joserfc_jwt.decode(token, key, algorithms=[algorithm])
        claims.validate(decoded.claims)
        return decoded

    decode()
    return calls_of(decode)


@contextmanager
def _node(hs256: str, rs256: str) -> Iterator[dict[str, Run] | str]:
    setting = json.dumps({"secret": SECRET, "pem": public_pem().decode(), "hs256": hs256, "rs256": rs256})
    try:
        verifier = NodeVerifier(setting)
    except MissingError as problem:
        yield str(problem)
        return
    with verifier:
        yield {
            FAST_JWT: verifier.run_of("hs256"),
            "fast-jwt on Node, HS256, cached": verifier.run_of("hs256-cached"),
            "fast-jwt on Node, RS256": verifier.run_of("rs256"),
            "fast-jwt on Node, RS256, cached": verifier.run_of("rs256-cached"),
        }
