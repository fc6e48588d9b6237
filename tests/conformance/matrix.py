"""Which behaviour holds where: docs/reference/conformance.md, as the suite finds it."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"

INTRODUCTION = """# What holds in which framework

The conformance suite sends the same requests to every framework and expects the same answers. The suite writes this
page (`python -m pytest tests/conformance --write-matrix`), and a test fails if page and suite differ.

*native* means the framework's own `install` or plugin, and *wrapped* means `AuthMiddleware(app, manager)` from outside.
`yes` means that every case of the behaviour holds. `no` and `partly` mean that no case holds, or only some, for the
reason with that number below the tables. The suite verifies each exception too.
"""


@dataclass
class Found:
    """What was collected: a strict suite passes only if it is so."""

    cells: dict[tuple[str, str], dict[tuple[str, str], list[tuple[str, ...]]]] = field(default_factory=dict)
    patterns: set[tuple[str, str]] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)

    def add(self, item, framework, mount, *reasons):
        behaviour = (_heading(item), _words(item.originalname.removeprefix("test_")))
        self.cells.setdefault(behaviour, {}).setdefault((framework.name, mount), []).append(reasons)


FOUND = pytest.StashKey[Found]()


def _words(name):
    return name.replace("_", " ").capitalize()


def _heading(item):
    spaced = "".join(f" {one.lower()}" if one.isupper() else one for one in item.cls.__name__.removeprefix("Test"))
    part = item.path.stem.removeprefix("test_conformance_").partition("_")[0]
    kind = {"http": "HTTP", "websocket": "WebSocket"}.get(part, part.capitalize())
    return f"{kind}: {spaced.strip()}"


def render(found, frameworks):
    """Return the page."""
    columns = [(framework.name, mount) for framework in frameworks for mount in framework.mounts]
    notes = {}
    lines = [INTRODUCTION]
    title = None
    for (heading, behaviour), cells in found.cells.items():
        if heading != title:
            title = heading
            lines += ["", f"## {title}", "", f"| behaviour | {' | '.join(_title(*one) for one in columns)} |"]
            lines.append(f"|---|{'---|' * len(columns)}")
        marks = [_mark(cells.get(column, []), notes) for column in columns]
        lines.append(f"| {behaviour} | {' | '.join(marks)} |")
    lines += ["", "## Reasons", ""]
    lines += [f"{number}. {reason}." for reason, number in notes.items()]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _title(framework, mount):
    return f"{framework} {mount}"


def _mark(cases, notes):
    reasons = dict.fromkeys(reason for case in cases for reason in case)
    if not cases:
        return "-"
    if not reasons:
        return "yes"
    numbers = ", ".join(str(notes.setdefault(reason, len(notes) + 1)) for reason in reasons)
    return f"no {numbers}" if all(cases) else f"partly {numbers}"
