"""Python's types for shapes, and literals for the values that a contract gives as defaults."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from bridge.contracts.emit.python import literals
from bridge.contracts.emit.python.graph import modules_of
from bridge.contracts.emit.python.layout import Code, Group, Led, call, flat, listing, pair, subscript, table
from bridge.contracts.emit.python.names import member_names
from bridge.contracts.emit.python.scope import Scope
from bridge.contracts.shapes import (
    Constant,
    EnumOf,
    Field,
    ListOf,
    MapOf,
    Nullable,
    Scalar,
    Shape,
    StructOf,
    StructRef,
    TupleOf,
    Union,
)
from bridge.errors import InvalidContract

# Where a type is imported from, by the kind of scalar.
_TYPES = {
    "any": ("typing", "Any"),
    "boolean": ("builtins", "bool"),
    "integer": ("builtins", "int"),
    "number": ("builtins", "float"),
    "datetime": ("datetime", "datetime"),
    "date": ("datetime", "date"),
    "duration": ("bridge.contracts.runtime", "Duration"),
    "uuid": ("uuid", "UUID"),
    "decimal": ("decimal", "Decimal"),
    "bigint": ("builtins", "int"),
    "bytes": ("builtins", "bytes"),
}
_TEXT = ("builtins", "str")


@dataclass(frozen=True)
class Native:
    """What is Python in one module.

    Attributes:
        scope: The module's names.
        module: The module, whose own classes need no import.
        structs: Every struct that the module's schemas hold, by module and name.
        fields: The attribute of each field of a struct.
    """

    scope: Scope
    module: str
    structs: Mapping[tuple[str, str], StructOf]
    fields: Callable[[StructOf], Mapping[str, str]]

    def annotation(self, shape: Shape, *more: str, wide: bool = False) -> Code:
        """Return the type of a shape.

        Args:
            shape: The shape.
            more: Other types that the value may have.
            wide: Whether alternatives are written so that they can be broken into lines.
        """
        return self._either([*self._alternatives(shape, wide=wide), *more], wide=wide)

    def default(self, shape: Shape, value: Any) -> Code:  # noqa: PLR0911 - one for each case
        """Return the literal of a JSON value that has this shape."""
        match shape:
            case Nullable(inner):
                return "None" if value is None else self.default(inner, value)
            case Scalar(kind):
                return self._scalar(kind, value)
            case EnumOf():
                return self._member(shape, value)
            case ListOf(item):
                return listing([self.default(item, part) for part in value])
            case TupleOf(items):
                return pair([self.default(item, part) for item, part in zip(items, value, strict=True)])
            case MapOf(item):
                return table([(literals.text(name), self.default(item, part)) for name, part in value.items()])
            case StructRef():
                return self._struct(shape, value)
            case Union(tag, branches):
                return self._struct(dict(branches)[value[tag]], value)
            case Constant():
                return literals.value(value)

    def is_late(self, shape: Shape) -> bool:
        """Tell whether a class of the shape is imported for type checkers alone, because files refer to each other."""
        return any(f".{module}" in self.scope.lazy for module in modules_of(shape))

    def name(self, shape: StructRef | EnumOf) -> str:
        """Return the name of a class here."""
        return shape.name if shape.module == self.module else self.scope.use(f".{shape.module}", shape.name)

    def _alternatives(self, shape: Shape, *, wide: bool) -> list[Code]:
        match shape:
            case Nullable(inner):
                return [*self._alternatives(inner, wide=wide), "None"]
            case Union(_, branches):
                return list(dict.fromkeys(self.name(branch) for _, branch in branches))
            case _:
                return [self._single(shape, wide=wide)]

    def _single(self, shape: Shape, *, wide: bool) -> Code:  # noqa: PLR0911 - one for each case
        match shape:
            case Scalar("null"):
                return "None"
            case Scalar(kind):
                return self.scope.use(*_TYPES.get(kind, _TEXT))
            case Constant(value):
                return self._constant(value)
            case EnumOf() | StructRef():
                return self.name(shape)
            case ListOf(item):
                return subscript(self.scope.builtin("list"), [self.annotation(item, wide=wide)])
            case TupleOf(()):
                return f"{self.scope.builtin('tuple')}[()]"
            case TupleOf(items):
                return subscript(self.scope.builtin("tuple"), [self.annotation(item, wide=wide) for item in items])
            case MapOf(item):
                text = self.scope.builtin("str")
                return subscript(self.scope.builtin("dict"), [text, self.annotation(item, wide=wide)])
            case _:
                raise AssertionError(shape)

    def _constant(self, value: Any) -> Code:
        if value is None:
            return "None"
        if isinstance(value, float):
            return self.scope.builtin("float")
        return subscript(self.scope.use("typing", "Literal"), [literals.value(value)])

    def _either(self, types: list[Code], *, wide: bool) -> Code:
        found = {flat(code): code for code in types}
        # None last, where readers look for it.
        ordered = [code for text, code in found.items() if text != "None"] + (["None"] if "None" in found else [])
        if len(ordered) == 1:
            return ordered[0]
        if wide:
            return Group(f"{self.scope.use('typing', 'Union')}[", tuple(ordered), "]")
        return " | ".join(map(flat, ordered))

    def _scalar(self, kind: str, value: Any) -> Code:  # noqa: PLR0911 - one for each case
        match kind:
            case "number":
                return _number(float(value))
            case "integer" | "bigint":
                return _integer(value)
            case "decimal":
                return f"{self.scope.use('decimal', 'Decimal')}({literals.text(str(Decimal(value)))})"
            case "uuid":
                return f"{self.scope.use('uuid', 'UUID')}({literals.text(str(UUID(value)))})"
            case "duration":
                return f"{self.scope.runtime('Duration')}({literals.text(value)})"
            case "bytes":
                return _bytes(base64.b64decode(value))
            case "date":
                day = date.fromisoformat(value)
                return f"{self.scope.use('datetime', 'date')}({day.year}, {day.month}, {day.day})"
            case "datetime":
                return self._moment(datetime.fromisoformat(value))
            case _:
                return _json(value)

    def _moment(self, at: datetime) -> Code:
        utc = self.scope.use("datetime", "UTC")
        at = at.astimezone(UTC)
        parts = [str(part) for part in (at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond)]
        while len(parts) > 5 and parts[-1] == "0":
            parts.pop()
        return call(self.scope.use("datetime", "datetime"), [*parts, f"tzinfo={utc}"])

    def _member(self, shape: EnumOf, value: Any) -> Code:
        if value in shape.values:
            return f"{self.name(shape)}.{member_names(shape.values)[value]}"
        return f"{self.name(shape)}({literals.text(value)})"

    def _struct(self, ref: StructRef, value: Mapping[str, Any]) -> Code:
        struct = self.structs[ref.module, ref.name]
        attributes = self.fields(struct)
        given: list[tuple[Field, Any]] = [(part, value[part.name]) for part in struct.fields if part.name in value]
        return call(
            self.name(ref), [Led(f"{attributes[part.name]}=", self.default(part.shape, item)) for part, item in given]
        )


def _json(value: Any) -> Code:
    if isinstance(value, dict):
        return table([(literals.text(name), _json(item)) for name, item in value.items()])
    if isinstance(value, list):
        return listing([_json(item) for item in value])
    return _number(value) if isinstance(value, float) else literals.value(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise InvalidContract("default", value, "a number that a float holds")
    return repr(value).replace("e+", "e")


def _integer(value: Any) -> str:
    return str(int(value))


def _bytes(value: bytes) -> str:
    return "b" + literals.quoted("".join(map(_byte, value)))


def _byte(code: int) -> str:
    return "\\\\" if code == ord("\\") else chr(code) if 0x20 <= code < 0x7F else f"\\x{code:02x}"
