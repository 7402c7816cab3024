"""Objects made by a schema: which fields there are, and their values."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

from bridge.contracts.data import scalars
from bridge.contracts.data.plain import NoValue, Plain
from bridge.contracts.model import Schema

if TYPE_CHECKING:
    from bridge.contracts.data.generator import Generator

_FURTHER: Final = ("extra", "_v", "traceId", "x-note", "é", "a/b", "~", "from_a_newer_version")


class Objects:
    """Makes objects, with a generator for the values."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    @property
    def _random(self) -> Random:
        return self._generator.random

    def make(self, schema: Plain, level: int, where: str) -> dict[str, Any]:
        """Return an object that keeps a plain schema.

        Raises:
            NoValue: A required field has no value, or there are too few fields or too many.
        """
        found = dict[str, Any]()
        for name in self._names(schema, level):
            try:
                found[name] = self._generator.value(self.property_schema(schema, name), level - 1, f"{where}/{name}")
            except NoValue:
                if name in self._needed(schema, found):
                    raise
        self._add_further(schema, found, level, where)
        if not schema.get("minProperties", 0) <= len(found) <= schema.get("maxProperties", len(found)):
            raise NoValue(where, schema)
        return found

    def property_schema(self, schema: Plain, name: str) -> Schema:
        """Return what a plain schema asks of the field of that name."""
        patterns = schema.get("patternProperties", {})
        asked: list[Schema] = [schema["properties"][name]] if name in schema.get("properties", {}) else []
        if patterns:
            asked += [part for pattern, part in patterns.items() if self._generator.matches(name, pattern)]
        if not asked:
            asked.append(schema.get("additionalProperties", True))
        found = asked[0]
        for other in asked[1:]:
            found = self._generator.flattener.both(found, other)
        return found

    def _names(self, schema: Plain, level: int) -> list[str]:
        """Return the declared fields that this object has, in the order of the schema."""
        properties, required = schema.get("properties", {}), schema.get("required", ())
        share = self._random.choice((0.0, 0.5, 0.9, 1.0))
        chosen = {name for name in properties if name not in required and self._takes(properties[name], share, level)}
        most = schema.get("maxProperties")
        if most is not None:
            chosen = set(sorted(chosen)[: max(most - len(required), 0)])
        missing = schema.get("minProperties", 0) - len(required) - len(chosen)
        if missing > 0:
            chosen |= set([name for name in properties if name not in required and name not in chosen][:missing])
        names = [name for name in properties if name in chosen or name in required]
        names += [name for name in required if name not in properties]
        return self._with_dependents(schema, names)

    def _takes(self, schema: Schema, share: float, level: int) -> bool:
        if schema is False or self._random.random() >= share:
            return False
        return level > 0 or self._generator.heights.of(schema) == 0

    def _with_dependents(self, schema: Plain, names: list[str]) -> list[str]:
        dependents = schema.get("dependentRequired", {})
        for name in names:  # grows as it is read
            names += [other for other in dependents.get(name, ()) if other not in names]
        return names

    def _needed(self, schema: Plain, found: dict[str, Any]) -> set[str]:
        dependents = schema.get("dependentRequired", {})
        return {*schema.get("required", ()), *(other for name in found for other in dependents.get(name, ()))}

    def _add_further(self, schema: Plain, found: dict[str, Any], level: int, where: str) -> None:
        """Add fields that are not declared, where there may be some."""
        least = schema.get("minProperties", 0) - len(found)
        wanted = max(least, self._free(schema, level))
        wanted = min(wanted, schema.get("maxProperties", wanted + len(found)) - len(found))
        for _ in range(4 * max(wanted, 0)):
            if wanted <= 0:
                return
            name = self._further_name(schema)
            if name in found or name in schema.get("properties", {}):
                continue
            part = self.property_schema(schema, name)
            if part is False:
                continue
            found[name] = self._generator.value(part, level - 1, f"{where}/{name}")
            wanted -= 1

    def _free(self, schema: Plain, level: int) -> int:
        """Return how many further fields to add of one's own accord."""
        if level <= 0:
            return 0
        is_map = schema.get("additionalProperties", False) is not False or "patternProperties" in schema
        if is_map or ("properties" not in schema and schema.get("additionalProperties") is not False):
            return self._random.randint(0, level)
        declared_open = "additionalProperties" not in schema
        return int(self._generator.extras and declared_open and self._random.random() > 0.7)

    def _further_name(self, schema: Plain) -> str:
        patterns = schema.get("patternProperties", {})
        if patterns and (schema.get("additionalProperties") is False or self._random.random() < 0.5):
            pattern: Plain = {"pattern": self._random.choice(list(patterns))}
            return scalars.text(pattern, self._random, 3)
        if isinstance(names := schema.get("propertyNames"), dict):
            return str(self._generator.value(self._generator.flattener.both(_TEXT, names), 1, ""))
        if self._random.random() < 0.5:
            return self._random.choice(_FURTHER)
        return scalars.free_text(1, 12, self._random, 2)


_TEXT: Final[Plain] = {"type": "string"}
