"""Values made by a schema, one part after the other; where a choice led nowhere, another one is tried."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any, Final

from bridge.contracts.data import scalars
from bridge.contracts.data.heights import Heights
from bridge.contracts.data.objects import Objects
from bridge.contracts.data.plain import Flat, Flattener, NoValue, Plain, json_key
from bridge.contracts.model import Schema
from bridge.contracts.runtime.check import compile_checks

_TRIES: Final = 16
_FUEL: Final = 5_000

_HINTS: Final = {
    "string": ("minLength", "maxLength", "pattern", "format", "contentEncoding"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("minItems", "maxItems", "uniqueItems", "prefixItems", "items", "contains"),
    "object": ("properties", "required", "patternProperties", "additionalProperties", "propertyNames",
               "minProperties", "maxProperties", "dependentRequired"),
}  # fmt: skip
_SCALARS: Final = ("null", "boolean", "integer", "number", "string")


class Generator:
    """Makes values of one root's schemas.

    `extras` lets objects without a word about further fields have some, as other writers' rows do, and `unknown_text`
    lets open enums have other text.
    """

    def __init__(self, root: Schema, *, extras: bool, unknown_text: bool = False) -> None:
        self.extras = extras
        self._unknown_text = unknown_text
        self.random = Random(0)  # noqa: S311 - replaced by the caller's
        self.flattener = Flattener(root)
        self.heights = Heights(root)
        self._defs = {} if isinstance(root, bool) else root.get("$defs", {})
        self._checks: dict[int, tuple[Schema, Callable[[Any], Any]]] = {}
        self._candidates: dict[int, tuple[Plain, list[Any]]] = {}
        self._patterns: dict[str, Plain] = {}
        self._fuel = _FUEL
        self._objects = Objects(self)

    def generate(self, schema: Schema, random: Random, size: int, *, again: bool = False) -> Any:
        """Return a value of `schema`, nested to about `size` levels, with about so many free items in each.

        With `again`, tries go on being counted where the last call left off, so that a schema without a value is
        given up at last.

        Raises:
            NoValue: Nothing that was tried gave a value.
        """
        self.random = random
        self._fuel = self._fuel if again else _FUEL
        return self.value(schema, size, "")

    def keeps(self, value: Any, schema: Schema) -> bool:
        """Tell whether `value` is valid for a schema of this root, as JSON Schema has it."""
        if isinstance(schema, bool):
            return schema
        if id(schema) not in self._checks:
            root = {**schema, "$defs": self._defs} if self._defs else schema
            self._checks[id(schema)] = (schema, compile_checks(root, mode="strict"))
        return not self._checks[id(schema)][1](value)

    def matches(self, text: str, pattern: str) -> bool:
        """Tell whether `text` has a part that `pattern` matches."""
        return self.keeps(text, self._patterns.setdefault(pattern, {"pattern": pattern}))

    def value(self, schema: Schema, level: int, where: str) -> Any:
        """Return a value of `schema`; at levels of 0 and less, the shallowest that there are."""
        failure = NoValue(where, schema)
        if level <= 0 and self.heights.of(schema) == math.inf:
            raise failure
        for attempt in range(_TRIES):
            self._fuel -= attempt > 0
            if attempt and self._fuel < 0:
                failure.exhausted = True
                break
            flat = self.flattener.flatten(schema, self.random, self._chooser(level, attempt))
            if flat is None:
                continue
            try:
                found = self._make(flat, level, where)
            except NoValue as error:
                failure = error
                continue
            if all(self.keeps(found, filtering) for filtering in flat.filters):
                return found
        raise failure

    def _chooser(self, level: int, attempt: int) -> Callable[[list[Schema]], Schema]:
        def choose(branches: list[Schema]) -> Schema:
            if level > 0 or attempt > _TRIES // 2:
                return self.random.choice(branches)
            least = min(map(self.heights.of, branches))
            return self.random.choice([branch for branch in branches if self.heights.of(branch) == least])

        return choose

    def _make(self, flat: Flat, level: int, where: str) -> Any:
        schema = flat.schema
        if "enum" in schema:
            return self._enumerated(schema, where)
        kind = self._kind(schema, level)
        if kind == "object":
            return self._objects.make(schema, level, where)
        if kind == "array":
            return self._array(schema, level, where)
        return self._scalar(kind, schema, level, where)

    def _kind(self, schema: Plain, level: int) -> str:
        types = schema.get("type")
        if types is None:
            hinted = [name for name, hints in _HINTS.items() if any(hint in schema for hint in hints)]
            if hinted and self.random.random() < 0.9:
                types = hinted
            else:
                types = [*_SCALARS, "array", "object"] if level > 0 else _SCALARS
        if level <= 0:
            types = [name for name in types if name in _SCALARS] or types
        return types[0] if len(types) == 1 else self.random.choice(types)

    def _scalar(self, kind: str, schema: Plain, level: int, where: str) -> Any:
        if kind == "null":
            return None
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind == "string":
            return self._text(schema, level, where)
        found = scalars.number(schema, self.random) if kind == "number" else self._integer(schema)
        if found is None:
            raise NoValue(where, schema)
        return found

    def _integer(self, schema: Plain) -> float | None:
        found = scalars.integer(schema, self.random)
        if self.extras and found is not None and abs(found) < 2**53 and self.random.random() > 0.95:
            return float(found)  # other writers' way to write an integer
        return found

    def _text(self, schema: Plain, level: int, where: str) -> str:
        checked = not {"pattern", "format", "contentEncoding"}.isdisjoint(schema)
        for _ in range(_TRIES):
            found = scalars.text(schema, self.random, max(level, 1))
            if not checked or (scalars.is_storable(found) and self.keeps(found, schema)):
                return found
            self._fuel -= 1
        raise NoValue(where, schema)

    def _enumerated(self, schema: Plain, where: str) -> Any:
        if id(schema) not in self._candidates:
            rest: Plain = {key: value for key, value in schema.items() if key != "enum"}
            self._candidates[id(schema)] = (schema, [value for value in schema["enum"] if self.keeps(value, rest)])
        candidates = self._candidates[id(schema)][1]
        if not candidates:
            raise NoValue(where, schema)
        if self._unknown_text and all(isinstance(value, str) for value in candidates) and self.random.random() > 0.95:
            return f"{candidates[0]}_of_a_newer_version"  # where the enum is closed, the check refuses it
        return self.random.choice(candidates)

    def _array(self, schema: Plain, level: int, where: str) -> list[Any]:
        items, seen = list[Any](), set[Any]()
        wanted = self._containing(schema)
        length = self._length(schema, level)
        for place in range(max(length, len(wanted))):
            item = self._item_schema(schema, place)
            if place >= length - len(wanted) and wanted:
                item = self.flattener.both(item, wanted.pop())
            found = self._item(item, level, f"{where}/{place}", seen if schema.get("uniqueItems") else None)
            if found is _MISSING:
                break
            items.append(found)
        least = max(schema.get("minItems", 0), schema.get("minContains", 1) if "contains" in schema else 0)
        if len(items) < least or wanted:
            raise NoValue(where, schema)
        return items

    def _length(self, schema: Plain, level: int) -> int:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        prefix = len(schema.get("prefixItems", ()))
        if schema.get("items") is False:
            most = prefix if most is None else min(most, prefix)
        free = max(level, 0)
        if level <= 0 and self.heights.of(schema.get("items", True)) == 0:
            free = 1
        top = max(least, prefix, least + free) if level > 0 else least + free
        if most is not None:
            top = min(top, most)
        if most is not None and most <= 100 and level > 0 and self.random.random() > 0.9:
            return int(most)
        return self.random.randint(least, max(top, least))

    def _containing(self, schema: Plain) -> list[Schema]:
        if "contains" not in schema:
            return []
        return [schema["contains"]] * int(schema.get("minContains", 1))

    def _item_schema(self, schema: Plain, place: int) -> Schema:
        prefix = schema.get("prefixItems", ())
        found: Schema = prefix[place] if place < len(prefix) else schema.get("items", True)
        return found

    def _item(self, schema: Schema, level: int, where: str, seen: set[Any] | None) -> Any:
        for _ in range(_TRIES if seen is not None else 1):
            found = self.value(schema, level - 1, where)
            if seen is None:
                return found
            key = json_key(found)
            if key not in seen:
                seen.add(key)
                return found
        return _MISSING


_MISSING: Final = object()
