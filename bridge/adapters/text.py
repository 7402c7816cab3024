"""Values as PostgreSQL reads them from text, and placeholders as drivers write them.

A text of no type is to PostgreSQL what a parameter of asyncpg is: its type comes from the place where it stands. So
drivers that would guess a type from the Python value get texts, and an application's own adapters change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Any
from uuid import UUID

#: What a `$1` may not be taken from: quoted texts and names, comments, dollar-quoted texts.
_TOKENS = re.compile(
    r"""
    (?P<kept>
      \b[eE]'(?:[^'\\]|\\.|'')*'
      | '(?:[^']|'')*'
      | "(?:[^"]|"")*"
      | --[^\n]*
      | /\*.*?\*/
      | (?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
    )
    | (?<![\w$])\$(?P<place>[1-9][0-9]*)
    """,
    re.VERBOSE | re.DOTALL,
)


def to_text(value: Any) -> str | None:
    """Return a value as PostgreSQL's input for its type reads it.

    Raises:
        TypeError: A value of a type that no statement of Bridge sends.
    """
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    raise TypeError(f"a statement can't send a {type(value).__name__}")


def _element(value: Any) -> str:
    if isinstance(value, list | tuple):
        return _array(value)
    text = to_text(value)
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _array(values: Sequence[Any]) -> str:
    return "{" + ",".join(map(_element, values)) + "}"


def _interval(value: timedelta) -> str:
    return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"


#: The first that fits: True is an integer too, and an Enum's member may be a text.
_WRITERS: tuple[tuple[Any, Callable[[Any], str | None]], ...] = (
    (NoneType, lambda _: None),
    (str, str.__str__),
    (bool, lambda value: "t" if value else "f"),
    ((list, tuple), _array),
    ((int, float, Decimal, UUID), str),
    (date, lambda value: value.isoformat()),
    (timedelta, _interval),
)


@lru_cache(maxsize=256)
def to_pyformat(statement: str) -> str:
    """Return a statement with `%(p1)s` for `$1`, and `%%` for each other `%`; a `$1` in a literal stays one."""
    pieces, end = [], 0
    for found in _TOKENS.finditer(statement):
        pieces.append(statement[end : found.start()].replace("%", "%%"))
        end = found.end()
        pieces.append(found["kept"].replace("%", "%%") if found["place"] is None else f"%(p{found['place']})s")
    return "".join(pieces) + statement[end:].replace("%", "%%")


def to_named(values: Sequence[Any]) -> dict[str, str | None]:
    """Return the values for the placeholders of `to_pyformat`."""
    return {f"p{place}": to_text(value) for place, value in enumerate(values, 1)}
