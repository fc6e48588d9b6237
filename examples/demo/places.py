"""The five protected pages, and the code that protects each: cut out of the files that this process runs."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

FOLDER = Path(__file__).parent
GAP = "…"


class Line(NamedTuple):
    """A line of a file, and whether the gate stands in it."""

    number: int | None
    text: str
    is_gate: bool


class Code(NamedTuple):
    """The view behind a page and what keeps others out of it.

    Attributes:
        file: The path of the file in the project.
        gate: What protects the page, such as `@requires_scopes("reports:read")`.
        lines: Of the file. A line without a number stands for lines that are left out.
    """

    file: str
    gate: str
    lines: tuple[Line, ...]


class Place(NamedTuple):
    """A page of one of the five applications.

    Attributes:
        path: Its path on the site.
        title: What it is called.
        app: The framework of its application.
        scope: The OAuth scope that it requires.
        code: What protects it.
    """

    path: str
    title: str
    app: str
    scope: str
    code: Code


def read_code(file: str, view: str, scope: str) -> Code:
    """Return the function `view` of a file, and the statement around it or elsewhere that names the scope."""
    text = (FOLDER / file).read_text(encoding="utf-8")
    tree = ast.parse(text)
    names_scope = [node for node in ast.walk(tree) if _names(node, scope)]
    gate = min((node for node in names_scope if isinstance(node, ast.Call)), key=_length)
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef) and node.name == view)
    parts = [function, *(node for node in names_scope if isinstance(node, ast.Assign))]
    spans = sorted(_span(node) for node in parts)
    at = "@" if gate in function.decorator_list else ""
    lines = tuple(_lines(text.splitlines(), spans, _span(gate)))
    return Code(f"examples/demo/{file}", f"{at}{ast.get_source_segment(text, gate)}", lines)


def _names(node: ast.AST, scope: str) -> bool:
    return any(isinstance(one, ast.Constant) and one.value == scope for one in ast.walk(node))


def _span(node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return the numbers of the first and the last line. A function begins with its decorators."""
    first = min((one.lineno for one in getattr(node, "decorator_list", ())), default=node.lineno)
    return first, node.end_lineno or first


def _length(node: ast.expr) -> int:
    return len(ast.unparse(node))


def _lines(text: list[str], spans: list[tuple[int, int]], gate: tuple[int, int]) -> Iterator[Line]:
    for (before, _), (first, last) in pairwise([(0, 0), *spans]):
        if before:
            yield Line(None, GAP, is_gate=False)
        for number, line in enumerate(dedent("\n".join(text[first - 1 : last])).splitlines(), first):
            yield Line(number, line, is_gate=gate[0] <= number <= gate[1])


def _place(path: str, title: str, app: str, scope: str) -> Place:
    _, folder, view = path.split("/")
    return Place(path, title, app, scope, read_code(f"{folder}_app.py", view, scope))


PLACES = (
    _place("/fastapi/orders", "Orders", "FastAPI", "orders:read"),
    _place("/starlette/reports", "Reports", "Starlette", "reports:read"),
    _place("/quart/stock", "Stock", "Quart", "stock:read"),
    _place("/litestar/invoices", "Invoices", "Litestar", "invoices:read"),
    _place("/asgi/audit", "Audit log", "plain ASGI", "audit:read"),
)
