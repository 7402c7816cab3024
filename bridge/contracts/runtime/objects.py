"""Checks of the keywords that concern objects."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, le
from typing import Any

from bridge.contracts.runtime.likeness import look_alike
from bridge.contracts.runtime.scope import Check, Path, Scope, holds
from bridge.contracts.runtime.search import searcher
from bridge.contracts.runtime.shown import pointer
from bridge.errors import Violation, shorten


def _count(rule: str, keeps: Callable[[int, Any], bool], words: str) -> Callable[[dict[str, Any], Scope], Check]:
    def make(schema: dict[str, Any], _scope: Scope) -> Check:
        bound = schema[rule]

        def check(value: Any, path: Path, out: list[Violation]) -> None:
            if isinstance(value, dict) and not keeps(len(value), bound):
                message = f"expected an object of {words} {bound} fields, got one of {len(value)}"
                out.append(Violation(pointer(path), rule, message))

        return check

    return make


check_max_properties = _count("maxProperties", le, "at most")
check_min_properties = _count("minProperties", ge, "at least")


def check_required(schema: dict[str, Any], scope: Scope) -> Check:
    """`required`; a violation has the path that the field would have."""
    names = schema["required"]
    declared = frozenset(schema.get("properties", ())).union(names)

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        for name in names if isinstance(value, dict) else ():
            if name not in value:
                others = () if scope.hidden else (other for other in value if other not in declared)
                found = look_alike(name, others)
                more = "" if found is None else f"; the undeclared field {shorten(found)} is there"
                message = f"expected this field, and it is missing{more}"
                out.append(Violation(pointer((path, name)), "required", message))

    return check


def check_dependent_required(schema: dict[str, Any], _scope: Scope) -> Check:
    """`dependentRequired`: fields that another one asks for."""
    wanted = schema["dependentRequired"]

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if not isinstance(value, dict):
            return
        for name, others in wanted.items():
            for other in others if name in value else ():
                if other not in value:
                    message = f"expected this field beside {shorten(name)}, and it is missing"
                    out.append(Violation(pointer((path, other)), "dependentRequired", message))

    return check


def check_properties(schema: dict[str, Any], scope: Scope) -> Check:
    """`properties`."""
    checks = {name: scope.of_property(name, inner) for name, inner in schema["properties"].items()}

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if isinstance(value, dict):
            for name, check_field in checks.items():
                if name in value:
                    check_field(value[name], (path, name), out)

    return check


def check_pattern_properties(schema: dict[str, Any], scope: Scope) -> Check:
    """`patternProperties`."""
    checks = [(searcher(pattern), scope.of(inner)) for pattern, inner in schema["patternProperties"].items()]

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if isinstance(value, dict):
            for search, check_field in checks:
                for name, item in value.items():
                    if search(name):
                        check_field(item, (path, scope.key(name)), out)

    return check


def check_additional_properties(schema: dict[str, Any], scope: Scope) -> Check:
    """`additionalProperties`: a schema for fields that neither `properties` nor `patternProperties` names."""
    declared = frozenset(schema.get("properties", ()))
    searches = [searcher(pattern) for pattern in schema.get("patternProperties", ())]
    inner = schema["additionalProperties"]
    check_field = _refuse if inner is False else scope.of(inner)

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                if name not in declared and not any(search(name) for search in searches):
                    check_field(item, (path, scope.key(name)), out)

    return check


def _refuse(_value: Any, path: Path, out: list[Violation]) -> None:
    message = "expected no such field: the contract doesn't declare it"
    out.append(Violation(pointer(path), "additionalProperties", message))


def check_property_names(schema: dict[str, Any], scope: Scope) -> Check:
    """`propertyNames`; a violation has the path of the field whose name it is."""
    check_name = scope.of(schema["propertyNames"])

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if isinstance(value, dict):
            for name in value:
                if not holds(check_name, name, path):
                    told = "" if scope.hidden else f" than {shorten(name)}"
                    message = f"expected another name for this field{told}"
                    out.append(Violation(pointer((path, scope.key(name))), "propertyNames", message))

    return check


def check_dependent_schemas(schema: dict[str, Any], scope: Scope) -> Check:
    """`dependentSchemas`: schemas for the whole object where it has a field."""
    checks = {name: scope.of(inner) for name, inner in schema["dependentSchemas"].items()}

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if isinstance(value, dict):
            for name, check_whole in checks.items():
                if name in value:
                    check_whole(value, path, out)

    return check
