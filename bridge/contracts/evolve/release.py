"""Checks of a contracts folder against what was released, and the release of new versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.contracts.evolve.change import Change, Verdict
from bridge.contracts.evolve.diff import compare, compare_all, dropped, edited, removed, reused
from bridge.contracts.evolve.lock import Lock, contracts_of
from bridge.contracts.evolve.record import digest, document_of, same_content, version_of
from bridge.contracts.evolve.rules import Category
from bridge.contracts.model import Model

Live = Mapping[str, Collection[int]]
"""The versions of each contract that rows still have, by its name."""


@dataclass(frozen=True)
class Release:
    """A release before it is written.

    Attributes:
        lock: The lock with the new versions in it.
        added: The tags of the new versions.
        changes: What changed against the versions that were there.
    """

    lock: Lock
    added: Sequence[str]
    changes: Sequence[Change]


def check_lock(models: Iterable[Model], lock: Lock, live: Live | None = None) -> list[Change]:
    """Return what changed against every released version, and releases that were edited.

    A contract must keep to all of its released versions, not to the last alone: rows of each may be there. `live`
    narrows them to versions that rows have; a contract that it doesn't name has no rows.
    """
    current = {model.name: model for model in contracts_of(models)}
    found: list[Change] = []
    for name in sorted(lock.contracts):
        versions = lock.released(name)
        wanted = [model for version, model in versions.items() if live is None or version in live.get(name, ())]
        found += _check(wanted, current.get(name), current.values())
        same = versions.get(version_of(current[name])) if name in current else None
        if same is not None and not same_content(same, current[name]):
            found.append(edited(same, current[name]))
    found += [reused(model) for model in current.values() if lock.is_retired(model.name, version_of(model))]
    return _together(found)


def compare_locks(old: Lock, new: Lock) -> list[Change]:
    """Return what a lock lost of an older one: versions that are gone and not retired, or have another content."""
    found: list[Change] = []
    for model in old:
        version = version_of(model)
        now = new.released(model.name).get(version)
        if now is None and not new.is_retired(model.name, version):
            found.append(dropped(model))
        elif now is not None and digest(document_of(now)) != digest(document_of(model)):
            found.append(edited(model, now))
    return found


def release(models: Iterable[Model], lock: Lock) -> Release:
    """Return the release of every contract whose version is not in the lock yet."""
    contracts = contracts_of(models)
    added = [model for model in contracts if version_of(model) not in lock.released(model.name)]
    after = lock
    for model in added:
        after = after.with_model(model)
    return Release(after, [model.tag for model in added], check_lock(contracts, lock))


def _check(versions: Sequence[Model], current: Model | None, others: Iterable[Model]) -> list[Change]:
    if not versions:
        return []
    if current is not None:
        return [change for model in versions for change in compare(model, current)]
    others = list(others)
    found = [change for model in versions for change in compare_all([model], others) if change.rule != "CONTRACT_ADDED"]
    return found or [removed(versions[-1])]


def _together(changes: Iterable[Change]) -> list[Change]:
    """Tell a change once that several released versions show."""
    found: dict[tuple[str, str, str, str], Change] = {}
    for change in changes:
        key = (change.contract, change.rule, change.path, change.message)
        other = found.get(key)
        if other is None:
            found[key] = change
        else:
            found[key] = replace(
                other,
                against=f"{other.against}, {change.against}",
                verdicts={**other.verdicts, **change.verdicts, **_failing(other), **_failing(change)},
                counterexamples=other.counterexamples or change.counterexamples,
            )
    return sorted(found.values(), key=lambda change: change.rank)


def _failing(change: Change) -> Mapping[Category, Verdict]:
    return {category: verdict for category, verdict in change.verdicts.items() if verdict == "fail"}
