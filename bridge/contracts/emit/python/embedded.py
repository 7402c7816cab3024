"""Normalised schemas as the JSON text that generated code carries."""

from __future__ import annotations

from typing import Any

from bridge.contracts.emit.python.literals import WIDTH, compact
from bridge.contracts.model import Schema

_ANNOTATIONS = frozenset({"title", "description", "examples"})
_SCHEMAS = frozenset({
    "items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else",
})  # fmt: skip
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})


def schema_text(schema: Schema) -> str:
    """Return a schema as JSON of readable lines, without what only people read."""
    return data_text(checked_part(schema))


def data_text(data: Any) -> str:
    """Return JSON of readable lines."""
    return "\n".join(_lines(data, 0, "", ""))


def checked_part(schema: Any) -> Any:
    """Return a schema without titles, descriptions and examples; properties of these names stay."""
    if not isinstance(schema, dict):
        return schema
    return {keyword: _part(keyword, value) for keyword, value in schema.items() if keyword not in _ANNOTATIONS}


def _part(keyword: str, value: Any) -> Any:
    if keyword in _SCHEMAS:
        return checked_part(value)
    if keyword in _LISTS:
        return [checked_part(item) for item in value]
    if keyword in _MAPS:
        return {name: checked_part(item) for name, item in value.items()}
    return value


def _lines(data: Any, depth: int, before: str, after: str) -> list[str]:
    margin = " " * depth
    whole = f"{margin}{before}{compact(data)}{after}"
    if len(whole) <= WIDTH or not isinstance(data, dict | list) or not data:
        return [whole]
    if isinstance(data, dict):
        items, brackets = [(f"{compact(name)}:", item) for name, item in data.items()], "{}"
    else:
        items, brackets = [("", item) for item in data], "[]"
    if isinstance(data, list) and not any(isinstance(item, dict | list) for item in data):
        inner = _filled([compact(item) for item in data], depth + 1)
    else:
        ends = [","] * (len(items) - 1) + [""]
        inner = [
            line for (name, item), end in zip(items, ends, strict=True) for line in _lines(item, depth + 1, name, end)
        ]
    return [f"{margin}{before}{brackets[0]}", *inner, f"{margin}{brackets[1]}{after}"]


def _filled(texts: list[str], depth: int) -> list[str]:
    found = [" " * depth]
    for place, text in enumerate(texts):
        item = text if place == len(texts) - 1 else f"{text},"
        if found[-1].strip() and len(found[-1]) + len(item) > WIDTH:
            found.append(" " * depth)
        found[-1] += item
    return found
