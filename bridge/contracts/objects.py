"""What the schemas that hold together at one place say about an object: its fields, and whether they are all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bridge.contracts.model import Schema

Part = dict[str, Any]

# The keywords whose value is a schema, a list of schemas, or a map of schemas.
ONE: Final = frozenset({
    "items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else",
    "contentSchema", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
LIST: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAP: Final = frozenset({"$defs", "definitions", "properties", "patternProperties", "dependentSchemas"})


def resolve(schema: Schema, root: Schema) -> Schema:
    """Return what a normalised schema's `$ref` leads to."""
    assert isinstance(schema, dict)  # noqa: S101 - for mypy: a boolean has no $ref
    assert isinstance(root, dict)  # noqa: S101 - likewise
    found: Schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return found


def parts_of(schema: Schema, root: Schema) -> list[Part]:
    """Return the schemas that hold together: what `$ref` leads to, the branches of `allOf`, and the schema itself."""
    found: list[Part] = []
    _gather(schema, root, found, set())
    return found


def _gather(schema: Schema, root: Schema, found: list[Part], seen: set[int]) -> None:
    if not isinstance(schema, dict) or id(schema) in seen:
        return
    seen.add(id(schema))
    for branch in conjuncts(schema, root):
        _gather(branch, root, found, seen)
    found.append(schema)


def conjuncts(schema: Part, root: Schema) -> list[Schema]:
    """Return the schemas that a schema adds to itself: what its `$ref` leads to, and the branches of its `allOf`."""
    target = [resolve(schema, root)] if "$ref" in schema else []
    return [*target, *schema.get("allOf", ())]


def fields_of(schema: Schema, root: Schema) -> dict[str, list[Schema]]:
    """Return each declared field of an object with the schemas that say something about its value."""
    found: dict[str, list[Schema]] = {}
    for part in parts_of(schema, root):
        for name, field in part.get("properties", {}).items():
            found.setdefault(name, []).append(field)
    return found


def required_of(schema: Schema, root: Schema) -> dict[str, None]:
    """Return the fields that an object must have, in order."""
    return {name: None for part in parts_of(schema, root) for name in part.get("required", ())}


def types_of(schema: Schema, root: Schema) -> frozenset[str] | None:
    """Return the types that every schema of a place allows; None: none of them names one."""
    found: frozenset[str] | None = None
    for part in parts_of(schema, root):
        if "type" in part:
            named = frozenset([part["type"]] if isinstance(part["type"], str) else part["type"])
            found = named if found is None else found & named
    return found


def is_struct(schema: Schema, root: Schema) -> bool:
    """Tell whether a class with fields holds all that an object here may hold.

    It has type object, or object and null, declares `properties`, and no more fields elsewhere: by patternProperties,
    by a schema for additionalProperties, or in a branch of anyOf, oneOf, if or dependentSchemas.
    """
    types = types_of(schema, root)
    if types is None or "object" not in types or not types <= {"object", "null"}:
        return False
    parts = parts_of(schema, root)
    if not any("properties" in part for part in parts) or any("enum" in part or "const" in part for part in parts):
        return False
    return not any(_has_more(part) for part in parts) and declared_elsewhere(schema, root) <= set(
        fields_of(schema, root)
    )


def _has_more(part: Part) -> bool:
    return "patternProperties" in part or isinstance(part.get("additionalProperties"), dict)


def declared_elsewhere(schema: Schema, root: Schema) -> set[str]:
    """Return the fields that only some branch of a schema declares."""
    found: set[str] = set()
    todo = [branch for part in parts_of(schema, root) for branch in _branches(part)]
    seen: set[int] = set()
    while todo:
        for part in parts_of(todo.pop(), root):
            if id(part) not in seen:
                seen.add(id(part))
                found.update(part.get("properties", ()))
                todo.extend(_branches(part))
    return found


def _branches(part: Part) -> Iterator[Schema]:
    for keyword in ("anyOf", "oneOf"):
        yield from part.get(keyword, ())
    for keyword in ("if", "then", "else"):
        if keyword in part:
            yield part[keyword]
    yield from part.get("dependentSchemas", {}).values()


def delegate_of(schema: Part, root: Schema) -> Schema | None:
    """Return the one schema that gives an object its class, where the schema itself declares no field."""
    if "properties" in schema:
        return None
    declaring = [branch for branch in conjuncts(schema, root) if fields_of(branch, root)]
    return declaring[0] if len(declaring) == 1 and is_struct(declaring[0], root) else None


def branches_of(schema: Part, keyword: str) -> tuple[list[Schema], bool]:
    """Return the branches of an `anyOf` or `oneOf` without the one for null, and whether there is such a one."""
    branches: list[Schema] = schema.get(keyword, [])
    others = [branch for branch in branches if not is_null(branch)]
    return others, len(others) < len(branches)


def is_null(schema: Schema) -> bool:
    """Tell whether a schema is for null and nothing else."""
    return isinstance(schema, dict) and (
        schema.get("type") in ("null", ["null"]) or ("const" in schema and schema["const"] is None)
    )


def tag_of(schema: Part, root: Schema, keyword: str = "oneOf") -> tuple[str, dict[str, Schema]] | None:
    """Return the field that tells the branches of a union apart, and the branch of each of its values.

    Every branch but that for null is an object with a class, and requires the field to have one text, by `const` or an
    enum of one; no two branches have the same. Fields beside the union must stand in each branch too.
    """
    branches, _ = branches_of(schema, keyword)
    if len(branches) < 2 or not all(is_struct(branch, root) for branch in branches):
        return None
    beside = {name for part in parts_of({**schema, keyword: []}, root) for name in part.get("properties", ())}
    if not all(beside <= set(fields_of(branch, root)) for branch in branches):
        return None
    for name in fields_of(branches[0], root):
        values = {value: branch for branch in branches if (value := _tag(branch, name, root)) is not None}
        if len(values) == len(branches):
            return name, values
    return None


def tags_of(branch: Schema, root: Schema) -> dict[str, str]:
    """Return the fields that a branch requires to have one text, and that text."""
    return {name: value for name in fields_of(branch, root) if (value := _tag(branch, name, root)) is not None}


def _tag(branch: Schema, name: str, root: Schema) -> str | None:
    if name not in required_of(branch, root):
        return None
    for schema in fields_of(branch, root).get(name, ()):
        for part in parts_of(schema, root):
            if (value := text_constant(part)) is not None:
                return value
    return None


def tuple_items(schema: Part) -> list[Schema] | None:
    """Return the items of an array of fixed length; None: its length varies."""
    items: list[Schema] = schema.get("prefixItems", [])
    most = len(items) if schema.get("items") is False else schema.get("maxItems")
    return items if items and schema.get("minItems", 0) == len(items) == most else None


def map_value(schema: Part) -> Schema:
    """Return what the values of an object without declared fields are; True: several things, or anything."""
    patterns: dict[str, Schema] = schema.get("patternProperties", {})
    others: Schema = schema.get("additionalProperties", True)
    if not patterns:
        return others
    return next(iter(patterns.values())) if len(patterns) == 1 and others is False else True


def is_text_enum(schema: Part) -> bool:
    """Tell whether a schema lists texts, null aside."""
    values = [value for value in schema.get("enum", ()) if value is not None]
    types = schema.get("type", "string")
    return bool(values) and all(isinstance(value, str) for value in values) and "string" in types


def text_constant(schema: Any) -> str | None:
    """Return the one text that a schema allows, by `const` or an enum of one."""
    if not isinstance(schema, dict):
        return None
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    one = isinstance(allowed, list) and len(allowed) == 1 and isinstance(allowed[0], str)
    return allowed[0] if one and allowed else None


def children(schema: Schema) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Yield the schemas right inside of a schema, with the way to each; those in `$defs` too."""
    for key, value in schema.items() if isinstance(schema, dict) else ():
        if key in ONE:
            yield (key,), value
        elif key in LIST:
            yield from (((key, str(at)), part) for at, part in enumerate(value))
        elif key in MAP:
            yield from (((key, name), part) for name, part in value.items())


def is_only(schema: Part, name: str) -> bool:
    """Tell whether a schema's own `type` is this one, null aside."""
    types = schema.get("type", ())
    return types == name or (isinstance(types, list) and set(types) - {"null"} == {name})
