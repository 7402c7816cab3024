"""Refuses schemas that say what can't be: bounds that cross, defaults and examples that break their own schema."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

from bridge.contracts.documents import Place
from bridge.contracts.model import Schema
from bridge.contracts.objects import Part, branches_of, children, fields_of, is_struct, resolve, tag_of, tags_of
from bridge.contracts.patterns import longest_text
from bridge.contracts.runtime.check import compile_checks
from bridge.contracts.runtime.equality import frozen
from bridge.contracts.shapes import StructRef, structs

_IN_PLACE: Final = ("not", "if", "then", "else")
_BOUNDS: Final = (
    ("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"),
    ("minContains", "maxContains"), ("minimum", "maximum"), ("exclusiveMinimum", "maximum"),
    ("minimum", "exclusiveMaximum"), ("exclusiveMinimum", "exclusiveMaximum"),
)  # fmt: skip


def check_loops(root: Schema, origins: Mapping[int, Place]) -> None:
    """Refuse references that lead back to themselves without a step into the value, which no checker could end.

    Raises:
        InvalidContract: There is such a loop.
    """
    done: set[int] = set()
    for schema in _all(root):
        if id(schema) not in done:
            _follow(schema, root, origins, done)


def _follow(start: Part, root: Schema, origins: Mapping[int, Place], done: set[int]) -> None:
    """Walk all that is checked at the same value, depth first; a schema met again on its own way is a loop."""
    way: set[int] = {id(start)}
    stack = [(start, iter(_in_place(start, root)))]
    while stack:
        schema, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            stack.pop()
            way.discard(id(schema))
            done.add(id(schema))
        elif id(following) in way:
            place = origins[id(following)]
            raise place.refuse(schema.get("$ref"), "a reference that leads into a part of the value", _LOOP_MEND)
        elif id(following) not in done:
            way.add(id(following))
            stack.append((following, iter(_in_place(following, root))))


_LOOP_MEND: Final = "this one leads back to itself at the same value; put it under properties or items"


def _in_place(schema: Part, root: Schema) -> list[Part]:
    found: list[Schema] = [resolve(schema, root)] if "$ref" in schema else []
    for keyword in ("allOf", "anyOf", "oneOf"):
        found += schema.get(keyword, ())
    found += [schema[keyword] for keyword in _IN_PLACE if keyword in schema]
    found += schema.get("dependentSchemas", {}).values()
    return [part for part in found if isinstance(part, dict)]


def check_soundness(root: Schema, origins: Mapping[int, Place]) -> None:
    """Refuse bounds that no value is within, enums that contradict themselves, and wrong defaults and examples.

    Raises:
        InvalidContract: The first such place.
    """
    _check_endless(root, origins)
    for schema in _all(root):
        place = origins[id(schema)]
        _check_types(schema, place)
        _check_bounds(schema, place)
        _check_tags(schema, root, place)
        _check_enum(schema, place)
        _check_patterns(schema, place)
        _check_reserved(schema, root, place)
        _check_samples(schema, root, place)


def _check_patterns(schema: Part, place: Place) -> None:
    """Refuse patterns that a long text could keep busy, unless it may not be long."""
    if "pattern" in schema:
        most = longest_text(schema["pattern"])
        if most is not None and schema.get("maxLength", most + 1) > most:
            mend = f"let its repetitions not share characters, or put maxLength of at most {most} beside it"
            raise place.at("pattern").refuse(schema["pattern"], _STEADY, mend)
    for pattern in schema.get("patternProperties", ()):
        if longest_text(pattern) is not None:
            mend = "let its repetitions not share characters"
            raise place.at("patternProperties").refuse(pattern, _STEADY, mend)


_STEADY: Final = "a pattern whose time grows no faster than the square of the text's length"


def _check_endless(root: Schema, origins: Mapping[int, Place]) -> None:
    """Refuse objects that require one of themselves, without null or an empty list to end at."""
    classes = structs(root)
    needs = {
        key: [(field.name, (field.shape.module, field.shape.name)) for field in struct.fields
              if field.required and isinstance(field.shape, StructRef)]
        for key, struct in classes.items()
    }  # fmt: skip
    finite: set[tuple[str, str]] = set()
    while ended := {key for key, refs in needs.items() if key not in finite and all(ref in finite for _, ref in refs)}:
        finite |= ended
    for key, refs in needs.items():
        if key not in finite:
            name = next(name for name, ref in refs if ref not in finite)
            place = origins[id(classes[key].schema)].at("properties", name)
            raise place.refuse(name, "a field that can end", "it requires itself inside; make it optional or nullable")


def _all(root: Schema) -> Iterator[Part]:
    todo: list[Schema] = [root]
    while todo:
        schema = todo.pop()
        if isinstance(schema, dict):
            yield schema
            todo.extend(reversed([part for _, part in children(schema)]))


def _check_types(schema: Part, place: Place) -> None:
    """Refuse a keyword that says something about other types than those beside it: it would check nothing."""
    if "type" not in schema:
        return
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    for kinds, keywords in _ABOUT.items():
        for keyword in keywords if kinds.isdisjoint(types) else ():
            if keyword in schema:
                expected = f"a keyword for type {' or '.join(types)}"
                mend = f"it does nothing on {' or '.join(map(_a, types))}; remove it, or correct the type"
                raise place.at(keyword).refuse(keyword, expected, mend)


def _a(name: str) -> str:
    return name if name == "null" else f"an {name}" if name[0] in "aio" else f"a {name}"


_ABOUT: Final = {
    frozenset({"integer", "number"}):
        ("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
    frozenset({"string"}): ("maxLength", "minLength", "pattern", "format", "contentEncoding"),
    frozenset({"array"}):
        ("maxItems", "minItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems", "items"),
    frozenset({"object"}):
        ("maxProperties", "minProperties", "required", "dependentRequired", "properties", "patternProperties",
         "additionalProperties", "propertyNames", "dependentSchemas"),
}  # fmt: skip


def _check_tags(schema: Part, root: Schema, place: Place) -> None:
    """Refuse a oneOf whose branches repeat the constant that is to tell them apart: what fits one fits the other."""
    branches, _ = branches_of(schema, "oneOf")
    constants = [tags_of(branch, root) for branch in branches]
    if len(branches) < 2 or tag_of(schema, root) or not all(is_struct(branch, root) for branch in branches):
        return
    for at, own in enumerate(constants):
        for other in constants[:at]:
            shared = own.keys() & other.keys()
            if shared and all(own[name] == other[name] for name in shared):
                name = min(shared)
                at_branch = place.at("oneOf", [part is branches[at] for part in schema["oneOf"]].index(True))
                mend = f"two branches have this {name!r}; give each its own, so that a value fits one alone"
                raise at_branch.refuse(own[name], f"a {name!r} that no other branch has", mend)


def _check_bounds(schema: Part, place: Place) -> None:
    for low, high in _BOUNDS:
        if low not in schema or high not in schema:
            continue
        if schema[low] > schema[high] or (schema[low] == schema[high] and "exclusive" in f"{low} {high}"):
            raise place.at(low).refuse(schema[low], f"less than {high}, which is {schema[high]}", "no value is within")


def _check_enum(schema: Part, place: Place) -> None:
    if schema.get("x-closed") and "enum" not in schema:
        raise place.at("x-closed").refuse(True, "an enum beside it", "put it where the enum is")
    is_typed = compile_checks({"type": schema["type"]}) if "type" in schema else lambda _: []
    met: set[Hashable] = set()
    for at, member in enumerate(schema.get("enum", ())):
        if is_typed(member):
            mend = "add null to its type" if member is None else "remove it"
            raise place.at("enum", at).refuse(member, f"a member of type {schema['type']}", mend)
        if frozen(member) in met:
            raise place.at("enum", at).refuse(member, "each member once", "remove the repeated one")
        met.add(frozen(member))
    if "const" in schema and is_typed(schema["const"]):
        raise place.at("const").refuse(schema["const"], f"a value of type {schema['type']}", "correct the type")


def _check_reserved(schema: Part, root: Schema, place: Place) -> None:
    reserved = schema.get("x-reserved", ())
    for at, name in enumerate(reserved):
        if name in schema.get("enum", ()) or name in fields_of(schema, root):
            mend = "take another name: old rows may hold the removed one"
            raise place.at("x-reserved", at).refuse(name, "the name of something removed", mend)


def _check_samples(schema: Part, root: Schema, place: Place) -> None:
    """Refuse defaults and examples that no writer could write."""
    samples: list[tuple[tuple[str, ...], Any]] = [(("default",), schema["default"])] if "default" in schema else []
    samples += [(("examples", str(at)), value) for at, value in enumerate(schema.get("examples", ()))]
    if not samples:
        return
    check = compile_checks(_self_contained(schema, root), mode="write")
    for tokens, value in samples:
        if violations := check(value):
            expected = "a value that keeps its own schema"
            raise place.at(*tokens).refuse(value, expected, "; ".join(map(str, violations[:3])))


def _self_contained(schema: Part, root: Schema) -> Part:
    """Return a schema with those `$defs` of the root that it needs."""
    needed: dict[str, Schema] = {}
    todo: list[Schema] = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            name = part.get("$ref", "").removeprefix("#/$defs/")
            if name and name not in needed:
                needed[name] = resolve(part, root)
                todo.append(needed[name])
            todo.extend(inner for tokens, inner in children(part) if tokens[0] != "$defs")
    return {**schema, "$defs": needed} if needed else {key: value for key, value in schema.items() if key != "$defs"}
