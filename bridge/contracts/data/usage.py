"""What values use of what their contract declares, and what they hold that it doesn't, place by place.

A place is a path with a star for any index and any key of a map: `/items/*/sku`. Within a class that holds itself,
every level is one place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bridge.contracts import shapes
from bridge.contracts.model import Schema
from bridge.contracts.shapes import EnumOf, ListOf, MapOf, Nullable, Shape, StructRef, TupleOf, Union

_Key = tuple[str, str]
_Stack = Mapping[_Key, str]
_Odd = tuple[set[str], set[str]]  # the places of unknown fields, and of former names


class Usage:
    """Counts over all values that are observed.

    Attributes:
        unknown: How many values had a field that is not declared, by place.
        former: How many had a field by its former name, or an enum's member by its former text, by place.
    """

    def __init__(self, root: Schema) -> None:
        self.unknown: Counter[str] = Counter()
        self.former: Counter[str] = Counter()
        self._structs = shapes.structs(root)
        self._shape = shapes.shape_of(root, root)
        self._optional: dict[str, None] = {}
        self._enums: dict[str, tuple[str, ...]] = {}
        self._unions: dict[str, tuple[str, ...]] = {}
        self._seen: dict[str, set[str]] = {}
        self._declare(self._shape, "", {}, hidden=False)

    @property
    def unused_fields(self) -> list[str]:
        """Optional fields that no value had."""
        return [place for place in self._optional if place not in self._seen]

    @property
    def unseen_values(self) -> dict[str, list[str]]:
        """Values of enums that no value had; of sensitive fields none is told."""
        return self._unseen(self._enums)

    @property
    def unseen_branches(self) -> dict[str, list[str]]:
        """Branches of unions that no value took, by tag."""
        return self._unseen(self._unions)

    def observe(self, value: Any) -> None:
        """Take one value into account, valid or not."""
        found, former = set[str](), set[str]()
        self._see(self._shape, value, "", {}, (found, former))
        self.unknown.update(found)
        self.former.update(former)

    def place_of(self, pointer: str) -> str:
        """Return the place of a JSON Pointer."""
        shape: Shape | None = self._shape
        place, stack = "", dict[_Key, str]()
        for token in pointer.split("/")[1:]:
            place, shape = self._enter(_plain(shape), place, stack)
            match shape:
                case StructRef(name=name, module=module):
                    fields = self._structs[module, name].fields
                    shape = next((field.shape for field in fields if field.name == _unescaped(token)), None)
                case Union(branches=branches):
                    shape = self._field_of_any(branches, _unescaped(token))
                case ListOf(item=inner) | MapOf(value=inner):
                    token, shape = "*", inner  # noqa: PLW2901 - the place has a star there
                case TupleOf(items=items):
                    shape = items[int(token)] if token.isdecimal() and int(token) < len(items) else None
                case _:
                    shape = None
            place = f"{place}/{token}"
        return place

    def _field_of_any(self, branches: tuple[tuple[str, StructRef], ...], name: str) -> Shape | None:
        for _, branch in branches:
            for field in self._structs[branch.module, branch.name].fields:
                if field.name == name:
                    return field.shape
        return None

    def _enter(self, shape: Shape | None, place: str, stack: dict[_Key, str]) -> tuple[str, Shape | None]:
        """Return the place at which a struct is told of: the outermost of those that hold one another."""
        if isinstance(shape, StructRef):
            return stack.setdefault((shape.module, shape.name), place), shape
        return place, shape

    def _declare(self, shape: Shape, place: str, stack: _Stack, *, hidden: bool) -> None:
        match shape:
            case StructRef(name=name, module=module) if (module, name) not in stack:
                self._declare_struct((module, name), place, {**stack, (module, name): place}, hidden=hidden)
            case EnumOf(values=values) if not hidden:
                self._enums[place] = values
            case Nullable(shape=inner):
                self._declare(inner, place, stack, hidden=hidden)
            case ListOf(item=inner) | MapOf(value=inner):
                self._declare(inner, f"{place}/*", stack, hidden=hidden)
            case TupleOf(items=items):
                for nth, item in enumerate(items):
                    self._declare(item, f"{place}/{nth}", stack, hidden=hidden)
            case Union(branches=branches):
                self._unions[place] = tuple(tag for tag, _ in branches)
                for _, branch in branches:
                    self._declare(branch, place, stack, hidden=hidden)

    def _declare_struct(self, key: _Key, place: str, stack: _Stack, *, hidden: bool) -> None:
        for field in self._structs[key].fields:
            inner = f"{place}/{_escaped(field.name)}"
            if not field.required:
                self._optional[inner] = None
            self._declare(field.shape, inner, stack, hidden=hidden or field.sensitive)

    def _see(self, shape: Shape, value: Any, place: str, stack: _Stack, odd: _Odd) -> None:
        match shape:
            case StructRef(name=name, module=module) if isinstance(value, dict):
                self._see_struct((module, name), value, place, stack, odd)
            case EnumOf(was=was) if isinstance(value, str):
                now = dict(was).get(value)
                self._seen.setdefault(place, set()).add(now or value)
                if now is not None:
                    odd[1].add(place)
            case Nullable(shape=inner) if value is not None:
                self._see(inner, value, place, stack, odd)
            case Union(tag=tag, branches=branches) if isinstance(value, dict):
                branch = dict(branches).get(_text(value.get(tag)))
                if branch:
                    self._seen.setdefault(place, set()).add(value[tag])
                    self._see(branch, value, place, stack, odd)
            case _:
                for part, item, step in _items(shape, value):
                    self._see(part, item, f"{place}/{step}", stack, odd)

    def _see_struct(self, key: _Key, value: dict[str, Any], place: str, stack: _Stack, odd: _Odd) -> None:
        place = stack.get(key, place)
        stack = stack if key in stack else {**stack, key: place}
        fields = {field.name: field for field in self._structs[key].fields}
        former = {old: field for field in fields.values() if field.name not in value for old in field.was}
        for name, item in value.items():
            field = fields.get(name) or former.get(name)
            if field is None:
                odd[0].add(f"{place}/{_escaped(name)}")
                continue
            inner = f"{place}/{_escaped(field.name)}"
            if field.name != name:
                odd[1].add(f"{place}/{_escaped(name)}")
            self._seen.setdefault(inner, set())
            self._see(field.shape, item, inner, stack, odd)

    def _unseen(self, declared: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
        found = {
            place: [value for value in values if value not in self._seen.get(place, ())]
            for place, values in declared.items()
        }
        return {place: values for place, values in found.items() if values}


def _items(shape: Shape, value: Any) -> Iterator[tuple[Shape, Any, str]]:
    """Yield the items of an array or a map, each with its shape and its step of the place."""
    match shape:
        case ListOf(item=inner) if isinstance(value, list):
            yield from ((inner, item, "*") for item in value)
        case MapOf(value=inner) if isinstance(value, dict):
            yield from ((inner, item, "*") for item in value.values())
        case TupleOf(items=items) if isinstance(value, list):
            yield from ((part, item, str(nth)) for nth, (part, item) in enumerate(zip(items, value, strict=False)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _plain(shape: Shape | None) -> Shape | None:
    return shape.shape if isinstance(shape, Nullable) else shape


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")
