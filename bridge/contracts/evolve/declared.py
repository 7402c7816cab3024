"""Changes that no row shows at once: names, defaults, reservations, openness, texts. Found by walking both versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bridge.contracts.evolve.side import canonical
from bridge.contracts.former import former_members, former_names
from bridge.contracts.model import Schema
from bridge.contracts.objects import Part, branches_of, parts_of, tag_of
from bridge.contracts.runtime.scalars import is_open_enum

_TEXTS = ("title", "description", "examples")
_NOTED = (
    ("default", "DEFAULT_CHANGED"),
    ("deprecated", "DEPRECATION_CHANGED"),
    ("x-sensitive", "SENSITIVITY_CHANGED"),
)
_DEPTH = 60
_ABSENT = object()


@dataclass(frozen=True)
class Found:
    """A declared change: its rule, where, and both sides of it."""

    rule: str
    path: tuple[str, ...]
    message: str
    old: Any = None
    new: Any = None


def declared(old: Schema, new: Schema) -> Iterator[Found]:
    """Yield the changes between two self-contained schemas that their texts show."""
    yield from _Walk(old, new).place([old], [new], ())


class _Walk:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._seen: set[str] = set()

    def place(self, old: list[Schema], new: list[Schema], path: tuple[str, ...]) -> Iterator[Found]:
        key = canonical([old, new])
        if key in self._seen or len(path) > 2 * _DEPTH:
            return
        self._seen.add(key)
        before, after = _parts(old, self._old), _parts(new, self._new)
        yield from _annotations(before, after, path)
        yield from _texts(before, after, path)
        yield from self._fields(before, after, path)
        yield from self._items(before, after, path)
        yield from self._branches(before, after, path)

    def _fields(self, before: list[Part], after: list[Part], path: tuple[str, ...]) -> Iterator[Found]:
        fields, now = _fields_of(before), _fields_of(after)
        renamed = {was: name for name, nodes in now.items() if name not in fields for was in _was(nodes)}
        for name in sorted(fields.keys() | now.keys()):
            at = (*path, "properties", name)
            if name in fields and name in now:
                for was in sorted({*_was(fields[name])} - {*_was(now[name])}):
                    yield Found("FIELD_NAME_DROPPED", (*at, "x-was"), f"{was!r} is read no more as {name!r}", was, None)
                yield from self.place(fields[name], now[name], at)
            elif name in fields and name in renamed:
                target = renamed[name]
                at = (*path, "properties", target)
                yield Found("FIELD_RENAMED", at, f"{name!r} is called {target!r} now", name, target)
                yield from self.place(fields[name], now[target], at)
        targets = {renamed[was] for was in renamed.keys() & fields.keys() - now.keys()}
        yield from _reservations(
            before, after, set(fields) - set(now) - set(renamed), set(now) - set(fields), path, targets
        )
        yield from _openness(before, after, path)
        for pattern, nodes in _map_of(before, "patternProperties").items():
            if pattern in (others := _map_of(after, "patternProperties")):
                yield from self.place(nodes, others[pattern], (*path, "patternProperties", pattern))
        yield from self._single(before, after, "additionalProperties", path)

    def _items(self, before: list[Part], after: list[Part], path: tuple[str, ...]) -> Iterator[Found]:
        yield from self._single(before, after, "items", path)
        pairs = zip(_first(before, "prefixItems", []), _first(after, "prefixItems", []), strict=False)
        for index, (old, new) in enumerate(pairs):
            yield from self.place([old], [new], (*path, "prefixItems", str(index)))

    def _single(self, before: list[Part], after: list[Part], keyword: str, path: tuple[str, ...]) -> Iterator[Found]:
        old, new = ([part[keyword] for part in parts if keyword in part] for parts in (before, after))
        if old and new:
            yield from self.place(old, new, (*path, keyword))

    def _branches(self, before: list[Part], after: list[Part], path: tuple[str, ...]) -> Iterator[Found]:
        for keyword in ("oneOf", "anyOf"):
            old, new = (_labelled(parts, root, keyword) for parts, root in ((before, self._old), (after, self._new)))
            for label in old.keys() & new.keys():
                yield from self.place([old[label]], [new[label]], (*path, keyword, label))


def _parts(nodes: Iterable[Schema], root: Schema) -> list[Part]:
    """Return what holds at a place, a nullable schema's other branch included; what stands there itself comes first."""
    found: list[Part] = []
    for node in nodes:
        for part in reversed(parts_of(node, root)):
            found.append(part)
            for keyword in ("oneOf", "anyOf"):
                others, null = branches_of(part, keyword)
                if null and len(others) == 1:
                    found += reversed(parts_of(others[0], root))
    return found


def _annotations(before: list[Part], after: list[Part], path: tuple[str, ...]) -> Iterator[Found]:
    for keyword, rule in _NOTED:
        old, new = _first(before, keyword, _ABSENT), _first(after, keyword, _ABSENT)
        if (old is _ABSENT) != (new is _ABSENT) or canonical_or_none(old) != canonical_or_none(new):
            was, now = (None if side is _ABSENT else side for side in (old, new))
            yield Found(rule, (*path, keyword), f"{keyword} {_shown(old)} before, {_shown(new)} now", was, now)
    if any(_first(before, keyword, None) != _first(after, keyword, None) for keyword in _TEXTS):
        yield Found("TEXT_CHANGED", path, "a description, title or example is another one")


def _texts(before: list[Part], after: list[Part], path: tuple[str, ...]) -> Iterator[Found]:
    """Yield what happened to a list of values, a format or an encoding."""
    for keyword in ("format", "contentEncoding"):
        old, new = _first(before, keyword, None), _first(after, keyword, None)
        both = old is not None and new is not None
        if old != new and (both or keyword == "contentEncoding") and before and after:
            yield Found("FORMAT_CHANGED", (*path, keyword), f"{keyword} was {old}, is {new}", old, new)
    old_enum = next((part for part in before if "enum" in part), None)
    new_enum = next((part for part in after if "enum" in part), None)
    if old_enum is None or new_enum is None:
        return
    at = (*path, "enum")
    was_open, is_open = is_open_enum(old_enum), is_open_enum(new_enum)
    if was_open != is_open:
        rule = "ENUM_CLOSED" if was_open else "ENUM_OPENED"
        yield Found(rule, at, f"other texts are {'refused' if was_open else 'let pass'} by new readers")
    renamed = {old: now for old, now in former_members(new_enum).items() if old in old_enum["enum"]}
    if renamed:
        message = ", ".join(f"{old!r} is called {now!r} now" for old, now in sorted(renamed.items()))
        yield Found("ENUM_VALUE_RENAMED", at, message, old_enum["enum"], new_enum["enum"])
    removed = [value for value in old_enum["enum"] if value not in new_enum["enum"] and value not in list(renamed)]
    if removed and is_open:
        message = f"gone: {', '.join(map(str, removed))}; readers let it pass, writers can't name it"
        yield Found("ENUM_VALUE_REMOVED", at, message, old_enum["enum"], new_enum["enum"])
    added = [
        value for value in new_enum["enum"] if value not in old_enum["enum"] and value not in list(renamed.values())
    ]
    if added and was_open:
        yield Found("ENUM_VALUE_ADDED", at, f"new: {', '.join(map(str, added))}", old_enum["enum"], new_enum["enum"])


def _reservations(
    before: list[Part],
    after: list[Part],
    removed: set[str],
    added: set[str],
    path: tuple[str, ...],
    renamed: set[str],
) -> Iterator[Found]:
    reserved, kept = _reserved(before), _reserved(after)
    required = {name for part in before for name in part.get("required", ())}
    must = {name for part in after for name in part.get("required", ())}
    for name in sorted(removed - required):
        rule = "FIELD_REMOVED" if name in kept else "FIELD_REMOVED_UNRESERVED"
        yield Found(rule, (*path, "properties", name), f"the field {name!r} is gone", name, None)
    for name in sorted(added):
        at = (*path, "properties", name)
        if name in reserved:
            yield Found("RESERVED_NAME_REUSED", at, f"{name!r} is reserved for a field that is gone", None, name)
        elif name not in must and name not in renamed:
            yield Found("FIELD_ADDED", at, f"the optional field {name!r} is new", None, name)
    for name in sorted(reserved - kept - added):
        yield Found("RESERVED_NAME_DROPPED", (*path, "x-reserved"), f"{name!r} may be used again", name, None)
    values = {value for part in before for value in part.get("enum", ()) if isinstance(value, str)}
    reused = {value for part in after for value in part.get("enum", ()) if isinstance(value, str)} - values
    for value in sorted(reused & reserved):
        yield Found(
            "RESERVED_NAME_REUSED", (*path, "enum"), f"{value!r} is reserved for a value that is gone", None, value
        )


def _openness(before: list[Part], after: list[Part], path: tuple[str, ...]) -> Iterator[Found]:
    if not _fields_of(before) or not _fields_of(after):
        return
    old, new = (any(part.get("additionalProperties") is False for part in parts) for parts in (before, after))
    if old != new:
        rule = "READER_CLOSED" if new else "READER_OPENED"
        told = f"undeclared fields are {'refused' if new else 'ignored'} by new readers"
        yield Found(rule, (*path, "additionalProperties"), told, not old, not new)


def _reserved(parts: list[Part]) -> set[str]:
    return {name for part in parts for name in part.get("x-reserved", ())}


def _fields_of(parts: list[Part]) -> dict[str, list[Schema]]:
    return _map_of(parts, "properties")


def _map_of(parts: list[Part], keyword: str) -> dict[str, list[Schema]]:
    found: dict[str, list[Schema]] = {}
    for part in parts:
        for name, node in part.get(keyword, {}).items():
            found.setdefault(name, []).append(node)
    return found


def _was(nodes: list[Schema]) -> list[str]:
    """Return the earlier names of a field."""
    return [name for node in nodes for name in former_names(node)]


def _labelled(parts: list[Part], root: Schema, keyword: str) -> dict[str, Schema]:
    """Return the branches of the first union by tag, or by place where there is no tag."""
    part = next((part for part in parts if keyword in part), None)
    if part is None or len(branches_of(part, keyword)[0]) < 2:
        return {}
    tagged = tag_of(part, root, keyword)
    return tagged[1] if tagged else {str(place): branch for place, branch in enumerate(part[keyword])}


def _first(parts: list[Part], keyword: str, default: Any) -> Any:
    return next((part[keyword] for part in parts if keyword in part), default)


def canonical_or_none(value: Any) -> str:
    """Return comparable text of a keyword's value, also of one that isn't there."""
    return "" if value is _ABSENT else canonical(value)


def _shown(value: Any) -> str:
    return "none" if value is _ABSENT else canonical(value)
