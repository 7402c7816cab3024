"""Python values as the Erlang terms of the same meaning, for the native profile."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import singledispatch
from typing import Any, Final, NoReturn

import msgspec

from bridge.codecs.etf.structs import to_fields
from bridge.codecs.etf.terms import (
    Atom,
    BitString,
    Fun,
    ImproperList,
    LocalTerm,
    PairMap,
    Pid,
    Port,
    Reference,
    Struct,
)
from bridge.codecs.etf.write import CANONICAL, MAX_BITS, write
from bridge.codecs.plain import Place, Rules, lower, lower_fields

TERM_RULES: Final = Rules(target="an Erlang term", max_bits=MAX_BITS, nul=True, binary=True)


def identity(key: Any) -> bytes:
    """Return bytes that two terms share where the BEAM holds them to be the same key (`=:=`).

    Raises:
        NotWritable: The term is too deep or too large for that.
        EncodeError: The same.
    """
    return write(lower_native(key, Place("key"), TERM_RULES), CANONICAL)


@singledispatch
def lower_native(value: Any, place: Place, rules: Rules) -> Any:
    """Return `value` with each part a term, Elixir's structs as maps with a `__struct__`.

    Args:
        value: Anything that the portable profile takes, or that `decode` returns.
        place: Where it lies, `Place("value")` for the whole.
        rules: What a term can hold.

    Raises:
        EncodeError: No term can hold it.
    """
    if isinstance(value, msgspec.Struct) or (hasattr(value, "__dataclass_fields__") and not isinstance(value, type)):
        return lower_fields(value, place, rules, lower_native)
    return lower(value, place, rules)


@lower_native.register
def _enum(value: enum.Enum, place: Place, rules: Rules) -> Any:
    return lower_native(value.value, place, rules)


@lower_native.register
def _atom(value: Atom, place: Place, rules: Rules) -> Atom:
    lower(value, place, rules)
    if len(value) > 255:
        place.refuse(value, "an atom of at most 255 characters", "pass it as text")
    return value


@lower_native.register(Pid)
@lower_native.register(Port)
@lower_native.register(Reference)
@lower_native.register(Fun)
@lower_native.register(BitString)
def _itself(value: Any, place: Place, rules: Rules) -> Any:
    return value


@lower_native.register
def _local(value: LocalTerm, place: Place, rules: Rules) -> LocalTerm:
    if place.depth:
        place.refuse(value, "a local term to stand alone", "encode it by itself")
    return value


@lower_native.register
def _list(value: list, place: Place, rules: Rules) -> list[Any]:  # type: ignore[type-arg]  # singledispatch needs the bare class
    return _items(value, place, rules)


@lower_native.register
def _tuple(value: tuple, place: Place, rules: Rules) -> tuple[Any, ...]:  # type: ignore[type-arg]  # as above
    return tuple(_items(value, place, rules))


@lower_native.register
def _improper(value: ImproperList, place: Place, rules: Rules) -> ImproperList:
    *items, tail = _items((*value.items, value.tail), place, rules)
    return ImproperList(tuple(items), tail)


def _items(values: list[Any] | tuple[Any, ...], place: Place, rules: Rules) -> list[Any]:
    place.enter(values, len(values))
    find = lower_native.dispatch  # looking up by hand, in a loop, saves two stack frames a level
    lowered: list[Any] = []
    for index, item in enumerate(values):
        lowered.append(find(item.__class__)(item, place.inside(index), rules))
    return lowered


@lower_native.register
def _mapping(value: Mapping, place: Place, rules: Rules) -> PairMap:  # type: ignore[type-arg]  # as above
    return _pairs(value.pairs if isinstance(value, PairMap) else value.items(), value, place, rules)


@lower_native.register(datetime)
@lower_native.register(date)
@lower_native.register(time)
@lower_native.register(Decimal)
@lower_native.register(range)
@lower_native.register(set)
@lower_native.register(frozenset)
@lower_native.register(Struct)
def _struct(value: Any, place: Place, rules: Rules) -> PairMap:
    if isinstance(value, time) and value.tzinfo is not None:
        lower(value, place, rules)  # refuses it
    try:
        fields = to_fields(value)
    except (OverflowError, ValueError) as error:
        place.refuse(value, f"a value that an Elixir struct can hold ({error})", "pass it as text")
    return _pairs(fields.items(), value, place, rules)


def _pairs(items: Iterable[tuple[Any, Any]], value: Any, place: Place, rules: Rules) -> PairMap:
    pairs = list(items)
    place.enter(value, 2 * len(pairs))
    find = lower_native.dispatch  # as above
    lowered: list[tuple[Any, Any]] = []
    for key, item in pairs:
        inner = place.inside(key)
        lowered.append((find(key.__class__)(key, inner, rules), find(item.__class__)(item, inner, rules)))
    if {*(type(key) for key, _ in lowered)} not in ({str}, {Atom}):
        _check_distinct(lowered, place)
    return PairMap(tuple(lowered))


def _check_distinct(pairs: list[tuple[Any, Any]], place: Place) -> None:
    if len(pairs) < 2:
        return
    known: set[bytes] = set()
    for key, _ in pairs:
        name = write(key, CANONICAL)
        if name in known:
            place.refuse(key, "each key once", "two keys are the same term, as 'a' and b'a' are: drop one")
        known.add(name)


@lower.register(Struct)
@lower.register(BitString)
@lower.register(ImproperList)
@lower.register(LocalTerm)
@lower.register(Pid)
@lower.register(Port)
@lower.register(Reference)
@lower.register(Fun)
def _refuse(value: Any, place: Place, rules: Rules) -> NoReturn:
    place.refuse(value, "data that any reader understands", "take out what you need, or encode with profile='native'")
