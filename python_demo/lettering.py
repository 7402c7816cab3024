"""Fitting a text of any length into a box: as large as can be, on as few and as even lines as can be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .fonts import advances

MM_PER_POINT = 25.4 / 72
# Distance of two baselines, in ems.
LEADING = 1.12
_ELLIPSIS = "…"
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)


@dataclass(frozen=True, slots=True)
class Box:
    """The room for a text in millimetres, and the sizes in points it may have there.

    Attributes:
        width: Of each line.
        height: Of all lines.
        largest: The size of a short text.
        whole: The smallest size at which words are kept whole.
        smallest: The size at which what is still too long is cut.
    """

    width: float
    height: float
    largest: int
    whole: int
    smallest: int

    def room(self, size: int) -> float:
        """Return the width in ems of a size."""
        return self.width / (size * MM_PER_POINT)

    def lines(self, size: int) -> int:
        """Return how many lines of a size there is room for: one at least."""
        return max(1, int(self.height / (size * MM_PER_POINT * LEADING)))


@dataclass(frozen=True, slots=True)
class Lettering:
    """A text broken into lines, and their size in points."""

    lines: tuple[str, ...]
    size: int

    @property
    def height(self) -> float:
        """The height of all lines, in millimetres."""
        return len(self.lines) * self.size * MM_PER_POINT * LEADING


def fit(text: str, font: Path, box: Box) -> Lettering:
    """Break `text` into lines and choose the largest size at which they fit the box.

    Lines break at spaces, after hyphens and between wide (Chinese, Japanese) characters. A word that would
    need letters smaller than `box.whole` is broken anywhere instead, and what is too long even then ends in
    an ellipsis.
    """
    if not text:
        return Lettering((), box.largest)
    for size in range(box.largest, box.whole - 1, -1):
        if fitted := _fit_at(size, _atoms(text), font, box):
            return fitted
    for size in range(box.largest, box.smallest - 1, -1):
        if fitted := _fit_at(size, _breakable(text, font, box.room(size)), font, box):
            return fitted
    return _cut(text, font, box)


def width(text: str, font: Path) -> float:
    """Return the width of `text` in ems: measured where the font has the character, else estimated."""
    known = advances(font)
    return sum(known[ord(char)] if ord(char) in known else _estimate(char) for char in text)


def direction(text: str) -> Literal["ltr", "rtl"]:
    """Return the direction of the first letter that has one; each line of a badge is aligned by it."""
    strong = (unicodedata.bidirectional(char) for char in text)
    return "rtl" if next((kind for kind in strong if kind in {"L", "R", "AL"}), "L") != "L" else "ltr"


def clusters(text: str) -> list[str]:
    """Split `text` where a reader sees characters: accents and joined emoji stay with their base."""
    found: list[str] = []
    for char in text:
        attached = unicodedata.category(char) in {"Mn", "Mc", "Me", "Cf"} or ord(char) in _SKIN_TONES
        if found and (attached or found[-1].endswith(_JOINER)):
            found[-1] += char
        else:
            found.append(char)
    return found


def _fit_at(size: int, atoms: list[str], font: Path, box: Box) -> Lettering | None:
    room = box.room(size)
    lines = _wrap(atoms, font, room)
    if len(lines) > box.lines(size) or any(width(line, font) > room for line in lines):
        return None
    return Lettering(_balance(atoms, font, room, len(lines)), size)


def _atoms(text: str) -> list[str]:
    return [atom for word in re.split(r"(?<=[\s-])", text) for atom in _split_wide(word)]


def _split_wide(word: str) -> Iterator[str]:
    start = 0
    for index, char in enumerate(word[:-1], start=1):
        if unicodedata.east_asian_width(char) == "W" and unicodedata.category(char) == "Lo":
            yield word[start:index]
            start = index
    yield word[start:]


def _wrap(atoms: list[str], font: Path, room: float) -> tuple[str, ...]:
    lines = [""]
    for atom in atoms:
        if lines[-1] and width((lines[-1] + atom).rstrip(), font) > room:
            lines.append("")
        lines[-1] += atom
    return tuple(line.strip() for line in lines)


def _balance(atoms: list[str], font: Path, room: float, count: int) -> tuple[str, ...]:
    """Return the lines of the narrowest room that needs no more of them."""
    best = _wrap(atoms, font, room)
    for step in range(19, 9, -1):
        lines = _wrap(atoms, font, room * step / 20)
        if len(lines) > count or any(width(line, font) > room for line in lines):
            break
        best = lines
    return best


def _cut(text: str, font: Path, box: Box) -> Lettering:
    room, allowed = box.room(box.smallest), box.lines(box.smallest)
    lines = _wrap(_breakable(text, font, room), font, room)
    last = clusters(lines[allowed - 1])
    while last and width("".join(last) + _ELLIPSIS, font) > room:
        last.pop()
    return Lettering((*lines[: allowed - 1], "".join(last).rstrip() + _ELLIPSIS), box.smallest)


def _breakable(text: str, font: Path, room: float) -> list[str]:
    return [
        part for atom in _atoms(text) for part in ([atom] if width(atom.rstrip(), font) <= room else clusters(atom))
    ]


def _estimate(char: str) -> float:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"} or ord(char) in _SKIN_TONES:
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.3 if unicodedata.category(char) == "So" else 1.0
    return 0.7
