"""A bar chart as SVG, readable on light and dark pages, without a library."""

from __future__ import annotations

from html import escape
from typing import Final

from notation import rate

WIDTH: Final = 760
_LABEL: Final = 190  # the width of the names
_BAR: Final = 18  # a bar's height, with its gap
_ROOM: Final = 70  # for the figure behind the longest bar
_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#57606a}.group{font-weight:600}.bar{fill:#8c959f}.ours{fill:#2f6feb}"
    "@media(prefers-color-scheme:dark){text{fill:#9da7b1}.bar{fill:#6e7681}.ours{fill:#58a6ff}}"
)

Bars = list[tuple[str, float | None]]


def draw(title: str, groups: dict[str, Bars], ours: str = "Bridge") -> str:
    """Return a chart of horizontal bars: a group for each heading, each to the scale of its own longest bar."""
    parts, top = [f'<text class="group" x="0" y="14">{escape(title)}</text>'], 24
    for heading, bars in groups.items():
        known = [(name, value) for name, value in bars if value is not None]
        if known:
            parts.append(f'<text class="group" x="0" y="{top + 14}">{escape(heading)}</text>')
            parts += _group(known, top + 22, ours)
            top += 22 + _BAR * len(known) + 8
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    label = f'role="img" aria-label="{escape(title)}"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>\n<style>{_STYLE}</style>\n{body}\n</svg>\n'


def _group(bars: list[tuple[str, float]], top: int, ours: str) -> list[str]:
    scale = (WIDTH - _LABEL - _ROOM) / max(value for _, value in bars)
    parts = []
    for number, (name, value) in enumerate(sorted(bars, key=lambda bar: -bar[1])):
        y, kind = top + _BAR * number, "bar ours" if name == ours else "bar"
        width = max(1.0, value * scale)
        parts += [
            f'<text x="{_LABEL - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{_LABEL}" y="{y}" width="{width:.1f}" height="{_BAR - 4}"/>',
            f'<text x="{_LABEL + width + 6:.1f}" y="{y + 11}">{rate(value)}</text>',
        ]
    return parts
