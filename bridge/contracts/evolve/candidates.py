"""Values that a writer may send at one place and a reader refuses there: where the search for a row starts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from random import Random
from typing import Any

from bridge.contracts.data.generator import Generator
from bridge.contracts.data.plain import NoValue
from bridge.contracts.evolve.gaps import Gap
from bridge.contracts.evolve.side import Side, View, canonical, type_of
from bridge.contracts.model import Schema
from bridge.contracts.runtime.check import compile_checks

_SAMPLES = 6
_TRIES = 3
_HOPELESS = 12
_KEPT = 8
_HALVED = 2**53
_REPEATED = 1_000
_PLAIN: tuple[Any, ...] = (None, False, True, 0, 1, -1, 0.5, "", "a", "0", [], {}, [0], [None, None], {"a": 0})

#: For a reader's limit, what lies just beyond it.
_BEYOND: dict[str, tuple[str, int]] = {
    "maxLength": ("minLength", 1), "minLength": ("maxLength", -1), "maxItems": ("minItems", 1),
    "minItems": ("maxItems", -1), "maxProperties": ("minProperties", 1), "minProperties": ("maxProperties", -1),
    "maximum": ("exclusiveMinimum", 0), "minimum": ("exclusiveMaximum", 0), "exclusiveMaximum": ("minimum", 0),
    "exclusiveMinimum": ("maximum", 0),
}  # fmt: skip


def candidates(gap: Gap, writer: Side, reader: Side) -> list[Any]:
    """Return values of the gap's place, the smallest first, that the writer's view has and the reader refuses.

    The ways to find them are tried from the cheapest on, and the first that finds any is the last.
    """
    for made in (_at_limit, _without_field, _with_field, _repeated, _contained, _beyond, _any):
        found: dict[str, Any] = {}
        for value in made(gap, writer):
            if gap.keyword == "type" and type_of(value) not in gap.detail:
                continue
            text = size_key(value)
            if text not in found and _shows(gap, value, writer, reader):
                found[text] = value
        if found:
            return [found[text] for text in sorted(found, key=lambda text: (len(text), text))][:_KEPT]
    return []


def _shows(gap: Gap, value: Any, writer: Side, reader: Side) -> bool:
    return writer.may_write(gap.view, value) and not reader.accepts(gap.reads, value)


def samples(side: Side, nodes: Iterable[Schema], count: int = _SAMPLES, size: int = 1) -> Sequence[Any]:
    """Return values that keep all of `nodes`; none where none was found. They are shared, and not to be changed."""
    return _samples(json.dumps(side.bundle(nodes)), count, size)


@lru_cache(maxsize=2_048)
def _samples(text: str, count: int, size: int) -> tuple[Any, ...]:
    """Return some of what a few tries made: a schema that hardly any value keeps is not worth a long search."""
    schema: Schema = json.loads(text)
    made, check = Generator(schema, extras=False), compile_checks(schema, mode="write")
    found: list[Any] = []
    for seed in range(count * _TRIES):
        if len(found) == count or (seed == _HOPELESS and not found):
            break
        try:
            value = made.generate(schema, Random(seed), size)  # noqa: S311 - samples are no secrets
        except NoValue as error:
            if error.exhausted:
                break
            continue
        except RecursionError:
            continue
        if not check(value):
            found.append(value)
    return tuple(found)


def size_key(value: Any) -> str:
    """Return a value's JSON text, which orders values by size."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _at_limit(gap: Gap, _: Side) -> Iterator[Any]:
    """Yield what needs no search: values that the gap knows, the plainest ones, and those beside a limit."""
    yield from gap.values
    yield from _PLAIN
    limit = gap.reader
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return
    if gap.keyword.endswith("Length"):
        yield from ("a" * length for length in (int(limit) - 1, int(limit) + 1) if 0 <= length < 10_000)
    elif gap.keyword in _BEYOND or gap.keyword == "multipleOf":
        yield from (limit - 1, limit, limit + 1)
        if abs(limit) < _HALVED:  # a larger integer has no half, or no float at all
            yield from (limit / 2, limit - 0.5, limit + 0.5)


def _without_field(gap: Gap, writer: Side) -> Iterator[Any]:
    if gap.keyword in ("required", "dependentRequired"):
        trigger = {"required": [gap.detail[0]]} if gap.keyword == "dependentRequired" else {}
        for value in samples(writer, [*gap.view.parts, {"type": "object", **trigger}]):
            yield {name: item for name, item in value.items() if name != gap.detail[-1]}


def _with_field(gap: Gap, writer: Side) -> Iterator[Any]:
    """Yield objects that hold a field which the reader doesn't declare."""
    if gap.keyword not in ("additionalProperties", "false", "propertyNames"):
        return
    for value in samples(writer, [*gap.view.parts, {"type": "object"}], 2):
        for name in gap.detail or undeclared_names(gap.view):
            inner = [part.get("additionalProperties", True) for part in gap.view.parts]
            inner = [part["properties"][name] for part in gap.view.parts if name in part.get("properties", ())] or inner
            for item in (None, 0, "", *samples(writer, inner, 2)):
                yield {**value, name: item}


def _repeated(gap: Gap, writer: Side) -> Iterator[Any]:
    if gap.keyword == "uniqueItems":
        for value in samples(writer, [*gap.view.parts, {"minItems": 1}]):
            yield [value[0], value[0], *value[2:]]


def _contained(gap: Gap, writer: Side) -> Iterator[Any]:
    """Yield arrays with one matching item too many or too few."""
    part = gap.reads[0] if gap.keyword == "contains" else None
    if isinstance(part, dict) and "$ref" not in canonical(part["contains"]):  # it would mean something else here
        for item in samples(writer, [part["contains"]]):
            for count in {part.get("maxContains", 0) + 1, part.get("minContains", 1) - 1}:
                yield from [[item] * count] if 0 <= count < _REPEATED else []


def _beyond(gap: Gap, writer: Side) -> Iterator[Any]:
    for schema in _opposites(gap):
        yield from samples(writer, [*gap.view.parts, schema])


def _any(gap: Gap, writer: Side) -> Iterator[Any]:
    yield from samples(writer, gap.view.parts)
    yield from samples(writer, gap.view.parts, size=3)


def _opposites(gap: Gap) -> Iterator[Schema]:
    """Yield schemas whose values the reader's keyword refuses, or may refuse."""
    if gap.keyword in _BEYOND:
        keyword, step = _BEYOND[gap.keyword]
        yield {keyword: gap.reader + step}
    elif gap.keyword == "type":
        wanted = [name for name in gap.detail if name != "fraction"] + ["number"] * ("fraction" in gap.detail)
        yield {"type": wanted}
    elif gap.keyword == "required":
        yield {"not": {"required": list(gap.detail)}}
    elif "$ref" not in canonical(list(gap.reads)):  # which would mean something else to the writer
        yield {"not": {"allOf": list(gap.reads)}}
        if gap.keyword in ("not", "if"):
            yield gap.reader


def undeclared_names(view: View, pattern: str = "additionalProperties") -> list[str]:
    """Return field names that the view doesn't name: such as match `pattern`, where it is one, and some others."""
    known = {name for part in view.parts for name in part.get("properties", ())}
    patterns = [found for part in view.parts for found in part.get("patternProperties", ())]
    wanted = [] if pattern == "additionalProperties" else _texts(pattern)
    made = [*wanted, "a", "extra", "x", "0", "A", *(name for found in patterns for name in _texts(found))]
    return [name for name in dict.fromkeys(made) if name not in known]


def _texts(pattern: str) -> list[str]:
    schema: Schema = {"type": "string", "pattern": pattern}
    return [text for text in samples(Side(schema, "strict"), [schema], 2) if isinstance(text, str)]
