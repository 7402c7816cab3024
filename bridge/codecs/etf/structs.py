"""Elixir's structs as Python's types and back.

A struct that its counterpart in Python can't hold exactly, such as a date of the year 0, stays a `Struct`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from bridge.codecs.etf import temporal
from bridge.codecs.etf.terms import Atom, LegacySet, Struct

_PREFIX: Final = "Elixir."
_KEY: Final = Atom("__struct__")
# Converting a coefficient takes quadratic time; beyond 1,000 digits a Decimal stays a Struct.
_COEFFICIENT_BITS: Final = 3_322
_SPECIAL: Final = {"NaN": "NaN", "inf": "Infinity"}


def from_fields(fields: dict[Any, Any]) -> Any:
    """Return the value of a map that has a `__struct__`; the map itself where that is no Elixir module."""
    module = fields["__struct__"]
    if not module.startswith(_PREFIX) or any(type(key) is not Atom for key in fields):
        return fields
    named = {str(key): value for key, value in fields.items() if key != _KEY}
    name = module.removeprefix(_PREFIX)
    read = _READERS.get((name, frozenset(named)))
    if read is not None:
        try:
            return read(named)
        except (ValueError, TypeError, ArithmeticError, LookupError):
            pass  # no such value in Python
    return Struct(name, named)


def to_fields(value: Any) -> dict[Any, Any]:
    """Return the map of a struct or of a value that has a struct for its counterpart.

    Raises:
        OverflowError: A moment that UTC can't hold.
        ValueError: A field's name is not text.
    """
    name, fields = _named_fields(value)
    if "__struct__" in fields or not all(isinstance(key, str) for key in fields):
        raise ValueError("the fields of a struct have names of text, and none is __struct__")
    return {_KEY: Atom(_PREFIX + name), **{Atom(key): item for key, item in fields.items()}}


def _named_fields(value: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(value, Struct):
        return value.name, value.fields
    if isinstance(value, datetime):
        aware = value.utcoffset() is not None
        return ("DateTime" if aware else "NaiveDateTime"), temporal.datetime_fields(value)
    return next((name, fields(value)) for kind, name, fields in _WRITERS if isinstance(value, kind))


def _read_decimal(fields: Mapping[str, Any]) -> Decimal:
    sign, coefficient, exponent = fields["sign"], fields["coef"], fields["exp"]
    if {type(sign), type(exponent)} != {int} or sign not in {1, -1}:
        raise ValueError("a sign is 1 or -1")
    if type(coefficient) is Atom:
        if exponent:
            raise ValueError("NaN and infinity have the exponent 0")
        return Decimal(("-" if sign < 0 else "") + _SPECIAL[coefficient])
    if type(coefficient) is not int or coefficient < 0 or coefficient.bit_length() > _COEFFICIENT_BITS:
        raise ValueError("a coefficient is an integer of no sign")
    result = Decimal((int(sign < 0), Decimal(coefficient).as_tuple().digits, exponent))
    if result.as_tuple().exponent != exponent:
        raise ValueError("an exponent out of range")
    return result


def _decimal_fields(value: Decimal) -> dict[str, Any]:
    sign, digits, exponent = value.as_tuple()
    coefficient: Any = int(Decimal((0, digits, 0))) if isinstance(exponent, int) else None
    if value.is_nan():
        coefficient, exponent = Atom("NaN"), 0
    elif value.is_infinite():
        coefficient, exponent = Atom("inf"), 0
    return {"sign": -1 if sign else 1, "coef": coefficient, "exp": exponent}


def _read_set(fields: Mapping[str, Any]) -> frozenset[Any]:
    return frozenset(_elements(fields))


def _read_legacy_set(fields: Mapping[str, Any]) -> LegacySet:
    if fields["version"] != 2:
        raise ValueError("another version than 2")
    return LegacySet(_elements(fields))


def _elements(fields: Mapping[str, Any]) -> dict[Any, Any]:
    elements = fields["map"]
    if type(elements) is not dict or any(value != [] for value in elements.values()):
        raise ValueError("a MapSet's map has [] for each element")
    return elements


def _set_fields(value: set[Any] | frozenset[Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"map": {element: [] for element in value}}
    return fields | {"version": 2} if isinstance(value, LegacySet) else fields


def _range_fields(value: range) -> dict[str, Any]:
    last = value.stop - (1 if value.step > 0 else -1)  # Elixir's ranges hold their last number
    return {"first": value.start, "last": last, "step": value.step}


def _read_range(fields: Mapping[str, Any]) -> range:
    first, last, step = fields["first"], fields["last"], fields["step"]
    if {type(first), type(last), type(step)} != {int}:
        raise ValueError("a range's bounds are integers")
    return range(first, last + (1 if step > 0 else -1), step)


_WRITERS: Final[tuple[tuple[Any, str, Callable[[Any], Mapping[str, Any]]], ...]] = (
    (date, "Date", temporal.date_fields),
    (time, "Time", temporal.time_fields),
    (Decimal, "Decimal", _decimal_fields),
    (range, "Range", _range_fields),
    ((set, frozenset), "MapSet", _set_fields),
)
_CALENDAR: Final = ("calendar", "year", "month", "day")
_CLOCK: Final = ("hour", "minute", "second", "microsecond")
_ZONE: Final = ("time_zone", "zone_abbr", "utc_offset", "std_offset")
_READERS: Final[dict[tuple[str, frozenset[str]], Callable[[Mapping[str, Any]], Any]]] = {
    ("Date", frozenset(_CALENDAR)): temporal.read_date,
    ("Time", frozenset(("calendar", *_CLOCK))): temporal.read_time,
    ("NaiveDateTime", frozenset(_CALENDAR + _CLOCK)): temporal.read_naive,
    ("DateTime", frozenset(_CALENDAR + _CLOCK + _ZONE)): temporal.read_datetime,
    ("Decimal", frozenset(("sign", "coef", "exp"))): _read_decimal,
    ("MapSet", frozenset(("map",))): _read_set,
    ("MapSet", frozenset(("map", "version"))): _read_legacy_set,
    ("Range", frozenset(("first", "last", "step"))): _read_range,
}
