"""What is added to a request: the time of each contestant, less that of the bare application of its framework."""

import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from benchmarks import ours
from benchmarks.contestants import Contestant, Kind
from benchmarks.drive import Request, requests
from benchmarks.entrants import CACHED_FLOOR, all_entrants
from benchmarks.frameworks import RAW, bare_applications
from benchmarks.keys import SECRET, private_key
from benchmarks.report import Section, Table, timing_table
from benchmarks.runner import Run, Samples, calls_of, measure

HMAC_ALONE = "hmac.digest"
RSA_ALONE = "public_key.verify"
BEST_PEER = "the best peer"
DEPENDS = "fastapi-login, Depends, HS256"

_METHOD = (
    "Each is awaited in one running asyncio loop, without a server, with the same headers around its credential; the "
    "bare application of the same framework, whose page reads a user that a two-line middleware has set, is "
    "subtracted round by round. Every contestant answered 200 to its good credential and refused a forged one and "
    "none, before anything was measured."
)


def added_costs(*, rounds: int, seconds: float) -> Section:
    """Measure all that are installed."""
    entrants, left_out = all_entrants()
    bare = bare_applications()
    runs: dict[str, Run] = {f"bare {name}": requests(app, Request()) for name, app in bare.items()}
    runs |= {one.name: requests(one.app, one.request) for one in entrants}
    samples = measure(runs | _alone(), rounds=rounds, seconds=seconds)
    net = {one.name: samples[one.name].minus(samples[f"bare {one.base}"]) for one in entrants}
    of_peers = [one.name for one in entrants if one.kind is Kind.PEER]
    alone = {name: samples[name] for name in (HMAC_ALONE, RSA_ALONE)}
    best = {BEST_PEER: min((net[name] for name in of_peers), key=lambda one: one.median)} if of_peers else {}
    named = [f"{BEST_PEER.capitalize()} is {name}." for name, one in net.items() if one in best.values()]
    notes = [_METHOD, *named, *left_out]
    tables = [_table(entrants, net, notes), _bare_table(samples, bare), _alone_table(alone)]
    return Section(tables, {**net, **alone, **best})


def _alone() -> dict[str, Run]:
    """Return the bare signature checks, of a token of ours."""
    signed = ours.access_token(ours.make_manager()).rpartition(".")[0].encode()
    secret, private = SECRET.encode(), private_key()
    public, scheme, digest = private.public_key(), padding.PKCS1v15(), hashes.SHA256()
    signature = private.sign(signed, scheme, digest)
    return {
        HMAC_ALONE: calls_of(lambda: hmac.digest(secret, signed, "sha256")),
        RSA_ALONE: calls_of(lambda: public.verify(signature, signed, scheme, digest)),
    }


def _table(entrants: Sequence[Contestant], net: dict[str, Samples], notes: Sequence[str]) -> Table:
    ordered = sorted(entrants, key=lambda one: (list(Kind).index(one.kind), one.base != RAW, net[one.name].median))
    rows = []
    for one in ordered:
        ratio, _ = net[one.name].over(net[CACHED_FLOOR]).format(".1f")
        rows.append([one.name, one.base, *net[one.name].format(), ratio])
    columns = ["", "on", "added, µs", "quartiles", "ratio to the dict of tokens"]
    return Table("Added to a request", columns, rows, notes)


def _bare_table(samples: dict[str, Samples], bare: dict[str, object]) -> Table:
    subtracted = {name: samples[f"bare {name}"] for name in bare}
    return timing_table("The bare applications that were subtracted", subtracted, base=RAW)


def _alone_table(alone: dict[str, Samples]) -> Table:
    return timing_table("The signature checks alone, in the same run", alone, base=HMAC_ALONE)
