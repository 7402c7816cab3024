"""The drawn parts of a badge as SVG, in millimetres: the bridge on the header and the QR code of the id."""

from __future__ import annotations

import segno

from .badge import Theme

INK = "#0f1b2d"
WIDTH, HEADER = 101.6, 54.0
_SVG = "http://www.w3.org/2000/svg"
_DECK, _TOWER_TOP, _LOWEST = 47.0, 31.0, 44.4
_TOWERS = (24.0, 77.6)
_MIDDLE = WIDTH / 2


def bridge(theme: Theme) -> str:
    """Return a suspension bridge over a river, as wide as the badge, in the colours of an attendee type."""
    left, right = _TOWERS
    control = 2 * _LOWEST - _TOWER_TOP
    cables = (
        f"M{left} {_TOWER_TOP}Q{_MIDDLE} {control} {right} {_TOWER_TOP}"
        f"M{left} {_TOWER_TOP}Q{left - 13} {_DECK - 4} -12 {_DECK}"
        f"M{right} {_TOWER_TOP}Q{right + 13} {_DECK - 4} {WIDTH + 12} {_DECK}"
    )
    towers = "".join(f"M{x} {_TOWER_TOP - 1.5}V{HEADER}" for x in _TOWERS)
    return (
        f'<svg xmlns="{_SVG}" width="{WIDTH}mm" height="{HEADER}mm" viewBox="0 0 {WIDTH} {HEADER}">'
        f'<rect x="0" y="0" width="{WIDTH}" height="{HEADER}" fill="{INK}"/>'
        f'<path d="M{_MIDDLE - 14} {_DECK}A14 14 0 0 1 {_MIDDLE + 14} {_DECK}Z" fill="{theme.color}"/>'
        f'<rect x="0" y="{_DECK}" width="{WIDTH}" height="{HEADER - _DECK}" fill="{theme.color}"/>'
        f'<path d="{_hangers()}" fill="none" stroke="{theme.tint}" stroke-width="0.22"/>'
        f'<path d="{cables}" fill="none" stroke="{theme.tint}" stroke-width="0.6"/>'
        f'<path d="{towers}" fill="none" stroke="{theme.tint}" stroke-width="1.7"/>'
        f'<path d="M0 {_DECK}H{WIDTH}" fill="none" stroke="{theme.tint}" stroke-width="1.1"/>'
        # Where the lanyard's clip goes through.
        f'<rect x="{_MIDDLE - 7.5}" y="5" width="15" height="4" rx="2" fill="#ffffff"/>'
        "</svg>"
    )


def qr_code(text: str, side: float) -> str:
    """Return the QR code of `text` as one filled path, which any reader of SVG draws without gaps."""
    rows = segno.make(text, error="m", micro=False).matrix
    runs = "".join(_dark_runs(row, y) for y, row in enumerate(rows))
    size = len(rows)
    return (
        f'<svg xmlns="{_SVG}" width="{side}mm" height="{side}mm" viewBox="0 0 {size} {size}">'
        f'<path d="{runs}" fill="{INK}"/></svg>'
    )


def _hangers() -> str:
    left, right = _TOWERS
    half, sag = (right - left) / 2, _LOWEST - _TOWER_TOP
    count = 16
    offsets = [half * (2 * i / count - 1) for i in range(1, count)]
    heights = [_TOWER_TOP + sag * (1 - (offset / half) ** 2) for offset in offsets]
    return "".join(f"M{_MIDDLE + x:.2f} {y:.2f}V{_DECK}" for x, y in zip(offsets, heights, strict=True))


def _dark_runs(row: bytearray, y: int) -> str:
    path, start = "", None
    for x, dark in enumerate([*row, 0]):
        if dark and start is None:
            start = x
        elif not dark and start is not None:
            path += f"M{start} {y}H{x}V{y + 1}H{start}Z"
            start = None
    return path
