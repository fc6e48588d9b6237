"""All that are measured on requests: ours, what people write by hand, and the libraries that they use today."""

import logging

from benchmarks import ours
from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import bearer, forged
from benchmarks.floors import HandWritten
from benchmarks.frameworks import RAW, page
from benchmarks.keys import SECRET
from benchmarks.peers import peers

CACHED_FLOOR = "by hand, tokens kept in a dict, HS256"
VERIFYING_FLOOR = "by hand, verified each time, HS256"


def all_entrants() -> tuple[list[Contestant], list[str]]:
    """Return those that answer as they must, and a sentence for each that is left out."""
    found, missing = peers()
    entrants = [*ours.contestants(), *floors(), *found]
    _quiet()
    problems = {one.name: one.problem() for one in entrants}
    failed = [f"{name}: {problem}" for name, problem in problems.items() if problem]
    left_out = [f"Not measured: {sentence}." for sentence in (*missing, *failed)]
    return [one for one in entrants if not problems[one.name]], left_out


def floors() -> list[Contestant]:
    """Return what people write by hand."""
    token = ours.access_token(ours.make_manager())
    return [
        contestant(
            name,
            Kind.FLOOR,
            RAW,
            HandWritten(page, SECRET.encode(), ours.load_user, is_cached=is_cached),
            good=bearer(token),
            bad=bearer(forged(token)),
        )
        for name, is_cached in {CACHED_FLOOR: True, VERIFYING_FLOOR: False}.items()
    ]


def _quiet() -> None:
    """Take back what importing authx does to the root logger: its output would be charged to whoever logs."""
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.WARNING)
