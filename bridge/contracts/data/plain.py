"""Schemas without combinations: references followed, one branch of each choice taken, all that applies in one object.

A sample is made from such a plain schema. What an intersection can't say stays behind as a filter: a schema that a
sample is checked against.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, Final

from bridge.contracts.model import Schema

Plain = dict[str, Any]
"""A schema object of assertions about the value and its parts alone; `type` and `enum` are lists, `const` is gone."""

PATTERNS: Final = "patterns"
"""The key of several patterns, where an intersection has them; JSON Schema has no such keyword."""

_LARGEST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_SMALLEST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_OF_PARTS: Final = (
    "prefixItems", "items", "contains", "required", "properties", "patternProperties", "additionalProperties",
    "propertyNames", "dependentRequired",
)  # fmt: skip
_PLAIN: Final = frozenset(
    (*_LARGEST, *_SMALLEST, *_OF_PARTS, "type", "enum", "const", "multipleOf", "pattern", "format", "contentEncoding",
     "uniqueItems", "x-name")
)  # fmt: skip
_COMBINED: Final = frozenset(("$ref", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"))
_ALL_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")


class NoValue(Exception):
    """No value was found at that place, for that schema; `exhausted` says that all tries were used up."""

    def __init__(self, where: str, schema: Schema) -> None:
        super().__init__(where, schema)
        self.where = where
        self.schema = schema
        self.exhausted = False


_CHOICES: Final = frozenset(("anyOf", "oneOf", "if", "dependentSchemas"))


@dataclass(frozen=True)
class Flat:
    """A plain schema, and what a value of it must keep besides."""

    schema: Plain
    filters: tuple[Schema, ...] = ()


_ANYTHING: Final = Flat({})


class Flattener:
    """Makes plain schemas of the schemas of one root; what was worked out once is kept."""

    def __init__(self, root: Schema) -> None:
        self._defs: Mapping[str, Schema] = {} if isinstance(root, bool) else root.get("$defs", {})
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._fixed: dict[int, Flat | None] = {}
        self._choices = 0
        self._alive: list[Any] = []  # keys hold ids, which are the objects' only as long as these live

    def flatten(self, schema: Schema, random: Random, choose: Callable[[list[Schema]], Schema]) -> Flat | None:
        """Return a plain schema whose values keep `schema`, or None where the choices taken leave no value.

        `choose` takes one of several branches.
        """
        if isinstance(schema, bool):
            return _ANYTHING if schema else None
        if id(schema) in self._fixed:
            return self._fixed[id(schema)]
        before = self._choices
        flat = self._flattened(schema, random, choose)
        if self._choices == before:  # the same every time
            self._fixed[id(schema)] = flat
            self._alive.append(schema)
        return flat

    def _flattened(self, schema: Plain, random: Random, choose: Callable[[list[Schema]], Schema]) -> Flat | None:
        flat = Flat(self._own(schema))
        if _COMBINED.isdisjoint(schema):
            return flat
        parts, filters = self._parts(schema, random, choose)
        for part in parts:
            other = self.flatten(part, random, choose)
            merged = other and self._merge(flat.schema, other.schema)
            if not other or not merged:
                return None
            flat = Flat(merged.schema, flat.filters + other.filters + merged.filters)
        return Flat(flat.schema, flat.filters + filters)

    def both(self, one: Schema, other: Schema) -> Schema:
        """Return what asks for both."""
        if one is True or other is False or one == other:
            return other
        if other is True or one is False:
            return one
        found: Schema = self._keep(("both", id(one), id(other)), lambda: {"allOf": [one, other]}, one, other)
        return found

    def resolve(self, schema: Schema) -> Schema:
        """Return what a reference points at."""
        return schema if isinstance(schema, bool) else self._defs[schema["$ref"].rpartition("/")[2]]

    def part(self, schema: Plain, *keywords: str) -> Schema:
        """Return these keywords of a schema as a schema, always the same one."""
        found: Schema = self._keep(
            ("part", id(schema), keywords), lambda: {key: schema[key] for key in keywords if key in schema}, schema
        )
        return found

    def _own(self, schema: Plain) -> Plain:
        found: Plain = self._keep(("own", id(schema)), lambda: _own(schema), schema)
        return found

    def _merge(self, one: Plain, other: Plain) -> Flat | None:
        found: Flat | None = self._keep(("merge", id(one), id(other)), lambda: self._merged(one, other), one, other)
        return found

    def _merged(self, one: Plain, other: Plain) -> Flat | None:
        if not (one and other):
            return Flat(one or other)
        return Merger(self, one, other).merge()

    def _parts(
        self, schema: Plain, random: Random, choose: Callable[[list[Schema]], Schema]
    ) -> tuple[list[Schema], tuple[Schema, ...]]:
        parts, filters = [*schema.get("allOf", ())], []
        self._choices += not _CHOICES.isdisjoint(schema)
        if "$ref" in schema:
            parts.append(self.resolve(schema))
        parts += [choose(schema[key]) for key in ("anyOf", "oneOf") if key in schema]
        if "oneOf" in schema:
            filters.append(self.part(schema, "oneOf"))
        if "not" in schema:
            filters.append(self.part(schema, "not"))
        if "if" in schema and ("then" in schema or "else" in schema):
            holds = random.random() < 0.5
            parts += [schema["if"], schema.get("then", True)] if holds else [schema.get("else", True)]
            filters.append(self.part(schema, "if", "then", "else"))
        for name, dependent in schema.get("dependentSchemas", {}).items():
            parts += self._dependent(schema, name, dependent, taken=random.random() < 0.5)
        return parts, tuple(filters)

    def _dependent(self, schema: Plain, name: str, dependent: Schema, *, taken: bool) -> list[Schema]:
        if taken:
            return [self._keep(("has", name), lambda: {"required": [name]}), dependent]
        if name in schema.get("required", ()):
            return [dependent]
        return [self._keep(("lacks", name), lambda: {"properties": {name: False}})]

    def _keep(self, key: tuple[Any, ...], make: Callable[[], Any], *sources: object) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
            self._alive += sources
        return self._kept[key]


def same_json(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal, as JSON Schema has it: 1 is 1.0, and no boolean is a number."""
    return bool(json_key(one) == json_key(other))


def json_key(value: Any) -> Any:
    """Return something hashable that equal JSON values share."""
    if isinstance(value, bool) or value is None:
        return ("literal", value)
    if isinstance(value, Mapping):
        return ("object", frozenset((key, json_key(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return ("array", tuple(map(json_key, value)))
    return value


def exact(number: float) -> Fraction:
    """Return the number that a JSON number's shortest text says."""
    return Fraction(number) if isinstance(number, int) else Fraction(Decimal(repr(number)))


class Merger:
    """The intersection of two plain schemas."""

    def __init__(self, flattener: Flattener, one: Plain, other: Plain) -> None:
        self._flattener = flattener
        self._one = one
        self._other = other
        self._found: Plain = {}
        self._filters: list[Schema] = []

    def merge(self) -> Flat | None:
        """Return it, or None where no value keeps both."""
        self._found = {**self._one, **self._other}
        for key in self._one.keys() & self._other.keys():
            self._merge_keyword(key, self._one[key], self._other[key])
        if not _OF_PARTS_OF_OBJECTS.isdisjoint(self._found):
            self._merge_objects()
        if "prefixItems" in self._found or ("items" in self._one and "items" in self._other):
            self._merge_items()
        if self._found.get("type") == [] or self._found.get("enum") == []:
            return None
        return Flat(self._found, tuple(self._filters))

    def _merge_keyword(self, key: str, one: Any, other: Any) -> None:
        if key in _LARGEST:
            self._found[key] = max(one, other)
        elif key in _SMALLEST:
            self._found[key] = min(one, other)
        elif key == "type":
            self._found[key] = _common_types(one, other)
        elif key == "enum":
            self._found[key] = [value for value in one if any(same_json(value, item) for item in other)]
        elif key == "uniqueItems":
            self._found[key] = one or other
        elif key == "multipleOf":
            self._found[key] = _common_multiple(one, other)
        elif key in ("pattern", "format", "contentEncoding", "contains") and one != other:
            self._filters.append(self._flattener.part(self._one, key, "minContains", "maxContains"))
            if key == "pattern":
                self._found[PATTERNS] = [*self._one.get(PATTERNS, [one]), *self._other.get(PATTERNS, [other])]

    def _merge_items(self) -> None:
        length = max(len(side.get("prefixItems", ())) for side in (self._one, self._other))
        if length:
            self._found["prefixItems"] = [
                self._flattener.both(_item(self._one, place), _item(self._other, place)) for place in range(length)
            ]
        self._found["items"] = self._flattener.both(self._one.get("items", True), self._other.get("items", True))

    def _merge_objects(self) -> None:
        both, one, other = self._flattener.both, self._one, self._other
        if not _BESIDE_PROPERTIES.isdisjoint(self._found):
            self._filters += [one, other]  # which keys those are about is told by each side alone
        if "required" in self._found:
            self._found["required"] = list(dict.fromkeys([*one.get("required", ()), *other.get("required", ())]))
        names = dict.fromkeys([*one.get("properties", ()), *other.get("properties", ())])
        if names:
            self._found["properties"] = {name: both(_property(one, name), _property(other, name)) for name in names}
        for key in ("patternProperties", "dependentRequired"):
            if key in one and key in other:
                self._found[key] = {**one[key], **other[key]}
        for key in ("additionalProperties", "propertyNames"):
            if key in self._found:
                self._found[key] = both(one.get(key, True), other.get(key, True))


_OF_PARTS_OF_OBJECTS: Final = frozenset(_OF_PARTS[3:])
_BESIDE_PROPERTIES: Final = frozenset(("patternProperties", "additionalProperties", "dependentRequired"))


def _own(schema: Plain) -> Plain:
    found = {key: value for key, value in schema.items() if key in _PLAIN and key != "const"}
    if isinstance(found.get("type"), str):
        found["type"] = [found["type"]]
    if "const" in schema:
        found["enum"] = [item for item in found.get("enum", [schema["const"]]) if same_json(item, schema["const"])]
    return found


def _item(schema: Plain, place: int) -> Schema:
    prefix = schema.get("prefixItems", ())
    item: Schema = prefix[place] if place < len(prefix) else schema.get("items", True)
    return item


def _property(schema: Plain, name: str) -> Schema:
    declared = schema.get("properties", {})
    if name in declared or "patternProperties" in schema:
        found: Schema = declared.get(name, True)
    else:
        found = schema.get("additionalProperties", True)
    return found


def _common_types(one: list[str], other: list[str]) -> list[str]:
    return [
        name
        for name in _ALL_TYPES
        if (name in one or (name == "integer" and "number" in one))
        and (name in other or (name == "integer" and "number" in other))
    ]


def _common_multiple(one: float, other: float) -> float:
    left, right = exact(one), exact(other)
    found = Fraction(math.lcm(left.numerator, right.numerator), math.gcd(left.denominator, right.denominator))
    return found.numerator if found.denominator == 1 else float(found)
