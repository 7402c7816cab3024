"""How figures are written: a median, and the least and most of the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from math import floor, log10
from typing import Final

Form = Callable[[float], str]
MEBIBYTE: Final = 2**20


def spread(values: list[float], form: Form, *, of: int = 0, rough: Form | None = None) -> str:
    """Return a median, and the range where there is one; of how many rounds, where some of those expected lack.

    Args:
        values: The figures, at least one.
        form: Writes the median.
        of: The number of figures expected.
        rough: Writes the ends of the range; `form` if left out.
    """
    ends = rough or form
    told = [f"{ends(min(values))}–{ends(max(values))}"] if len(values) > 1 else []  # noqa: RUF001 - a range's dash
    if len(values) < of:
        told.append(f"{len(values)} of {of} rounds")
    return form(statistics.median(values)) + (f" ({'; '.join(told)})" if told else "")


def rate(value: float) -> str:
    """Write a rate by four digits."""
    return f"{_rounded(value, 4):,.0f}"


def rough_rate(value: float) -> str:
    """Write a rate by three digits."""
    return f"{_rounded(value, 3):,.0f}"


def whole(value: float) -> str:
    """Write a number without decimals."""
    return f"{value:,.0f}"


def tenths(value: float) -> str:
    """Write a number by one decimal, where it is small enough for that to tell something."""
    return f"{value:,.1f}" if abs(value) < 99.95 else f"{value:,.0f}"


def small(value: float) -> str:
    """Write what is mostly far below one."""
    return f"{value:,.4f}"


def mebibytes(value: float) -> str:
    """Write bytes in units of 2^20, by one decimal."""
    return f"{value / MEBIBYTE:,.1f}"


def percent(value: float) -> str:
    """Write a ratio as a percentage."""
    return f"{value:.0%}"


def percent_tenths(value: float) -> str:
    """Write a ratio as a percentage by one decimal, so that it shows on which side of a bound it is."""
    return f"{value:.1%}"


def times(value: float) -> str:
    """Write a ratio as a factor."""
    return f"{value:.2f}×"  # noqa: RUF001 - the sign for times


def bare_times(value: float) -> str:
    """Write a factor without its sign."""
    return f"{value:.2f}"


def _rounded(value: float, digits: int) -> float:
    return round(value, digits - 1 - floor(log10(abs(value)))) if value else 0.0
