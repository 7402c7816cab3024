"""New jobs, one or any number, checked and encoded before the database sees them."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from bridge.codecs import json
from bridge.engine.carriers import meta_json
from bridge.engine.clock import naive
from bridge.errors import InvalidJob, ValidationError
from bridge.jobs import Job, JobState, checks
from bridge.jobs.unique import RULE, parse_unique

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog

#: Rows in one statement.
CHUNK = 2_500

A = TypeVar("A")
Row = tuple[str, str, str, str, str, list[str], int, int, datetime | None]


def insert_row(job: Job[Any], catalog: Catalog) -> Row:
    """Return a job's values in the order of `insert_job.sql`, checked again: attributes can be set.

    Raises:
        InvalidJob: A value that this table can't take.
        EncodeError: Args or meta that jsonb or the BEAM can't hold.
    """
    if not isinstance(job, Job):
        raise InvalidJob("job", job, "a Job", "build one with Job(…) or Worker.new(…)")
    state = _state(job, catalog)
    tags, max_attempts, priority = checks.tags(job.tags), checks.max_attempts(job.max_attempts), job.priority
    check_limits(catalog, priority=checks.priority(priority), max_attempts=max_attempts, tags=tags)
    return (
        state,
        checks.name("queue", job.queue),
        checks.name("worker", job.worker),
        job.args_json(),
        _meta(job, catalog),
        tags,
        max_attempts,
        priority,
        _scheduled_at(job, state),
    )


def insert_rows(jobs: Iterable[Job[Any]], catalog: Catalog, first: int = 0) -> list[Row]:
    """Return the values of many jobs; `first` is the place of the first of them among all that were given.

    Raises:
        InvalidJob, ContractError, EncodeError: As `insert_row` does, and the message says which job it is.
    """
    rows = []
    for place, job in enumerate(jobs, first):
        try:
            rows.append(insert_row(job, catalog))
        except ValidationError as error:
            error.mend = "; ".join(filter(None, (error.mend, f"this is jobs[{place}]")))
            error.args = (*error.args[:-1], error.mend)
            raise
    return rows


def _meta(job: Job[Any], catalog: Catalog) -> str:
    unique = parse_unique(job.unique)
    if unique is None:
        return meta_json(job)
    # What tracing adds differs each time, so jobs that are compared by all of meta go without.
    text = job.meta_json() if "meta" in unique.fields and not unique.keys else meta_json(job)
    if not unique.index:
        return text
    if not catalog.has_unique_index:
        mend = "run bridge install --unique-index, and restart this node"
        raise InvalidJob("unique.index", True, "a database with Bridge's unique index", mend)
    rule = json.encode({RULE: unique.rule}, "meta")
    merged = rule if text == "{}" else f"{text[:-1]},{rule[1:]}"
    json.check_length(merged, "meta")
    return merged


def _state(job: Job[Any], catalog: Catalog) -> str:
    if job.attempt:
        raise InvalidJob("job", job, "a new job", "insert job.again(), a new one like it")
    state = checks.insert_state(job.state)
    if state not in catalog.states:
        raise InvalidJob("state", str(state), "a state that this database has", "run bridge upgrade")
    return state.value


def _scheduled_at(job: Job[Any], state: str) -> datetime | None:
    # An available job has its time from the database, also where the object was inserted before.
    if state == JobState.AVAILABLE or job.scheduled_at is None:
        return None
    return naive(checks.moment("scheduled_at", job.scheduled_at))


def check_limits(catalog: Catalog, *, priority: int, max_attempts: int, tags: Iterable[str]) -> None:
    """Refuse what tables of an older version, or Oban for Python's, can't hold.

    Raises:
        InvalidJob: With the limit of this database.
    """
    mend = "run bridge status to see what this database lacks"
    if priority > catalog.max_priority:
        raise InvalidJob("priority", priority, f"0 to {catalog.max_priority} in this database", mend)
    if max_attempts > catalog.max_attempts_limit:
        raise InvalidJob("max_attempts", max_attempts, f"at most {catalog.max_attempts_limit} in this database", mend)
    if catalog.max_tag_length is not None and (long := [tag for tag in tags if len(tag) > catalog.max_tag_length]):
        raise InvalidJob("tags", long[0], f"tags of at most {catalog.max_tag_length} characters in this database", mend)


def columns(rows: Sequence[Row]) -> list[list[Any]]:
    """Return the rows as a list a column, for `insert_jobs.sql`."""
    found: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    found[5] = ["[]" if not tags else json.encode(tags, "tags") for tags in found[5]]
    return found


def alike(rows: Sequence[Row]) -> tuple[Any, ...] | None:
    """Return the values of rows that differ in their args alone, for `insert_alike_jobs.sql`; else None."""
    head = rows[0]
    before, after = head[:3], head[4:]
    if any(row[:3] != before or row[4:] != after for row in rows):
        return None
    return (*before, [row[3] for row in rows], *after)


def announced_queues(rows: Iterable[Row]) -> list[str]:
    """Return the queues that have something to fetch now, each once."""
    return sorted({row[1] for row in rows if row[0] == JobState.AVAILABLE})


def stored(job: Job[A], row: Any) -> Job[A]:
    """Return the job with what the database gave it; a copy where this object was inserted before.

    What is a job and no row is the stored one that this is the same as.
    """
    if isinstance(row, Job):
        return row
    if job.id is not None:
        job = copy.copy(job)
    job.id, job.conflict = row["id"], False
    job.inserted_at = row["inserted_at"].replace(tzinfo=UTC)
    job.scheduled_at = row["scheduled_at"].replace(tzinfo=UTC)
    return job


async def chunks(jobs: Iterable[Job[Any]] | AsyncIterable[Job[Any]]) -> AsyncIterator[list[Job[Any]]]:
    """Yield lists of at most `CHUNK` jobs, so that an endless stream needs no endless memory."""
    if isinstance(jobs, AsyncIterable):
        chunk: list[Job[Any]] = []
        async for job in jobs:
            chunk.append(job)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk
        return
    iterator = iter(jobs)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
