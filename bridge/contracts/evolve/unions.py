"""Whether a reader accepts a writer's unions: one of several schemas, the absence of one, or one that depends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.contracts.evolve import objects
from bridge.contracts.evolve.gaps import At, Gap
from bridge.contracts.objects import branches_of, tag_of
from bridge.contracts.shapes import ANY, Nullable, Shape, Union

if TYPE_CHECKING:
    from bridge.contracts.evolve.inclusion import Inclusion
    from bridge.contracts.evolve.side import Part, Side, View
    from bridge.contracts.model import Schema

Case = tuple[tuple[str, ...], "View"]

_DEPTH = 6


def cases(side: Side, view: View) -> list[Case]:
    """Return views that cover this one between them, each with the tokens that lead to it; none for no cases."""
    for index, part in enumerate(view.parts):
        for keyword in ("oneOf", "anyOf"):
            if keyword in part:
                return _branches(side, view, index, keyword)
    for index, part in enumerate(view.parts):
        if "if" in part:
            rest = _without(view, index, "if", "then", "else")
            then = _joined(side, rest, [part["if"], part.get("then", True)])
            return _live(side, [((), then), ((), _joined(side, rest, [part.get("else", True)]))])
    return []


def _branches(side: Side, view: View, index: int, keyword: str) -> list[Case]:
    part = view.parts[index]
    rest = _without(view, index, keyword)
    others, nullable = branches_of(part, keyword)
    tagged = tag_of(part, side.root, keyword)
    found: list[Case] = []
    for place, branch in enumerate(part[keyword]):
        label = _label(branch, tagged)
        tokens = () if nullable and len(others) == 1 else (keyword, label or str(place))
        found.append((tokens, _joined(side, rest, [branch], _branch_shape(view.shape, label))))
    return _live(side, found)


def _label(branch: Schema, tagged: tuple[str, dict[str, Schema]] | None) -> str | None:
    found = tagged[1] if tagged else {}
    return next((value for value, of_value in found.items() if of_value is branch), None)


def _branch_shape(shape: Shape, label: str | None) -> Shape:
    """Return what code meets in one branch of a union."""
    bare = shape.shape if isinstance(shape, Nullable) else shape
    if not isinstance(bare, Union):
        return shape
    return next((branch for value, branch in bare.branches if value == label), ANY)


def any_of(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge `anyOf`: some branch must accept all of a case."""
    if not inclusion.keeps(view, {"anyOf": piece["anyOf"]}):
        yield from _union(inclusion, view, "anyOf", piece, at)


def one_of(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge `oneOf`: one branch must accept all of a case, and the others nothing of it."""
    if not inclusion.keeps(view, {"oneOf": piece["oneOf"]}):
        yield from _union(inclusion, view, "oneOf", piece, at)


def negation(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge `not`."""
    if not inclusion.keeps(view, piece) and not disjoint(inclusion.strict, view, piece["not"]):
        yield Gap("not", at, (), view, (piece,), None, piece["not"], certain=False)


def conditional(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge `if`: each outcome must accept all that may come to it."""
    met, unmet = view, view
    for index, part in enumerate(view.parts):
        if "if" in part and inclusion.same(part["if"], piece["if"]):
            rest = _without(view, index, "if", "then", "else")
            met = _joined(inclusion.writer, rest, [part["if"], part.get("then", True)])
            unmet = _joined(inclusion.writer, rest, [part.get("else", True)])
    never = disjoint(inclusion.strict, met, piece["if"])
    always = not inclusion.strict.place(unmet, (piece["if"],), at.below("if"))
    wrong = [] if never else inclusion.place(met, (piece.get("then", True),), at.below("then"))
    wrong = wrong or ([] if always else inclusion.place(unmet, (piece.get("else", True),), at.below("else")))
    if wrong:
        yield Gap("if", at, (), view, (piece,), None, piece["if"], certain=False)


def disjoint(inclusion: Inclusion, view: View, node: Schema, depth: int = 0) -> bool:
    """Tell whether the reader's `node` surely refuses all that `view` may write."""
    writer, reader = inclusion.writer, inclusion.reader
    read = reader.view([node])
    types = frozenset() if view.never else writer.types(view)
    if not types or read.never or not types & reader.types(read):
        return True
    values = inclusion.values(view)
    if values is not None:
        return not any(reader.accepts((node,), value) for value in values)
    if depth >= _DEPTH:
        return False
    if types & reader.types(read) == {"object"} and _fields_disjoint(inclusion, view, read, depth):
        return True
    split = inclusion.split(view)
    return all(disjoint(inclusion, case, node, depth + 1) for _, case in split) if split else False


def _fields_disjoint(inclusion: Inclusion, view: View, read: View, depth: int) -> bool:
    writer, reader = inclusion.writer, inclusion.reader
    always = {name for part in view.parts for name in part.get("required", ())}
    needed = {name for part in read.parts for name in part.get("required", ())}
    for name in sorted(always | needed):
        written = objects.writes(writer, view, name)
        if written is None or writer.view(written).never:
            return True
        held = objects.at_name(reader, read.parts, name)
        together: Schema = {"allOf": list(held)} if held else True
        if held and disjoint(inclusion, writer.view(written), together, depth + 1):
            return True
    return False


def _union(inclusion: Inclusion, view: View, keyword: str, piece: Part, at: At) -> Iterator[Gap]:
    split = inclusion.split(view)
    if split is None:
        yield Gap(keyword, at, (), view, (piece,), None, piece[keyword], certain=False)
        return
    split = split or _by_type(inclusion.writer, view)
    for label, case in split:
        yield from _union(inclusion, case, keyword, piece, at.below(*label))
    if split:
        return
    tagged = tag_of(piece, inclusion.reader.root, keyword) if keyword == "oneOf" else None
    found = _tagged(inclusion, view, tagged, piece, at) if tagged else None
    if found is None and tagged and inclusion.writer.types(view) == {"object"}:
        found = iter([Gap(keyword, at, (tagged[0],), view, (piece,), None, piece[keyword])])
    yield from _case(inclusion, view, keyword, piece[keyword], at) if found is None else found


def _case(inclusion: Inclusion, view: View, keyword: str, branches: Sequence[Schema], at: At) -> Iterator[Gap]:
    """Judge one case of the writer against the branches that could take it."""
    others, null = branches_of({keyword: branches}, keyword)
    if keyword == "oneOf" and not (null and len(others) == 1):
        inclusion = inclusion.strict
    takers = [branch for branch in branches if not disjoint(inclusion, view, branch)]
    found = [inclusion.place(view, (branch,), at) for branch in takers]
    if any(not gaps for gaps in found) and (keyword == "anyOf" or len(takers) == 1):
        return
    if len(takers) == 1:
        yield from found[0]
    else:
        yield Gap(keyword, at, (), view, ({keyword: list(branches)},), None, branches, certain=not takers)


def _tagged(
    inclusion: Inclusion, view: View, tagged: tuple[str, dict[str, Schema]], piece: Part, at: At
) -> Iterator[Gap] | None:
    """Judge a case by its tag, as readers do; None where the writer has no one text there."""
    name, branches = tagged
    nodes = objects.writes(inclusion.writer, view, name)
    always = any(name in part.get("required", ()) for part in view.parts)
    values = inclusion.values(inclusion.writer.view(nodes)) if nodes and always else None
    if inclusion.writer.types(view) != {"object"} or not values or len(values) != 1:
        return None
    if values[0] in branches:
        return iter(inclusion.place(view, (branches[values[0]],), at))
    return iter([Gap("branch", at, (name, values[0]), view, (piece,))])


def _by_type(side: Side, view: View) -> list[Case]:
    """Return a case for each type that the view allows, where it allows several."""
    types = side.types(view)
    names = sorted(types - {"fraction", "integer"} | ({"number"} if "fraction" in types else types & {"integer"}))
    return [((), view.with_part({"type": [name]})) for name in names] if len(names) > 1 else []


def _without(view: View, index: int, *keywords: str) -> View:
    parts = list(view.parts)
    parts[index] = {key: value for key, value in parts[index].items() if key not in keywords}
    return replace(view, parts=tuple(part for part in parts if part))


def _joined(side: Side, view: View, nodes: Sequence[Schema], shape: Shape | None = None) -> View:
    """Return the view with more schemas that hold."""
    added = side.view(nodes)
    return added if added.never else side.view((*view.parts, *added.parts), view.shape if shape is None else shape)


def _live(side: Side, found: list[Case]) -> list[Case]:
    """Leave out the cases that no value belongs to."""
    return [(label, case) for label, case in found if not case.never and side.types(case)]
