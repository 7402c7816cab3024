"""Where letters come from: the typeface that the demo brings along, and the machine's fonts beside it."""

from __future__ import annotations

import os
import sys
import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]  # it ships no types

FAMILY = "Manrope"
# From the wheel `font-manrope`: Latin with Vietnamese, Greek and Cyrillic, under the SIL Open Font License.
_FILES = Path(str(files("font_manrope"))) / "files"
BOLD = _FILES / "Manrope-ExtraBold.ttf"
MEDIUM = _FILES / "Manrope-Medium.ttf"

# Files whose names begin so are looked into first: they are sans-serif and cover many scripts.
_PREFERRED = ("NotoSans", "DejaVuSans", "Arial", "PingFang", "Hiragino", "msyh", "YuGoth", "malgun")
# Variation selectors: they draw nothing by themselves.
_VARIATIONS = range(0xFE00, 0xFE10)
_FOLDERS = {
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": (r"%WINDIR%\Fonts", r"%LOCALAPPDATA%\Microsoft\Windows\Fonts"),
    "linux": ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
}


@cache
def advances(path: Path) -> dict[int, float]:
    """Return the width of each character that a font has, in ems."""
    with TTFont(path) as font:
        widths, em = font["hmtx"], font["head"].unitsPerEm
        return {code: widths[glyph][0] / em for code, glyph in font.getBestCmap().items()}


def missing(text: str) -> frozenset[int]:
    """Return the characters of `text` that Manrope does not have; those that draw nothing are left out."""
    drawn = {ord(char) for char in text if unicodedata.category(char) not in {"Cc", "Cf", "Zs"}}
    return frozenset(drawn.difference(advances(BOLD), _VARIATIONS))


@cache
def covering(characters: frozenset[int], *, bold: bool) -> tuple[Path, ...]:
    """Return the few fonts of this machine, bold or regular ones first, that have as many of the characters as any."""
    found, wanted = [], set(characters)
    for path in sorted(_installed(), key=lambda path: _preference(path, bold=bold)) if wanted else ():
        if covered := wanted & coverage(path):
            found.append(path)
            wanted -= covered
        if not wanted:
            break
    return tuple(found)


@cache
def coverage(path: Path) -> frozenset[int]:
    """Return the characters of a font, or of the first one in a collection; none where it can't be read."""
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError, KeyError, AssertionError):
        return frozenset()


@cache
def _installed() -> tuple[Path, ...]:
    folders = (Path(os.path.expandvars(name)).expanduser() for name in _FOLDERS.get(sys.platform, _FOLDERS["linux"]))
    return tuple(
        path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in {".ttf", ".otf", ".ttc"}
    )


def _preference(path: Path, *, bold: bool) -> tuple[int, bool, int, str]:
    rank = next((i for i, prefix in enumerate(_PREFERRED) if path.name.startswith(prefix)), len(_PREFERRED))
    return rank, ("Bold" in path.stem) != bold, len(path.stem), str(path)
