"""The badge by WeasyPrint: HTML and CSS to PDF, laid out by the system's Pango."""

from __future__ import annotations

import atexit
import io
import logging
import threading
import warnings
from contextlib import redirect_stdout
from pathlib import Path

from . import fonts
from .badge import Attendee
from .html import page
from .layout import lay_out

# WeasyPrint tells a missing library by a text on stdout, which is not the place for it in a program with its
# own output, and by the OSError of the loader. That libharfbuzz-subset is missing is told by `fast`.
with redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", "No fonts configured")  # the badges bring their own
    import weasyprint
    from weasyprint.text.ffi import harfbuzz_subset
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher

# It tells every step of every badge.
logging.getLogger("weasyprint.progress").setLevel(logging.WARNING)

# Two threads in Pango at a time crash the process; a second one would gain nothing anyway.
_PANGO = threading.Lock()
_STYLE = Path(__file__).with_name("badge.css")


class WeasyPrintRenderer:
    """Renders badges by WeasyPrint, about 40 a second on one core.

    What is alike in all badges (the style sheet, the fonts, the fetcher) is made once: that makes a badge three times
    as fast.
    """

    name = "WeasyPrint"

    def __init__(self) -> None:
        # No badge may make the renderer fetch anything but the typeface.
        self._fetcher = URLFetcher(allowed_protocols=["file"])
        style = _font_faces() + _STYLE.read_text("utf-8")
        with _PANGO:
            self._fonts = FontConfiguration()
            self._style = weasyprint.CSS(string=style, font_config=self._fonts, url_fetcher=self._fetcher)
        # WeasyPrint deletes its copies of the fonts with the configuration; at the interpreter's very end it can't.
        atexit.register(self._forget_fonts)

    @property
    def fast(self) -> bool:
        """Whether HarfBuzz shortens the fonts; else Python does, and takes several times as long."""
        return harfbuzz_subset is not None

    def render(self, attendee: Attendee) -> bytes:
        """Return the badge as a PDF; the same attendee gives the same bytes."""
        document = page(lay_out(attendee))
        with _PANGO:
            html = weasyprint.HTML(string=document, url_fetcher=self._fetcher)
            pdf: bytes = html.write_pdf(stylesheets=[self._style], font_config=self._fonts)
        return pdf

    def _forget_fonts(self) -> None:
        del self._fonts, self._style


def _font_faces() -> str:
    return "".join(
        f'@font-face {{ font-family: {fonts.FAMILY}; font-weight: {weight}; src: url("{path.as_uri()}") }}\n'
        for weight, path in ((800, fonts.BOLD), (500, fonts.MEDIUM))
    )
