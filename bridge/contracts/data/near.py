"""Values that miss a schema by one rule: a valid value, changed in one place, and checked to break just that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any, Final

from bridge.contracts.data.breaks import BREAKS, Breaker
from bridge.contracts.data.generator import Generator
from bridge.contracts.data.plain import NoValue
from bridge.contracts.model import Schema
from bridge.errors import Violation

Path = tuple[str | int, ...]
Site = tuple[Path, Any, dict[str, Any]]
"""A place in a value, what stands there, and a schema that applies to it."""

_BREAKS_OF_ONE_VALUE: Final = 6
_IDLE_ROUNDS: Final = 200


class NearMisses:
    """Breaks values of one schema; rules that were broken least come first."""

    def __init__(self, root: Schema, generator: Generator, check: Callable[[Any], Sequence[Violation]]) -> None:
        self._root = root
        self._generator = generator
        self._check = check
        self._broken: Counter[tuple[int, str]] = Counter()

    def around(self, valid: Callable[[], Any], random: Random) -> Iterator[tuple[Any, tuple[str, str]]]:
        """Yield broken values made of those that `valid` gives."""
        self._broken.clear()
        idle = 0
        while idle < _IDLE_ROUNDS:
            idle += 1
            for found in islice(self.of(valid(), random), _BREAKS_OF_ONE_VALUE):
                idle = 0
                yield found

    def of(self, value: Any, random: Random) -> Iterator[tuple[Any, tuple[str, str]]]:
        """Yield what becomes of one valid value, broken in one way and then in others."""
        targets = [(keyword, site) for site in self._sites(self._root, value, ()) for keyword in _breakable(site[2])]
        targets = _rotated(targets, random)
        targets.sort(key=lambda target: self._broken[id(target[1][2]), target[0]])
        for keyword, (path, part, schema) in targets:
            self._broken[id(schema), keyword] += 1  # tried is enough: some can't be broken alone
            found = self._broken_once(value, path, part, schema, keyword, random)
            if found is not None:
                yield found

    def _broken_once(
        self, value: Any, path: Path, part: Any, schema: dict[str, Any], keyword: str, random: Random
    ) -> tuple[Any, tuple[str, str]] | None:
        breaker = Breaker(self._generator, random)
        try:
            candidates = list(BREAKS[keyword](breaker, schema, part))
        except NoValue:
            return None
        for candidate in _rotated(candidates, random):
            broken = _replaced(value, path, candidate)
            breaks = {(violation.path, violation.rule) for violation in self._check(broken)}
            if len(breaks) == 1:
                return broken, breaks.pop()
        return None

    def _sites(self, schema: Schema, value: Any, path: Path) -> Iterator[Site]:
        if isinstance(schema, bool):
            return
        yield path, value, schema
        for part in self._applied(schema, value):
            yield from self._sites(part, value, path)
        if isinstance(value, dict):
            for name, item in value.items():
                for part in self._of_property(schema, name):
                    yield from self._sites(part, item, (*path, name))
        elif isinstance(value, list):
            prefix = schema.get("prefixItems", ())
            for place, item in enumerate(value):
                part = prefix[place] if place < len(prefix) else schema.get("items", True)
                yield from self._sites(part, item, (*path, place))

    def _applied(self, schema: dict[str, Any], value: Any) -> Iterator[Schema]:
        """Yield the schemas inside that apply to the same value."""
        keeps = self._generator.keeps
        yield from schema.get("allOf", ())
        if "$ref" in schema:
            yield self._generator.flattener.resolve(schema)
        for key in ("anyOf", "oneOf"):
            yield from [branch for branch in schema.get(key, ()) if keeps(value, branch)]
        if "if" in schema:
            yield schema.get("then" if keeps(value, schema["if"]) else "else", True)
        if isinstance(value, dict):
            yield from [part for name, part in schema.get("dependentSchemas", {}).items() if name in value]

    def _of_property(self, schema: dict[str, Any], name: str) -> Iterator[Schema]:
        known = False
        if name in schema.get("properties", {}):
            known = True
            yield schema["properties"][name]
        for pattern, part in schema.get("patternProperties", {}).items():
            if self._generator.matches(name, pattern):
                known = True
                yield part
        if not known:
            yield schema.get("additionalProperties", True)


def _breakable(schema: dict[str, Any]) -> list[str]:
    found = [keyword for keyword in schema if keyword in BREAKS]
    if "properties" in schema and "additionalProperties" not in schema and "patternProperties" not in schema:
        found.append("undeclared")
    return found


def _rotated(items: list[Any], random: Random) -> list[Any]:
    """Return the items from any of them on, and then those before it: one draw, where a shuffle takes one for each."""
    start = random.randrange(len(items)) if items else 0
    return items[start:] + items[:start]


def _replaced(value: Any, path: Path, part: Any) -> Any:
    """Return a copy of `value` with another part at `path`; what lies beside it is shared."""
    if not path:
        return part
    if isinstance(value, dict):
        return {**value, path[0]: _replaced(value[path[0]], path[1:], part)}
    place = int(path[0])
    return [*value[:place], _replaced(value[place], path[1:], part), *value[place + 1 :]]
