"""Draw the house from its imports: `make house` writes the picture in `explanation/house.md` anew.

A room is a file or a package of `asgi_login/`. A package is a wing and one box, with its files inside. An adapter is
named after the package that it imports, or is a file that no other room imports. Every other file is the front door.
"""

import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grimp

PAGE = Path(__file__).parent / "explanation" / "house.md"
FENCE = "```mermaid\n", "```\n"
# Both colours of each are given, because a page may be read on a dark background.
COLOURS = {
    "adapter": "fill:#dbeafe,stroke:#1d4ed8,color:#111827",
    "front": "fill:#fef3c7,stroke:#b45309,color:#111827",
    "wing": "fill:#dcfce7,stroke:#15803d,color:#111827",
}


@dataclass(frozen=True)
class Room:
    """A box of the picture; `files` are those of a wing, the highest first."""

    kind: str
    files: tuple[str, ...]
    imports: frozenset[str]


def rooms(package: str) -> dict[str, Room]:
    """Return the rooms of an importable package by their names."""
    graph = grimp.build_graph(
        package, include_external_packages=True, exclude_type_checking_imports=False, cache_dir=None
    )
    found = {room.rpartition(".")[2]: room for room in graph.find_children(package)}
    files = {name: _files(graph, room) for name, room in found.items()}
    for room in found.values():
        graph.squash_module(room)
    return {name: _room(graph, package, name, files[name]) for name in sorted(found)}


def _room(graph: grimp.ImportGraph, package: str, name: str, files: tuple[str, ...]) -> Room:
    room = f"{package}.{name}"
    imported = graph.find_modules_directly_imported_by(room) - {room}
    if name in imported:
        kind = "adapter"
    elif files:
        kind = "wing"
    else:
        kind = "front" if graph.find_modules_that_directly_import(room) else "adapter"
    inside = {other.removeprefix(f"{package}.") for other in imported if other.startswith(f"{package}.")}
    return Room(kind, files, frozenset(inside))


def _files(graph: grimp.ImportGraph, wing: str) -> tuple[str, ...]:
    inside = graph.find_descendants(wing)
    imports = {file: graph.find_modules_directly_imported_by(file) & inside for file in inside}
    heights = floors(imports)
    return tuple(file.removeprefix(f"{wing}.") for file in sorted(inside, key=lambda file: (-heights[file], file)))


def floors(imports: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return how high each room lies above what it imports; a circle of imports has no floors and is a ValueError."""
    heights: dict[str, int] = {}

    def climb(room: str, above: tuple[str, ...]) -> int:
        if room in above:
            raise ValueError("Imports must not form a circle: " + " -> ".join([*above, room]))
        if room not in heights:
            heights[room] = 1 + max((climb(below, (*above, room)) for below in imports[room]), default=-1)
        return heights[room]

    for room in sorted(imports):
        climb(room, ())
    return heights


def arrows(imports: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Return the imports that no longer way implies; drawing the others too would hide these."""
    heights = floors(imports)
    reached: dict[str, set[str]] = {}
    for room in sorted(imports, key=heights.__getitem__):
        reached[room] = {far for below in imports[room] for far in (below, *reached[below])}
    drawn = [
        (room, below)
        for room in imports
        for below in imports[room]
        if not any(below in reached[between] for between in imports[room])
    ]
    return sorted(drawn, key=lambda arrow: (-heights[arrow[0]], -heights[arrow[1]], arrow))


def picture(house: Mapping[str, Room]) -> str:
    """Return the picture as Mermaid text."""
    imports = {name: room.imports for name, room in house.items()}
    heights = floors(imports)
    highest_first = sorted(house, key=lambda name: (-heights[name], name))
    lines = ["flowchart TD"]
    lines += [f"    {name}[{_label(name, house[name].files)}]:::{house[name].kind}" for name in highest_first]
    lines += [f"    {room} --> {below}" for room, below in arrows(imports)]
    lines += [f"    classDef {kind} {colours}" for kind, colours in COLOURS.items()]
    return "\n".join(lines) + "\n"


def _label(name: str, files: tuple[str, ...]) -> str:
    if not files:
        return f'"{name}"'
    return '"' + "<br>".join([f"<b>{name}/</b>", *textwrap.wrap(", ".join(files), 24)]) + '"'


def drawn_into(page: str, drawing: str) -> str:
    """Return the page with the drawing in place of the one that it has."""
    start, end = FENCE
    before, _, rest = page.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError("The page has no block of Mermaid to put the picture into")
    return before + start + drawing + end + after


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[2]))
    PAGE.write_text(drawn_into(PAGE.read_text(), picture(rooms("asgi_login"))))
