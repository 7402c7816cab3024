"""Dates, times and durations as the ISO 8601 text that Elixir writes and reads.

`datetime` in UTC as `2026-01-02T03:04:05.678901Z`, as Elixir's DateTime; without a zone as its NaiveDateTime.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


def format_time(value: datetime | date | timedelta) -> str:
    """Return the text of a datetime, a date or a duration."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if not isinstance(value, datetime):
        return date.isoformat(value)
    if value.tzinfo is None or value.utcoffset() is None:
        return datetime.isoformat(value.replace(tzinfo=None))
    return datetime.isoformat(value.astimezone(UTC).replace(tzinfo=None)) + "Z"


def format_duration(value: timedelta) -> str:
    """Return the duration in days, hours, minutes and seconds: `P1DT2H`, `-PT0.5S`, `PT0S`."""
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    day = f"{value.days}D" if value.days else ""
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + _seconds(seconds, value.microseconds)
    if not (day or clock):
        return "PT0S"
    return f"{sign}P{day}{'T' if clock else ''}{clock}"


def _seconds(seconds: int, microseconds: int) -> str:
    if microseconds:
        return f"{seconds}.{microseconds:06}".rstrip("0") + "S"
    return f"{seconds}S" if seconds else ""
