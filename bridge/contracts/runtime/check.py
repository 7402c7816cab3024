"""Checks a JSON value against a normalised schema, with the semantics of JSON Schema 2020-12, and tells all violations.

A schema becomes a tree of closures once; a check then only looks at the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from bridge.contracts.model import Schema
from bridge.contracts.runtime import arrays, branches, objects, scalars
from bridge.contracts.runtime.renamed import compile_renames
from bridge.contracts.runtime.scope import Check, Mode, Path, Scope
from bridge.contracts.runtime.shown import pointer, shown
from bridge.contracts.runtime.undeclared import find_undeclared
from bridge.errors import Violation

Checker = Callable[[Any], list[Violation]]
"""Returns every violation of a value, in the order of the schema, none twice; none where the value is valid."""

TOO_DEEP: Final = Violation("", "depth", "expected a value with so few levels of nesting that they can be followed")


def compile_checks(root: Schema, *, mode: Mode = "strict") -> Checker:
    """Return the checker of a self-contained schema.

    Args:
        root: A normalised schema; `$ref` refers to its `$defs`.
        mode: `"strict"` is JSON Schema as it is. `"read"` lets enums of text pass text that they don't list, unless
            they are `x-closed`, and takes fields and members by their former names, `x-was`. `"write"` is strict, and
            refuses fields that a typed object doesn't declare.
    """
    scope = scope_of(root, mode)
    check = _compile(root, scope)
    walk = find_undeclared(root) if mode == "write" else None
    rename = compile_renames(root) if mode == "read" else None

    def checker(value: Any) -> list[Violation]:
        found: list[Violation] = []
        try:
            check(value if rename is None else rename(value), None, found)
            if walk is not None:
                walk(value, None, found)
        except RecursionError:
            return [TOO_DEEP]
        return list(dict.fromkeys(found))

    return checker


def scope_of(root: Schema, mode: Mode) -> Scope:
    """Return the scope in which `root` and schemas inside it are compiled; undeclared fields are another matter."""
    return Scope(root, _compile, open=mode == "read", sensitive=frozenset(sensitive_names(root)))


def _compile(schema: Schema, scope: Scope) -> Check:
    if schema is True:
        return _pass
    if schema is False:
        return _refuse(scope)
    inner = replace(scope, hidden=True) if schema.get("x-sensitive") else scope
    checks = [
        check for keyword, make in _KEYWORDS.items() if keyword in schema and (check := make(schema, inner)) is not None
    ]
    if len(checks) == 1:
        return checks[0]

    def check_all(value: Any, path: Path, out: list[Violation]) -> None:
        for check in checks:
            check(value, path, out)

    return check_all


def _pass(_value: Any, _path: Path, _out: list[Violation]) -> None:
    return None


def _refuse(scope: Scope) -> Check:
    hidden = scope.hidden

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        out.append(Violation(pointer(path), "false", f"expected no value here, got {shown(value, hidden)}"))

    return check


def sensitive_names(schema: Any) -> Iterator[str]:
    """Yield the name of each property with `x-sensitive`, wherever it stands."""
    if isinstance(schema, list):
        for item in schema:
            yield from sensitive_names(item)
    elif isinstance(schema, dict):
        properties = schema.get("properties")
        for name, inner in properties.items() if isinstance(properties, dict) else ():
            if isinstance(inner, dict) and inner.get("x-sensitive"):
                yield name
        for inner in schema.values():
            yield from sensitive_names(inner)


_KEYWORDS: Final[dict[str, Callable[[dict[str, Any], Scope], Check | None]]] = {
    "$ref": branches.check_ref,
    "type": scalars.check_type,
    "enum": scalars.check_enum,
    "const": scalars.check_const,
    "multipleOf": scalars.check_multiple_of,
    "maximum": scalars.check_maximum,
    "exclusiveMaximum": scalars.check_exclusive_maximum,
    "minimum": scalars.check_minimum,
    "exclusiveMinimum": scalars.check_exclusive_minimum,
    "maxLength": scalars.check_max_length,
    "minLength": scalars.check_min_length,
    "pattern": scalars.check_pattern,
    "format": scalars.check_format,
    "contentEncoding": scalars.check_content_encoding,
    "maxItems": arrays.check_max_items,
    "minItems": arrays.check_min_items,
    "uniqueItems": arrays.check_unique_items,
    "contains": arrays.check_contains,
    "prefixItems": arrays.check_prefix_items,
    "items": arrays.check_items,
    "maxProperties": objects.check_max_properties,
    "minProperties": objects.check_min_properties,
    "required": objects.check_required,
    "dependentRequired": objects.check_dependent_required,
    "properties": objects.check_properties,
    "patternProperties": objects.check_pattern_properties,
    "additionalProperties": objects.check_additional_properties,
    "propertyNames": objects.check_property_names,
    "dependentSchemas": objects.check_dependent_schemas,
    "allOf": branches.check_all_of,
    "anyOf": branches.check_any_of,
    "oneOf": branches.check_one_of,
    "not": branches.check_not,
    "if": branches.check_if,
}
