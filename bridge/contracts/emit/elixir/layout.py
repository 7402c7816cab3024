"""Lays nested literals out over lines exactly as Elixir's formatter does, so that what is written is formatted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.contracts.emit.elixir.text import WIDTH

_STEP: Final = 2


@dataclass(frozen=True)
class Pair:
    """An entry of a map, a struct or a keyword list; `label` ends in its sign: `"id" =>` or `id:`."""

    label: str
    value: Doc

    @property
    def flat(self) -> str:
        """The text on one line."""
        return f"{self.label} {flat(self.value)}"


@dataclass(frozen=True)
class Group:
    """A list, map or struct: all on one line, or a line for each item; `broken` asks for the latter in any case."""

    opening: str
    items: Sequence[Doc]
    closing: str
    broken: bool = False

    @property
    def flat(self) -> str:
        """The text on one line."""
        return f"{self.opening}{', '.join(map(flat, self.items))}{self.closing}"


@dataclass(frozen=True)
class Tuple:
    """A tuple: as many items on a line as it holds."""

    items: Sequence[Doc]

    @property
    def flat(self) -> str:
        """The text on one line."""
        return f"{{{', '.join(map(flat, self.items))}}}"


@dataclass(frozen=True)
class Choice:
    """A union of types."""

    items: Sequence[Doc]

    @property
    def flat(self) -> str:
        """The text on one line."""
        return " | ".join(map(flat, self.items))


Doc = str | Pair | Group | Tuple | Choice


def items(docs: Iterable[Doc], *, broken: bool = False) -> Group:
    """Return a list."""
    return Group("[", list(docs), "]", broken)


def mapping(pairs: Iterable[Pair], *, broken: bool = False) -> Group:
    """Return a map."""
    return Group("%{", list(pairs), "}", broken)


def render(doc: Doc, indent: int, *, column: int, comma: bool = False, tail: int = 0) -> str:
    """Return the text of a document.

    Args:
        doc: The document.
        indent: The column that its following lines are measured from.
        column: The column that it begins at.
        comma: Whether a comma follows, which must fit on its last line.
        tail: How many characters follow before a line may end, brackets of what is around it among them; only the
            items of a tuple ask for them.
    """
    line = flat(doc)
    if isinstance(doc, str) or (column + len(line) + comma <= WIDTH and not _is_broken(doc)):
        return line
    if isinstance(doc, Pair):
        return _render_pair(doc, indent, column, comma)
    if isinstance(doc, Choice):
        first, *others = doc.items
        rest = [render(item, column + _STEP, column=column + _STEP) for item in others]
        return f"\n{' ' * column}| ".join([render(first, column, column=column), *rest])
    return _render_group(doc, indent) if isinstance(doc, Group) else _render_tuple(doc, column, tail)


def annotation(head: str, doc: Doc, indent: int = _STEP) -> str:
    """Return a `@type` or `@spec`; `head` ends in `::`."""
    column = indent + len(head) + 1
    if isinstance(doc, Group) or column + len(flat(doc)) <= WIDTH:
        return f"{' ' * indent}{head} {render(doc, indent + 6, column=column)}"
    below = indent + 8
    return f"{' ' * indent}{head}\n{' ' * below}{render(doc, below, column=below)}"


def flat(doc: Doc) -> str:
    """Return the text on one line."""
    return doc if isinstance(doc, str) else doc.flat


def _is_broken(doc: Doc) -> bool:
    if isinstance(doc, str):
        return False
    if isinstance(doc, Pair):
        return _is_broken(doc.value)
    return (isinstance(doc, Group) and doc.broken) or any(map(_is_broken, doc.items))


def _render_group(doc: Group, indent: int) -> str:
    inner = indent + _STEP
    last = len(doc.items) - 1
    lines = [
        " " * inner + render(item, inner, column=inner, comma=at < last, tail=at < last) + ("," if at < last else "")
        for at, item in enumerate(doc.items)
    ]
    return "\n".join([doc.opening, *lines, " " * indent + doc.closing])


def _render_pair(doc: Pair, indent: int, column: int, comma: bool) -> str:
    start = column + len(doc.label) + 1
    if isinstance(doc.value, Group) and start + len(doc.value.opening) <= WIDTH:
        return f"{doc.label} {render(doc.value, indent, column=start, comma=comma)}"
    below = indent + _STEP
    return f"{doc.label}\n{' ' * below}{render(doc.value, below, column=below, comma=comma, tail=comma)}"


def _render_tuple(doc: Tuple, column: int, tail: int) -> str:
    inner = column + 1
    text, at = "{", inner
    last = len(doc.items) - 1
    for place, item in enumerate(doc.items):
        behind = 1 if place < last else tail + 1
        if place and (at + 1 + len(flat(item)) + behind > WIDTH or _is_broken(item)):
            text, at = f"{text}\n{' ' * inner}", inner
        elif place:
            text, at = f"{text} ", at + 1
        rendered = render(item, inner, column=at, comma=place < last, tail=behind)
        text += rendered + ("," if place < last else "}")
        first, *rest = rendered.split("\n")
        at = (len(rest[-1]) if rest else at + len(first)) + 1
    return text
