"""Changes of `x-job`: who runs a job, how it is inserted, and which errors and events it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.contracts.evolve.declared import Found
from bridge.contracts.model import JobOptions, Model

_OPTIONS = ("max_attempts", "priority", "tags", "timeout")


def job_changes(old: Model, new: Model) -> Iterator[Found]:
    """Yield the changes between two contracts outside their schemas."""
    if old.name != new.name or old.module != new.module:
        was, now = f"{old.module}.{old.name}", f"{new.module}.{new.name}"
        yield Found("CONTRACT_RENAMED", (), f"the class {was} is {now} now", was, now)
    if old.job is None or new.job is None:
        if old.job is not None:
            yield Found("CONTRACT_REMOVED_LIVE", (), "the file has no x-job any more")
        return
    yield from _identity(old.job, new.job)
    yield from _options(old.job, new.job)
    yield from _result(old, new)
    yield from _errors(old, new)
    yield from _events(old, new)


def _identity(old: JobOptions, new: JobOptions) -> Iterator[Found]:
    if old.worker != new.worker:
        rule = "WORKER_ALIASED" if old.worker in new.aliases else "WORKER_RENAMED"
        yield Found(rule, ("x-job", "worker"), f"{old.worker} is {new.worker} now", old.worker, new.worker)
    for alias in old.aliases:
        if alias not in new.aliases and alias != new.worker:
            yield Found("ALIAS_REMOVED", ("x-job", "aliases"), f"{alias} is unknown now", alias, None)
    for name in ("serves", "queue"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            told = f"{'language' if name == 'serves' else 'queue'} {before!r} before, {after!r} now"
            yield Found("OWNER_CHANGED", ("x-job", name), told, before, after)
    before, after = _comparable(old.unique), _comparable(new.unique)
    if before != after:
        told = f"unique was {before or 'off'}, is {after or 'off'}"
        yield Found("UNIQUE_CHANGED", ("x-job", "unique"), told, old.unique, new.unique)
    if new.version < old.version:
        told = f"version {old.version} before, {new.version} now"
        yield Found("VERSION_LOWERED", ("x-job", "version"), told, old.version, new.version)


def _comparable(unique: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return `unique` with its lists as sets are compared."""
    if unique is None:
        return None
    return {name: sorted(value) if isinstance(value, list | tuple) else value for name, value in sorted(unique.items())}


def _options(old: JobOptions, new: JobOptions) -> Iterator[Found]:
    for name in _OPTIONS:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Found("OPTIONS_CHANGED", ("x-job", name), f"{name} was {before}, is {after}", before, after)


def _result(old: Model, new: Model) -> Iterator[Found]:
    if (old.result is None) != (new.result is None):
        rule = "RESULT_ADDED" if old.result is None else "RESULT_REMOVED"
        yield Found(
            rule, ("x-job", "result"), "the result is described now" if new.result else "nothing says what it is"
        )


def _errors(old: Model, new: Model) -> Iterator[Found]:
    for code in sorted(old.errors.keys() | new.errors.keys()):
        at = ("x-job", "errors", code)
        before, after = old.errors.get(code), new.errors.get(code)
        if before is None:
            yield Found("ERROR_CODE_ADDED", at, f"the error {code!r} is new", None, code)
        elif after is None:
            yield Found("ERROR_CODE_REMOVED", at, f"the error {code!r} is gone", code, None)
        elif before.retry != after.retry:
            told = f"{code!r} was answered by {before.retry}, is by {after.retry}"
            yield Found("ERROR_CHANGED", (*at, "retry"), told, before.retry, after.retry)
        elif (before.data is None) != (after.data is None):
            told = f"{code!r} {'has no data any more' if after.data is None else 'has data now'}"
            yield Found("ERROR_CHANGED", (*at, "data"), told)


def _events(old: Model, new: Model) -> Iterator[Found]:
    for name in sorted(old.events.keys() ^ new.events.keys()):
        rule, told = ("EVENT_REMOVED", "gone") if name in old.events else ("EVENT_ADDED", "new")
        yield Found(rule, ("x-job", "events", name), f"the event {name!r} is {told}")
