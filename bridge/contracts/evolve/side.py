"""One of two versions, as a writer that keeps to it or a reader that judges by it.

A `View` is what a side says about the value at one place: the schemas that hold there together, with references and
`allOf` taken apart. A writer's view may allow more than the schema does, never less, so that what holds for the view
holds for the writer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from bridge.contracts.model import Schema
from bridge.contracts.objects import MAP, parts_of
from bridge.contracts.runtime.check import compile_checks
from bridge.contracts.runtime.scalars import is_open_enum
from bridge.contracts.shapes import ANY, ListOf, MapOf, Nullable, Shape, StructOf, StructRef, TupleOf, shape_of, structs
from bridge.errors import Violation

Mode = Literal["strict", "read", "write"]
Part = dict[str, Any]
Nodes = tuple[Schema, ...]
Types = frozenset[str]

#: JSON's types, numbers told apart by whether they are whole: `integer` accepts 1.0.
TYPES: dict[str, frozenset[str]] = {
    **{name: frozenset({name}) for name in ("null", "boolean", "string", "array", "object", "integer")},
    "number": frozenset({"integer", "fraction"}),
}
ALL_TYPES = frozenset().union(*TYPES.values())

#: Keywords that say nothing about which values are valid.
ANNOTATIONS = frozenset({
    "title", "description", "default", "deprecated", "examples", "x-was", "x-reserved", "x-sensitive", "x-name",
    "x-module", "$defs",
})  # fmt: skip


@dataclass(frozen=True)
class View:
    """What a side says about one place.

    Attributes:
        parts: Schemas that all hold there.
        shape: What a writer's code meets there as a typed value; `any` where it is plain JSON, and for readers.
        closing: The only field names that a writer uses there; None for any.
        never: Nothing is valid there.
    """

    parts: tuple[Part, ...]
    shape: Shape = ANY
    closing: frozenset[str] | None = None
    never: bool = False

    @cached_property
    def key(self) -> str:
        """The view as text, the same for equal views."""
        return canonical([self.never, repr(self.shape), sorted({canonical(part) for part in self.parts})])

    def with_part(self, part: Part) -> View:
        """Return the view with one more schema that holds."""
        return replace(self, parts=(*self.parts, part))


def canonical(value: Any) -> str:
    """Return JSON text that is the same for equal values, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def bare(node: Any, *, keep: tuple[str, ...] = ()) -> Any:
    """Return a schema, or a part of one, without annotations but those to `keep`."""
    if isinstance(node, list):
        return [bare(item, keep=keep) for item in node]
    if not isinstance(node, dict):
        return node
    kept = (key for key in node if key in keep or key not in ANNOTATIONS)
    return {key: _bare_value(key, node[key], keep) for key in kept}


def _bare_value(key: str, value: Any, keep: tuple[str, ...]) -> Any:
    if key in ("enum", "const", "required", "dependentRequired", "default"):
        return value
    if key in MAP and isinstance(value, dict):
        return {name: bare(item, keep=keep) for name, item in value.items()}
    return bare(value, keep=keep)


class Side:
    """One version of a schema, in one mode.

    Attributes:
        root: The self-contained schema, its `$defs` at the root.
        mode: `write` for what this version sends, `read` for what it accepts.
    """

    def __init__(self, root: Schema, mode: Mode) -> None:
        self.root = root
        self.mode = mode
        self._identities: dict[str, str] = {}
        self._views: dict[str, Callable[[Any], Sequence[Violation]]] = {}
        self._checks: dict[tuple[str, Mode], Callable[[Any], Sequence[Violation]]] = {}

    @cached_property
    def violations(self) -> Callable[[Any], Sequence[Violation]]:
        """The checker of the whole version."""
        return compile_checks(self.root, mode=self.mode)

    def accepts(self, nodes: Iterable[Schema], value: Any, mode: Mode | None = None) -> bool:
        """Tell whether `value` keeps all of `nodes`, by the checker that jobs meet."""
        return not self.judge(nodes, value, mode)

    def may_write(self, view: View, value: Any) -> bool:
        """Tell whether `value` keeps the schemas of a view."""
        if view.key not in self._views:
            self._views[view.key] = compile_checks(self.bundle(view.parts), mode="strict")
        return not self._views[view.key](value)

    def judge(self, nodes: Iterable[Schema], value: Any, mode: Mode | None = None) -> Sequence[Violation]:
        """Return how `value` breaks `nodes`."""
        schema = self.bundle(nodes)
        key = (canonical(schema), mode or self.mode)
        if key not in self._checks:
            self._checks[key] = compile_checks(schema, mode=key[1])
        return self._checks[key](value)

    def bundle(self, nodes: Iterable[Schema]) -> Schema:
        """Return one self-contained schema that is kept by what keeps all of `nodes`."""
        together = tuple(nodes)
        if not all(isinstance(node, dict) for node in together):
            together = tuple(node for node in together if node is not True)
        if len(together) == 1 and (not isinstance(together[0], dict) or "$defs" in together[0]):
            return together[0]
        schema: Part = dict(together[0]) if len(together) == 1 else {"allOf": list(together)}  # type: ignore[arg-type] # a dict: the other case has returned
        return schema | {"$defs": self.definitions} if self.definitions else schema

    @cached_property
    def definitions(self) -> dict[str, Schema]:
        """The root's `$defs`."""
        return {} if isinstance(self.root, bool) else self.root.get("$defs", {})

    def view(self, nodes: Iterable[Schema], shape: Shape = ANY) -> View:
        """Return what holds where all of `nodes` hold, and code meets a value of that shape."""
        flat = [part for node in nodes for part in self._flatten(node)]
        if any(part is False for part in flat):
            return View((), never=True)
        parts = tuple(part for part in flat if isinstance(part, dict) and part)
        return View(parts, shape, self._closing(shape))

    @cached_property
    def whole(self) -> View:
        """The view of the root."""
        return self.view([self.root], shape_of(self.root, self.root) if self.mode == "write" else ANY)

    def shape_inside(self, shape: Shape, key: str | int) -> Shape:
        """Return the shape of a field or an item of a typed value."""
        match shape:
            case Nullable(shape=inner):
                return self.shape_inside(inner, key)
            case StructRef(name=name, module=module):
                fields = self._structs[module, name].fields
                return next((field.shape for field in fields if field.name == key), ANY)
            case ListOf(item=inner) | MapOf(value=inner):
                return inner
            case TupleOf(items=items) if isinstance(key, int) and key < len(items):
                return items[key]
        return ANY

    def resolve(self, node: Schema) -> Schema:
        """Follow a bare reference to what it names."""
        while isinstance(node, dict) and "$ref" in node and set(node) - ANNOTATIONS == {"$ref"}:
            node = self.definitions[node["$ref"].removeprefix("#/$defs/")]
        return node

    def _flatten(self, node: Schema) -> Iterator[Schema]:
        if isinstance(node, bool):
            yield node
            return
        rest = {key: value for key, value in node.items() if key not in ANNOTATIONS and key not in ("$ref", "allOf")}
        yield rest
        if "$ref" in node:
            yield from self._flatten(self.definitions[node["$ref"].removeprefix("#/$defs/")])
        for branch in node.get("allOf", ()):
            yield from self._flatten(branch)

    def _closing(self, shape: Shape) -> frozenset[str] | None:
        """Return the fields that a writer keeps to; None where the object is open or has no class."""
        bare_shape = shape.shape if isinstance(shape, Nullable) else shape
        if not isinstance(bare_shape, StructRef):
            return None
        struct = self._structs[bare_shape.module, bare_shape.name]
        if any("additionalProperties" in part for part in parts_of(struct.schema, self.root)):
            return None
        return frozenset(field.name for field in struct.fields)

    @cached_property
    def _structs(self) -> dict[tuple[str, str], StructOf]:
        return structs(self.root)

    def types(self, view: View) -> frozenset[str]:
        """Return the types that values of this view can have, or more."""
        found = ALL_TYPES
        for part in view.parts:
            found &= self._types_of_part(part)
        return found

    def types_of(self, node: Schema) -> frozenset[str]:
        """Return the types that `node` allows, or more."""
        view = self.view([node])
        return frozenset() if view.never else self.types(view)

    def _types_of_part(self, part: Part) -> frozenset[str]:
        found = ALL_TYPES
        if "type" in part:
            names = [part["type"]] if isinstance(part["type"], str) else part["type"]
            found &= frozenset().union(*(TYPES[name] for name in names))
        for value in ("enum", "const"):
            if value in part:
                found &= frozenset(map(type_of, part["enum"] if value == "enum" else [part["const"]]))
        for union in ("anyOf", "oneOf"):
            if union in part:
                found &= frozenset().union(*(self.types_of(branch) for branch in part[union]))
        return found

    def is_open(self, part: Part) -> bool:
        """Tell whether any text is accepted where an enum lists some."""
        return self.mode == "read" and is_open_enum(part)

    def identity(self, node: Schema) -> str:
        """Return text that is the same for schemas of the same keywords, whatever they refer to included."""
        text = canonical(node)
        if text not in self._identities:
            self._identities[text] = self._identity(node)
        return self._identities[text]

    def _identity(self, node: Schema) -> str:
        found: dict[str, Any] = {}
        waiting: list[Any] = [node]
        while waiting:
            item = waiting.pop()
            if isinstance(item, dict):
                name = item.get("$ref")
                if isinstance(name, str) and name not in found:
                    found[name] = self.definitions[name.removeprefix("#/$defs/")]
                    waiting.append(found[name])
                waiting += item.values()
            elif isinstance(item, list):
                waiting += item
        return canonical([bare(node), {name: bare(item) for name, item in found.items()}])

    @cached_property
    def strict(self) -> Side:
        """The same version as conditions see it: `not`, `if`, `contains` and unions without a tag."""
        return Side(self.root, "strict")


def type_of(value: Any) -> str:
    """Return a value's type, as in `TYPES`."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    names = {float: "fraction", str: "string", list: "array", dict: "object", type(None): "null"}
    return names[type(value)]
