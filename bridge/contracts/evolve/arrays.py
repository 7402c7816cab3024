"""Whether a reader accepts the items of a writer's arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bridge.contracts.evolve.bounds import most_items
from bridge.contracts.evolve.gaps import At, Gap, Step

if TYPE_CHECKING:
    from bridge.contracts.evolve.inclusion import Inclusion
    from bridge.contracts.evolve.side import Nodes, Part, View


def items(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Judge `prefixItems` and `items` place by place, then all places after the named ones together."""
    named = max(len(part.get("prefixItems", ())) for part in (*view.parts, piece))
    most = most_items(view)
    for index in range(named + 1):
        if index >= most:
            return
        read = _at_index(piece, index)
        tokens = ("prefixItems", str(index)) if index < len(piece.get("prefixItems", ())) else ("items",)
        if read:
            nodes = (node for part in view.parts for node in _at_index(part, index))
            written = inclusion.writer.view(nodes, inclusion.writer.shape_inside(view.shape, index))
            yield from inclusion.place(written, read, at.inside(view, Step("item", index), *tokens))


def _at_index(part: Part, index: int) -> Nodes:
    prefix = part.get("prefixItems", ())
    if index < len(prefix):
        return (prefix[index],)
    return (part["items"],) if "items" in part else ()


def contains(inclusion: Inclusion, view: View, piece: Part, at: At) -> Iterator[Gap]:
    """Accept an equal `contains`, or one that asks for nothing; anything else stays unproven."""
    if "contains" not in piece or (piece.get("minContains") == 0 and "maxContains" not in piece):
        return
    if not inclusion.keeps(view, piece):
        yield Gap("contains", at, (), view, (piece,), None, piece["contains"], certain=False)
