"""How Python source is broken into lines: as `ruff format` leaves it, whatever its line length from 88 up.

What fits is on one line. What doesn't has an item a line and a comma behind the last, which formatters take as the wish
to keep it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.contracts.emit.python import literals


@dataclass(frozen=True)
class Group:
    """Items in brackets.

    `comma` is false where one behind the last item would change the meaning, as in `list[int,]`.
    """

    opening: str
    items: tuple[Code, ...]
    closing: str
    comma: bool = True


@dataclass(frozen=True)
class Led:
    """Code with something before it, such as `default=`."""

    before: str
    code: Code


Code = str | Group | Led


def flat(code: Code) -> str:
    """Return code on one line."""
    if isinstance(code, str):
        return code
    if isinstance(code, Led):
        return code.before + flat(code.code)
    return code.opening + ", ".join(map(flat, code.items)) + code.closing


def lines(code: Code, indent: int = 0, before: str = "", after: str = "") -> list[str]:
    """Return code as lines, of which the first begins with `before` and the last ends with `after`."""
    margin = " " * indent
    whole = f"{margin}{before}{flat(code)}{after}"
    if literals.fits(whole) or isinstance(code, str) or (isinstance(code, Group) and not code.items):
        return [whole]
    if isinstance(code, Led):
        return lines(code.code, indent, before + code.before, after)
    comma = "," if code.comma else ""
    inner = [line for item in code.items[:-1] for line in lines(item, indent + 4, after=",")]
    inner += lines(code.items[-1], indent + 4, after=comma)
    return [f"{margin}{before}{code.opening}", *inner, f"{margin}{code.closing}{after}"]


def call(function: str, arguments: Sequence[Code]) -> Group:
    """Return a call."""
    return Group(f"{function}(", tuple(arguments), ")")


def subscript(name: str, arguments: Sequence[Code]) -> Group:
    """Return a generic type with its arguments."""
    return Group(f"{name}[", tuple(arguments), "]", comma=len(arguments) > 1)


def listing(items: Sequence[Code]) -> Group:
    """Return a list."""
    return Group("[", tuple(items), "]")


def table(items: Sequence[tuple[str, Code]]) -> Group:
    """Return a dict, its keys given as code."""
    return Group("{", tuple(Led(f"{key}: ", item) for key, item in items), "}")


def pair(items: Sequence[Code]) -> Group:
    """Return a tuple."""
    return Group("(", tuple(items), ")") if len(items) != 1 else Group("(", tuple(items), ",)", comma=False)
