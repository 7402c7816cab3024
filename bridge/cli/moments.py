"""Times and durations as people write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from bridge.errors import InvalidFilter, ValidationError

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.ASCII)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
_SHOWN: Final = ((604_800 * 9, 86_400 * 30.44, "mo"), (86_400 * 14, 604_800, "w"), (172_800, 86_400, "d"),
                 (7_200, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))  # fmt: skip


def parse_duration(option: str, text: str, error: type[ValidationError] = InvalidFilter) -> timedelta:
    """Return a duration such as `90`, which are seconds, `5m` or `1h30m`.

    Raises:
        ValidationError: Another text, as `error`.
    """
    expected = "a duration such as 90 (seconds), 5m, 2h, 1h30m, 3d or 1w"
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        text += "s"
    if not _DURATION.fullmatch(text):
        raise error(option, text, expected)
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    except OverflowError:
        raise error(option, text, expected) from None


def parse_moment(
    option: str, text: str, now: datetime | None = None, error: type[ValidationError] = InvalidFilter
) -> datetime:
    """Return a time: `now`, `in 5m`, `2h ago`, or one of ISO 8601 with its zone.

    Raises:
        ValidationError: Another text, as `error`.
    """
    now = now or datetime.now(UTC)
    words = text.split()
    try:
        match words:
            case ["now"]:
                return now
            case ["in", duration]:
                return now + parse_duration(option, duration, error)
            case [duration, "ago"]:
                return now - parse_duration(option, duration, error)
        found = datetime.fromisoformat(text.strip())
    except OverflowError:
        raise error(option, text, "a time within the years 1 to 9999") from None
    except ValueError as wrong:
        if isinstance(wrong, ValidationError):
            raise
        raise error(option, text, "a time: 2030-01-31T09:00:00Z, 'in 5m', '2h ago' or now") from None
    if found.tzinfo is None:
        raise error(option, text, "a time with its zone", "add Z for UTC, or an offset such as +02:00")
    return found


def relative(moment: datetime, now: datetime) -> str:
    """Return how far off a time is: `in 5 min`, `3 h ago`, `now`."""
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def span(seconds: float) -> str:
    """Return a duration in one unit, rounded down."""
    size, unit = next((size, unit) for least, size, unit in _SHOWN if seconds >= least)
    return f"{int(seconds // size)} {unit}"


def exact(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with microseconds and `Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
