"""Native values from valid JSON values, and back, by shape.

Loading trusts that the value was checked; dumping trusts nothing: what isn't of the shape's type is left as it is, for
the check that follows to tell.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import UNSET

from bridge.codecs import json
from bridge.codecs.numerals import format_integer, parse_integer
from bridge.contracts import shapes
from bridge.contracts.model import Schema
from bridge.contracts.runtime.classes import Classes
from bridge.contracts.runtime.values import Duration
from bridge.errors import EncodeError

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Native:
    """How values of one shape become native, and JSON again."""

    load: Convert
    dump: Convert


class Builder:
    """Converts the values of one self-contained schema.

    Args:
        root: The schema.
        classes: Where the generated classes are found.
    """

    def __init__(self, root: Schema, classes: Classes) -> None:
        self._classes = classes
        self._structs = shapes.structs(root)
        self._made: dict[tuple[str, str], Native] = {}
        self.native = self.of(shapes.shape_of(root, root))

    def of(self, shape: shapes.Shape) -> Native:  # noqa: PLR0911 - a case a shape
        """Return the conversions of a shape."""
        match shape:
            case shapes.Scalar(kind=kind):
                return _SCALARS.get(kind, _SAME)
            case shapes.Constant(value=value):
                return Native(lambda _: value, _plain)
            case shapes.EnumOf(name=name, module=module):
                return Native(self._classes.find(name, module), _plain)
            case shapes.ListOf(item=item):
                return _list_of(self.of(item))
            case shapes.TupleOf(items=items):
                return _tuple_of([self.of(item) for item in items])
            case shapes.MapOf(value=inner):
                return _map_of(self.of(inner))
            case shapes.Nullable(shape=inner):
                return _nullable(self.of(inner))
            case shapes.Union():
                return self._union(shape)
            case shapes.StructRef(name=name, module=module):
                return self._reference(name, module)

    def _reference(self, name: str, module: str) -> Native:
        # A struct may contain itself, so it is made when it is first needed.
        def made() -> Native:
            found = self._made.get((module, name))
            if found is None:
                found = self._made[module, name] = self._struct(self._structs[module, name])
            return found

        return Native(lambda value: made().load(value), lambda value: made().dump(value))

    def _struct(self, struct: shapes.StructOf) -> Native:
        cls = self._classes.find(struct.name, struct.module)
        names = python_names(cls)
        fields = [(field.name, names[field.name], self.of(field.shape)) for field in struct.fields]

        def load(value: Mapping[str, Any]) -> Any:
            return cls(**{name: native.load(value[wire]) for wire, name, native in fields if wire in value})

        def dump(value: Any) -> Any:
            if not isinstance(value, cls):
                return _dump_other(value)
            held = ((wire, native.dump, getattr(value, name)) for wire, name, native in fields)
            return {wire: _placed(dump, item, f".{wire}") for wire, dump, item in held if item is not UNSET}

        return Native(load, dump)

    def _union(self, union: shapes.Union) -> Native:
        loads: dict[str, Convert] = {}
        dumps: dict[type, Convert] = {}
        for value, branch in union.branches:
            native = self.of(branch)
            loads[value] = native.load
            dumps[self._classes.find(branch.name, branch.module)] = native.dump

        return Native(
            lambda value: loads[value[union.tag]](value),
            lambda value: dumps.get(type(value), _dump_other)(value),
        )


def python_names(cls: type[msgspec.Struct]) -> dict[str, str]:
    """Return the attributes of a class by the names that their values have in JSON."""
    return dict(zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True))


def _plain(value: Any) -> Any:
    # A member of an enum, and a Duration, are text of a type of their own.
    if isinstance(value, Enum):
        return value.value
    return str.__str__(value) if isinstance(value, str) else value


def _placed(dump: Convert, value: Any, step: str) -> Any:
    """Dump what lies one step inside of a value; an error says where, from `value` on."""
    try:
        return dump(value)
    except EncodeError as error:
        field = f"value{step}{error.field.removeprefix('value')}"
        raise EncodeError(field, error.value, error.expected, error.mend) from None


def _list_of(item: Native) -> Native:
    def dump(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [_placed(item.dump, part, f"[{at}]") for at, part in enumerate(value)]

    return Native(lambda value: list(map(item.load, value)), dump)


def _tuple_of(items: list[Native]) -> Native:
    def load(value: list[Any]) -> tuple[Any, ...]:
        return tuple(native.load(item) for native, item in zip(items, value, strict=False))

    def dump(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        # Too many and too few are kept, for the check to tell.
        return [native.dump(item) for native, item in zip(items, value, strict=False)] + list(value[len(items) :])

    return Native(load, dump)


def _map_of(inner: Native) -> Native:
    return Native(
        lambda value: {key: inner.load(item) for key, item in value.items()},
        lambda value: (
            {key: _placed(inner.dump, item, f"[{key!r}]") for key, item in value.items()}
            if isinstance(value, Mapping)
            else value
        ),
    )


def _nullable(inner: Native) -> Native:
    return Native(
        lambda value: None if value is None else inner.load(value),
        lambda value: None if value is None else inner.dump(value),
    )


def load_datetime(text: str) -> datetime:
    """Return an RFC 3339 date-time as an aware datetime in UTC."""
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def load_number(value: Any) -> Any:
    """Return a number as a float; one beyond a float's range stays as it is."""
    try:
        return float(value)
    except OverflowError:
        return value


def _dump_any(value: Any) -> Any:
    # Its schema may be about lists or text, and says nothing of a tuple or a date, which only become some.
    if value is None or type(value) in _JSON_SCALARS:
        return value
    return json.decode(json.encode(value))


def _dump_other(value: Any) -> Any:
    # A mapping in place of an object of the class may be right too.
    return _dump_any(value) if isinstance(value, Mapping) else value


def _dump_datetime(value: Any) -> Any:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return value.isoformat() if isinstance(value, datetime) else value
    try:
        return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
    except OverflowError:  # within a day of the year 1 or 9999
        return value.isoformat()


def _dump_date(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value


def _dump_decimal(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else _plain(value)


def _dump_bigint(value: Any) -> Any:
    return format_integer(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _dump_bytes(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes | bytearray | memoryview) else value


def _dump_uuid(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


_JSON_SCALARS: Final = (str, int, float, bool)

_SAME: Final = Native(lambda value: value, lambda value: value)

_SCALARS: Final[dict[shapes.Kind, Native]] = {
    "any": Native(lambda value: value, _dump_any),
    "integer": Native(int, lambda value: value),
    "number": Native(load_number, lambda value: value),
    "string": Native(lambda value: value, _plain),
    "datetime": Native(load_datetime, _dump_datetime),
    "date": Native(date.fromisoformat, _dump_date),
    "time": Native(lambda value: value, _plain),
    "duration": Native(Duration, _plain),
    "uuid": Native(UUID, _dump_uuid),
    "email": Native(lambda value: value, _plain),
    "uri": Native(lambda value: value, _plain),
    "decimal": Native(Decimal, _dump_decimal),
    "bigint": Native(parse_integer, _dump_bigint),
    "bytes": Native(base64.b64decode, _dump_bytes),
}
