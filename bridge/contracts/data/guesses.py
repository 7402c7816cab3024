"""Schemas guessed from values: what all of them are, and what they have in common beyond their types."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from bridge.contracts.names import attribute, member
from bridge.contracts.runtime.check import compile_checks

#: In the order in which they are tried. Digits alone are no bigint and no decimal: they may be a code.
_FORMATS: Final = ("uuid", "date-time", "date", "time", "email", "uri", "decimal", "duration", "ipv4", "ipv6")
_CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    name: compile_checks({"type": "string", "format": name}) for name in _FORMATS
}
#: A format says something once so many different texts have it.
_TEXTS: Final = 5
#: An enum has few values, each of them short and in several rows, and many rows a value on average.
_ENUM_VALUES: Final = 12
_ENUM_LENGTH: Final = 40
_ENUM_REPEATS: Final = 5
_ENUM_ROWS_A_VALUE: Final = 20
#: Fields of a class are few and come again and again; keys of a map are many, and each is in few objects.
_MAP_KEYS: Final = 20
_MAP_SHARE: Final = 0.3
#: Above so many fields, those in few objects are left out: readers let them pass.
_FIELDS: Final = 100
_RARE: Final = 0.01
_TAGS: Final = 8
_DEEPEST: Final = 16
_NOT_A_CODE: Final = re.compile(r"-?[0-9]+\.[0-9]+").fullmatch


class Guesser:
    """Guesses schemas.

    Args:
        tolerance: The share of values at one place whose type may be left out as a mistake.
        values: False takes no text of the values into a schema.
    """

    def __init__(self, *, tolerance: float, values: bool) -> None:
        self._tolerance = tolerance
        self._values = values

    def schema(self, values: Sequence[Any], depth: int = 1) -> dict[str, Any]:
        """Return a schema of these values."""
        kinds: dict[str, list[Any]] = {}
        for value in values:
            kinds.setdefault(_kind(value), []).append(value)
        if self._tolerance:
            kinds = {kind: found for kind, found in kinds.items() if len(found) > self._tolerance * len(values)}
        if "number" in kinds and "integer" in kinds:
            whole = len(kinds["integer"]) >= len(values) / 2 and all(value % 1 == 0 for value in kinds["number"])
            one, other = ("integer", "number") if whole else ("number", "integer")
            kinds[one] += kinds.pop(other)
        is_nullable = kinds.pop("null", None) is not None
        if depth > _DEEPEST or not kinds.keys() <= _KINDS or len(kinds) > 1:
            return _mixed([*kinds, *(["null"] if is_nullable else [])])
        if not kinds:
            return {"$comment": "only null was seen"} if is_nullable else {}
        [(kind, found)] = kinds.items()
        guessed = self._of_kind(kind, found, depth)
        return _nullable(guessed) if is_nullable else guessed

    def object_schema(self, values: Sequence[dict[str, Any]], depth: int = 0, *, root: bool = False) -> dict[str, Any]:
        """Return a schema of objects: a class with fields, and unless they are the root's, a map or a union too."""
        counts = Counter(name for value in values for name in value)
        if not root and _is_map(counts, values):
            items = [item for value in values for item in value.values()]
            schema = {"type": "object", "additionalProperties": self.schema(items, depth + 1)}
            return _commented(schema, f"{len(counts)} different keys, few of them in many objects: a map")
        if not root and self._values and (tag := _find_tag(counts, values)):
            return self._union(tag, values, depth)
        least = len(values) * (1 - self._tolerance)
        named = _distinct(
            [name for name, count in counts.items() if count >= _RARE * len(values) or len(counts) <= _FIELDS]
        )
        required = [name for name in named if counts[name] >= least]
        properties = {
            name: self.schema([value[name] for value in values if name in value], depth + 1) for name in named
        }
        found: dict[str, Any] = {"type": "object"}
        if required:
            found["required"] = required
        return {**found, "properties": properties}

    def _of_kind(self, kind: str, values: list[Any], depth: int) -> dict[str, Any]:
        if kind == "object":
            return self.object_schema(values, depth)
        if kind == "array":
            items = [item for value in values for item in value]
            if not items:
                return _commented({"type": "array"}, "only empty arrays were seen")
            return {"type": "array", "items": self.schema(items, depth + 1)}
        if kind == "string":
            return self._text(values)
        return {"type": kind}

    def _text(self, values: list[str]) -> dict[str, Any]:
        texts = Counter(values)
        if len(texts) >= _TEXTS:
            for name in _FORMATS:
                if _have_format(texts, name, spare=self._tolerance * len(values)):
                    comment = f"guess: all {len(texts)} different texts are of this format"
                    return _commented({"type": "string", "format": name}, comment)
        if self._values and _is_enum(texts):
            comment = f"guess: only these {len(texts)} texts in {len(values)} values"
            return _commented({"type": "string", "enum": sorted(texts)}, comment)
        return {"type": "string"}

    def _union(self, tag: str, values: Sequence[dict[str, Any]], depth: int) -> dict[str, Any]:
        groups: dict[str, list[dict[str, Any]]] = {}
        for value in values:
            groups.setdefault(value[tag], []).append(value)
        branches = []
        for name, group in sorted(groups.items()):
            schema = self.object_schema(group, depth, root=True)
            schema["properties"][tag] = {"const": name}
            branches.append(schema)
        return {"$comment": f"guess: {tag} tells these apart", "oneOf": branches}


def titled(schema: dict[str, Any], taken: set[str] | None = None) -> dict[str, Any]:
    """Return a schema in which every object with fields, every enum and every branch has a title of its own."""
    taken = set[str]() if taken is None else taken
    found = dict(schema)
    if "properties" in schema or "enum" in schema:
        name = str(schema.get("title", f"Part{len(taken)}"))
        taken.add(name)
        found["title"] = name
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found[key] = titled(schema[key], taken)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            found[key] = [titled(branch, taken) for branch in schema[key]]
    if "properties" in schema:
        found["properties"] = {name: titled(part, taken) for name, part in schema["properties"].items()}
    return found


_KINDS: Final = frozenset(("boolean", "integer", "number", "string", "array", "object"))


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


def _mixed(kinds: list[str]) -> dict[str, Any]:
    return _commented({"type": sorted(kinds)}, "values of several types were seen")


def _commented(schema: dict[str, Any], comment: str) -> dict[str, Any]:
    return {"$comment": comment, **schema}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "oneOf" in schema:
        return {**schema, "oneOf": [*schema["oneOf"], {"type": "null"}]}
    if "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _have_format(texts: Counter[str], name: str, *, spare: float) -> bool:
    """Tell whether all of these texts have a format, but for `spare` values."""
    if name == "decimal" and sum(map(bool, map(_NOT_A_CODE, texts))) < len(texts) / 2:
        return False
    for text, count in texts.items():
        spare -= count if _CHECKS[name](text) else 0
        if spare < 0:
            return False
    return True


def _is_enum(texts: Counter[str]) -> bool:
    return (
        len(texts) <= _ENUM_VALUES
        and min(texts.values()) >= _ENUM_REPEATS
        and texts.total() >= _ENUM_ROWS_A_VALUE * len(texts)
        and all(0 < len(text) <= _ENUM_LENGTH and text.isprintable() for text in texts)
        and len({member(text) for text in texts}) == len(texts)
    )


def _distinct(names: list[str]) -> list[str]:
    """Return the names without those that would be another one's in code; readers let such fields pass."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(attribute(name), name)
    return list(found.values())


def _is_map(counts: Counter[str], values: Sequence[dict[str, Any]]) -> bool:
    if len(counts) <= _MAP_KEYS:
        return False
    return sum(counts.values()) <= _MAP_SHARE * len(counts) * len(values)


def _find_tag(counts: Mapping[str, int], values: Sequence[dict[str, Any]]) -> str | None:
    """Return the field whose text tells several kinds of objects apart, where one does."""
    always = [name for name, count in counts.items() if count == len(values)]
    return next((name for name in always if _tells_apart(name, values)), None)


def _tells_apart(tag: str, values: Sequence[dict[str, Any]]) -> bool:
    if not all(isinstance(value[tag], str) for value in values):
        return False
    texts = Counter(str(value[tag]) for value in values)
    if not 2 <= len(texts) <= _TAGS or not _is_enum(texts):
        return False
    always, ever = dict[str, set[str]](), dict[str, set[str]]()
    for value in values:
        names = set(value)
        always[value[tag]] = always.get(value[tag], names) & names
        ever[value[tag]] = ever.get(value[tag], set()) | names
    # Of each two kinds, one always has a field that the other never has.
    return all(always[one] - ever[other] or always[other] - ever[one] for one, other in combinations(texts, 2))
