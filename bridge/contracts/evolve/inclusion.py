"""Whether a reader accepts everything that a writer may send, and where it does not.

The proof goes keyword by keyword of the reader: each must follow from what the writer keeps to. What doesn't follow
is a gap. A writer's views may be wider than the truth, so that a place without gaps is proven, and a gap is only a
suspicion until a counter-example shows it. Recursion ends because a pair of places under comparison counts as proven
while it stands on the stack: values are finite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bridge.contracts.evolve import arrays, bounds, objects, unions
from bridge.contracts.evolve.gaps import At, Gap, keyword_of
from bridge.contracts.evolve.side import ALL_TYPES, TYPES, Nodes, Part, Side, Types, View, canonical, type_of
from bridge.contracts.model import Schema

_DEPTH = 60

Rule = Callable[["Inclusion", View, Part, At], Iterator[Gap]]

#: Keywords that are judged together.
_GROUPS: tuple[tuple[frozenset[str], Types, Rule], ...] = (
    (frozenset({"required"}), TYPES["object"], objects.required),
    (frozenset({"properties", "patternProperties", "additionalProperties"}), TYPES["object"], objects.fields),
    (frozenset({"propertyNames"}), TYPES["object"], objects.names),
    (frozenset({"dependentRequired"}), TYPES["object"], objects.dependent_required),
    (frozenset({"dependentSchemas"}), TYPES["object"], objects.dependent_schemas),
    (frozenset({"prefixItems", "items"}), TYPES["array"], arrays.items),
    (frozenset({"contains", "minContains", "maxContains"}), TYPES["array"], arrays.contains),
)
_UNIONS: dict[str, Rule] = {"anyOf": unions.any_of, "oneOf": unions.one_of, "not": unions.negation}


@dataclass
class Budget:
    """How much may still be compared: the cases of nested unions multiply, and a schema may be too large to judge."""

    places: int = 15_000
    splits: int = 1_500


class Inclusion:
    """The comparison of one writer with one reader."""

    def __init__(self, writer: Side, reader: Side, budget: Budget | None = None) -> None:
        self.writer = writer
        self.reader = reader
        self._proven: set[str] = set()
        self._failed: dict[str, tuple[At, list[Gap]]] = {}
        self._budget = budget or Budget()

    def gaps(self) -> list[Gap]:
        """Return where the reader may refuse what the writer sends; none means that it never does."""
        return self.place(self.writer.whole, (self.reader.root,), At())

    def place(self, view: View, nodes: Nodes, at: At) -> list[Gap]:
        """Return the gaps between what may be written at a place and what is read there.

        A pair that was found wanting keeps its gaps; what was proven meanwhile on the strength of it is forgotten.
        """
        types = frozenset() if view.never else self.writer.types(view)
        key = view.key + canonical(nodes)
        if not types or key in self._proven:
            return []
        if key not in self._failed:
            before = set(self._proven)
            self._proven.add(key)
            if found := list(self._explore(view, nodes, types, at)):
                self._proven = before
                self._failed[key] = at, found
        if key not in self._failed:
            return []
        explored, found = self._failed[key]
        return [replace(gap, at=gap.at.moved(explored, at)) for gap in found]

    def same(self, written: Schema, read: Schema) -> bool:
        """Tell whether two schemas are equal: then whatever keeps one keeps the other, as readers only take more."""
        return self.writer.identity(written) == self.reader.identity(read)

    def keeps(self, view: View, piece: Part) -> bool:
        """Tell whether the writer has the very keywords of `piece`."""
        return any(
            piece.keys() <= part.keys() and self.same({key: part[key] for key in piece}, piece) for part in view.parts
        )

    @cached_property
    def strict(self) -> Inclusion:
        """The comparison with the reader's conditions, which are closed."""
        return self if self.reader.mode == "strict" else Inclusion(self.writer, self.reader.strict, self._budget)

    def split(self, view: View) -> list[unions.Case] | None:
        """Return the cases of a view, or None where no more may be looked at: then no gap is certain."""
        found = unions.cases(self.writer, view)
        self._budget.splits -= len(found)
        return found if self._budget.splits >= 0 or not found else None

    def _explore(self, view: View, nodes: Nodes, types: Types, at: At) -> Iterator[Gap]:
        self._budget.places -= 1
        if self._budget.places < 0 or len(at.chain) > _DEPTH:
            yield Gap("size", at, (), view, nodes, certain=False)
        else:
            yield from self._known_types(view, nodes, types, at)

    def _known_types(self, view: View, nodes: Nodes, types: Types, at: At) -> Iterator[Gap]:
        read = self.reader.view(nodes)
        if read.never:
            yield Gap("false", at, (), view, nodes)
            return
        accepted = self.reader.types(read)
        yield from self._types(view, nodes, types - accepted, at)
        types &= accepted
        if not types:
            return
        values = self.values(view)
        if values is not None:
            yield from self._values(view, nodes, values, at)
            return
        former = objects.former_of(self.reader, read.parts, view)
        for part in read.parts:
            if not former and any(self.same(written, part) for written in view.parts):
                continue
            if former and objects.BY_NAME & part.keys():
                yield Gap("x-was", at, (), view, (part,), None, former, certain=False)
            for rule, piece in self._pieces(part, read.parts, types):
                if former and rule in (objects.required, objects.fields):
                    piece = {**piece, "x-was": former}  # noqa: PLW2901 - the rule needs it, wherever it was declared
                yield from self._piece(rule, view.with_part({"type": _names(types)}), piece, at)

    def _types(self, view: View, nodes: Nodes, missing: Types, at: At) -> Iterator[Gap]:
        anything = self.writer.types(view) == ALL_TYPES
        for kinds in (missing,) if anything else (missing & {"null"}, missing - {"null"}):
            if kinds:
                yield Gap("type", at, tuple(sorted(kinds)), view, nodes, reader=sorted(self._accepted(nodes)))

    def _accepted(self, nodes: Nodes) -> Types:
        return self.reader.types(self.reader.view(nodes))

    def values(self, view: View) -> list[Any] | None:
        """Return the values that may be written, where they are a list."""
        for part in view.parts:
            if "const" in part or "enum" in part:
                listed = [part["const"]] if "const" in part else part["enum"]
                return [value for value in listed if self.writer.accepts(view.parts, value, "strict")]
        return None

    def _values(self, view: View, nodes: Nodes, values: list[Any], at: At) -> Iterator[Gap]:
        accepted = self._accepted(nodes)
        refused = [value for value in values if type_of(value) in accepted and not self.reader.accepts(nodes, value)]
        if refused:
            read = self.reader.view(nodes)
            keyword = "const" if keyword_of(read, "const") is not None else "enum"
            listed = keyword_of(view, "enum") or [keyword_of(view, "const")]
            reader = keyword_of(read, keyword)
            yield Gap(keyword, at, tuple(refused), view, nodes, listed, reader, values=tuple(refused))

    def _piece(self, rule: Rule, view: View, piece: Part, at: At) -> Iterator[Gap]:
        """Judge a piece of the reader for the writer as a whole, or else for each case that the writer has."""
        whole = list(rule(self, view, piece, at))
        cases = self.split(view) if whole else []
        if not cases:
            yield from whole if cases is not None else _uncertain(whole)
            return
        split = [list(self._piece(rule, case, piece, at.below(*label))) for label, case in cases]
        told = {_essence(gap, at) for gap in whole}
        if all(
            {_essence(gap, at.below(*label)) for gap in gaps} == told
            for gaps, (label, _) in zip(split, cases, strict=True)
        ):
            yield from whole
            return
        yield from (gap for gaps in split for gap in gaps)

    def _pieces(self, part: Part, beside: Sequence[Part], types: Types) -> Iterator[tuple[Rule, Part]]:
        """Yield the keywords of one of the reader's schemas, together where they are judged together."""
        for keywords, concerns, rule in _GROUPS:
            piece = {key: part[key] for key in part if key in keywords}
            if piece and types & concerns:
                yield rule, piece
        for keyword in part:
            if keyword in bounds.CONCERNS:
                yield _bound, {keyword: part[keyword]}
            elif keyword in _UNIONS:
                fields = {name: True for other in beside for name in other.get("properties", ())}
                yield _UNIONS[keyword], {keyword: part[keyword], "properties": fields}
        if "if" in part:
            yield unions.conditional, {key: part[key] for key in ("if", "then", "else") if key in part}
        if "const" in part or ("enum" in part and not self.reader.is_open(part)):
            yield _listed, part


def _uncertain(gaps: Iterable[Gap]) -> Iterator[Gap]:
    return (replace(gap, certain=False) for gap in gaps)


def _essence(gap: Gap, at: At) -> str:
    return repr((gap.keyword, gap.at.place[len(at.place) :], gap.detail))


def _names(types: Types) -> list[str]:
    """Return the types as JSON Schema writes them."""
    if "fraction" in types:
        types = (types - {"fraction", "integer"}) | {"number"}
    return sorted(types)


def _bound(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    ((keyword, limit),) = piece.items()
    if not bounds.implied(keyword, limit, view, inclusion.writer.types(view)):
        yield Gap(keyword, at, (), view, (piece,), keyword_of(view, keyword), limit)


def _listed(_: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    keyword = "const" if "const" in piece else "enum"
    yield Gap(keyword, at, (), view, (piece,), None, piece[keyword])
