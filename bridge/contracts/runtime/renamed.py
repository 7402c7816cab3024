"""Gives values of earlier versions the names of today: readers take a field by its former name, `x-was`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.contracts import shapes
from bridge.contracts.model import Schema

Rename = Callable[[Any], Any]


def compile_renames(root: Schema) -> Rename | None:
    """Return what puts today's names in place of former ones, in a copy of a value; None where nothing was renamed.

    A field is taken by its former name where the new one is absent; where both are there, the old one is a field that
    the contract doesn't know. Former texts of an enum become its members.
    """
    structs = shapes.structs(root)
    fields = any(field.was for struct in structs.values() for field in struct.fields)
    if not fields and not any(enum.was for enum in shapes.enums(root).values()):
        return None
    return _Walk(structs).of(shapes.shape_of(root, root))


class _Walk:
    def __init__(self, structs: dict[tuple[str, str], shapes.StructOf]) -> None:
        self._structs = structs
        self._made: dict[tuple[str, str], Rename] = {}

    def of(self, shape: shapes.Shape) -> Rename:  # noqa: PLR0911 - a case a shape
        match shape:
            case shapes.EnumOf(was=was) if was:
                return _members(dict(was))
            case shapes.ListOf(item=item) if (inner := self.of(item)) is not _same:
                return lambda value: [inner(item) for item in value] if isinstance(value, list) else value
            case shapes.MapOf(value=item) if (inner := self.of(item)) is not _same:
                return lambda value: (
                    {key: inner(item) for key, item in value.items()} if isinstance(value, dict) else value
                )
            case shapes.TupleOf(items=items):
                return _tuple([self.of(item) for item in items])
            case shapes.Nullable(shape=bare):
                return self.of(bare)
            case shapes.Union(tag=tag, branches=branches):
                return _branch(tag, {value: self.of(branch) for value, branch in branches})
            case shapes.StructRef(name=name, module=module):
                return self._reference((module, name))
        return _same

    def _reference(self, key: tuple[str, str]) -> Rename:
        # A struct may contain itself, so it is made when it is first needed.
        def rename(value: Any) -> Any:
            found = self._made.get(key)
            if found is None:
                found = self._made[key] = self._struct(self._structs[key])
            return found(value)

        return rename

    def _struct(self, struct: shapes.StructOf) -> Rename:
        former = [(field.name, field.was) for field in struct.fields if field.was]
        inner = [(field.name, self.of(field.shape)) for field in struct.fields]
        inside = [(name, rename) for name, rename in inner if rename is not _same]

        def rename(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            now = {old: name for name, was in former if name not in value for old in was[::-1] if old in value}
            latest = {name: old for old, name in now.items()}
            found = {_name(key, now, latest): item for key, item in value.items()}
            return found | {name: rename(found[name]) for name, rename in inside if name in found}

        return rename


def _name(key: str, now: dict[str, str], latest: dict[str, str]) -> str:
    """Return what a field is called now; of several former names the latest one counts."""
    name = now.get(key)
    return key if name is None or latest[name] != key else name


def _same(value: Any) -> Any:
    return value


def _members(now: dict[str, str]) -> Rename:
    return lambda value: now.get(value, value) if isinstance(value, str) else value


def _tuple(renames: list[Rename]) -> Rename:
    def rename(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        known = [rename(item) for rename, item in zip(renames, value, strict=False)]
        return known + value[len(known) :]

    return rename


def _branch(tag: str, branches: dict[str, Rename]) -> Rename:
    def rename(value: Any) -> Any:
        kind = value.get(tag) if isinstance(value, dict) else None
        return branches[kind](value) if isinstance(kind, str) and kind in branches else value

    return rename
