"""The badge as an HTML page; its looks are in badge.css."""

from __future__ import annotations

from html import escape

from . import artwork
from .badge import CONFERENCE, EDITION, MOTTO
from .layout import QR_SIDE, Layout
from .lettering import Lettering, direction


def page(layout: Layout) -> str:
    """Return the badge as a document of one page, all in it but the style sheet and the typeface."""
    attendee, theme = layout.attendee, layout.attendee.theme
    return f"""<!doctype html>
<html lang="en" style="--color: {theme.color}; --tint: {theme.tint}">
<meta charset="utf-8">
<title>{escape(f"{CONFERENCE} {EDITION}: {attendee.name}")}</title>
<header>{artwork.bridge(theme)}
  <h1>{escape(CONFERENCE)} <span>{EDITION}</span></h1>
  <p>{escape(MOTTO)}</p>
</header>
{_lines("name", layout.name, layout.name_top)}
{_lines("company", layout.company, layout.company_top)}
<aside>{artwork.qr_code(str(attendee.id), QR_SIDE)}</aside>
<p class="number">No. {escape(str(attendee.id))}</p>
<footer></footer>
{_lines("type", layout.type, layout.type_top)}
</html>"""


def _lines(name: str, lettering: Lettering, top: float) -> str:
    blocks = "".join(f'<div dir="{direction(line)}">{escape(line)}</div>' for line in lettering.lines)
    return f'<section class="{name}" style="font-size: {lettering.size}pt; top: {top:.2f}mm">{blocks}</section>'
