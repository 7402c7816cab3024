"""The row that shows what a change breaks: one version's writer sends it, the other version's reader refuses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from bridge.contracts.evolve.bounds import CONCERNS
from bridge.contracts.evolve.candidates import candidates, samples, size_key, undeclared_names
from bridge.contracts.evolve.change import Counterexample
from bridge.contracts.evolve.gaps import Gap, Step
from bridge.contracts.evolve.shrink import shrink
from bridge.contracts.evolve.side import Side, View
from bridge.errors import Violation

_CONTAINERS = 3
_BUILT = 24
_SEARCHED = 60

#: Gaps whose violation has the keyword's name, unless a union swallows it.
_OWN = frozenset({"type", "required", "additionalProperties", "dependentRequired", *CONCERNS})

#: Rules whose violation stands at a value while the reason may lie deeper.
_ENCLOSING = frozenset({"anyOf", "oneOf", "not", "contains", "minContains", "maxContains"})


def find_counterexample(
    gap: Gap, category: Literal["ROWS", "ROLLING"], writer: Side, reader: Side
) -> Counterexample | None:
    """Return the smallest row found that shows a gap, or None where none was found.

    Args:
        gap: What the reader may refuse.
        category: Which version writes: in ROWS the older, in ROLLING the newer one.
        writer: The writing version; its checker in write mode has accepted the row.
        reader: The reading version; its checker in read mode has refused it at the gap's place.
    """
    for row, path in _rows(gap, writer, reader):
        if not writer.violations(row) and (found := _relevant(reader.violations(row), path, gap)):
            kept = _essence(found)
            small = shrink(row, lambda value, kept=kept: _shows(value, kept, writer, reader))  # type: ignore[misc] # the default binds the loop's
            # The row may break other rules as well; the one that it was made for is told first.
            told = sorted(reader.violations(small), key=lambda found, kept=kept: _essence([found]) != kept)  # type: ignore[misc] # as above
            return Counterexample(category, small, tuple(told))
    return None


def _shows(value: Any, kept: tuple[str, str], writer: Side, reader: Side) -> bool:
    return not writer.violations(value) and any(_essence([found]) == kept for found in reader.violations(value))


def _relevant(violations: Sequence[Violation], path: tuple[str, ...], gap: Gap) -> list[Violation]:
    """Return the violations at a place, below it, or around it in a union; the nearest first."""
    found = []
    for violation in violations:
        tokens = tuple(violation.path.split("/")[1:])
        common = min(len(tokens), len(path))
        same = all(ours in ("*", theirs) for ours, theirs in zip(path, tokens[:common], strict=False))
        if same and (len(tokens) >= len(path) or violation.rule in _ENCLOSING):
            found.append(violation)
    if gap.certain and gap.keyword in _OWN:
        # A list of values is a rule about types, too.
        listed = ("enum", "const") if gap.keyword == "type" else ()
        found = [violation for violation in found if violation.rule in (gap.keyword, *listed, *_ENCLOSING)]
    return sorted(found, key=lambda it: (it.rule != gap.keyword, abs(it.path.count("/") - len(path))))


def _essence(violations: Sequence[Violation]) -> tuple[str, str]:
    """Return the first violation's rule and place, items of arrays being alike."""
    first = violations[0]
    return first.rule, "/".join("*" if token.isdigit() else token for token in first.path.split("/"))


def _rows(gap: Gap, writer: Side, reader: Side) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield rows that may show the gap, each with the place of the trouble: built from the place outwards, then any."""
    budget = iter(range(_BUILT + len(gap.at.chain)))
    for value in candidates(gap, writer, reader):
        yield from _wrapped(value, (), gap.at.chain, writer, budget)
    general = tuple("*" if step.kind != "property" else _token(step.read or step.key) for _, step in gap.at.chain)
    for size in (1, 4):
        for row in samples(writer, [writer.root], _SEARCHED, size):
            yield row, general


def _wrapped(
    value: Any, path: tuple[str, ...], chain: Sequence[tuple[View, Step]], writer: Side, budget: Iterator[int]
) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield the value inside of ever larger containers, up to the root, as long as the budget of containers lasts."""
    if not chain:
        yield value, path
        return
    if next(budget, None) is None:
        return
    view, step = chain[-1]
    for container, token in _containers(view, step, value, writer):
        yield from _wrapped(container, (token, *path), chain[:-1], writer, budget)


def _containers(view: View, step: Step, value: Any, writer: Side) -> list[tuple[Any, str]]:
    """Return a few small objects or arrays of a view that hold the value in the step's place."""
    found: dict[str, tuple[Any, str]] = {}
    keys = undeclared_names(view, str(step.key)) if step.kind == "extra" else [step.key]
    for blank in _blanks(view, step, writer):
        if len(found) >= _CONTAINERS:
            break
        for key in keys:
            filled = _filled(blank, key, value)
            if filled is not None and writer.may_write(view, filled):
                found.setdefault(size_key(filled), (filled, _token(step.read or key)))
    return [found[key] for key in sorted(found, key=lambda text: (len(text), text))[:_CONTAINERS]]


def _blanks(view: View, step: Step, writer: Side) -> Iterator[Any]:
    if step.kind == "item":
        yield []
        yield from samples(writer, [*view.parts, {"type": "array", "minItems": int(step.key) + 1}])
        yield from samples(writer, [*view.parts, {"type": "array"}], 3)
    else:
        yield {}
        wanted = {"required": [step.key]} if step.kind == "property" else {}
        yield from samples(writer, [*view.parts, {"type": "object", **wanted}])
        yield from samples(writer, [*view.parts, {"type": "object"}], 3)


def _filled(blank: Any, key: str | int, value: Any) -> Any:
    """Return a copy of a container with the value in it; None where it doesn't fit."""
    if isinstance(key, int):
        if not isinstance(blank, list) or len(blank) < key:
            return None
        return [*blank[:key], value, *blank[key + 1 :]]
    return {**blank, key: value} if isinstance(blank, dict) else None


def _token(key: str | int) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
