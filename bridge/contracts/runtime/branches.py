"""Checks of the keywords that put schemas together: references, choices and conditions."""

from __future__ import annotations

from typing import Any

from bridge.contracts import objects
from bridge.contracts.runtime.scope import Check, Path, Scope, holds
from bridge.contracts.runtime.shown import pointer, shown
from bridge.errors import Violation, shorten


def check_ref(schema: dict[str, Any], scope: Scope) -> Check:
    """`$ref`; what it refers to is compiled when it is first reached, so that a schema may contain itself."""
    name = schema["$ref"].removeprefix("#/$defs/")
    key = (name, scope.open, scope.hidden)

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        found = scope.compiled.get(key)
        if found is None:
            found = scope.compiled[key] = scope.of(scope.definition(name))
        found(value, path, out)

    return check


def check_all_of(schema: dict[str, Any], scope: Scope) -> Check:
    """`allOf`."""
    checks = [scope.of(branch) for branch in schema["allOf"]]

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        for check_branch in checks:
            check_branch(value, path, out)

    return check


def check_any_of(schema: dict[str, Any], scope: Scope) -> Check:
    """`anyOf`: what the branches find is not told, since any of them may be the one that was meant."""
    checks = [scope.of(branch) for branch in schema["anyOf"]]
    fail = scope.fail("anyOf")
    expected = f"a value of one of {len(checks)} kinds"

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if not any(holds(check_branch, value, path) for check_branch in checks):
            fail(value, path, out, expected)

    return check


def check_one_of(schema: dict[str, Any], scope: Scope) -> Check:
    """`oneOf`; where a tag tells the branches apart, that branch alone is looked at, and tells what it finds."""
    exactly_one = _exactly_one(schema, scope)
    found = objects.tag_of(schema, scope.root)
    if found is None:
        return exactly_one
    tag = found[0]
    checks = {value: scope.of(branch) for value, branch in found[1].items()}
    expected = f"expected the field {shorten(tag)} to be {' or '.join(map(shorten, checks))}"
    hidden = scope.hidden or tag in scope.sensitive

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if not isinstance(value, dict):
            exactly_one(value, path, out)
            return
        kind = value.get(tag)
        branch = checks.get(kind) if isinstance(kind, str) else None
        if branch is not None:
            branch(value, path, out)
        else:  # every branch requires the tag to be its own, so that none can match
            came = f"got {shown(kind, hidden)}" if tag in value else "and it is missing"
            out.append(Violation(pointer(path), "oneOf", f"{expected}, {came}"))

    return check


def _exactly_one(schema: dict[str, Any], scope: Scope) -> Check:
    others, null = objects.branches_of(schema, "oneOf")
    inner = scope if null and len(others) == 1 else scope.closed()
    checks = [inner.of(branch) for branch in schema["oneOf"]]
    fail = scope.fail("oneOf")

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        matching = sum(holds(check_branch, value, path) for check_branch in checks)
        if matching != 1:
            fail(value, path, out, f"a value of just one of {len(checks)} kinds, and not of {matching}")

    return check


def check_not(schema: dict[str, Any], scope: Scope) -> Check:
    """`not`."""
    check_inner = scope.closed().of(schema["not"])
    fail = scope.fail("not")

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if holds(check_inner, value, path):
            fail(value, path, out, "another value than those that are ruled out")

    return check


def check_if(schema: dict[str, Any], scope: Scope) -> Check:
    """`if`, `then` and `else`."""
    condition = scope.closed().of(schema["if"])
    then, otherwise = scope.of(schema.get("then", True)), scope.of(schema.get("else", True))

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        (then if holds(condition, value, path) else otherwise)(value, path, out)

    return check
