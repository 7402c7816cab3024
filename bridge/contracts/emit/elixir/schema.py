"""A normalised schema as the Elixir support module reads it: annotations left out, patterns in PCRE's dialect."""

from __future__ import annotations

from typing import Any, Final

from bridge.contracts import objects
from bridge.contracts.emit.elixir import text as elixir_text
from bridge.contracts.emit.elixir.layout import Doc, Pair, items, mapping
from bridge.contracts.model import Schema
from bridge.contracts.patterns import translate

_LEFT_OUT: Final = frozenset({
    "$defs", "title", "description", "default", "deprecated", "examples", "x-was", "x-reserved", "x-name", "x-module",
})  # fmt: skip


def lowered(root: Schema) -> Schema:
    """Return a self-contained schema for the support module's checks.

    Its `$defs` are those that references lead to, and a `oneOf` whose branches have a tag has `x-tag` beside it: the
    tag's name, and its value in each branch.
    """
    if isinstance(root, bool):
        return root
    found: dict[str, Any] = _lowered(root, root)
    names = _reached(root)
    if names:
        found["$defs"] = {name: _lowered(root["$defs"][name], root) for name in sorted(names)}
    return found


def literal(value: Any) -> Doc:
    """Return the literal of a JSON value."""
    if isinstance(value, dict):
        return mapping(Pair(f"{elixir_text.text(key)} =>", literal(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return items(map(literal, value))
    return elixir_text.scalar(value)


def _lowered(schema: Any, root: Schema) -> Any:
    if not isinstance(schema, dict):
        return schema
    found = {key: _keyword(key, value, root) for key, value in schema.items() if key not in _LEFT_OUT}
    tag = objects.tag_of(schema, root) if "oneOf" in schema else None
    if tag is not None:
        name, branches = tag
        kinds = {id(branch): kind for kind, branch in branches.items()}
        found["x-tag"] = {"name": name, "values": [kinds.get(id(branch)) for branch in schema["oneOf"]]}
    return found


def _keyword(key: str, value: Any, root: Schema) -> Any:
    if key == "pattern":
        return translate(value).pcre
    if key == "patternProperties":
        return _pattern_properties(value, root)
    if key in objects.ONE:
        return _lowered(value, root)
    if key in objects.LIST:
        return [_lowered(part, root) for part in value]
    if key in objects.MAP:
        return {name: _lowered(part, root) for name, part in value.items()}
    return value


def _pattern_properties(schemas: dict[str, Any], root: Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pattern, schema in schemas.items():
        pcre, inner = translate(pattern).pcre, _lowered(schema, root)
        found[pcre] = {"allOf": [found[pcre], inner]} if pcre in found else inner
    return found


def _reached(root: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    todo: list[Schema] = [{key: value for key, value in root.items() if key != "$defs"}]
    while todo:
        schema = todo.pop()
        if isinstance(schema, dict) and "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            if name not in found:
                found.add(name)
                todo.append(root["$defs"][name])
        todo.extend(inner for _, inner in objects.children(schema))
    return found
