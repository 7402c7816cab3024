"""Puts `x-name` and `x-module` on every object and enum that has a class of its own.

A class stands where code meets a value as a typed one: from the root through fields, items, values of maps, nullable
schemas and tagged unions. What stands under `not`, `if`, `contains` or an untagged union is checked and has no class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bridge.contracts import names
from bridge.contracts.documents import Place
from bridge.contracts.model import Schema
from bridge.contracts.objects import (
    Part,
    branches_of,
    delegate_of,
    fields_of,
    is_only,
    is_struct,
    is_text_enum,
    map_value,
    required_of,
    resolve,
    tag_of,
    tuple_items,
)


def name_classes(root: Schema, origins: Mapping[int, Place]) -> None:
    """Name the classes of a normalised schema, in place.

    Args:
        root: The schema, its `$defs` at the root; those that nothing leads to are named too.
        origins: Where each of its schemas stands, by the schema's id.

    Raises:
        InvalidContract: Two classes, two fields of an object or two members of an enum would have one name in code, or
            an object requires a field that it doesn't declare.
    """
    namer = _Namer(root, origins)
    namer.visit(root)
    for schema in root.get("$defs", {}).values() if isinstance(root, dict) else ():
        namer.visit(schema)


class _Namer:
    def __init__(self, root: Schema, origins: Mapping[int, Place]) -> None:
        self._root = root
        self._origins = origins
        self._seen: set[int] = set()
        self._taken: dict[str, Place] = {}

    def visit(self, schema: Schema) -> None:
        """Name what stands at a typed place, and all that is typed below it."""
        if not isinstance(schema, dict) or id(schema) in self._seen:
            return
        self._seen.add(id(schema))
        if is_text_enum(schema):
            self._name(schema)
            self._distinct([value for value in schema["enum"] if value is not None], names.member, schema, "enum")
        elif is_struct(schema, self._root):
            self._visit_struct(schema)
        else:
            self._visit_parts(schema)

    def _visit_struct(self, schema: Part) -> None:
        fields = fields_of(schema, self._root)
        undeclared = [name for name in required_of(schema, self._root) if name not in fields]
        if undeclared:
            place = self._origins[id(schema)].at("required")
            raise place.refuse(undeclared[0], "fields that the object declares", "add it to properties")
        # A file's root is the class that the file is named for, even where another one has all of its fields.
        delegate = delegate_of(schema, self._root) if self._origins[id(schema)].tokens else None
        if delegate is not None:
            self.visit(delegate)
            return
        self._name(schema)
        self._distinct(fields, names.attribute, schema, "properties")
        for sources in fields.values():
            for source in sources:
                self.visit(source)

    def _visit_parts(self, schema: Part) -> None:
        if "$ref" in schema:
            self.visit(resolve(schema, self._root))
        for branch in schema.get("allOf", ()):
            self.visit(branch)
        if is_only(schema, "array"):
            for item in tuple_items(schema) or ([] if "prefixItems" in schema else [schema.get("items", True)]):
                self.visit(item)
        if is_only(schema, "object") and "properties" not in schema:
            self.visit(map_value(schema))
        for keyword in ("anyOf", "oneOf"):
            branches, _ = branches_of(schema, keyword)
            if len(branches) == 1 or tag_of(schema, self._root, keyword):
                for branch in branches:
                    self.visit(branch)

    def _name(self, schema: Part) -> None:
        place = self._origins[id(schema)]
        name = place.name
        # Elixir's modules are files, and names that differ in case alone are one file on some systems.
        other = self._taken.setdefault(name.casefold(), place)
        if (other.document, other.tokens) != (place.document, place.tokens):
            mend = "give one of them a `title` that is an identifier, or rename its key in $defs"
            raise place.refuse(name, f"a class name that {other.field} doesn't have, in any case", mend)
        schema["x-name"], schema["x-module"] = name, place.document.module

    def _distinct(self, texts: Iterable[str], named: Callable[[str], str], schema: Part, keyword: str) -> None:
        found: dict[str, str] = {}
        for text in texts:
            name = named(text)
            if name in found:
                mend = "rename one" if keyword == "properties" else "write them as anyOf of const, which stays text"
                expected = f"a name in code that differs from that of {found[name]!r}: both are {name}"
                raise self._origins[id(schema)].at(keyword).refuse(text, expected, mend)
            found[name] = text
