"""What a reader refuses of what a writer may send: places, and what is wrong there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from bridge.contracts.evolve.side import Nodes, View


class Step(NamedTuple):
    """One step into a value: a named property, one of any other name, or an item of an array.

    `read` is what the reader calls the property, where the writer's name is a former one.
    """

    kind: Literal["property", "extra", "item"]
    key: str | int
    read: str | None = None


@dataclass(frozen=True)
class At:
    """Where a comparison stands.

    Attributes:
        place: The JSON Pointer tokens of the schema there; a union's branch goes by its tag.
        chain: The writer's views on the way, each with the step taken from it.
    """

    place: tuple[str, ...] = ()
    chain: tuple[tuple[View, Step], ...] = ()

    def inside(self, view: View, step: Step, *tokens: str) -> At:
        """Return the place that a step leads to."""
        return At((*self.place, *tokens), (*self.chain, (view, step)))

    def moved(self, start: At, to: At) -> At:
        """Return the same place seen from another start: equal schemas stand in several places."""
        return At((*to.place, *self.place[len(start.place) :]), (*to.chain, *self.chain[len(start.chain) :]))

    def below(self, *tokens: str) -> At:
        """Return another schema for the same value."""
        return replace(self, place=(*self.place, *tokens))


@dataclass(frozen=True)
class Gap:
    """A keyword of the reader's that the writer does not keep to.

    Attributes:
        keyword: The keyword; `branch` for a member of a union that the reader lacks.
        at: Where.
        detail: The field, the types, the values or the tags that are too many or too few.
        view: What the writer may send there.
        reads: What the reader accepts there.
        writer: The writer's keyword of the same name, where it has one.
        reader: The reader's keyword.
        declared: For a missing field: the writer knows it, and may leave it out.
        values: Values that the writer may send there and the reader refuses, where they are known.
        certain: False where it could not be shown that the reader accepts all, nor that it doesn't.
    """

    keyword: str
    at: At
    detail: tuple[Any, ...]
    view: View
    reads: Nodes
    writer: Any = None
    reader: Any = None
    declared: bool = False
    values: tuple[Any, ...] = ()
    certain: bool = True


def keyword_of(view: View, keyword: str) -> Any:
    """Return a keyword's value in the first of the view's parts that has it."""
    found: Mapping[str, Any] = next((part for part in view.parts if keyword in part), {})
    return found.get(keyword)
