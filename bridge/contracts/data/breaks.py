"""How each keyword is broken: what to put in a valid value's place, as near to it as can be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

from bridge.contracts.data.formats import near_misses_of
from bridge.contracts.data.generator import Generator
from bridge.contracts.data.plain import Plain, exact
from bridge.contracts.model import Schema

#: A longer text or array is not made just to break a bound.
_LARGEST: Final = 5_000
_OF_ANY_TYPE: Final[tuple[Any, ...]] = (None, True, 0, 1.5, "", "12", "true", [], {}, [{}])
_FURTHER: Final = ("undeclared", "Id", "id ", "", "a/b~c", "é")


class Breaker:
    """What the breaks of one value share."""

    def __init__(self, generator: Generator, random: Random) -> None:
        self.generator = generator
        self.random = random

    def value(self, schema: Schema) -> Any:
        """Return a small valid value."""
        return self.generator.generate(schema, self.random, 1)

    def further(self, value: dict[str, Any], schema: Plain) -> Iterator[str]:
        """Yield names of fields that the object doesn't have and the schema doesn't declare."""
        yield from (name for name in _FURTHER if name not in value and name not in schema.get("properties", {}))


Candidates = Iterator[Any]
Break = Callable[[Breaker, Plain, Any], Candidates]


def _type(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    yield from _OF_ANY_TYPE
    if isinstance(value, int | float):
        yield str(value)
        if abs(value) < 10**15:
            yield value + 0.5
    yield [value]


def _literal(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, str):
        yield from (f"{value}x", value.swapcase(), f" {value}", value[:-1])
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, -value - 1, str(value))
    elif isinstance(value, list):
        yield [*value, None]
    elif isinstance(value, dict):
        yield {**value, "undeclared": None}
    yield from _OF_ANY_TYPE


def _multiple_of(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if _is_number(value):
        step = exact(schema["multipleOf"])
        yield from (value + 1, value - 1)
        if abs(value) < 10**15:  # a larger float has no digits to tell it from a multiple
            yield from (float(exact(value) + step / 2), float(exact(value) - step / 2))


def _above(keyword: str, excess: int) -> Break:
    def above(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
        if _is_number(value):
            bound = schema[keyword]
            if excess == 0:
                yield bound
                return
            sign = 1 if keyword == "maximum" else -1
            if isinstance(bound, int) or bound.is_integer():
                yield int(bound) + sign
            yield math.nextafter(bound, sign * math.inf)

    return above


def _max_length(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    most = int(schema["maxLength"])
    if isinstance(value, str) and most < _LARGEST:
        missing = most + 1 - len(value)
        yield from (value + missing * filling for filling in ("x", "0", "\U0001f600", value[-1:] or "a"))
        yield "AAAA" * (missing // 4 + 1) + value  # still base64


def _min_length(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, str) and schema["minLength"] > 0:
        short = int(schema["minLength"]) - 1
        yield from (value[:short], value[len(value) - short :], short * "\U0001f600")


def _pattern(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, str):
        place = breaker.random.randint(0, len(value))
        yield from (value + "\n", value + "!", "!" + value, value[:place] + "\u0663" + value[place + 1 :])
        yield from (value[:place] + value[place + 1 :], value.swapcase(), "", "\u2028", "~")


def _format(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, str):
        yield from near_misses_of(schema["format"])


def _content_encoding(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, str):
        yield from (value[:-1], value + "=", value + "\n", value[:-1] + "-", "YQ", "Y Q=", "\u00e9===", "A_==")


def _max_items(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, list) and schema["maxItems"] < _LARGEST:
        missing = int(schema["maxItems"]) + 1 - len(value)
        items = schema.get("items", True)
        yield value + [breaker.value(items) for _ in range(missing)] if items is not False else [*value, None]


def _min_items(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, list) and schema["minItems"] > 0:
        short = int(schema["minItems"]) - 1
        yield from (value[:short], value[len(value) - short :])


def _unique_items(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, list) and value and schema["uniqueItems"]:
        yield from ([*value, value[0]], [*value[:-1], value[0]])
        if isinstance(value[0], int) and not isinstance(value[0], bool) and abs(value[0]) < 2**53:
            yield [*value, float(value[0])]


def _contains(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, list):
        matching = [item for item in value if breaker.generator.keeps(item, schema["contains"])]
        others = [item for item in value if item not in matching]
        kept = matching[: max(int(schema.get("minContains", 1)) - 1, 0)]
        yield others + kept
        yield [None] * len(matching) + others
        if "maxContains" in schema and matching:
            yield value + [matching[0]] * (int(schema["maxContains"]) + 1 - len(matching))


def _items(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, list) and schema["items"] is False:
        yield [*value, None]


def _max_properties(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, dict) and schema["maxProperties"] < _LARGEST:
        declared = schema.get("properties", {})
        part = next(iter(value.values()), None)
        names = [name for name in declared if name not in value] + [f"k{place}" for place in range(_LARGEST)]
        fresh = [name for name in names if name not in value][: int(schema["maxProperties"]) + 1 - len(value)]
        further = schema.get("additionalProperties", part is None)
        yield value | {
            name: breaker.value(declared[name]) if name in declared else breaker.value(further) for name in fresh
        }
        yield value | dict.fromkeys(fresh, part)


def _min_properties(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, dict):
        names = [name for name in value if name not in schema.get("required", ())]
        kept = len(value) - int(schema["minProperties"]) + 1
        yield {name: item for name, item in value.items() if name not in names[:kept]}


def _required(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, dict):
        yield from (_without(value, name) for name in schema["required"] if name in value)


def _dependent_required(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, dict):
        for name, others in schema["dependentRequired"].items():
            if name in value:
                yield from (_without(value, other) for other in others if other in value)
            else:
                yield value | {name: breaker.value(schema.get("properties", {}).get(name, True))}


def _false_properties(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, dict):
        yield from (value | {name: None} for name, part in schema["properties"].items() if part is False)


def _additional_properties(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, dict) and schema["additionalProperties"] is False:
        yield from (value | {name: None} for name in breaker.further(value, schema))


def _undeclared(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, dict):
        yield from (value | {name: None} for name in breaker.further(value, schema))


def _property_names(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    if isinstance(value, dict):
        part = schema.get("additionalProperties", True)
        for name in (*_FURTHER, "\u0663", "x" * 100):
            if part is not False and name not in value:
                yield value | {name: breaker.value(part)}


def _combined(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    yield from _literal(breaker, schema, value)


def _one_of(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    yield from _combined(breaker, schema, value)
    one, other = schema["oneOf"][0], schema["oneOf"][-1]
    if one is not other:
        yield breaker.value(breaker.generator.flattener.both(one, other))


def _not(breaker: Breaker, schema: Plain, value: Any) -> Candidates:
    yield breaker.value(schema["not"])


BREAKS: Final[dict[str, Break]] = {
    "type": _type, "enum": _literal, "const": _literal, "multipleOf": _multiple_of,
    "maximum": _above("maximum", 1), "minimum": _above("minimum", 1),
    "exclusiveMaximum": _above("exclusiveMaximum", 0), "exclusiveMinimum": _above("exclusiveMinimum", 0),
    "maxLength": _max_length, "minLength": _min_length, "pattern": _pattern, "format": _format,
    "contentEncoding": _content_encoding, "maxItems": _max_items, "minItems": _min_items,
    "uniqueItems": _unique_items, "contains": _contains, "items": _items, "maxProperties": _max_properties,
    "minProperties": _min_properties, "required": _required, "dependentRequired": _dependent_required,
    "properties": _false_properties, "additionalProperties": _additional_properties, "undeclared": _undeclared,
    "propertyNames": _property_names, "anyOf": _combined, "oneOf": _one_of, "not": _not,
}  # fmt: skip
"""By keyword, candidates of which one shall break it alone; the checker tells which do."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}
