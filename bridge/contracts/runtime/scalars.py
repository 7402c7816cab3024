"""Checks of the keywords that concern a value by itself: its type, its size, its text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any, Final

from bridge.contracts.model import Schema
from bridge.contracts.runtime import formats
from bridge.contracts.runtime.equality import frozen
from bridge.contracts.runtime.numbers import is_integer, is_multiple, is_number
from bridge.contracts.runtime.scope import Check, Path, Scope
from bridge.contracts.runtime.search import searcher
from bridge.contracts.runtime.shown import shown
from bridge.errors import Violation

_ENUM_SHOWN: Final = 12

_TYPES: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "null": ("null", lambda value: value is None),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("an integer", is_integer),
    "number": ("a number", is_number),
    "string": ("text", lambda value: isinstance(value, str)),
    "array": ("a list", lambda value: isinstance(value, list)),
    "object": ("an object", lambda value: isinstance(value, dict)),
}


def check_type(schema: dict[str, Any], scope: Scope) -> Check:
    """`type`: one name, or a list of them."""
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    expected = " or ".join(_TYPES[name][0] for name in wanted)
    tests = [_TYPES[name][1] for name in wanted]
    return _one("type", scope, lambda value: any(test(value) for test in tests), expected)


def check_enum(schema: dict[str, Any], scope: Scope) -> Check:
    """`enum`; text that it doesn't list is let pass where the scope is open and all it lists is text."""
    values = schema["enum"]
    known = {frozen(value) for value in values}
    more = f" or one of {len(values) - _ENUM_SHOWN} more" if len(values) > _ENUM_SHOWN else ""
    expected = f"one of {', '.join(map(shown, values[:_ENUM_SHOWN]))}{more}"
    if is_open_enum(schema) and scope.open:
        return _one("enum", scope, lambda value: isinstance(value, str), expected)
    return _one("enum", scope, lambda value: frozen(value) in known, expected)


def is_open_enum(schema: Schema) -> bool:
    """Tell whether a reader lets more text pass than a schema's enum lists."""
    if isinstance(schema, bool) or "enum" not in schema or schema.get("x-closed", False):
        return False
    return bool(schema["enum"]) and all(isinstance(value, str) for value in schema["enum"])


def check_const(schema: dict[str, Any], scope: Scope) -> Check:
    """`const`."""
    wanted = frozen(schema["const"])
    return _one("const", scope, lambda value: frozen(value) == wanted, shown(schema["const"]))


def check_multiple_of(schema: dict[str, Any], scope: Scope) -> Check:
    """`multipleOf`, in decimal: 0.3 is a multiple of 0.1."""
    divisor = schema["multipleOf"]
    return _one(
        "multipleOf",
        scope,
        lambda value: not is_number(value) or is_multiple(value, divisor),
        f"a multiple of {divisor}",
    )


def _bound(rule: str, keeps: Callable[[Any, Any], bool], words: str) -> Callable[[dict[str, Any], Scope], Check]:
    def check(schema: dict[str, Any], scope: Scope) -> Check:
        bound = schema[rule]
        return _one(rule, scope, lambda value: not is_number(value) or keeps(value, bound), f"{words} {bound}")

    return check


def _length(rule: str, keeps: Callable[[int, Any], bool], words: str) -> Callable[[dict[str, Any], Scope], Check]:
    def check(schema: dict[str, Any], scope: Scope) -> Check:
        bound = schema[rule]
        expected = f"text of {words} {bound} characters"
        return _one(rule, scope, lambda value: not isinstance(value, str) or keeps(len(value), bound), expected)

    return check


def check_pattern(schema: dict[str, Any], scope: Scope) -> Check:
    """`pattern`, which is searched for and not anchored; text beyond the `maxLength` beside it is refused by that."""
    search, most = searcher(schema["pattern"]), schema.get("maxLength", math.inf)
    expected = f"text that matches {schema['pattern']}"

    def passes(value: Any) -> bool:
        return not isinstance(value, str) or len(value) > most or search(value) is not None

    return _one("pattern", scope, passes, expected)


def check_format(schema: dict[str, Any], scope: Scope) -> Check:
    """`format`, which is asserted here."""
    name = schema["format"]
    return _text("format", scope, formats.matcher(name), formats.NAMES[name])


def check_content_encoding(schema: dict[str, Any], scope: Scope) -> Check:
    """`contentEncoding`: base64."""
    return _text("contentEncoding", scope, formats.matcher("base64"), "base64 with padding and without line breaks")


def _text(rule: str, scope: Scope, matches: Callable[[str], bool], expected: str) -> Check:
    return _one(rule, scope, lambda value: not isinstance(value, str) or matches(value), expected)


def _one(rule: str, scope: Scope, keeps: Callable[[Any], bool], expected: str) -> Check:
    fail = scope.fail(rule)

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if not keeps(value):
            fail(value, path, out, expected)

    return check


check_maximum = _bound("maximum", le, "at most")
check_exclusive_maximum = _bound("exclusiveMaximum", lt, "less than")
check_minimum = _bound("minimum", ge, "at least")
check_exclusive_minimum = _bound("exclusiveMinimum", gt, "more than")
check_max_length = _length("maxLength", le, "at most")
check_min_length = _length("minLength", ge, "at least")
