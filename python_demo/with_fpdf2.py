"""The same badge by fpdf2, a plain wheel: it draws where WeasyPrint's system libraries are missing."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime
from typing import Literal

from fpdf import FPDF
from fpdf.fonts import TTFFont

from . import artwork, fonts
from .badge import CONFERENCE, EDITION, MOTTO, Attendee
from .layout import BAND, HEADER, HEIGHT, MARGIN, QR_SIDE, WIDTH, Layout, lay_out
from .lettering import LEADING, MM_PER_POINT, Lettering, direction

_WHITE, _GREY = "#ffffff", "#475569"
_BOLD, _MEDIUM = "Manrope-ExtraBold", "Manrope-Medium"
# A fixed date: fpdf2 writes one, and the same attendee shall give the same bytes.
_CREATED = datetime(2026, 1, 1, tzinfo=UTC)
# How much lower a browser puts Manrope's baseline than fpdf2 does, in ems.
_DROP = 0.083

logger = logging.getLogger(__name__)


class Fpdf2Renderer:
    """Renders badges by fpdf2, about 25 a second on one core."""

    name = "fpdf2"

    def render(self, attendee: Attendee) -> bytes:
        """Return the badge as a PDF; the same attendee gives the same bytes."""
        sheet = _Sheet(lay_out(attendee))
        try:
            sheet.draw()
            return bytes(sheet.pdf.output())
        finally:
            sheet.close()


class _Sheet:
    """One badge while it is drawn."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.fallbacks: dict[str, list[str]] = {}
        self.pdf = FPDF(unit="mm", format=(WIDTH, HEIGHT))
        self.pdf.set_creation_date(_CREATED)
        self.pdf.set_title(f"{CONFERENCE} {EDITION}: {layout.attendee.name}")
        self.pdf.set_lang("en")
        self.pdf.set_auto_page_break(False)
        self.pdf.c_margin = 0
        self.pdf.add_page()
        self._add_fonts()

    def draw(self) -> None:
        """Draw everything, from the top to the bottom."""
        layout, theme = self.layout, self.layout.attendee.theme
        self._svg(artwork.bridge(theme), 0, 0, WIDTH, HEADER)
        self._text(f"{CONFERENCE} ", _BOLD, 23, _WHITE, 13)
        self._text(EDITION, _BOLD, 23, theme.tint, 13, x=self.pdf.get_x())
        self._text(MOTTO, _MEDIUM, 9.5, _WHITE, 22.6, x=MARGIN + 0.3)
        self._lines(layout.name, _BOLD, artwork.INK, layout.name_top)
        self._lines(layout.company, _MEDIUM, _GREY, layout.company_top)
        self._svg(artwork.qr_code(str(layout.attendee.id), QR_SIDE), WIDTH - MARGIN - QR_SIDE, 104, QR_SIDE, QR_SIDE)
        self._text(f"No. {layout.attendee.id}", _MEDIUM, 11, _GREY, 121)
        self.pdf.set_fill_color(theme.color)
        self.pdf.rect(0, HEIGHT - BAND, WIDTH, BAND, style="F")
        self._lines(layout.type, _BOLD, _WHITE, layout.type_top)

    def close(self) -> None:
        """Close the font files, which fpdf2 leaves open."""
        for font in self.pdf.fonts.values():
            if isinstance(font, TTFFont):
                font.close()

    def _add_fonts(self) -> None:
        self.pdf.add_font(_BOLD, fname=fonts.BOLD)
        self.pdf.add_font(_MEDIUM, fname=fonts.MEDIUM)
        self._add_fallbacks(_BOLD, self.layout.attendee.name + self.layout.attendee.theme.label)
        self._add_fallbacks(_MEDIUM, self.layout.attendee.company)
        self.pdf.set_text_shaping(True)

    def _add_fallbacks(self, font: str, text: str) -> None:
        wanted = fonts.missing(text)
        paths = fonts.covering(wanted, bold=font == _BOLD)
        for code in sorted(wanted.difference(*map(fonts.coverage, paths))):
            logger.warning("no font of this machine has %r (U+%04X): an empty box stands for it", chr(code), code)
        self.fallbacks[font] = [f"{font}-{number}" for number in range(len(paths))]
        for family, path in zip(self.fallbacks[font], paths, strict=True):
            self.pdf.add_font(family, fname=path)

    def _lines(self, lettering: Lettering, font: str, color: str, top: float) -> None:
        for index, line in enumerate(lettering.lines):
            y = top + index * lettering.size * MM_PER_POINT * LEADING
            align: Literal["L", "R"] = "R" if direction(line) == "rtl" else "L"
            self._text(line, font, lettering.size, color, y, width=WIDTH - 2 * MARGIN, align=align)

    def _text(
        self,
        text: str,
        font: str,
        size: float,
        color: str,
        top: float,
        *,
        x: float = MARGIN,
        width: float | None = None,
        align: Literal["L", "R"] = "L",
    ) -> None:
        em = size * MM_PER_POINT
        self.pdf.set_font(font, size=size)
        self.pdf.set_fallback_fonts(self.fallbacks[font], exact_match=False)
        self.pdf.set_text_color(color)
        self.pdf.set_xy(x, top + _DROP * em)
        self.pdf.cell(w=width, h=LEADING * em, text=text, align=align)

    def _svg(self, svg: str, x: float, y: float, w: float, h: float) -> None:
        self.pdf.image(io.BytesIO(svg.encode()), x=x, y=y, w=w, h=h)
