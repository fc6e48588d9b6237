"""One thing that this library has set itself, and whether a run has found it so."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.report import Section, Table
from benchmarks.runner import Samples


class Results:
    """Everything that a run has found.

    Args:
        sections: Of the run.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        self.samples: dict[str, Samples] = {}
        self.figures: dict[str, float] = {}
        for section in sections:
            # What has one name in two sections was measured at two times: no ratio may mix them.
            assert self.samples.keys().isdisjoint(section.samples)
            self.samples.update(section.samples)
            self.figures.update(section.figures)

    def ratio(self, one: str, other: str) -> Samples:
        """Return the ratios of two contestants, round by round."""
        return self.samples[one].over(self.samples[other])

    def difference(self, one: str, other: str) -> Samples:
        """Return the differences of two contestants, round by round."""
        return self.samples[one].minus(self.samples[other])


@dataclass(frozen=True)
class Target:
    """What is measured, and what it should be; a limit of None is none."""

    what: str
    limit: float | None
    unit: str
    measured: Callable[[Results], Samples]
    is_at_least: bool = False

    def row(self, results: Results) -> list[str]:
        """Return a row of the table."""
        word = "at least" if self.is_at_least else "at most"
        limit = "" if self.limit is None else f"{word} {_short(self.limit)} {self.unit}".rstrip()
        try:
            found = self.measured(results)
        except KeyError:
            return [self.what, limit, "", "", "not measured"]
        median, quartiles = found.format(".3g")
        spread = quartiles if len(found.values) > 1 else ""
        return [self.what, limit, f"{median} {self.unit}".rstrip(), spread, self._verdict(found.median)]

    def _verdict(self, found: float) -> str:
        if self.limit is None:
            return ""
        return "met" if (found >= self.limit if self.is_at_least else found <= self.limit) else "missed"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"  # noqa: PLR2004 - .3g would write 1e+03


def ratio(one: str, other: str) -> Callable[[Results], Samples]:
    """Return what measures one contestant by another."""
    return lambda results: results.ratio(one, other)


def difference(one: str, other: str) -> Callable[[Results], Samples]:
    """Return what measures by how much one contestant takes longer than another."""
    return lambda results: results.difference(one, other)


def figure(name: str) -> Callable[[Results], Samples]:
    """Return what finds something that is measured once."""
    return lambda results: Samples((results.figures[name],))


def figure_ratio(one: str, other: str) -> Callable[[Results], Samples]:
    """Return what measures one thing by another, each of which is measured once."""
    return lambda results: Samples((results.figures[one] / results.figures[other],))


def target_table(title: str, targets: Iterable[Target], sections: Sequence[Section]) -> Table:
    """Return each target with what was measured, all in one run."""
    results = Results(sections)
    rows = [target.row(results) for target in targets]
    return Table(title, ["", "target", "measured", "quartiles", ""], rows)
