"""What duplicates change on the jobs that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bridge.jobs import Job
from bridge.jobs.replace import parse_replace

if TYPE_CHECKING:
    from bridge.engine.inserts import Row

#: Columns and their JSON, by the state in which the stored job must be.
Changes = dict[str, dict[str, Any]]


def changes_of(job: Job[Any], row: Row) -> Changes:
    """Return what a new job changes on a stored one that it is the same as.

    A column that has Oban's default, so that the new job says nothing of it, stays as it is stored (Oban 2.23).

    Raises:
        InvalidJob: A `replace` that was set to what none can be.
    """
    replace = parse_replace(job.replace)
    if replace is None:
        return {}
    said = _said(job, row)
    return {state: {name: said[name] for name in columns if name in said} for state, columns in replace.items()}


def changes_json(changes: Changes) -> str:
    """Return changes as the text that `replace_jobs.sql` takes."""
    return msgspec.json.encode(changes).decode()


def merge(earlier: Changes, later: Changes) -> Changes:
    """Return the changes of two duplicates of one job; the later ones win."""
    return {state: {**earlier.get(state, {}), **later.get(state, {})} for state in {**earlier, **later}}


def _said(job: Job[Any], row: Row) -> dict[str, Any]:
    _, queue, worker, args, meta, tags, max_attempts, priority, scheduled_at = row
    said: dict[str, Any] = {"worker": worker, "args": msgspec.Raw(args.encode())}
    if job.meta:
        said["meta"] = msgspec.Raw(meta.encode())
    if queue != "default":
        said["queue"] = queue
    if tags:
        said["tags"] = tags
    if max_attempts != 20:
        said["max_attempts"] = max_attempts
    if priority:
        said["priority"] = priority
    if scheduled_at is not None:
        said["scheduled_at"] = scheduled_at.isoformat()
    return said
