"""`x-was`: what a field, or a member of an enum, was called before.

Readers take the old name where the new one is absent; writers write the new one alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bridge.contracts.model import Schema
from bridge.contracts.objects import Part, children, fields_of, is_text_enum, tag_of

if TYPE_CHECKING:
    from bridge.contracts.documents import Place

KEY = "x-was"


def former_names(schema: Schema) -> tuple[str, ...]:
    """Return the earlier names of the field whose schema this is, the latest first."""
    found = schema.get(KEY, ()) if isinstance(schema, dict) else ()
    return (found,) if isinstance(found, str) else tuple(found) if isinstance(found, list) else ()


def former_members(schema: Schema) -> dict[str, str]:
    """Return the earlier texts of an enum's members, each with what it is now."""
    found = schema.get(KEY) if isinstance(schema, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def check_former(root: Schema, origins: Mapping[int, Place]) -> None:
    """Refuse an `x-was` that readers could not keep to; classes must have their names already.

    Raises:
        InvalidContract: It stands where no class has a field or an enum, on the tag of a union, or names what is
            still in use.
    """
    parts = list(_all(root))
    structs = [part for part in parts if "x-name" in part and "enum" not in part]
    typed = {id(node) for part in structs for nodes in fields_of(part, root).values() for node in nodes}
    for part in parts:
        if KEY in part:
            _check_place(part, typed, origins[id(part)])
    for part in structs:
        _check_fields(part, root, origins)
    for part in parts:
        for keyword in ("oneOf", "anyOf"):
            _check_tag(part, keyword, root, origins)


def _check_place(part: Part, typed: set[int], place: Place) -> None:
    at = place.at(KEY)
    if not isinstance(part[KEY], dict):
        if id(part) not in typed:
            mend = "put it on a property of an object with a class, where readers look for it"
            raise at.refuse(part[KEY], "a field's former name on that field", mend)
        return
    if not is_text_enum(part) or "x-name" not in part:
        mend = "an object of old and new texts belongs to an enum of texts with a class; a field's name is text"
        raise at.refuse(part[KEY], "the former texts of an enum's members on that enum", mend)
    for old, new in part[KEY].items():
        if new not in part["enum"]:
            raise at.at(old).refuse(new, "a member of the enum", "write what the old text is now")
        if old in part["enum"]:
            raise at.at(old).refuse(old, "a text that the enum has no more", "remove it here, or from the enum")


def _check_fields(part: Part, root: Schema, origins: Mapping[int, Place]) -> None:
    fields = fields_of(part, root)
    taken: dict[str, str] = {}
    for name, nodes in fields.items():
        for node in nodes:
            for old in former_names(node):
                at = origins[id(node)].at(KEY)
                if old in fields:
                    raise at.refuse(old, "a name that no field of the object has", "remove it here, or that field")
                if taken.setdefault(old, name) != name:
                    raise at.refuse(old, f"a name that {taken[old]!r} was not called before", "leave it to one of them")


def _check_tag(part: Part, keyword: str, root: Schema, origins: Mapping[int, Place]) -> None:
    tagged = tag_of(part, root, keyword) if keyword in part else None
    for branch in tagged[1].values() if tagged else ():
        for node in fields_of(branch, root)[tagged[0] if tagged else ""]:
            if former_names(node):
                mend = "readers tell the branches apart by it; keep the tag's name, or add a field beside the union"
                raise origins[id(node)].at(KEY).refuse(former_names(node)[0], "no other name for a union's tag", mend)


def _all(root: Schema) -> Iterator[dict[str, Any]]:
    todo, seen = [root], set[int]()
    while todo:
        schema = todo.pop()
        if isinstance(schema, dict) and id(schema) not in seen:
            seen.add(id(schema))
            yield schema
            todo += [part for _, part in children(schema)]
