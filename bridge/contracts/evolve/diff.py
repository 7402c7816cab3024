"""What changed between two versions of a contract, or of a folder of contracts, and whom it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bridge.contracts.evolve.change import Change, Counterexample, Verdict
from bridge.contracts.evolve.counterexample import find_counterexample
from bridge.contracts.evolve.declared import Found, declared
from bridge.contracts.evolve.gaps import Gap
from bridge.contracts.evolve.inclusion import Inclusion
from bridge.contracts.evolve.jobs import job_changes
from bridge.contracts.evolve.naming import Named, name_gap
from bridge.contracts.evolve.rules import CATEGORIES, Category, rule_of
from bridge.contracts.evolve.side import Side, canonical
from bridge.contracts.model import Model, Schema

Direction = Literal["ROWS", "ROLLING"]

#: Places of one reason where a row is looked for.
_PLACES = 4

_DIRECTIONS: tuple[Direction, ...] = ("ROWS", "ROLLING")


def compare(old: Model, new: Model) -> list[Change]:
    """Return what changed from one version of a contract to another, what breaks first.

    For args, results and the data of errors, ROWS asks whether new code reads what old code has written, and ROLLING
    whether old code reads what new code writes. Events rest nowhere: for them both questions are about ROLLING.
    """
    found = [_of_rule(change) for change in job_changes(old, new)]
    for prefix, path, before, after in _schemas(old, new):
        found += compare_schemas(before, after, prefix=prefix, path=path)
    against = old.tag if old.job else old.name
    return sorted((replace(change, contract=new.name, against=against) for change in found), key=lambda it: it.rank)


def compare_all(old: Iterable[Model], new: Iterable[Model]) -> list[Change]:
    """Return what changed from one folder of contracts to another."""
    before, after = {model.name: model for model in old}, {model.name: model for model in new}
    found: list[Change] = []
    paired = set()
    for name, model in before.items():
        other = after.get(name) or _renamed(model, [after[key] for key in after if key not in before])
        if other is None:
            found.append(removed(model))
        else:
            paired.add(other.name)
            if model.job or other.job:
                found += compare(model, other)
    for name, model in after.items():
        if name not in paired and model.job:
            added = Found("CONTRACT_ADDED", (), f"the contract {name} is new")
            found.append(replace(_of_rule(added), contract=name))
    return sorted(found, key=lambda change: change.rank)


def compare_schemas(old: Schema, new: Schema, *, prefix: str = "", path: tuple[str, ...] = ()) -> list[Change]:
    """Return what changed between two normalised schemas; `prefix` goes before the rules, `path` before the places."""
    drafts: dict[tuple[str, str], _Draft] = {}
    for change in declared(old, new):
        _add(drafts, prefix, path, change).declared = True
    for direction in _DIRECTIONS:
        writer, reader = (Side(old, "write"), Side(new, "read")) if direction == "ROWS" else (
            Side(new, "write"),
            Side(old, "read"),
        )  # fmt: skip
        for gaps, named in _named(Inclusion(writer, reader).gaps(), direction, writer, reader):
            draft = _add(drafts, prefix, path, named)
            draft.judge(gaps, direction, writer, reader, prefix)
    return [draft.change() for draft in _merged(drafts)]


def removed(model: Model) -> Change:
    """Return the change of a file that is gone."""
    rule = "CONTRACT_REMOVED_LIVE" if model.job else "SHARED_REMOVED"
    change = _of_rule(Found(rule, (), f"{model.path.name or model.name} is gone"))
    return replace(change, contract=model.name, against=model.tag if model.job else model.name)


def edited(old: Model, new: Model) -> Change:
    """Return the change of a released version that has another content."""
    told = f"version {old.job.version if old.job else 1} is released, and its content is another one"
    change = _of_rule(Found("RELEASED_EDITED", ("x-job", "version"), told))
    return replace(change, contract=new.name, against=old.tag)


def dropped(model: Model) -> Change:
    """Return the change of a released version that the lock has no more, and that nobody retired."""
    told = f"version {model.job.version if model.job else 1} is released, and the lock lost it"
    return replace(_of_rule(Found("RELEASED_DROPPED", (), told)), contract=model.name, against=model.tag)


def reused(model: Model) -> Change:
    """Return the change of a contract whose version was retired."""
    told = f"version {model.job.version if model.job else 1} was retired, and its number is used again"
    return replace(
        _of_rule(Found("RELEASED_EDITED", ("x-job", "version"), told)), contract=model.name, against=model.tag
    )


def _renamed(model: Model, others: Sequence[Model]) -> Model | None:
    """Return the contract that goes on for one whose name is gone: it has the same worker."""
    if model.job is None:
        return next((other for other in others if other.job is None and other.schema == model.schema), None)
    worker = model.job.worker
    return next((other for other in others if other.job and worker in (other.job.worker, *other.job.aliases)), None)


def _schemas(old: Model, new: Model) -> Iterator[tuple[str, tuple[str, ...], Schema, Schema]]:
    """Yield each schema that both versions have, with its place."""
    yield "", (), old.schema, new.schema
    if old.result is not None and new.result is not None:
        yield "RESULT_", ("x-job", "result"), old.result, new.result
    for code in sorted(old.errors.keys() & new.errors.keys()):
        before, after = old.errors[code].data, new.errors[code].data
        if before is not None and after is not None:
            yield "ERROR_", ("x-job", "errors", code, "data"), before, after
    for name in sorted(old.events.keys() & new.events.keys()):
        yield "EVENT_", ("x-job", "events", name), old.events[name], new.events[name]


@dataclass
class _Draft:
    """A change while its evidence is gathered."""

    rule: str
    path: str
    told: Found | Named
    declared: bool = False
    verdicts: dict[Category, Verdict] = field(default_factory=dict)
    examples: list[Counterexample] = field(default_factory=list)

    def judge(self, gaps: Sequence[Gap], direction: Direction, writer: Side, reader: Side, prefix: str) -> None:
        """Look for a row that shows one of the gaps, and give the verdict about a direction."""
        category: Direction = "ROLLING" if prefix == "EVENT_" else direction
        example = next(
            (
                found
                for gap in sorted(gaps, key=lambda gap: len(gap.at.chain))[:_PLACES]
                if (found := find_counterexample(gap, direction, writer, reader)) is not None
            ),
            None,
        )
        if example is not None:
            self.examples.append(replace(example, category=category))
        if example is not None or (self.told.rule != "SCHEMA_CHANGED" and any(gap.certain for gap in gaps)):
            self.verdicts[category] = "fail"
        else:
            self.verdicts.setdefault(category, "unproven")

    def absorb(self, other: _Draft | None) -> None:
        """Take over what another draft found about the same field."""
        if other is not None:
            self.verdicts |= other.verdicts
            self.examples += other.examples

    def change(self) -> Change:
        """Return the finished change."""
        verdicts = dict(_by_rule(self.rule)) if self.declared or "fail" in self.verdicts.values() else {}
        if not self.declared:
            verdicts = {key: verdict for key, verdict in verdicts.items() if key not in _DIRECTIONS}
        verdicts |= {key: verdict for key, verdict in self.verdicts.items() if verdicts.get(key) != "fail"}
        if self.rule.startswith("EVENT_") and "ROWS" in verdicts:
            verdicts["ROLLING"] = verdicts.pop("ROWS")
        told = self.told
        verdicts = {key: verdicts[key] for key in CATEGORIES if key in verdicts}
        return Change(
            self.rule, self.path, verdicts, told.message, told.old, told.new, counterexamples=tuple(self.examples)
        )


def _add(drafts: dict[tuple[str, str], _Draft], prefix: str, path: tuple[str, ...], told: Found | Named) -> _Draft:
    place = pointer((*path, *told.path))
    return drafts.setdefault((told.rule, place), _Draft(prefix + told.rule, place, told))


def _merged(drafts: dict[tuple[str, str], _Draft]) -> list[_Draft]:
    """Take together what is said twice about one field."""
    for (rule, place), draft in list(drafts.items()):
        if rule == "FIELD_RENAMED":
            before = place[: place.rindex("/") + 1] + pointer([draft.told.old])[1:]
            draft.absorb(drafts.pop(("FIELD_REQUIRED_ADDED", place), None))
            draft.absorb(drafts.pop(("FIELD_REQUIRED_REMOVED", before), None))
        elif rule in ("FIELD_REMOVED_CLOSED", "FIELD_ADDED_CLOSED"):
            drafts.pop((rule.removesuffix("_CLOSED"), place), None)
    return list(drafts.values())


def _named(gaps: Iterable[Gap], direction: Direction, writer: Side, reader: Side) -> Iterator[tuple[list[Gap], Named]]:
    """Name the gaps, and take those together that stand in several places for one reason."""
    groups: dict[str, tuple[list[Gap], list[Named]]] = {}
    for gap in gaps:
        named = name_gap(gap, direction, writer, reader)
        reason = canonical([named.rule, gap.view.key, list(gap.reads), gap.keyword, list(gap.detail), named.path[-1:]])
        together = groups.setdefault(reason, ([], []))
        together[0].append(gap)
        together[1].append(named)
    for found, names in groups.values():
        nearest = min(names, key=lambda named: (len(named.path), named.path))
        others = sorted({pointer(named.path) for named in names} - {pointer(nearest.path)})
        also = f" (also at {', '.join(others[:5])}{', …' if len(others) > 5 else ''})" if others else ""
        yield found, replace(nearest, message=nearest.message + also)


def pointer(tokens: Iterable[str]) -> str:
    """Return the JSON Pointer of some tokens."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


def _of_rule(found: Found) -> Change:
    return Change(
        found.rule, pointer(found.path), dict(_by_rule(found.rule)), found.message, found.old, found.new
    )  # fmt: skip


def _by_rule(name: str) -> Iterator[tuple[Category, Verdict]]:
    """Yield the verdicts that a rule gives by itself."""
    breaks = rule_of(name).breaks
    for category in (category for category in CATEGORIES if category in breaks):
        yield category, "note" if category == "NOTE" else "fail"
