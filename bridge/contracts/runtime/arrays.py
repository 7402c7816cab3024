"""Checks of the keywords that concern lists."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, le
from typing import Any

from bridge.contracts.runtime.equality import frozen
from bridge.contracts.runtime.scope import Check, Path, Scope, holds
from bridge.contracts.runtime.shown import pointer
from bridge.errors import Violation


def _count(rule: str, keeps: Callable[[int, Any], bool], words: str) -> Callable[[dict[str, Any], Scope], Check]:
    def make(schema: dict[str, Any], scope: Scope) -> Check:
        bound, fail = schema[rule], scope.fail(rule)

        def check(value: Any, path: Path, out: list[Violation]) -> None:
            if isinstance(value, list) and not keeps(len(value), bound):
                fail(value, path, out, f"a list of {words} {bound} items")

        return check

    return make


check_max_items = _count("maxItems", le, "at most")
check_min_items = _count("minItems", ge, "at least")


def check_unique_items(schema: dict[str, Any], _scope: Scope) -> Check | None:
    """`uniqueItems`."""
    if not schema["uniqueItems"]:
        return None

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if not isinstance(value, list):
            return
        seen: dict[Any, int] = {}
        for index, item in enumerate(value):
            first = seen.setdefault(frozen(item), index)
            if first != index:
                message = f"expected different items, and items {first} and {index} are equal"
                out.append(Violation(pointer(path), "uniqueItems", message))
                return

    return check


def check_contains(schema: dict[str, Any], scope: Scope) -> Check | None:
    """`contains`, with `minContains` and `maxContains`."""
    matches = scope.closed().of(schema["contains"])
    least, most = schema.get("minContains"), schema.get("maxContains")

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if not isinstance(value, list):
            return
        found = sum(holds(matches, item, path) for item in value)
        for rule, fits, words in (
            ("contains", least is not None or found > 0, "at least 1"),
            ("minContains", least is None or found >= least, f"at least {least}"),
            ("maxContains", most is None or found <= most, f"at most {most}"),
        ):
            if not fits:
                message = f"expected {words} of the items to match, and {found} of {len(value)} do"
                out.append(Violation(pointer(path), rule, message))

    return check


def check_prefix_items(schema: dict[str, Any], scope: Scope) -> Check:
    """`prefixItems`: a schema for each of the first items."""
    checks = [scope.of(item) for item in schema["prefixItems"]]

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if isinstance(value, list):
            for index, (item, check_item) in enumerate(zip(value, checks, strict=False)):
                check_item(item, (path, index), out)

    return check


def check_items(schema: dict[str, Any], scope: Scope) -> Check:
    """`items`: a schema for every item after those of `prefixItems`."""
    check_item = scope.of(schema["items"])
    start = len(schema.get("prefixItems", ()))

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if isinstance(value, list):
            for index in range(start, len(value)):
                check_item(value[index], (path, index), out)

    return check
