"""Puts tables of RESULTS.md into a page of the documentation, so that nobody copies a figure by hand."""

import re

from benchmarks.report import Table

# A comment says which table stands below it, and perhaps which of its columns, and a cell of the rows that are shown:
# <!-- RESULTS.md: Targets | target; measured | missed -->
_PLACE = re.compile(
    r"(?P<asks><!-- RESULTS\.md: (?P<title>[^|\n]+?)(?: \|(?P<columns>[^|\n]*))?(?: ?\|(?P<cell>[^|\n]*))? -->\n)"
    r".*?(?P<end><!-- end -->)",
    re.DOTALL,
)


def with_results(page: str, results: str) -> str:
    """Return a page with the tables that it asks for, as they stand in the results.

    Raises:
        ValueError: It asks for a table or a column that is not there.
    """
    return _PLACE.sub(lambda place: f"{place['asks']}\n{_found(place, results)}\n\n{place['end']}", page)


def _found(place: re.Match[str], results: str) -> str:
    title, columns, cell = (place[name] or "" for name in ("title", "columns", "cell"))
    _, heading, rest = f"\n{results}".partition(f"\n## {title}\n")
    if not heading:
        raise ValueError(f"RESULTS.md has no table {title!r}")
    lines = rest.partition("\n## ")[0].strip().splitlines()
    if not lines[0].startswith("|"):
        # Why it was not measured.
        return lines[0]
    head, _, *rows = (_cells(line) for line in lines if line.startswith("|"))
    chosen = [_index(head, name.strip(), title) for name in columns.split(";")] if columns else range(len(head))
    kept = [row for row in rows if not cell or cell.strip() in row]
    table = Table(title, [head[i] for i in chosen], [[row[i] for i in chosen] for row in kept])
    return table.lines() if kept else "None."


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _index(head: list[str], name: str, title: str) -> int:
    if name not in head:
        raise ValueError(f"RESULTS.md has no column {name!r} in the table {title!r}")
    return head.index(name)
