"""The native types that contracts need beside Python's own."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Final, Self

_PARTS: Final = re.compile(
    r"P(?:([0-9]+)W|(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)D)?"
    r"(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?)\Z"
)
_SECONDS: Final = (604_800, None, None, 86_400, 3_600, 60, 1)


class OpenEnum(StrEnum):
    """Text out of a list that may grow: a value that this code doesn't know yet is kept, as a member of its own.

    Such a member is equal to its text, is written back unchanged, and tells by `is_unknown` what it is.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_, unknown._value_ = value, value
        return unknown

    @property
    def is_unknown(self) -> bool:
        """Whether the contract that this code was generated from doesn't list the value."""
        return self._value_ not in type(self)._value2member_map_


class Duration(str):
    """A duration as ISO 8601 writes it, such as `P1DT12H` or `P3M`; it is compared as text."""

    __slots__ = ()

    @property
    def timedelta(self) -> timedelta:
        """The same as a timedelta.

        Raises:
            ValueError: It is no duration, counts years or months, whose length depends on when they begin, or is
                longer than a timedelta holds.
        """
        found = _PARTS.match(self)
        if found is None or self[-1] in "PT":
            raise ValueError(f"expected a duration such as P1DT12H, got {str(self)!r}")
        total = 0
        for digits, seconds in zip(found.groups(), _SECONDS, strict=True):
            if digits is not None and seconds is None:
                raise ValueError(f"{str(self)!r} counts years or months, whose length depends on when they begin")
            total += int(digits or 0) * (seconds or 0)
        try:
            return timedelta(seconds=total)
        except OverflowError:
            raise ValueError(f"{str(self)!r} is longer than a timedelta holds") from None
