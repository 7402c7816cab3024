"""Whether a reader accepts the fields of a writer's objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bridge.contracts.evolve.gaps import At, Gap, Step
from bridge.contracts.former import former_names

if TYPE_CHECKING:
    from bridge.contracts.evolve.inclusion import Inclusion
    from bridge.contracts.evolve.side import Nodes, Part, Side, View
    from bridge.contracts.model import Schema


#: Keywords that speak of fields by name: where a field is read by its former one, they are not compared.
BY_NAME = frozenset({
    "anyOf", "oneOf", "not", "if", "dependentRequired", "dependentSchemas", "propertyNames", "patternProperties",
})  # fmt: skip


def former_of(reader: Side, parts: Iterable[Part], view: View) -> dict[str, str]:
    """Return the former names of fields, each with today's, that a reader takes and a writer may write."""
    if reader.mode != "read":
        return {}
    fields = [field for part in parts for field in part.get("properties", {}).items()]
    found = {old: name for name, node in fields for old in former_names(node)}
    written = names_of(view.parts) | (view.closing or set())
    return {old: name for old, name in found.items() if old in written}


def required(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge the fields that the reader insists on, by today's name or a former one."""
    always = {name for part in view.parts for name in part.get("required", ())}
    always |= {name for old, name in piece.get("x-was", {}).items() if old in always}
    for name in piece["required"]:
        if name not in always:
            known = {name, *(old for old, now in piece.get("x-was", {}).items() if now == name)}
            declared = any(known & set(part.get("properties", ())) for part in view.parts)
            yield Gap("required", at, (name,), view, (piece | {"required": [name]},), declared=declared)


def fields(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge what each field holds, the named ones first, then those of any other name."""
    former = piece.get("x-was", {})
    for name in sorted(names_of((*view.parts, piece)) | (view.closing or set())):
        token = name
        read = at_name(inclusion.reader, (piece,), name)
        if name in former:
            token = former[name]
            beside = read if writes(inclusion.writer, view, token) is not None else ()
            read = (*at_name(inclusion.reader, (piece,), token), *(node for node in beside if node is not False))
        written = writes(inclusion.writer, view, name)
        if not read or written is None:
            continue
        inside = inclusion.writer.view(written, inclusion.writer.shape_inside(view.shape, name))
        if read == (False,) and not inside.never and inclusion.writer.types(inside):
            keyword = "false" if name in piece.get("properties", ()) else "additionalProperties"
            yield Gap(keyword, at, (name,), view, (piece,), None, False)
        elif read != (False,):
            step = Step("property", name, token)
            yield from inclusion.place(inside, read, at.inside(view, step, *_token(piece, token)))
    if view.closing is None:
        yield from _others(inclusion, view, piece, at)


def names(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge the names of fields."""
    schema = piece["propertyNames"]
    refused = [
        name
        for name in sorted(names_of(view.parts) | (view.closing or set()))
        if writes(inclusion.writer, view, name) is not None and not inclusion.reader.accepts((schema,), name)
    ]
    if refused:
        yield Gap("propertyNames", at, tuple(refused), view, (piece,), None, schema)
    elif view.closing is None:
        rules = [part["propertyNames"] for part in view.parts if "propertyNames" in part]
        written = inclusion.writer.view([*rules, {"type": "string"}])
        if inclusion.place(written, (schema,), at):
            yield Gap("propertyNames", at, (), view, (piece,), rules or None, schema)


def dependent_required(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge fields that the reader insists on where another is there."""
    always = {name for part in view.parts for name in part.get("required", ())}
    for name, needed in piece["dependentRequired"].items():
        written = writes(inclusion.writer, view, name)
        if written is None or inclusion.writer.view(written).never:
            continue
        kept = always.union(*(part.get("dependentRequired", {}).get(name, ()) for part in view.parts))
        if missing := [other for other in needed if other not in kept and other != name]:
            yield Gap("dependentRequired", at, (name, *missing), view, (piece,), None, piece["dependentRequired"])


def dependent_schemas(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge schemas that the reader adds where a field is there."""
    for name, schema in piece["dependentSchemas"].items():
        written = writes(inclusion.writer, view, name)
        if written is None or inclusion.writer.view(written).never:
            continue
        extra = [part["dependentSchemas"][name] for part in view.parts if name in part.get("dependentSchemas", {})]
        added = inclusion.writer.view([*extra, {"required": [name]}])
        if added.never:
            continue
        both = view.with_part({"required": [name]})
        for part in added.parts:
            both = both.with_part(part)
        if inclusion.place(both, (schema,), at):
            yield Gap("dependentSchemas", at, (name,), both, (piece,), None, schema, certain=False)


def names_of(parts: Iterable[Part]) -> set[str]:
    """Return every field name that the parts speak of."""
    found: set[str] = set()
    for part in parts:
        found |= set(part.get("properties", ())) | set(part.get("required", ()))
    return found


def writes(side: Side, view: View, name: str) -> Nodes | None:
    """Return what a field of that name holds, or None where it is never written."""
    if view.closing is not None and name not in view.closing:
        return None
    nodes = at_name(side, view.parts, name)
    return None if False in nodes else nodes


def at_name(side: Side, parts: Iterable[Part], name: str) -> Nodes:
    """Return the schemas that hold for a field of that name."""
    found: list[Schema] = []
    for part in parts:
        nodes = [part["properties"][name]] if name in part.get("properties", ()) else []
        nodes += [node for pattern, node in part.get("patternProperties", {}).items() if matches(side, pattern, name)]
        if not nodes and "additionalProperties" in part:
            nodes.append(part["additionalProperties"])
        found += [node for node in nodes if node is not True]
    return tuple(found)


def matches(side: Side, pattern: str, name: str) -> bool:
    """Tell whether a name matches a pattern, as the checkers see it."""
    return side.accepts(({"pattern": pattern},), name)


def _token(piece: Part, name: str) -> tuple[str, ...]:
    return ("properties", name) if name in piece.get("properties", ()) else ("additionalProperties",)


def _others(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge fields of names that neither side has.

    Such a name may match any of the writer's patterns. Where the reader has the same pattern, what it demands there
    is compared with what the writer promises there; otherwise with each thing that the writer may promise.
    """
    known = _by_pattern(view.parts)
    for pattern, node in piece.get("patternProperties", {}).items():
        tokens = ("patternProperties", pattern)
        promised = [known[pattern]] if pattern in known else [*known.values(), _additional(view)]
        for nodes in promised:
            yield from _other(inclusion, view, nodes, node, at, *tokens)
    if "additionalProperties" in piece:
        apart = [nodes for pattern, nodes in known.items() if pattern not in piece.get("patternProperties", {})]
        for nodes in [*apart, _additional(view)]:
            yield from _other(inclusion, view, nodes, piece["additionalProperties"], at, "additionalProperties")


def _other(inclusion: Inclusion, view: View, nodes: Nodes, read: Schema, at: At, *tokens: str) -> Iterator[Gap]:
    written = inclusion.writer.view(nodes, inclusion.writer.shape_inside(view.shape, ""))
    if read is True or written.never:
        return
    if read is False:
        yield Gap("additionalProperties", at, (), view, ({tokens[0]: read},), None, False)
        return
    yield from inclusion.place(written, (read,), at.inside(view, Step("extra", tokens[-1]), *tokens))


def _by_pattern(parts: Iterable[Part]) -> dict[str, Nodes]:
    found: dict[str, Nodes] = {}
    for part in parts:
        for pattern, node in part.get("patternProperties", {}).items():
            found[pattern] = (*found.get(pattern, ()), node)
    return found


def _additional(view: View) -> Nodes:
    """Return what holds for a field that no pattern of any part matches."""
    return tuple(part["additionalProperties"] for part in view.parts if "additionalProperties" in part)
