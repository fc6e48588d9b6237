"""Tables, as aligned Markdown: the same on the terminal and in RESULTS.md."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.runner import Samples

_HEADING = "## "


@dataclass(frozen=True)
class Table:
    """A table of one section.

    Attributes:
        title: Its heading.
        columns: The headings of the columns; the first holds names, the others numbers.
        rows: The cells.
        notes: Paragraphs below it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Return heading, table and notes; of what was not measured the notes alone."""
        heading = f"{_HEADING}{self.title}"
        if not self.rows:
            return "\n\n".join([heading, *self.notes]) + "\n"
        return "\n\n".join([heading, self.lines(), *self.notes]) + "\n"

    def lines(self) -> str:
        """Return the table alone."""
        cells = [list(self.columns), *map(list, self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        rule = [("-" * width if i == 0 else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
        return "\n".join(_line(row, widths) for row in (cells[0], rule, *cells[1:]))

    def with_note(self, note: str) -> "Table":
        """Return the same table with one more paragraph below."""
        return replace(self, notes=(*self.notes, note))


@dataclass(frozen=True)
class Section:
    """What one part of the run found.

    Attributes:
        tables: To show.
        samples: To judge the targets by, under the names of the contestants.
        figures: The same, of what is measured once.
        chart: An SVG, where there is one.
    """

    tables: Sequence[Table]
    samples: Mapping[str, Samples] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    chart: str | None = None


def timing_table(
    title: str,
    samples: Mapping[str, Samples],
    *,
    base: str,
    unit: str = "µs",
    notes: Iterable[str] = (),
) -> Table:
    """Return medians with their quartiles, and the ratio of each to `base`."""
    divisor = {"µs": 1, "ms": 1000}[unit]
    rows = []
    for name, one in samples.items():
        ratio, _ = one.over(samples[base]).format()
        rows.append([name, *one.format(divisor=divisor), ratio])
    return Table(title, ["", f"median, {unit}", "quartiles", f"ratio to: {base}"], rows, tuple(notes))


def with_tables(text: str, tables: Iterable[Table]) -> str:
    """Return a report with some tables in place of those of the same titles; those that it had not come last."""
    introduction, *parts = f"\n{text}".split(f"\n{_HEADING}")
    found = {part.partition("\n")[0]: f"{_HEADING}{part.rstrip()}\n" for part in parts}
    found |= {table.title: table.markdown() for table in tables}
    return "\n".join([introduction.strip() + "\n", *found.values()])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "| " + " | ".join([first, *rest]) + " |"
