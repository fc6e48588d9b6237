"""A grouped bar chart, as an SVG that is readable on light and dark pages, and on a phone."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

_WIDTH, _MARGIN, _LINE, _BAR = 420, 14, 18, 12
_FULL = _WIDTH - 2 * _MARGIN
# Characters that fit, next to a number.
_TITLE_LENGTH, _LABEL_LENGTH = 44, 42
_STYLE = """
  .page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif } .number { text-anchor: end }
  .title { font-size: 15px; font-weight: 600 } .group { font-size: 14px; font-weight: 600 }
  .bare { fill: #d1d9e0 } .ours { fill: #0969da } .peer { fill: #818b98 } .floor { fill: #bf8700 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 }
    .bare { fill: #3d444d } .ours { fill: #4493f8 } .peer { fill: #9198a1 } .floor { fill: #d29922 }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One of a group.

    Attributes:
        label: Who it is.
        added: What is added to the value that the group has in common.
        kind: The class: "ours", "peer" or "floor".
    """

    label: str
    added: float
    kind: str


@dataclass(frozen=True)
class Group:
    """Bars under a heading, which all begin with the same value.

    Attributes:
        heading: The heading.
        bare: The value that they have in common, which is also a bar of its own.
        bars: The bars.
    """

    heading: str
    bare: float
    bars: Sequence[Bar]


class _Drawing:
    """Lines of SVG, from top to bottom."""

    def __init__(self, scale: float) -> None:
        self.lines: list[str] = []
        self.y = _MARGIN
        self._scale = scale

    def text(self, text: str, kind: str = "", number: str = "") -> None:
        """Write a line, with a number at its end."""
        self.y += _LINE
        cls = f' class="{kind}"' if kind else ""
        self.lines.append(f'<text{cls} x="{_MARGIN}" y="{self.y - 4}">{escape(text)}</text>')
        if number:
            self.lines.append(f'<text class="number" x="{_WIDTH - _MARGIN}" y="{self.y - 4}">{number}</text>')

    def bar(self, bare: float, added: float = 0, kind: str = "") -> None:
        """Draw a bar of two parts."""
        common = bare * self._scale
        parts = [("bare", _MARGIN, common)]
        if kind:
            parts.append((kind, _MARGIN + common, max(added * self._scale, 1)))
        self.lines += [
            f'<rect class="{cls}" x="{x:.1f}" y="{self.y}" width="{width:.1f}" height="{_BAR}"/>'
            for cls, x, width in parts
        ]
        self.y += _BAR + 4


def bar_chart(title: str, groups: Sequence[Group]) -> str:
    """Return the chart.

    Args:
        title: Above it.
        groups: All of them, on one scale.
    """
    longest = max(group.bare + max((bar.added for bar in group.bars), default=0) for group in groups)
    drawing = _Drawing(_FULL / longest)
    for line in wrap(title, _TITLE_LENGTH):
        drawing.text(line, "title")
    for group in groups:
        drawing.y += 12
        drawing.text(group.heading, "group")
        drawing.text("the page alone", number=f"{group.bare:,.0f}")
        drawing.bar(group.bare)
        for bar in group.bars:
            *before, last = wrap(bar.label, _LABEL_LENGTH)
            for line in before:
                drawing.text(line)
            drawing.text(last, number=f"+ {bar.added:,.0f}")
            drawing.bar(group.bare, bar.added, bar.kind)
    height = drawing.y + _MARGIN - 4
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="540" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="page" width="{_WIDTH}" height="{height}" rx="8"/>',
            *drawing.lines,
            "</svg>\n",
        ]
    )
