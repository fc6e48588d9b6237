"""Draw the Mermaid flowcharts of the pages as SVG while the site is built, so that its pages need no script for them.

It knows what `house.py` writes: boxes with a label and a class, arrows, and the colours of the classes.
"""

import html
import re
from dataclasses import dataclass
from itertools import pairwise

from docutils import nodes
from docutils.parsers.rst import Directive
from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout
from grandalf.routing import EdgeViewer, route_with_lines

STYLE = """.flowchart { font: 12px monospace }
.flowchart:not(:focus) { width: 100%; cursor: zoom-in }
.flowchart text { text-anchor: middle }
.flowchart .title { font-weight: bold }
.flowchart polyline { fill: none; stroke: gray }
.flowchart marker path { fill: gray }
"""
TIP = """<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 8 4 0 8z"/></marker>"""
LINE, CHARACTER, MARGIN, GAP = 16, 7.2, 12, 24


@dataclass
class Box:
    """What grandalf calls a view: a size to lay out, and afterwards its centre in `xy`."""

    lines: list[str]
    kind: str
    xy: tuple[float, float] = (0, 0)

    @property
    def w(self) -> float:
        """The width."""
        return max(map(len, self.lines)) * CHARACTER + 2 * MARGIN

    @property
    def h(self) -> float:
        """The height."""
        return len(self.lines) * LINE + 2 * MARGIN

    def svg(self) -> str:
        """Return the box with its text, of which the first line of several is a title."""
        x, y = self.xy
        top = y - self.h / 2
        title = ' class="title"' if len(self.lines) > 1 else ""
        texts = [
            f'<text x="{x:.0f}" y="{top + MARGIN + LINE * (number + 0.75):.0f}"{"" if number else title}>'
            f"{html.escape(line)}</text>"
            for number, line in enumerate(self.lines)
        ]
        box = f'<rect x="{x - self.w / 2:.0f}" y="{top:.0f}" width="{self.w:.0f}" height="{self.h:.0f}" rx="4"/>'
        return f'<g class="{self.kind}">{box}{"".join(texts)}</g>'


def svg(flowchart: str) -> str:
    """Return the drawing of a Mermaid flowchart; a chart without a box is a ValueError."""
    found = re.findall(r'^ +(\w+)\["(.+?)"\]:::(\w+)$', flowchart, re.MULTILINE)
    if not found:
        raise ValueError('The flowchart has no boxes of the form name["label"]:::class')
    boxes = {name: Vertex(name) for name, _, _ in found}
    for name, label, kind in found:
        boxes[name].view = Box(re.sub(r"</?b>", "", label).split("<br>"), kind)
    arrows = [Edge(boxes[a], boxes[b]) for a, b in re.findall(r"^ +(\w+) --> (\w+)$", flowchart, re.MULTILINE)]
    for arrow in arrows:
        arrow.view = EdgeViewer()
    for part in Graph(list(boxes.values()), arrows).C:
        layout = SugiyamaLayout(part)
        layout.route_edge = route_with_lines
        layout.xspace, layout.yspace = GAP, 36
        layout.init_all(optimize=True)
        layout.draw(12)
        for layer in layout.layers:
            _push_apart([vertex.view for vertex in layer if isinstance(vertex, Vertex)])
        layout.draw_edges()
    return _drawing([vertex.view for vertex in boxes.values()], arrows, _colours(flowchart))


def _push_apart(boxes: list[Box]) -> None:
    """Move boxes to the right where they overlap, as grandalf's do where their widths differ."""
    for one, other in pairwise(boxes):
        overlap = (one.w + other.w) / 2 + GAP - (other.xy[0] - one.xy[0])
        other.xy = (other.xy[0] + max(overlap, 0), other.xy[1])


def _drawing(boxes: list[Box], arrows: list[Edge], colours: str) -> str:
    left = min(box.xy[0] - box.w / 2 for box in boxes)
    top = min(box.xy[1] - box.h / 2 for box in boxes)
    width = max(box.xy[0] + box.w / 2 for box in boxes) - left
    height = max(box.xy[1] + box.h / 2 for box in boxes) - top
    size = f'width="{width:.0f}" viewBox="{left - 4:.0f} {top - 4:.0f} {width + 8:.0f} {height + 8:.0f}"'
    lines = [" ".join(f"{x:.0f},{y:.0f}" for x, y in arrow.view._pts) for arrow in arrows]  # noqa: SLF001 - no other way
    parts = [f'<polyline marker-end="url(#tip)" points="{points}"/>' for points in lines]
    parts += [box.svg() for box in boxes]
    # With the focus, after a click, it has its full size.
    opening = f'<svg class="flowchart" {size} role="img" aria-label="What imports what" tabindex="0">'
    drawing = "\n".join([opening, f"<style>{STYLE}{colours}</style>", TIP, *parts, "</svg>"])
    return f'<div style="overflow-x: auto">{drawing}</div>'


def _colours(flowchart: str) -> str:
    classes = re.findall(r"^ +classDef (\w+) fill:(.+?),stroke:(.+?),color:(.+)$", flowchart, re.MULTILINE)
    return "".join(
        f".{kind} rect{{fill:{fill};stroke:{stroke}}}.{kind} text{{fill:{text}}}"
        for kind, fill, stroke, text in classes
    )


class Flowchart(Directive):
    """What MyST makes of a block of Mermaid."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the drawing."""
        return [nodes.raw("", svg("\n".join(self.content)), format="html")]


def setup(app: object) -> dict[str, bool]:
    """Add the directive to Sphinx."""
    app.add_directive("mermaid", Flowchart)
    return {"parallel_read_safe": True}
