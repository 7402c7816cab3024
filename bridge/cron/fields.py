"""One field of a cron expression: its range, its names, and the numbers that a text stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.errors import InvalidSetting

_PART: Final = re.compile(r"(?:\*|(?P<first>[0-9]+)(?:-(?P<last>[0-9]+))?)(?:/(?P<step>[1-9][0-9]?))?")

#: Days of each month at most.
LONGEST_MONTHS: Final[Mapping[int, int]] = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1))


@dataclass(frozen=True, slots=True)
class Field:
    """A field's name, its first and last number, and names that stand for numbers."""

    name: str
    first: int
    last: int
    names: Mapping[str, int] = field(default_factory=dict)


def _numbered(names: str, first: int) -> dict[str, int]:
    return {name: number for number, name in enumerate(names.split(), first)}


MINUTE: Final = Field("minute", 0, 59)
HOUR: Final = Field("hour", 0, 23)
DAY: Final = Field("day", 1, 31)
MONTH: Final = Field("month", 1, 12, _numbered("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", 1))
WEEKDAY: Final = Field("day of week", 0, 6, _numbered("SUN MON TUE WED THU FRI SAT", 0))


def parse_field(field: Field, text: str) -> tuple[int, ...]:
    """Return the numbers of a field, in their order.

    Raises:
        InvalidSetting: A part that is none, or a number out of range.
    """
    # Oban 2.23 replaces names wherever they stand, the first in the alphabet first.
    numbers = text
    for name in sorted(field.names):
        numbers = numbers.replace(name, str(field.names[name]))
    found: set[int] = set()
    for part in re.split(r"\s*,\s*", numbers, flags=re.ASCII):
        found.update(_numbers(field, part, text))
    return tuple(sorted(found))


def _numbers(field: Field, part: str, text: str) -> Iterable[int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise refuse(text, f"{_one(field)}: *, n, a-b, */step, a-b/step or n/step, with commas between", _mend(field))
    first, last, step = match["first"], match["last"], int(match["step"] or 1)
    if first is None:
        return range(field.first, field.last + 1, step)
    low = _number(field, first, text)
    if last is None:
        return range(low, field.last + 1, step) if match["step"] else (low,)
    high = _number(field, last, text)
    if low > high:
        raise refuse(
            text,
            f"{_one(field)} whose range goes upwards",
            f"write it as two, with a comma: {_wrapped(field, low, high)}",
        )
    return range(low, high + 1, step)


def _one(field: Field) -> str:
    return f"{'an' if field is HOUR else 'a'} {field.name}"


def _number(field: Field, digits: str, text: str) -> int:
    number = int(digits.lstrip("0")[:3] or 0)  # the rest makes no difference, and Python reads no endless numbers
    if not field.first <= number <= field.last:
        sunday = field is WEEKDAY and number == 7
        raise refuse(text, f"{_one(field)} from {field.first} to {field.last}", "Sunday is 0" if sunday else "")
    return number


def _wrapped(field: Field, low: int, high: int) -> str:
    return f"{low}-{field.last},{field.first}-{high}"


def _mend(field: Field) -> str:
    return f"names are {', '.join(field.names)}" if field.names else ""


def refuse(value: Any, expected: str, mend: str = "") -> InvalidSetting:
    """Return the error that refuses an expression or a part of one."""
    return InvalidSetting("cron expression", value, expected, mend)
