"""Finds what a normalised schema has lost: every keyword of its source must stand in it, or decide about nothing.

Written apart from the normaliser: it knows the keyword table, follows references itself, and compares. Shared schemas
inside of others count where something leads to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from referencing import Registry
from referencing._core import Resolver

from bridge.contracts import names
from bridge.contracts.documents import DIALECT
from bridge.contracts.keywords import keyword_of

_ONE: Final = frozenset({"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"})
_LIST: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAP: Final = frozenset({"dependentSchemas", "patternProperties", "properties"})
_SILENT: Final = frozenset({"format", "contentEncoding"})
"""What may be left out where formats are not asserted."""


class Comparison:
    """A source document beside its normalised schema.

    Attributes:
        count: How many keywords were looked at.
        lost: Each keyword that is missing or different, with its place.
    """

    def __init__(self, document: Any, schema: Any, registry: Registry[Any], uri: str, *, formats: bool) -> None:
        """Compare; `registry` holds the documents that references may lead to, `uri` is the document's own."""
        self.count = 0
        self.lost: list[str] = []
        self._root = schema
        self._formats = formats
        self._met: set[tuple[int, int]] = set()
        resource = DIALECT.create_resource(document)
        self._compare(document, schema, registry.with_resource(uri, resource).resolver(base_uri=uri), "#")

    def _compare(self, source: Any, found: Any, resolver: Resolver[Any], place: str) -> None:
        if isinstance(source, bool) or isinstance(found, bool):
            if source is not found:
                self.lost.append(f"{place}: {source!r:.40} became {found!r:.40}")
            return
        if (id(source), id(found)) in self._met:
            return
        self._met.add((id(source), id(found)))
        if place != "#" and isinstance(source.get("$id"), str):
            resolver = resolver.in_subresource(DIALECT.create_resource(source))
        for key, value in source.items():
            self.count += 1
            keyword = keyword_of(key)
            if keyword is None or keyword.status == "refused":
                self.lost.append(f"{place}/{key}: should have been refused")
            elif key in ("$defs", "definitions") and place == "#":
                self._compare_definitions(value, resolver, f"{place}/{key}")
            elif keyword.status == "supported" and key != "$defs" and (self._formats or key not in _SILENT):
                self._compare_value(key, value, found, resolver, f"{place}/{key}")

    def _compare_value(self, key: str, value: Any, found: Any, resolver: Resolver[Any], place: str) -> None:
        if key not in found:
            self.lost.append(f"{place}: missing")
            return
        for step, inner, other in _pairs(key, value, found[key]):
            self._compare(inner, other, resolver, place + step)
        if key == "$ref":
            reached = resolver.lookup(value)
            other = self._root["$defs"][found[key].removeprefix("#/$defs/")]
            self._compare(reached.contents, other, reached.resolver, place)
        elif _outline(key, value) != _outline(key, found[key]):
            self.lost.append(f"{place}: {value!r:.40} became {found[key]!r:.40}")

    def _compare_definitions(self, value: Any, resolver: Resolver[Any], place: str) -> None:
        """Look at shared schemas, whether something refers to them or not."""
        for name, part in value.items():
            found = self._root.get("$defs", {}).get(names.pascal(name))
            if found is None:
                self.lost.append(f"{place}/{name}: missing")
            else:
                self._compare(part, found, resolver, f"{place}/{name}")


def _pairs(key: str, value: Any, found: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the schemas inside of a keyword's value beside what became of them."""
    if key in _ONE:
        yield "", value, found
    elif key in _LIST:
        yield from ((f"/{at}", part, other) for at, (part, other) in enumerate(zip(value, found, strict=False)))
    elif key in _MAP:
        yield from ((f"/{name}", part, found[name]) for name, part in value.items() if name in found)


def _outline(key: str, value: Any) -> Any:
    """Return what must be equal of a keyword's value, besides the schemas inside."""
    if key in _ONE or key == "$ref":
        return None
    return len(value) if key in _LIST else sorted(value) if key in _MAP else value
