"""A bar chart, as an SVG that is readable on light and on dark pages."""

from collections.abc import Mapping
from html import escape

_WIDTH, _LEFT, _ROW, _BAR, _TOP = 860, 330, 26, 16, 56
_STYLE = """
  .page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif }
  .title { font-weight: 600; font-size: 15px } .peer { fill: #8c959f } .ours { fill: #0969da } .floor { fill: #bf8700 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #e6edf3 }
    .peer { fill: #6e7681 } .ours { fill: #4493f8 } .floor { fill: #d29922 }
  }
"""


def bar_chart(title: str, bars: Mapping[str, tuple[float, str]], *, unit: str) -> str:
    """Return the chart.

    Args:
        title: Above it.
        bars: From the label to the value and the class: "ours", "peer" or "floor".
        unit: Of the values.
    """
    height = _TOP + len(bars) * _ROW + 14
    longest = max(value for value, _ in bars.values())
    scale = (_WIDTH - _LEFT - 90) / longest
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="8"/>',
        f'<text class="title" x="20" y="32">{escape(title)}</text>',
    ]
    for i, (label, (value, kind)) in enumerate(bars.items()):
        top = _TOP + i * _ROW
        length = max(value * scale, 1)
        lines += [
            f'<text x="{_LEFT - 10}" y="{top + 13}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_BAR}" rx="2"/>',
            f'<text x="{_LEFT + length + 8:.1f}" y="{top + 13}">{_rounded(value)} {escape(unit)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _rounded(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004
