"""Which fields of a contract's args no log may show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.contracts.former import former_names
from bridge.contracts.model import Schema


def hidden_names(root: Schema) -> set[str]:
    """Return the names of properties that hold an `x-sensitive` value: by themselves, by reference or in items.

    Their former names are among them: rows may still have those.
    """
    defs = root.get("$defs", {}) if isinstance(root, dict) else {}
    hidden = [(name, schema) for name, schema in _properties(root) if _is_hidden(schema, defs, frozenset())]
    return {known for name, schema in hidden for known in (name, *former_names(schema))}


def _properties(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, list):
        for item in schema:
            yield from _properties(item)
    elif isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties.items() if isinstance(properties, dict) else ()
        for inner in schema.values():
            yield from _properties(inner)


def _is_hidden(schema: Any, defs: dict[str, Any], seen: frozenset[str]) -> bool:
    """Tell whether a value has a sensitive part that no property of its own names."""
    if isinstance(schema, list):
        return any(_is_hidden(item, defs, seen) for item in schema)
    if not isinstance(schema, dict):
        return False
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name in defs and name not in seen and _is_hidden(defs[name], defs, seen | {name}):
        return True
    inner = (value for keyword, value in schema.items() if keyword not in ("properties", "$defs"))
    patterned = schema.get("patternProperties")
    found = [*inner, *(patterned.values() if isinstance(patterned, dict) else ())]
    return schema.get("x-sensitive") is True or any(_is_hidden(value, defs, seen) for value in found)
