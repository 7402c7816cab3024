"""A shortcut for the happy path: one straight-line function a struct, written as source and compiled.

Such a function checks and builds in one go, and returns None wherever it has a doubt: the checker then tells what is
wrong, if anything is. It only ever accepts what the checker accepts in the same mode, and builds what the builder
builds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeGuard
from uuid import UUID

import msgspec
from msgspec import UNSET

from bridge.contracts import objects, shapes
from bridge.contracts.model import Schema
from bridge.contracts.runtime import formats
from bridge.contracts.runtime.build import Builder, load_number, python_names
from bridge.contracts.runtime.check import scope_of
from bridge.contracts.runtime.classes import Classes
from bridge.contracts.runtime.scope import Mode, holds
from bridge.contracts.runtime.search import searcher
from bridge.contracts.runtime.undeclared import Walk
from bridge.contracts.runtime.values import Duration

Reader = Callable[[Any], Any]


def compile_reader(root: Schema, classes: Classes, mode: Mode = "read") -> Reader:
    """Return what makes an object of args that are valid in that mode, or None of those that it can't be sure of."""
    shape = shapes.shape_of(root, root)
    if not isinstance(shape, shapes.StructRef):
        return lambda _value: None
    source = _Source(root, classes, mode)
    name = source.function(shape)
    return source.compiled(name)


class _Probe(msgspec.Struct):
    made: list[Any] = msgspec.field(default_factory=list)


# What `__struct_defaults__` holds for a default_factory: msgspec has no public name for it.
_FACTORY: Final[type[Any]] = type(_Probe.__struct_defaults__[0])

_ANNOTATIONS: Final = frozenset({"title", "description", "default", "deprecated", "examples", "$defs"})

_FOR_NULL_TOO: Final = frozenset({"enum", "const", "$ref", "allOf", "anyOf", "oneOf", "not", "if"})

_LENGTHS: Final = (("minLength", "<"), ("maxLength", ">"))
_ITEMS: Final = (("minItems", "<"), ("maxItems", ">"))
_BOUNDS: Final = (("minimum", "<"), ("maximum", ">"), ("exclusiveMinimum", "<="), ("exclusiveMaximum", ">="))

# Narrower than the formats, so that Python's own parsers can tell the rest.
_DATE_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BIGINT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,600})")


def _uuid(text: str) -> UUID:
    return msgspec.convert(text, UUID)


#: Formats by their shape's kind: what the text must match, and what makes a value of it, raising ValueError.
_NATIVE: Final[dict[str, tuple[Callable[[str], Any], Callable[[str], Any]]]] = {
    "datetime": (_DATE_TIME.fullmatch, datetime.fromisoformat),
    "date": (_DATE.fullmatch, date.fromisoformat),
    "uuid": (re.compile(formats.PATTERNS["uuid"]).fullmatch, _uuid),
    "duration": (formats.matcher("duration"), Duration),
    "decimal": (formats.matcher("decimal"), Decimal),
    "bigint": (_BIGINT.fullmatch, int),
}


class _Source:
    """The functions of one root, as they are written."""

    def __init__(self, root: Schema, classes: Classes, mode: Mode) -> None:
        self._root = root
        self._classes = classes
        self._structs = shapes.structs(root)
        self._builder = Builder(root, classes)
        self._mode = mode
        self._walk = Walk(root)
        self._scope = scope_of(root, mode)
        self._functions: dict[shapes.StructRef, str] = {}
        self._written: list[str] = []
        self._lines: list[str] = []
        self._indent = 0
        self._count = 0
        self._names: dict[str, Any] = {"UNSET": UNSET, "load_number": load_number}

    def compiled(self, name: str) -> Reader:
        source = "\n".join(self._written)
        exec(compile(source, "<contract>", "exec"), self._names)  # noqa: S102 - every name in it is ours or a repr
        found: Reader = self._names[name]
        return found

    def function(self, ref: shapes.StructRef) -> str:
        """Write the function of a struct, unless it was written, and return its name."""
        if ref not in self._functions:
            name = self._functions[ref] = f"read_{len(self._functions)}"
            outer, self._lines = (self._lines, self._indent), []
            self._indent = 0
            self._struct(name, self._structs[ref.module, ref.name])
            self._written += self._lines
            self._lines, self._indent = outer
        return self._functions[ref]

    def _struct(self, name: str, struct: shapes.StructOf) -> None:
        cls = self._classes.find(struct.name, struct.module)
        schema = struct.schema
        with self._block(f"def {name}(d):"):
            if not _is_plain(schema):
                self._line(f"return {self._checked(schema, shapes.StructRef(struct.name, struct.module), 'd')}")
                return
            self._line("if type(d) is not dict: return None")
            if struct.closed or (self._mode == "write" and "additionalProperties" not in schema):
                self._line(f"if not {self._name(frozenset(schema['properties']))}.issuperset(d): return None")
            with self._block("try:"):
                self._line("pass")  # There may be no field.
                for missing in sorted(set(schema.get("required", ())) - schema["properties"].keys()):
                    self._line(f"d[{missing!r}]")
                arguments = [self._field(field, schema, cls) for field in struct.fields]
            self._line("except (KeyError, ValueError, ArithmeticError): return None")
            self._line(f"return {self._name(cls)}({', '.join(arguments)})")

    def _field(self, field: shapes.Field, schema: dict[str, Any], cls: type[msgspec.Struct]) -> str:
        python = python_names(cls)[field.name]
        inner = schema["properties"][field.name]
        target, value = self._variable(), self._variable()
        if field.required:
            self._line(f"{value} = d[{field.name!r}]")
            self._value(inner, field.shape, value, target)
        else:
            self._line(f"{value} = d.get({field.name!r}, UNSET)")
            with self._block(f"if {value} is UNSET:"):
                self._line(f"{target} = {self._default(cls, python)}")
            with self._block("else:"):
                self._value(inner, field.shape, value, target)
        return f"{python}={target}"

    def _default(self, cls: type[msgspec.Struct], python: str) -> str:
        # Not `msgspec.structs.fields`: it evaluates annotations, and files that refer to each other have names in them
        # which only type checkers see. Defaults belong to the last fields.
        place = cls.__struct_fields__.index(python) - len(cls.__struct_fields__)
        found = cls.__struct_defaults__[place]
        if isinstance(found, _FACTORY):
            return f"{self._name(found.factory)}()"
        return self._name(found)

    # Values

    def _value(self, schema: Schema, shape: shapes.Shape, value: str, target: str) -> None:
        """Write what checks `value` against a schema and puts what it makes of it into `target`."""
        schema = self._followed(schema)
        if isinstance(schema, dict) and isinstance(shape, shapes.Nullable):
            bare = self._without_null(schema)
            if bare is not None:
                with self._block(f"if {value} is None:"):
                    self._line(f"{target} = None")
                with self._block("else:"):
                    self._value(bare, shape.shape, value, target)
                return
        write = self._way(schema, shape) if isinstance(schema, dict) else None
        if write is None:
            self._line(f"{target} = {self._checked(schema, shape, value)}")
        else:
            write(schema, shape, value, target)

    def _way(  # noqa: C901, PLR0911 - a case a shape
        self, schema: dict[str, Any], shape: shapes.Shape
    ) -> Callable[..., None] | None:
        match shape, schema.get("type"):
            case shapes.Scalar(kind="any"), None if _has_only(schema):
                return self._any
            case shapes.StructRef(), _ if schema.get("x-name") == shape.name and schema.get("x-module") == shape.module:
                return self._reference if schema.get("type") == "object" else None
            case shapes.EnumOf(), "string" | None if _has_only(schema, "type", "enum"):
                return self._enum
            case shapes.Constant(value=str()), "string" | None if _has_only(schema, "type", "const"):
                return self._constant
            case shapes.ListOf(), "array" if _has_only(schema, "type", "items", "minItems", "maxItems"):
                return self._list
            case shapes.Scalar(kind="integer"), "integer" if _has_only(schema, "type", *dict(_BOUNDS)):
                return self._integer
            case shapes.Scalar(kind="number"), "number" if _has_only(schema, "type", *dict(_BOUNDS)):
                return self._number
            case shapes.Scalar(kind="boolean"), "boolean" if _has_only(schema, "type"):
                return self._boolean
            case shapes.Scalar(), "string" if _has_only(schema, "type", "format", "pattern", *dict(_LENGTHS)):
                return self._text
            case shapes.Union(), "object" | None if _has_only(schema, "type", "oneOf"):
                return self._union
        return None

    def _any(self, _schema: Any, _shape: Any, value: str, target: str) -> None:
        self._line(f"{target} = {value}")

    def _reference(self, _schema: Any, shape: shapes.StructRef, value: str, target: str) -> None:
        self._line(f"{target} = {self.function(shape)}({value})")
        self._line(f"if {target} is None: return None")

    def _union(self, schema: dict[str, Any], shape: shapes.Union, value: str, target: str) -> None:
        self._line(f"if type({value}) is not dict: return None")
        self._line(f"{target} = {value}.get({shape.tag!r})")
        found = objects.tag_of(schema, self._root)
        branches = {} if found is None else found[1]
        for nth, (tag, branch) in enumerate(shape.branches):
            with self._block(f"{'el' if nth else ''}if {target} == {tag!r}:"):
                self._value(branches[tag], branch, value, target)
        self._line("else: return None")

    def _enum(self, schema: dict[str, Any], shape: shapes.EnumOf, value: str, target: str) -> None:
        cls = self._classes.find(shape.name, shape.module)
        self._line(f"if type({value}) is not str: return None")
        self._line(f"{target} = {self._name(dict(cls._value2member_map_).get)}({value})")
        missing = "return None" if shape.closed or self._mode != "read" else f"{target} = {self._name(cls)}({value})"
        self._line(f"if {target} is None: {missing}")

    def _constant(self, _schema: Any, shape: shapes.Constant, value: str, target: str) -> None:
        self._line(f"if {value} != {shape.value!r}: return None")
        self._line(f"{target} = {shape.value!r}")

    def _list(self, schema: dict[str, Any], shape: shapes.ListOf, value: str, target: str) -> None:
        self._line(f"if {self._bounds(schema, _ITEMS, f'type({value}) is not list', f'len({value})')}: return None")
        self._line(f"{target} = []")
        item, made = self._variable(), self._variable()
        with self._block(f"for {item} in {value}:"):
            self._value(schema.get("items", True), shape.item, item, made)
            self._line(f"{target}.append({made})")

    def _integer(self, schema: dict[str, Any], _shape: Any, value: str, target: str) -> None:
        self._line(f"if {self._bounds(schema, _BOUNDS, f'type({value}) is not int', value)}: return None")
        self._line(f"{target} = {value}")

    def _number(self, schema: dict[str, Any], _shape: Any, value: str, target: str) -> None:
        finite = f"type({value}) is float and {value} - {value} == 0"
        type_test = f"type({value}) is not int and not ({finite})"
        self._line(f"if {self._bounds(schema, _BOUNDS, type_test, value)}: return None")
        self._line(f"{target} = load_number({value})")

    def _boolean(self, _schema: Any, _shape: Any, value: str, target: str) -> None:
        self._line(f"if {value} is not True and {value} is not False: return None")
        self._line(f"{target} = {value}")

    def _text(self, schema: dict[str, Any], shape: shapes.Scalar, value: str, target: str) -> None:
        self._line(f"if {self._bounds(schema, _LENGTHS, f'type({value}) is not str', f'len({value})')}: return None")
        if "pattern" in schema:
            self._line(f"if {self._name(searcher(schema['pattern']))}({value}) is None: return None")
        if shape.kind in _NATIVE:
            matches, make = _NATIVE[shape.kind]
            self._line(f"if not {self._name(matches)}({value}): return None")
            self._line(f"{target} = {self._name(make)}({value})")
            return
        if "format" in schema:
            self._line(f"if not {self._name(formats.matcher(schema['format']))}({value}): return None")
        self._line(f"{target} = {value}")

    # Schemas

    def _followed(self, schema: Schema) -> Schema:
        """Return what a reference leads to, where it says nothing beside."""
        while isinstance(schema, dict) and "$ref" in schema and _has_only(schema, "$ref"):
            schema = objects.resolve(schema, self._root)
        return schema

    def _without_null(self, schema: dict[str, Any]) -> Schema | None:
        """Return what a nullable schema says of other values than null; None where that isn't plain to see."""
        types = schema.get("type")
        if isinstance(types, list):
            others = [name for name in types if name != "null"]
            return {**schema, "type": others[0]} if len(others) == 1 and not schema.keys() & _FOR_NULL_TOO else None
        for keyword in ("anyOf", "oneOf"):
            if _has_only(schema, keyword):
                branches, null = objects.branches_of(schema, keyword)
                if null and len(branches) == 1 and not self._allows_null(branches[0]):
                    return branches[0]
        return None

    def _allows_null(self, schema: Schema) -> bool:
        types = objects.types_of(schema, self._root)
        return types is None or "null" in types

    def _checked(self, schema: Schema, shape: shapes.Shape, value: str) -> str:
        """Write the checker's own test, and return the expression that builds the value."""
        checks = [self._scope.of(schema)]
        if self._mode == "write":
            checks.append(self._walk.of(shape))
        holding = self._name(lambda found: all(holds(check, found, None) for check in checks))
        self._line(f"if not {holding}({value}): return None")
        return f"{self._name(self._builder.of(shape).load)}({value})"

    @staticmethod
    def _bounds(schema: dict[str, Any], known: tuple[tuple[str, str], ...], first: str, measured: str) -> str:
        tests = [f"{measured} {wrong} {schema[rule]!r}" for rule, wrong in known if rule in schema]
        return " or ".join([f"({first})" if tests else first, *tests])

    # Text

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self._line(head)
        self._indent += 1
        yield
        self._indent -= 1

    def _variable(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _name(self, value: Any) -> str:
        name = f"g{len(self._names)}"
        self._names[name] = value
        return name


def _is_plain(schema: Schema) -> TypeGuard[dict[str, Any]]:
    """Tell whether a struct's schema says no more than what its fields are."""
    keywords = ("type", "required", "properties", "additionalProperties")
    return isinstance(schema, dict) and schema.get("type") == "object" and _has_only(schema, *keywords)


def _has_only(schema: dict[str, Any], *keywords: str) -> bool:
    """Tell whether a schema has no other keywords than these and those that decide nothing."""
    return all(key in keywords or key in _ANNOTATIONS or key.startswith("x-") for key in schema)
