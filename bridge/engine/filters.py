"""Filters of jobs, as the `where` of a statement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from bridge.codecs import json
from bridge.engine.clock import naive
from bridge.errors import InvalidFilter
from bridge.jobs import FunctionWorker, Job, JobState, Worker
from bridge.jobs.checks import MAX_INT4, integer, moment, storable, suggest, tags
from bridge.jobs.worker import options_of

JobOrId = Job[Any] | int

MAX_INT8 = 9_223_372_036_854_775_807


def build_where(
    filters: Mapping[str, Any], states: Collection[str] = tuple(JobState), first: int = 1
) -> tuple[str, list[Any]]:
    """Return a condition and its parameters, numbered from `$first`.

    `states` are the labels that this database's enum has: jobs in another state can't exist there.

    A value asks for equality and a list for any of its values; `args` and `meta` ask for containment, and `tags` for
    exactly these tags (Oban 2.23: `Oban.Job.query`), which are trimmed and in lower case as the stored ones are.
    `has_tags` asks for these among others, `node` for the node of the last attempt, `error` for a text in the error of
    any attempt, in any case; `min_id`, `max_id` and `min_attempt` are included. Each time has two more, such as
    `scheduled_after`, which includes its moment, and `scheduled_before`, which doesn't.

    Raises:
        InvalidFilter: An unknown column, or a value of the wrong kind; None and empty lists too, because a filter that
            was meant to narrow must not vanish.
    """
    clauses, values = [], []
    for field, value in filters.items():
        if field not in _FIELDS:
            raise InvalidFilter("filter", field, "a column to filter by", suggest(field, _FIELDS))
        template, convert = _FIELDS[field]
        found = convert(field, value)
        values.append([state for state in found if state in states] if field == "state" else found)
        clauses.append(template.replace("?", f"${first + len(values) - 1}"))
    return " and ".join(clauses) or "true", values


def select_jobs(jobs: Iterable[JobOrId] | None, filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters that select `jobs`, or else those given.

    Raises:
        InvalidFilter: Both are given, something that is no list, or a job without an id.
    """
    if jobs is None:
        return dict(filters)
    if filters:
        raise InvalidFilter("filters", dict(filters), "either jobs or filters, not both")
    if not isinstance(jobs, Iterable):
        raise InvalidFilter("jobs", jobs, "a list of jobs or ids", "put it into brackets")
    return {"id": [job_id_of(job) for job in jobs]}


def job_id_of(job: JobOrId) -> int:
    """Return a job's id.

    Raises:
        InvalidFilter: It has none: it was not inserted.
    """
    job_id = job.id if isinstance(job, Job) else job
    if job_id is None:
        raise InvalidFilter("job", job, "a job with an id", "insert it first")
    return job_id


def _several(one: Callable[[str, Any], Any]) -> Callable[[str, Any], list[Any]]:
    def convert(field: str, value: Any) -> list[Any]:
        if value is None or isinstance(value, Mapping):
            raise InvalidFilter(field, value, "a value or a list of values")
        single = isinstance(value, str | int | type) or not isinstance(value, Iterable)
        found = [one(field, item) for item in ([value] if single else value)]
        if not found:
            raise InvalidFilter(field, value, "at least one value")
        return found

    return convert


def _id(field: str, value: Any) -> int:
    return integer(field, value, 1, MAX_INT8, InvalidFilter)


def _number(field: str, value: Any) -> int:
    return integer(field, value, 0, MAX_INT4, InvalidFilter)


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidFilter(field, value, "text")
    return storable(field, value, InvalidFilter)


def _worker(field: str, value: Any) -> str:
    if isinstance(value, FunctionWorker):
        value = value.worker
    if isinstance(value, type) and issubclass(value, Worker):
        return options_of(value).name
    return _text(field, value)


def _state(field: str, value: Any) -> str:
    if not isinstance(value, str) or value not in tuple(JobState):
        raise InvalidFilter(field, value, f"one of {', '.join(JobState)}")
    return JobState(value).value


def _object(field: str, value: Any) -> str:
    if not isinstance(value, Mapping) or not value:
        raise InvalidFilter(field, value, "a dict with at least one key")
    return json.encode_object(value, field)


def _tags(field: str, value: Any) -> list[str]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise InvalidFilter(field, value, "a list of texts")
    given = [_text(field, tag) for tag in value]
    stored = tags(given, InvalidFilter)
    if given and not stored:
        raise InvalidFilter(field, given, "a tag that is not blank", "pass [] for jobs without tags")
    return stored


def _moment(field: str, value: Any) -> datetime:
    return naive(moment(field, value, InvalidFilter))


def _some_tags(field: str, value: Any) -> list[str]:
    found = _tags(field, value)
    if not found:
        raise InvalidFilter(field, value, "at least one tag")
    return found


def _part(field: str, value: Any) -> str:
    if not _text(field, value):
        raise InvalidFilter(field, value, "a text that is not empty")
    return str(value)


# In the tables of Oban for Python `errors` is jsonb, in all others jsonb[]; entries may be anything, if not by Oban.
_ERROR = """exists (
  select
  from jsonb_array_elements(
    case when jsonb_typeof(to_jsonb(errors)) = 'array' then to_jsonb(errors) else '[]' end
  ) as entry
  where strpos(lower(entry ->> 'error'), lower(?::text)) > 0
)"""

_FIELDS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "id": ("id = any(?::bigint[])", _several(_id)),
    "state": ("state = any(?::text[]::{prefix}.oban_job_state[])", _several(_state)),
    "queue": ("queue = any(?::text[])", _several(_text)),
    "worker": ("worker = any(?::text[])", _several(_worker)),
    "priority": ("priority = any(?::integer[])", _several(_number)),
    "attempt": ("attempt = any(?::integer[])", _several(_number)),
    "max_attempts": ("max_attempts = any(?::integer[])", _several(_number)),
    "args": ("args @> ?::text::jsonb", _object),
    "meta": ("meta @> ?::text::jsonb", _object),
    "tags": ("coalesce(tags::text[], '{}') = ?::text[]", _tags),
    "has_tags": ("coalesce(tags::text[], '{}') @> ?::text[]", _some_tags),
    "node": ("attempted_by[1] = any(?::text[])", _several(_text)),
    "error": (_ERROR, _part),
    "min_id": ("id >= ?::bigint", _id),
    "max_id": ("id <= ?::bigint", _id),
    "min_attempt": ("attempt >= ?::integer", _number),
}
for _time in ("inserted", "scheduled", "attempted", "completed", "cancelled", "discarded"):
    _FIELDS[f"{_time}_before"] = (f"{_time}_at < ?::timestamp", _moment)
    _FIELDS[f"{_time}_after"] = (f"{_time}_at >= ?::timestamp", _moment)
