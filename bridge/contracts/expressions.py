"""Reads a regular expression of ECMA-262 (with the flag `u`) into a tree, and refuses what engines differ about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from bridge.errors import InvalidContract

Ranges = tuple[tuple[int, int], ...]
"""Code points, as sorted ranges that don't touch."""


@dataclass(frozen=True, eq=False)
class Chars:
    """One character out of a set, or out of all others."""

    ranges: Ranges
    negated: bool = False


@dataclass(frozen=True, eq=False)
class Sequence:
    """One after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Choice:
    """One of several."""

    options: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Repeat:
    """The same, `low` to `high` times; without `high` as often as there is."""

    inner: Node
    low: int
    high: int | None
    lazy: bool = False


@dataclass(frozen=True, eq=False)
class Look:
    """What follows, or what went before, without being taken."""

    inner: Node
    ahead: bool
    negated: bool


@dataclass(frozen=True, eq=False)
class Edge:
    """The start, the end, or the edge of a word."""

    kind: Literal["^", "$", "b", "B"]


Node = Chars | Sequence | Choice | Repeat | Look | Edge

LAST: Final = 0x10FFFF
_DIGIT: Final[Ranges] = ((48, 57),)
_WORD: Final[Ranges] = ((48, 57), (65, 90), (95, 95), (97, 122))
# ECMA-262's WhiteSpace and LineTerminator.
_SPACE: Final[Ranges] = (
    (9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
    (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
_NEWLINE: Final[Ranges] = ((10, 10), (13, 13), (0x2028, 0x2029))
_CLASSES: Final = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS: Final = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_TIMES: Final = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_GROUP_NAME: Final = re.compile(r"\?<([A-Za-z_$][A-Za-z0-9_$]*)>")
_HEX: Final = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]+)\}")
_LOW_SURROGATE: Final = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_LOOKS: Final = {"?=": (True, False), "?!": (True, True), "?<=": (False, False), "?<!": (False, True)}
_GROUP_MEND: Final = "flags, conditions and atomic groups differ between engines; write them out"
_DEEPEST: Final = 50


def parse(pattern: str) -> Node:
    """Return a pattern's tree. Groups that capture are plain groups in it, as nothing refers to what they capture.

    Raises:
        InvalidContract: It is no pattern, or none that engines agree about.
    """
    parser = _Parser(pattern)
    tree = parser.choice(0)
    if parser.peek():
        parser.refuse("a pattern in which each ) closes a group", "write \\) for the character")
    return tree


def normal(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return ranges sorted, those that touch made one."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def complement(ranges: Ranges) -> Ranges:
    """Return all other code points."""
    found, at = [], 0
    for low, high in ranges:
        if low > at:
            found.append((at, low - 1))
        at = high + 1
    return tuple([*found, (at, LAST)] if at <= LAST else found)


def width_of(node: Node) -> int | None:
    """Return how many characters a tree takes; None: not always as many."""
    match node:
        case Chars():
            return 1
        case Sequence(items=items):
            widths = [width_of(item) for item in items]
            return None if None in widths else sum(width or 0 for width in widths)
        case Choice(options=options):
            found = {width_of(option) for option in options}
            return found.pop() if len(found) == 1 else None
        case Repeat(inner=inner, low=low, high=high):
            width = width_of(inner)
            return width * low if width is not None and low == high else None
    return 0


class _Parser:
    """Reads from left to right, by recursive descent."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def take(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def refuse(self, expected: str, mend: str = "") -> NoReturn:
        raise InvalidContract("pattern", self._text, f"{expected}, at character {self._at + 1}", mend)

    def choice(self, depth: int) -> Node:
        if depth > _DEEPEST:
            self.refuse(f"groups nested at most {_DEEPEST} deep")
        options = [self._sequence(depth)]
        while self.take("|"):
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self, depth: int) -> Node:
        items: list[Node] = []
        while self.peek() and self.peek() not in "|)":
            items.append(self._quantified(depth))
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _quantified(self, depth: int) -> Node:
        atom = self._atom(depth)
        times = self._times()
        if times is None:
            return atom
        if isinstance(atom, Edge | Look):
            self.refuse("something before the quantifier that takes characters", "remove the quantifier")
        lazy = self.take("?")
        if self._is_quantifier():
            self.refuse("one quantifier", "there are no possessive ones; put a group around the inner one")
        # PCRE takes some empty repetitions within a lookbehind for ones of no known width.
        return Repeat(atom, *times, lazy=lazy) if times[1] != 0 else Sequence(())

    def _is_quantifier(self) -> bool:
        return self.peek() in ("*", "+", "?") or _TIMES.match(self._text, self._at) is not None

    def _times(self) -> tuple[int, int | None] | None:
        for text, times in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(text):
                return times
        found = _TIMES.match(self._text, self._at)
        if found is None:
            return None
        low = int(found[1][:9])
        high = low if found[2] is None else int(found[3][:9]) if found[3] else None
        if high is not None and high < low:
            self.refuse("a quantifier whose bounds are in order", "swap them")
        self._at = found.end()
        return low, high

    def _atom(self, depth: int) -> Node:
        char = self.peek()
        if char == "(":
            return self._group(depth)
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if self._is_quantifier():
            self.refuse("something to repeat before the quantifier", f"write \\{char} for the character")
        self._at += 1
        if char in "^$":
            return Edge("^" if char == "^" else "$")
        return Chars(_NEWLINE, negated=True) if char == "." else Chars((self._point(char),))

    def _point(self, char: str) -> tuple[int, int]:
        if "\ud800" <= char <= "\udfff":
            self.refuse("valid Unicode", "it holds half of a surrogate pair")
        return ord(char), ord(char)

    def _group(self, depth: int) -> Node:
        self._at += 1
        look = next((text for text in ("?<=", "?<!", "?=", "?!") if self.take(text)), None)
        if look is None and not self.take("?:") and self.peek() == "?":
            named = _GROUP_NAME.match(self._text, self._at)
            if named is None:
                self.refuse("a group that begins with (, (?:, (?=, (?!, (?<=, (?<! or (?<name>", _GROUP_MEND)
            self._at = named.end()
        inner = self.choice(depth + 1)
        if not self.take(")"):
            self.refuse("a ) that closes the group", "write \\( for the character")
        if look is None:
            return inner if not isinstance(inner, Edge | Look | Repeat) else Sequence((inner,))
        ahead, negated = _LOOKS[look]
        return Look(inner, ahead, negated)

    def _escape(self) -> Node:
        self._at += 1
        char = self.peek()
        if char in ("b", "B"):
            self._at += 1
            return Edge("b" if char == "b" else "B")
        found = self._set_escape()
        if found is not None:
            return found
        if char in "123456789" and char:
            self.refuse("a pattern without backreferences", "engines differ about them; repeat the part")
        code = self._code()
        return Chars(((code, code),))

    def _set_escape(self) -> Chars | None:
        char = self.peek()
        if char and char.lower() in _CLASSES:
            self._at += 1
            return Chars(_CLASSES[char.lower()], negated=char.isupper())
        return None

    def _code(self) -> int:
        """Return the character that an escape, whose backslash is read, stands for."""
        char = self.peek()
        if char in _CONTROLS:
            self._at += 1
            return _CONTROLS[char]
        if char == "c" and re.match("[A-Za-z]", self._text[self._at + 1 : self._at + 2]):
            self._at += 2
            return ord(self._text[self._at - 1]) % 32
        if char == "0" and not self._text[self._at + 1 : self._at + 2].isdecimal():
            self._at += 1
            return 0
        if found := _HEX.match(self._text, self._at):
            self._at = found.end()
            return self._hex(int(found[1] or found[2] or found[3], 16))
        if char and char.isascii() and not char.isalnum():
            self._at += 1
            return ord(char)
        return self.refuse(
            f"an escape that ECMA-262 has, not \\{char}", _ESCAPE_MENDS.get(char, "write the character itself")
        )

    def _hex(self, code: int) -> int:
        low = _LOW_SURROGATE.match(self._text, self._at) if 0xD800 <= code <= 0xDBFF else None
        if low is not None:
            self._at = low.end()
            return 0x10000 + ((code - 0xD800) << 10) + int(low[1], 16) - 0xDC00
        if 0xD800 <= code <= 0xDFFF or code > LAST:
            self.refuse("a character of Unicode", f"U+{code:X} is none")
        return code

    def _class(self) -> Node:
        self._at += 1
        negated = self.take("^")
        found: list[tuple[int, int]] = []
        while not self.take("]"):
            if not self.peek():
                self.refuse("a ] that closes the class", "write \\[ for the character")
            found += self._class_item()
        return Chars(normal(found), negated)

    def _class_item(self) -> Ranges:
        low = self._class_atom()
        if self.peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return low.ranges if not low.negated else complement(low.ranges)
        self._at += 1
        high = self._class_atom()
        ends = [*low.ranges, *high.ranges]
        if low.negated or high.negated or any(first != last for first, last in ends) or len(ends) != 2:
            self.refuse("a range between two characters", "put the - last, or write \\-")
        if ends[0][0] > ends[1][0]:
            self.refuse("a range from a lower to a higher character", "swap them")
        return ((ends[0][0], ends[1][0]),)

    def _class_atom(self) -> Chars:
        char = self.peek()
        self._at += 1
        if char != "\\":
            return Chars((self._point(char),))
        if self.take("b"):
            return Chars(((8, 8),))
        found = self._set_escape()
        if found is not None:
            return found
        code = self._code()
        return Chars(((code, code),))


_ESCAPE_MENDS: Final = {
    "": "write \\\\ for a backslash",
    "p": "Unicode's tables differ between versions; write the ranges out, such as [A-Za-z\u00c0-\u024f]",
    "P": "Unicode's tables differ between versions; write the ranges out",
    "k": "engines differ about backreferences; repeat the part",
    "A": "write ^",
    "Z": "write $",
    "z": "write $",
    "h": "write [ \\t]",
    "R": "write (?:\\r\\n|[\\n\\r])",
    "Q": "escape each character with a backslash",
}
