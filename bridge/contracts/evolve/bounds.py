"""Whether a writer's bounds, lengths, patterns and formats keep within a reader's: keywords that stand alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from bridge.contracts.evolve.side import View

Types = frozenset[str]

_NUMBERS = frozenset({"integer", "fraction"})

#: The types that a keyword of the reader says something about.
CONCERNS: dict[str, Types] = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBERS),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format", "contentEncoding"), frozenset({"string"})),
    **dict.fromkeys(("minItems", "maxItems", "uniqueItems"), frozenset({"array"})),
    **dict.fromkeys(("minProperties", "maxProperties"), frozenset({"object"})),
}

#: Formats whose every text is also a text of another.
_NARROWER = {("bigint", "decimal"), ("uri", "uri-reference"), ("uri", "iri"), ("iri", "iri-reference")}


def implied(keyword: str, limit: Any, view: View, types: Types) -> bool:
    """Tell whether all that `view` may write keeps the reader's `keyword: limit`."""
    if not types & CONCERNS[keyword]:
        return True
    return _TESTS[keyword](limit, view, types)


def most_items(view: View) -> float:
    """Return how many items an array of this view has at most."""
    found = _upper(view, "maxItems")
    for part in view.parts:
        if part.get("items") is False:
            found = min(found, len(part.get("prefixItems", ())))
    return found


def _upper(view: View, keyword: str) -> float:
    return min((part[keyword] for part in view.parts if keyword in part), default=math.inf)


def _lower(view: View, keyword: str) -> float:
    return max((part[keyword] for part in view.parts if keyword in part), default=-math.inf)


def _is_bound(limit: float) -> bool:
    """Tell a limit from the infinity that stands for none; `math.isfinite` fails for integers that have no float."""
    return limit not in (math.inf, -math.inf)


def _at_least(view: View, types: Types) -> tuple[float, bool]:
    """Return the lowest number, and whether it is itself left out."""
    low, beyond = _lower(view, "minimum"), _lower(view, "exclusiveMinimum")
    if "fraction" not in types:  # whole numbers start at the next one
        low = math.ceil(low) if _is_bound(low) else low
        beyond = math.floor(beyond) + 1 if _is_bound(beyond) else beyond
        return max(low, beyond), False
    return (beyond, True) if beyond >= low else (low, False)


def _at_most(view: View, types: Types) -> tuple[float, bool]:
    high, beyond = _upper(view, "maximum"), _upper(view, "exclusiveMaximum")
    if "fraction" not in types:
        high = math.floor(high) if _is_bound(high) else high
        beyond = math.ceil(beyond) - 1 if _is_bound(beyond) else beyond
        return min(high, beyond), False
    return (beyond, True) if beyond <= high else (high, False)


def _exclusive_minimum(limit: float, view: View, types: Types) -> bool:
    low, open_ended = _at_least(view, types)
    return low > limit or (low == limit and open_ended)


def _exclusive_maximum(limit: float, view: View, types: Types) -> bool:
    high, open_ended = _at_most(view, types)
    return high < limit or (high == limit and open_ended)


def _multiple_of(limit: float, view: View, types: Types) -> bool:
    step = Fraction(repr(limit))
    if "fraction" not in types and (1 / step).denominator == 1:
        return True
    return any((Fraction(repr(part["multipleOf"])) / step).denominator == 1 for part in _with(view, "multipleOf"))


def _with(view: View, keyword: str) -> list[dict[str, Any]]:
    return [part for part in view.parts if keyword in part]


def _same(keyword: str) -> Callable[[Any, View, Types], bool]:
    return lambda limit, view, _: any(part[keyword] == limit for part in _with(view, keyword))


def _format(limit: str, view: View, _: Types) -> bool:
    return any(part["format"] == limit or (part["format"], limit) in _NARROWER for part in _with(view, "format"))


def _unique_items(limit: bool, view: View, _: Types) -> bool:
    return not limit or most_items(view) <= 1 or any(part["uniqueItems"] for part in _with(view, "uniqueItems"))


def _min_properties(limit: int, view: View, _: Types) -> bool:
    required = {name for part in view.parts for name in part.get("required", ())}
    return max(_lower(view, "minProperties"), len(required)) >= limit


def _max_properties(limit: int, view: View, _: Types) -> bool:
    declared = math.inf if view.closing is None else len(view.closing)
    return min(_upper(view, "maxProperties"), declared) <= limit


_TESTS: dict[str, Callable[[Any, View, Types], bool]] = {
    "minimum": lambda limit, view, types: _at_least(view, types)[0] >= limit,
    "maximum": lambda limit, view, types: _at_most(view, types)[0] <= limit,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple_of,
    "minLength": lambda limit, view, _: max(0, _lower(view, "minLength")) >= limit,
    "maxLength": lambda limit, view, _: _upper(view, "maxLength") <= limit,
    "pattern": _same("pattern"),
    "format": _format,
    "contentEncoding": _same("contentEncoding"),
    "minItems": lambda limit, view, _: max(0, _lower(view, "minItems")) >= limit,
    "maxItems": lambda limit, view, _: most_items(view) <= limit,
    "uniqueItems": _unique_items,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
}
