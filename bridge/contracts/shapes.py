"""The native type that a normalised schema describes, where it describes one.

Emitters write these shapes as types, and the runtime builds values by them. What has no clean shape is
`Scalar("any")`: it stays as JSON has it and is checked all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, final

from bridge.contracts import objects
from bridge.contracts.former import former_members, former_names
from bridge.contracts.model import Schema

Kind = Literal[
    "any", "null", "boolean", "integer", "number", "string",
    "datetime", "date", "time", "duration", "uuid", "email", "uri", "decimal", "bigint", "bytes",
]  # fmt: skip


@final
class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Final = _NoDefault()


@dataclass(frozen=True)
class Scalar:
    """A value without parts; `any` is any JSON value. Formats without a native type are `string`."""

    kind: Kind


ANY: Final = Scalar("any")
_FORMATS: Final[dict[str, Kind]] = {
    "date-time": "datetime", "date": "date", "time": "time", "duration": "duration", "uuid": "uuid", "email": "email",
    "uri": "uri", "decimal": "decimal", "bigint": "bigint",
}  # fmt: skip
_TEXTS: Final = {"string", "bytes", *_FORMATS.values()}


@dataclass(frozen=True)
class Constant:
    """One fixed JSON scalar."""

    value: str | int | float | bool | None


@dataclass(frozen=True)
class EnumOf:
    """Text out of a list; `closed` refuses other text on reading too, `was` has the former text of members."""

    name: str
    module: str
    values: tuple[str, ...]
    closed: bool = False
    description: str = ""
    was: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ListOf:
    """An array of one shape."""

    item: Shape


@dataclass(frozen=True)
class TupleOf:
    """An array of fixed length."""

    items: tuple[Shape, ...]


@dataclass(frozen=True)
class MapOf:
    """An object with any keys and values of one shape."""

    value: Shape


@dataclass(frozen=True)
class Nullable:
    """A shape, or null."""

    shape: Shape


@dataclass(frozen=True)
class StructRef:
    """An object with a class of its own, defined elsewhere: `StructOf` in `structs(...)`."""

    name: str
    module: str


@dataclass(frozen=True)
class Union:
    """One of several objects, told apart by the value of `tag`."""

    tag: str
    branches: tuple[tuple[str, StructRef], ...]


Shape = Scalar | Constant | EnumOf | ListOf | TupleOf | MapOf | Nullable | StructRef | Union


@dataclass(frozen=True)
class Field:
    """One field of a struct; `name` is the wire's, the emitters derive their own; `was` are its former names."""

    name: str
    shape: Shape
    required: bool
    default: Any = NO_DEFAULT
    description: str = ""
    deprecated: bool = False
    sensitive: bool = False
    was: tuple[str, ...] = ()


@dataclass(frozen=True)
class StructOf:
    """An object with declared fields. `closed` refuses undeclared ones on reading too (additionalProperties: false)."""

    name: str
    module: str
    fields: tuple[Field, ...]
    closed: bool = False
    description: str = ""
    deprecated: bool = False
    schema: Schema = field(default=True, compare=False)


def shape_of(schema: Schema, root: Schema) -> Shape:
    """Return the shape of `schema`; `root` holds the `$defs` that it refers to.

    Several schemas that hold together (`$ref`, `allOf` and the keywords beside them) are each asked, and the one that
    says most is taken: a valid value has all of their shapes. Where a schema without a class contains itself, as a map
    of maps may, the inner one is `any`.
    """
    return _Shaper(root).of(schema)


def structs(root: Schema) -> dict[tuple[str, str], StructOf]:
    """Return every struct that `root` holds, by (module, name), the root's own first, then in order of appearance."""
    return {
        (schema["x-module"], schema["x-name"]): struct_of(schema, root)
        for schema in _classes(root)
        if "enum" not in schema
    }


def enums(root: Schema) -> dict[tuple[str, str], EnumOf]:
    """Return every named enum that `root` holds, by (module, name), in order of appearance."""
    return {(schema["x-module"], schema["x-name"]): _enum(schema) for schema in _classes(root) if "enum" in schema}


def struct_of(schema: dict[str, Any], root: Schema) -> StructOf:
    """Return the struct that a schema with `x-name` describes, the fields of its references first."""
    parts = objects.parts_of(schema, root)
    required = objects.required_of(schema, root)
    return StructOf(
        name=schema["x-name"],
        module=schema["x-module"],
        fields=tuple(
            _field(name, sources, name in required, root) for name, sources in objects.fields_of(schema, root).items()
        ),
        closed=any(part.get("additionalProperties") is False for part in parts),
        description=schema.get("description", ""),
        deprecated=schema.get("deprecated", False),
        schema=schema,
    )


def _field(name: str, sources: list[Schema], required: bool, root: Schema) -> Field:
    own = [source for source in reversed(sources) if isinstance(source, dict)]
    parts = [part for source in own for part in reversed(objects.parts_of(source, root))]
    return Field(
        name=name,
        shape=_Shaper(root).meet(sources),
        required=required,
        default=next((part["default"] for part in parts if "default" in part), NO_DEFAULT),
        description=next((part["description"] for part in own if "description" in part), ""),
        deprecated=any(part.get("deprecated", False) for part in own),
        sensitive=any(part.get("x-sensitive", False) for part in parts),
        was=tuple(dict.fromkeys(old for part in own for old in former_names(part))),
    )


class _Shaper:
    """Finds shapes within one root; it remembers which schemas it is in."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._inside: set[int] = set()

    def of(self, schema: Schema) -> Shape:
        if not isinstance(schema, dict) or id(schema) in self._inside:
            return ANY
        if "x-name" in schema:
            return _named(schema, self._root)
        self._inside.add(id(schema))
        found = [self._own(schema), *map(self.of, objects.conjuncts(schema, self._root))]
        found += [self._choice(schema, keyword) for keyword in ("anyOf", "oneOf") if keyword in schema]
        self._inside.discard(id(schema))
        return _meet(found)

    def meet(self, schemas: list[Schema]) -> Shape:
        return _meet([self.of(schema) for schema in schemas])

    def _own(self, schema: dict[str, Any]) -> Shape:
        """Return what a schema's own keywords say, `$ref` and the branches aside."""
        if "const" in schema:
            value = schema["const"]
            return ANY if isinstance(value, list | dict) else Scalar("null") if value is None else Constant(value)
        if "enum" in schema:
            return _join([_value_shape(value) for value in schema["enum"]])
        types = {schema["type"]} if isinstance(schema.get("type"), str) else set(schema.get("type", ()))
        others = types - {"null"}
        if types and not others:
            return Scalar("null")
        if len(others) != 1:
            return _nullable(Scalar("number"), "null" in types) if others == {"integer", "number"} else ANY
        return _nullable(self._typed(others.pop(), schema), "null" in types)

    def _typed(self, name: str, schema: dict[str, Any]) -> Shape:
        match name:
            case "object":
                return MapOf(ANY if "properties" in schema else self.of(objects.map_value(schema)))
            case "array":
                items = objects.tuple_items(schema)
                if items is not None:
                    return TupleOf(tuple(self.of(item) for item in items))
                return ListOf(ANY if "prefixItems" in schema else self.of(schema.get("items", True)))
            case "string":
                if "contentEncoding" in schema:
                    return Scalar("bytes")
                return Scalar(_FORMATS.get(schema.get("format", ""), "string"))
        return Scalar("boolean" if name == "boolean" else "integer" if name == "integer" else "number")

    def _choice(self, schema: dict[str, Any], keyword: str) -> Shape:
        """Return the shape of an anyOf or oneOf: nullable, a tagged union, or what its branches have in common."""
        branches, null = objects.branches_of(schema, keyword)
        if len(branches) == 1:
            return _nullable(self.of(branches[0]), null)
        tagged = objects.tag_of(schema, self._root, keyword)
        if tagged is None:
            return _nullable(_join([self.of(branch) for branch in branches]), null)
        shapes = [(value, self.of(branch)) for value, branch in tagged[1].items()]
        refs = tuple((value, shape) for value, shape in shapes if isinstance(shape, StructRef))
        return _nullable(Union(tagged[0], refs), null) if len(refs) == len(shapes) else ANY


def _named(schema: dict[str, Any], root: Schema) -> Shape:
    if "enum" in schema:
        return _nullable(_enum(schema), None in schema["enum"] and "null" in schema.get("type", ["null"]))
    types = objects.types_of(schema, root) or ()
    return _nullable(StructRef(schema["x-name"], schema["x-module"]), "null" in types)


def _enum(schema: dict[str, Any]) -> EnumOf:
    return EnumOf(
        name=schema["x-name"],
        module=schema["x-module"],
        values=tuple(value for value in schema["enum"] if value is not None),
        closed=schema.get("x-closed", False) or None in schema["enum"],
        description=schema.get("description", ""),
        was=tuple(former_members(schema).items()),
    )


def _value_shape(value: Any) -> Shape:
    if value is None:
        return Scalar("null")
    if isinstance(value, bool):
        return Scalar("boolean")
    if isinstance(value, int):
        return Scalar("integer")
    return Scalar("number") if isinstance(value, float) else Scalar("string") if isinstance(value, str) else ANY


def _nullable(shape: Shape, null: bool) -> Shape:
    if not null or shape == ANY or isinstance(shape, Nullable) or shape == Scalar("null"):
        return shape
    return Nullable(shape)


def _join(shapes: list[Shape]) -> Shape:
    """Return the shape that values of each of several shapes have."""
    null = any(isinstance(shape, Nullable) or shape == Scalar("null") for shape in shapes)
    bare = {shape.shape if isinstance(shape, Nullable) else shape for shape in shapes} - {Scalar("null")}
    if len(bare) == 1:
        return _nullable(bare.pop(), null)
    if not bare:
        return Scalar("null") if null else ANY
    if all(_is_text(shape) for shape in bare):
        return _nullable(Scalar("string"), null)
    return _nullable(Scalar("number"), null) if bare <= {Scalar("integer"), Scalar("number")} else ANY


def _is_text(shape: Shape) -> bool:
    if isinstance(shape, Constant):
        return isinstance(shape.value, str)
    return isinstance(shape, EnumOf) or (isinstance(shape, Scalar) and shape.kind in _TEXTS)


def _meet(shapes: list[Shape]) -> Shape:
    """Return the shape of values that have all of several shapes: the one that says most."""
    known = [shape for shape in shapes if shape != ANY]
    if not known:
        return ANY
    null = all(isinstance(shape, Nullable) or shape == Scalar("null") for shape in known)
    return _nullable(max((shape.shape if isinstance(shape, Nullable) else shape for shape in known), key=_rank), null)


def _rank(shape: Shape) -> int:
    if shape in (Scalar("string"), Scalar("number"), MapOf(ANY), ListOf(ANY)):
        return 1
    return 3 if isinstance(shape, Constant) or shape == Scalar("null") else 2


def _classes(root: Schema) -> list[dict[str, Any]]:
    """Return the schemas with `x-name`, each class once: the root's, then as references and fields lead to them."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    seen: set[int] = set()
    todo = [root]
    while todo:
        schema = todo.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        if "x-name" in schema:
            found.setdefault((schema["x-module"], schema["x-name"]), schema)
        inner = [part for _, part in objects.children(schema)]
        if "$ref" in schema:
            inner.insert(0, objects.resolve(schema, root))
        todo.extend(reversed(inner))
    return list(found.values())
