"""How deep the shallowest value of a schema is: what a sample turns to when it has grown enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bridge.contracts.model import Schema


class Heights:
    """The least nesting of any value of each schema of one root: 0 for a scalar, infinite where there is no end."""

    def __init__(self, root: Schema) -> None:
        defs: Mapping[str, Schema] = {} if isinstance(root, bool) else root.get("$defs", {})
        self._defs: dict[str, float] = dict.fromkeys(defs, math.inf)
        for _ in range(len(defs) + 1):
            found = {name: self._of(schema) for name, schema in defs.items()}
            if found == self._defs:
                break
            self._defs = found
        self._known: dict[int, tuple[Schema, float]] = {}

    def of(self, schema: Schema) -> float:
        """Return the height of the shallowest value."""
        if id(schema) not in self._known:
            self._known[id(schema)] = (schema, self._of(schema))  # the schema too, so that the id stays its own
        return self._known[id(schema)][1]

    def _of(self, schema: Schema) -> float:
        if isinstance(schema, bool) or "const" in schema or "enum" in schema:
            return 0
        found = [self._of(part) for part in schema.get("allOf", ())]
        found += [min(map(self._of, schema[key])) for key in ("anyOf", "oneOf") if key in schema]
        if "$ref" in schema:
            found.append(self._defs[schema["$ref"].rpartition("/")[2]])
        return max([*found, self._own(schema)])

    def _own(self, schema: dict[str, Any]) -> float:
        types = schema.get("type", "null")
        heights = {"object": self._object, "array": self._array}
        return min(
            heights[name](schema) if name in heights else 0 for name in ([types] if isinstance(types, str) else types)
        )

    def _object(self, schema: dict[str, Any]) -> float:
        properties = schema.get("properties", {})
        return 1 + max((self._of(properties.get(name, True)) for name in schema.get("required", ())), default=0)

    def _array(self, schema: dict[str, Any]) -> float:
        least = schema.get("minItems", 0)
        prefix = schema.get("prefixItems", [])
        items = [*prefix[:least], *([schema.get("items", True)] if least > len(prefix) else [])]
        return 1 + max(map(self._of, items), default=0)
