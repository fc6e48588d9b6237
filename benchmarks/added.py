"""What is added to a request: the time of each contestant, less that of the bare application of its framework."""

from collections.abc import Mapping, Sequence

from benchmarks.cheapest import cheapest
from benchmarks.contestants import Contestant, Kind
from benchmarks.drive import Request, requests
from benchmarks.entrants import CACHED_FLOOR, all_entrants
from benchmarks.frameworks import RAW, bare_applications
from benchmarks.report import Section, Table, timing_table
from benchmarks.runner import Run, Samples, measure

BEST_PEER = "the best peer"
DEPENDS = "fastapi-login, Depends, HS256"

_METHOD = (
    "Each is awaited in one running asyncio loop, without a server, with the same headers around its credential; the "
    "bare application of the same framework, whose page reads a user that a two-line middleware has set, or on FastAPI "
    "reads nobody, is subtracted round by round. Every contestant answered 200 to its good credential and refused a "
    "forged one and none, before anything was measured."
)
_BEST = (
    "The cheapest of each that was logged in. All check the credential in each request, give the page its user, and "
    "refuse a forged credential and none. asgi-login has seen the token before, and awaits the user loader each time. "
    "No other library keeps what it has verified. Each loads the user too, but for quart-auth, which makes one out of "
    "its cookie. starlette-login and quart-auth read a session cookie. On plain ASGI, what is written by hand takes "
    "the place of another library; it keeps tokens as well, and awaits the same loader."
)


def added_costs(*, rounds: int, seconds: float) -> Section:
    """Measure all that are installed."""
    entrants, left_out = all_entrants()
    bare = bare_applications()
    runs: dict[str, Run] = {f"bare {name}": requests(app, Request()) for name, app in bare.items()}
    runs |= {one.name: requests(one.app, one.request) for one in entrants}
    samples = measure(runs, rounds=rounds, seconds=seconds)
    net = {one.name: samples[one.name].minus(samples[f"bare {one.base}"]) for one in entrants}
    of_peers = [one.name for one in entrants if one.kind is Kind.PEER]
    best = {BEST_PEER: min((net[name] for name in of_peers), key=lambda one: one.median)} if of_peers else {}
    named = [f"{BEST_PEER.capitalize()} is {name}." for name, one in net.items() if one in best.values()]
    notes = [_METHOD, *named, *left_out]
    tables = [_by_framework(entrants, net, samples), _table(entrants, net, notes), _bare_table(samples, bare)]
    return Section(tables, {**net, **best})


def _by_framework(entrants: Sequence[Contestant], net: Mapping[str, Samples], samples: Mapping[str, Samples]) -> Table:
    shown = cheapest(entrants, {name: one.median for name, one in net.items()})
    shown = {base: both for base, both in shown.items() if len(both) > 1}
    rows = []
    for base in sorted(shown, key=lambda name: samples[f"bare {name}"].median):
        ours, other = (net[one.name] for one in shown[base])
        ratio, _ = ours.over(other).format()
        bare, adds, other_adds = (one.format()[0] for one in (samples[f"bare {base}"], ours, other))
        rows.append([base, bare, adds, other_adds, ratio, shown[base][1].name])
    columns = ["", "the page alone, µs", "asgi-login adds", "the best of the others adds", "ratio", "which is"]
    ours_are = "; ".join(both[0].name for both in shown.values())
    return Table("Added to a request, by framework", columns, rows, [_BEST, f"Those of asgi-login are: {ours_are}."])


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
