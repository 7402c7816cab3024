"""Elixir's calendar structs and Python's datetimes, in both directions and without loss.

Elixir keeps how many digits of the microsecond count, and the name, abbreviation and both offsets of a time zone.
Where a plain datetime would forget them, a subclass of it remembers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from bridge.codecs.etf.terms import Atom

ISO: Final = Atom("Elixir.Calendar.ISO")
_ETC_UTC: Final = ("Etc/UTC", "UTC", 0, 0)
_DATE: Final = ("year", "month", "day")
_TIME: Final = ("hour", "minute", "second")
_ZONE: Final = ("time_zone", "zone_abbr", "utc_offset", "std_offset")


class PreciseDateTime(datetime):
    """A datetime that remembers its precision.

    Attributes:
        precision: How many digits of the microsecond count, 0 to 6.
    """

    precision: int = 6


class PreciseTime(time):
    """A time of day that remembers its precision.

    Attributes:
        precision: How many digits of the microsecond count, 0 to 6.
    """

    precision: int = 6


class ElixirZone(tzinfo):
    """The time zone of one moment, as Elixir's DateTime has it.

    Attributes:
        name: `"Europe/Berlin"`.
        abbreviation: `"CEST"`.
        utc_offset: Seconds east of UTC without summer time.
        std_offset: Seconds that summer time adds.
    """

    def __init__(self, name: str, abbreviation: str, utc_offset: int, std_offset: int) -> None:
        self.name = name
        self.abbreviation = abbreviation
        self.utc_offset = utc_offset
        self.std_offset = std_offset

    def __getinitargs__(self) -> tuple[str, str, int, int]:
        return (self.name, self.abbreviation, self.utc_offset, self.std_offset)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ElixirZone) and self.__getinitargs__() == other.__getinitargs__()

    def __hash__(self) -> int:
        return hash(self.__getinitargs__())

    def __repr__(self) -> str:
        return f"ElixirZone{self.__getinitargs__()!r}"

    def utcoffset(self, _: datetime | None, /) -> timedelta:
        """Return the offset from UTC, summer time included."""
        return timedelta(seconds=self.utc_offset + self.std_offset)

    def dst(self, _: datetime | None, /) -> timedelta:
        """Return what summer time adds."""
        return timedelta(seconds=self.std_offset)

    def tzname(self, _: datetime | None, /) -> str:
        """Return the abbreviation."""
        return self.abbreviation


def read_date(fields: Mapping[str, Any]) -> date:
    """Return the date of a Date's fields.

    Raises:
        ValueError: Python has no such date, as for every reader here.
    """
    return date(*_integers(fields, _DATE))


def read_time(fields: Mapping[str, Any]) -> time:
    """Return the time of a Time's fields."""
    hour, minute, second = _integers(fields, _TIME)
    microsecond, precision = _microsecond(fields)
    if precision == _usual_precision(microsecond):
        return time(hour, minute, second, microsecond)
    result = PreciseTime(hour, minute, second, microsecond)
    result.precision = precision
    return result


def read_naive(fields: Mapping[str, Any]) -> datetime:
    """Return the naive datetime of a NaiveDateTime's fields."""
    return _read_moment(fields, None)


def read_datetime(fields: Mapping[str, Any]) -> datetime:
    """Return the aware datetime of a DateTime's fields."""
    zone = tuple(fields[name] for name in _ZONE)
    if tuple(map(type, zone)) != (str, str, int, int):
        raise ValueError("a zone's names are text and its offsets integers")
    result = _read_moment(fields, UTC if zone == _ETC_UTC else ElixirZone(*zone))
    result.utcoffset()  # refuses an offset of a day or more
    return result


def _read_moment(fields: Mapping[str, Any], zone: tzinfo | None) -> datetime:
    year, month, day, hour, minute, second = _integers(fields, _DATE + _TIME)
    microsecond, precision = _microsecond(fields)
    if precision == _usual_precision(microsecond):
        return datetime(year, month, day, hour, minute, second, microsecond, zone)
    result = PreciseDateTime(year, month, day, hour, minute, second, microsecond, zone)
    result.precision = precision
    return result


def _integers(fields: Mapping[str, Any], names: tuple[str, ...]) -> list[int]:
    if fields["calendar"] != ISO:
        raise ValueError("another calendar than ISO")
    values = [fields[name] for name in names]
    if {*map(type, values)} != {int}:
        raise ValueError("a part that is no integer")
    return values


def _microsecond(fields: Mapping[str, Any]) -> tuple[int, int]:
    microsecond, precision = fields["microsecond"]
    if type(microsecond) is not int or type(precision) is not int or not 0 <= precision <= 6:
        raise ValueError("a precision that Elixir doesn't have")
    return microsecond, precision


def _usual_precision(microsecond: int) -> int:
    """Return the precision that a plain value is written with: all six digits or none, as Python's own text has it."""
    return 6 if microsecond else 0


def date_fields(value: date) -> dict[str, Any]:
    """Return the fields of a Date."""
    return {"calendar": ISO, "year": value.year, "month": value.month, "day": value.day}


def time_fields(value: time | datetime) -> dict[str, Any]:
    """Return the fields of a Time."""
    if isinstance(value, (PreciseTime, PreciseDateTime)):
        precision = value.precision
    else:
        precision = _usual_precision(value.microsecond)
    return {
        "calendar": ISO,
        "hour": value.hour,
        "minute": value.minute,
        "second": value.second,
        "microsecond": (value.microsecond, precision),
    }


def datetime_fields(value: datetime) -> dict[str, Any]:
    """Return the fields of a DateTime, or without a zone of a NaiveDateTime.

    A zone with a name of the time zone database keeps it; any other moment is written in UTC. A wall time that a
    zone skips, when summer time begins, is written as the one that its clocks show at that moment.

    Raises:
        OverflowError: The moment lies outside of the years 1 to 9999 in UTC.
    """
    if value.utcoffset() is None:
        return date_fields(value) | time_fields(value)
    moment = _existing(value)
    zone = _zone(moment)
    if zone is None:
        moment, zone = value.astimezone(UTC), _ETC_UTC
    digits = {"microsecond": time_fields(value)["microsecond"]}  # no conversion keeps the precision
    return date_fields(moment) | time_fields(moment) | digits | dict(zip(_ZONE, zone, strict=True))


def _existing(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC).astimezone(value.tzinfo)
    except OverflowError:  # within a day of the calendar's ends, where no zone skips anything
        return value


def _zone(value: datetime) -> tuple[str, str, int, int] | None:
    if value.tzinfo is UTC:
        return _ETC_UTC
    if isinstance(value.tzinfo, ElixirZone):
        return value.tzinfo.__getinitargs__()
    name, abbreviation, offset = getattr(value.tzinfo, "key", None), value.tzname(), value.utcoffset()
    if not isinstance(name, str) or abbreviation is None or offset is None:
        return None
    if not offset:
        return _ETC_UTC if name in {"UTC", "Etc/UTC"} else (name, abbreviation, 0, 0)
    summer = value.dst() or timedelta(0)
    return (name, abbreviation, _seconds(offset - summer), _seconds(summer))


def _seconds(duration: timedelta) -> int:
    return duration.days * 86_400 + duration.seconds
