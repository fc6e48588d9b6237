"""Who is shown for each framework: the cheapest of ours, next to the cheapest of the others."""

from collections.abc import Mapping, Sequence

from benchmarks.contestants import Contestant, Kind

_OK = 200


def cheapest(entrants: Sequence[Contestant], added: Mapping[str, float]) -> dict[str, list[Contestant]]:
    """Return two for each framework: the cheapest of ours, and of its peers or, where it has none, of those by hand.

    Those who answer that nobody is logged in are left out. All others check a credential and give the page its user.

    Args:
        entrants: All that are measured.
        added: What each adds to the bare application of its framework, by name.
    """
    found: dict[str, list[Contestant]] = {}
    for base in dict.fromkeys(one.base for one in entrants):
        here = [one for one in entrants if one.base == base and one.status == _OK]
        ours = [one for one in here if one.kind is Kind.OURS]
        peers = [one for one in here if one.kind is Kind.PEER]
        by_hand = [one for one in here if one.kind is Kind.FLOOR]
        found[base] = [min(some, key=lambda one: added[one.name]) for some in (ours, peers or by_hand) if some]
    return found
