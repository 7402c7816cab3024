"""Finds fields that no contract declares, in what is about to be written: writers are closed, readers are open."""

from __future__ import annotations

from typing import Any

from bridge.contracts import objects, shapes
from bridge.contracts.model import Schema
from bridge.contracts.runtime.scope import Check, Path
from bridge.contracts.runtime.shown import pointer
from bridge.errors import Violation


def find_undeclared(root: Schema) -> Check:
    """Return what reports every undeclared field of a typed object, wherever such an object stands.

    An object whose schema says something about additional fields is not looked at: that is checked already.
    """
    return Walk(root).of(shapes.shape_of(root, root))


class Walk:
    """Makes what walks through values by their shapes, for the schemas inside `root`."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._structs = shapes.structs(root)
        self._made: dict[tuple[str, str, bool], Check] = {}

    def of(self, shape: shapes.Shape, hidden: bool = False) -> Check:  # noqa: PLR0911 - a case a shape
        """Return what walks through a value of that shape; the keys of `hidden` maps are not told."""
        match shape:
            case shapes.ListOf(item=item):
                return _items(self.of(item, hidden))
            case shapes.TupleOf(items=items):
                return _fields({at: self.of(item, hidden) for at, item in enumerate(items)})
            case shapes.MapOf(value=inner):
                return _items(self.of(inner, hidden), hidden)
            case shapes.Nullable(shape=inner):
                return self.of(inner, hidden)
            case shapes.Union(tag=tag, branches=branches):
                return _branch(tag, {value: self.of(branch, hidden) for value, branch in branches})
            case shapes.StructRef(name=name, module=module):
                return self._reference((module, name), hidden)
        return _nothing

    def _reference(self, key: tuple[str, str], hidden: bool) -> Check:
        def check(value: Any, path: Path, out: list[Violation]) -> None:
            found = self._made.get((*key, hidden))
            if found is None:
                found = self._made[*key, hidden] = self._struct(self._structs[key], hidden)
            found(value, path, out)

        return check

    def _struct(self, struct: shapes.StructOf, hidden: bool) -> Check:
        inner = _fields({field.name: self.of(field.shape, hidden or field.sensitive) for field in struct.fields})
        declared = frozenset(field.name for field in struct.fields)
        if any("additionalProperties" in part for part in objects.parts_of(struct.schema, self._root)):
            return inner

        def check(value: Any, path: Path, out: list[Violation]) -> None:
            for name in value if isinstance(value, dict) else ():
                if name not in declared:
                    message = "expected no such field: the contract doesn't declare it"
                    out.append(Violation(pointer((path, "*" if hidden else name)), "undeclared", message))
            inner(value, path, out)

        return check


def _nothing(_value: Any, _path: Path, _out: list[Violation]) -> None:
    return None


def _items(inner: Check, hidden: bool = False) -> Check:
    if inner is _nothing:
        return _nothing

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        if isinstance(value, list | dict):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                inner(item, (path, "*" if hidden else key), out)

    return check


def _fields(checks: dict[Any, Check]) -> Check:
    wanted = {key: inner for key, inner in checks.items() if inner is not _nothing}

    def check(value: Any, path: Path, out: list[Violation]) -> None:
        for key, inner in wanted.items():
            if isinstance(value, dict):
                if key in value:
                    inner(value[key], (path, key), out)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                inner(value[key], (path, key), out)

    return check


def _branch(tag: str, branches: dict[str, Check]) -> Check:
    def check(value: Any, path: Path, out: list[Violation]) -> None:
        kind = value.get(tag) if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in branches:
            branches[kind](value, path, out)

    return check
