"""Any Python value, made of nothing but what JSON has, or refused with the path to what it can't hold.

Both codecs that write for other languages start here: JSON for `args` and `meta`, and the portable profile of
Erlang terms. What comes out holds only `None`, `bool`, `int`, `float`, `str`, lists, dicts with `str` keys and,
for terms, `bytes`.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import singledispatch
from typing import Any, Final, NoReturn
from uuid import UUID

import msgspec

from bridge.codecs import iso
from bridge.codecs.fields import fields_of
from bridge.codecs.numerals import format_integer
from bridge.errors import EncodeError

MAX_DEPTH: Final = 256
"""How many containers may lie in each other. A chosen bound: CPython's own C encoders give up near 1,000."""

MAX_ELEMENTS: Final = 4_000_000
"""How many values one document may hold, each use of a shared object counted."""


_SHOWN_STEPS: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What the format at hand can hold.

    Attributes:
        target: Its name, for messages.
        max_bits: The widest integer.
        max_characters: The longest integer as decimal text, its sign included; None where only the bits count.
        nul: Whether a string may hold U+0000.
        binary: Whether `bytes` stay; where they don't, only a field that declares them may hold them, as base64.
    """

    target: str
    max_bits: int
    max_characters: int | None = None
    nul: bool = False
    binary: bool = False
    declared: bool = False

    def admits(self, number: int) -> bool:
        """Tell whether an integer is not too wide."""
        bits = number.bit_length()
        if bits > self.max_bits or self.max_characters is None:
            return bits <= self.max_bits
        # A digit is worth more than 3 bits, so hardly any integer has to be written out.
        return bits < 3 * self.max_characters or len(format_integer(number)) <= self.max_characters

    @property
    def widest(self) -> tuple[str, str]:
        """What `admits` takes and what to do with the rest, for messages."""
        if self.max_characters is None:
            return f"at most {self.max_bits:,} bits", f"pass it as text: {self.target} can't hold it"
        most = f"{self.max_characters:,}"
        return (
            f"an integer of at most {most} characters with its sign",
            f"send it as text: Elixir's JSON decoder takes {most} digits at most",
        )

    def inside(self, declares_bytes: bool) -> Rules:
        """Return the rules for a field of a typed object."""
        if self.binary or self.declared == declares_bytes:
            return self
        return dataclasses.replace(self, declared=declares_bytes)


class Place:
    """Where a value lies within the whole; its path is only spelled out for an error."""

    __slots__ = ("above", "budget", "depth", "key")

    def __init__(self, key: object, above: Place | None = None) -> None:
        self.key = key
        self.above = above
        self.depth: int = 0 if above is None else above.depth + 1
        self.budget: list[int] = [MAX_ELEMENTS] if above is None else above.budget

    def path(self) -> str:
        """Return the path as one writes it: `args.items[3].name`."""
        keys: list[str] = []
        place: Place | None = self
        while place is not None:
            keys.append(_step(place.key) if place.above else str(place.key))
            place = place.above
        if len(keys) > _SHOWN_STEPS:
            keys[_SHOWN_STEPS // 2 : -_SHOWN_STEPS // 2] = ["…"]
        return "".join(reversed(keys))

    def inside(self, key: object) -> Place:
        """Return the place of an element of this container."""
        return Place(key, self)

    def enter(self, value: Any, size: int) -> None:
        """Count a container of `size` elements, and refuse it where it is too deep or too much.

        Raises:
            EncodeError: The value is nested too deeply, holds itself, or holds too many values.
        """
        shown = f"a {type(value).__name__}"  # never all of it: what is shared may be endless once written out
        if self.depth >= MAX_DEPTH:
            self.refuse(shown, f"at most {MAX_DEPTH} levels of nesting", "flatten it, or look for a cycle")
        self.budget[0] -= size
        if self.budget[0] < 0:
            self.refuse(shown, f"at most {MAX_ELEMENTS:,} values in all", "store it elsewhere and pass a reference")

    def refuse(self, value: object, expected: str, mend: str) -> NoReturn:
        """Raise the EncodeError for the value at this place."""
        raise EncodeError(self.path(), value, expected, mend)


def _step(key: object) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"


Lowering = Callable[[Any, Place, Rules], Any]


@singledispatch
def lower(value: Any, place: Place, rules: Rules) -> Any:
    """Return `value` as plain data.

    Args:
        value: Anything.
        place: Where it lies, `Place("args")` for the whole.
        rules: What the target can hold.

    Raises:
        EncodeError: The target can't hold it, or would hold something else.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return lower_fields(value, place, rules)
    return place.refuse(
        value,
        "a value of a JSON type, a datetime, date, time, timedelta, Decimal, UUID, Enum, dataclass or Struct",
        f"convert the {type(value).__name__} to one of these first",
    )


@lower.register(type(None))
@lower.register(bool)
def _lower_itself(value: Any, place: Place, rules: Rules) -> Any:
    return value


@lower.register
def _lower_text(value: str, place: Place, rules: Rules) -> str:
    text = str.__str__(value)  # what the BEAM gets from a subclass is its text, whatever its own __str__ says
    if not text.isascii():
        _check_encodable(text, place)
    if not rules.nul and "\0" in text:
        place.refuse(value, "text without U+0000", "remove the NUL: jsonb can't hold it")
    return text


def _check_encodable(text: str, place: Place) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        place.refuse(text, "text without lone surrogates", "decode the bytes with errors='replace'")


@lower.register
def _lower_integer(value: int, place: Place, rules: Rules) -> int:
    number = int(value)
    if not rules.admits(number):
        shown = f"an integer of {number.bit_length()} bits"
        place.refuse(shown, *rules.widest)
    return number


@lower.register
def _lower_float(value: float, place: Place, rules: Rules) -> float:
    if not math.isfinite(value):
        place.refuse(value, "a finite number", f"use None: {rules.target} has no NaN and no infinity")
    return float(value)


@lower.register
def _lower_decimal(value: Decimal, place: Place, rules: Rules) -> str:
    if not value.is_finite():
        place.refuse(value, "a finite number", f"use None: {rules.target} has no NaN and no infinity")
    return str(value)


@lower.register
def _lower_enum(value: enum.Enum, place: Place, rules: Rules) -> Any:
    return lower(value.value, place, rules)


@lower.register(UUID)
def _lower_uuid(value: UUID, place: Place, rules: Rules) -> str:
    return str(value)


@lower.register(datetime)
@lower.register(date)
@lower.register(timedelta)
def _lower_time(value: datetime | date | timedelta, place: Place, rules: Rules) -> str:
    try:
        return iso.format_time(value)
    except OverflowError:
        return place.refuse(value, "a moment within the years 1 to 9999 in UTC", "move it, or drop its zone")


@lower.register
def _lower_time_of_day(value: time, place: Place, rules: Rules) -> str:
    if value.tzinfo is not None:
        place.refuse(value, "a time of day without a zone", "pass a datetime: Elixir's Time has no offset")
    return time.isoformat(value)


@lower.register(bytes)
@lower.register(bytearray)
@lower.register(memoryview)
def _lower_binary(value: bytes | bytearray | memoryview, place: Place, rules: Rules) -> bytes | str:
    if rules.binary:
        return bytes(value)
    if rules.declared:
        return base64.b64encode(value).decode("ascii")
    return place.refuse(
        value,
        "text or another JSON type",
        "decode it, or declare the field as bytes in a Struct or dataclass to have it as base64",
    )


@lower.register
def _lower_mapping(value: Mapping, place: Place, rules: Rules) -> dict[str, Any]:  # type: ignore[type-arg]  # singledispatch needs the bare class
    place.enter(value, len(value))
    find = lower.dispatch  # looking up by hand saves a stack frame a level
    result: dict[str, Any] = {}
    for key, item in value.items():
        inner = place.inside(key)
        name = _lower_key(key, inner, rules)
        if name in result:
            inner.refuse(key, "each key once", f"two keys are written as {name!r}: rename one")
        result[name] = find(item.__class__)(item, inner, rules)
    return result


def _lower_key(key: Any, place: Place, rules: Rules) -> str:
    if isinstance(key, enum.Enum) and not isinstance(key, str):
        return _lower_key(key.value, place, rules)
    if isinstance(key, str):
        return _lower_text(key, place, rules)
    if isinstance(key, int) and not isinstance(key, bool):
        return format_integer(int(key))
    if isinstance(key, UUID):
        return str(key)
    return place.refuse(key, "a key that is text, an integer, a UUID or an Enum of these", "use str(key)")


@lower.register(list)
@lower.register(tuple)
def _lower_sequence(value: list[Any] | tuple[Any, ...], place: Place, rules: Rules) -> list[Any]:
    place.enter(value, len(value))
    find = lower.dispatch  # as above
    return [find(item.__class__)(item, place.inside(index), rules) for index, item in enumerate(value)]


@lower.register(set)
@lower.register(frozenset)
def _lower_set(value: set[Any] | frozenset[Any], place: Place, rules: Rules) -> NoReturn:
    place.refuse(value, "a list", "a set has no order: use sorted(...)")


@lower.register(msgspec.Struct)
def lower_fields(value: Any, place: Place, rules: Rules, lower: Lowering = lower) -> Any:
    """Return a Struct or a dataclass as the object of its fields, each lowered in its turn."""
    layout = fields_of(value.__class__)
    present = list(layout.items(value))
    place.enter(value, len(present))
    lowered: list[tuple[str, Any]] = []
    for field, item in present:
        lowered.append((field.name, lower(item, place.inside(field.name), rules.inside(field.declares_bytes))))
    return layout.assemble(lowered)
