"""What a test says of the job that it expects, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bridge.errors import InvalidFilter
from bridge.jobs import FunctionWorker, Worker, checks, contracts
from bridge.jobs.worker import options_of
from bridge.testing.matching import JSON, TIMES, recode

#: The states of jobs that are enqueued (Oban 2.23).
STATES: Final = ("available", "scheduled", "suspended")

#: Columns that the database filters by; the rest is compared here.
_BY_DATABASE: Final = ("id", "queue", "worker", "state", "priority", "attempt", "max_attempts", "tags")
_FIELDS: Final = (*_BY_DATABASE, *JSON, *TIMES, "errors", "attempted_by", "scheduled_in")


@dataclass(frozen=True, slots=True)
class Expected:
    """The fields of an expected job, as a job's attributes are, and how far its times may be off."""

    fields: Mapping[str, Any]
    delta: timedelta

    @property
    def by_database(self) -> dict[str, Any]:
        """The filters of `jobs` that leave every job that could match."""
        own = {field: value for field, value in self.fields.items() if field in _BY_DATABASE}
        return {"state": list(STATES), **own}


def read_expected(filters: Mapping[str, Any], delta: float | timedelta) -> Expected:
    """Read the filters of an assertion.

    Raises:
        InvalidFilter: An unknown field, a value of the wrong kind, or a state in which no job is enqueued: asking for
            one would never, or always, hold.
    """
    fields: dict[str, Any] = {}
    for field, value in filters.items():
        if field not in _FIELDS:
            raise InvalidFilter("filter", field, "a field of a job", checks.suggest(field, _FIELDS))
        if field == "scheduled_in":
            fields["scheduled_at"] = _soon(value)
        else:
            fields[field] = _read(field, value)
    if "scheduled_in" in filters and "scheduled_at" in filters:
        raise InvalidFilter("scheduled_in", filters["scheduled_in"], "only one of scheduled_at and scheduled_in")
    tolerance = checks.seconds("delta", delta, InvalidFilter)
    if tolerance < 0:
        raise InvalidFilter("delta", delta, "0 seconds or more")
    return Expected(fields, timedelta(seconds=tolerance))


def _read(field: str, value: Any) -> Any:
    if field in JSON:
        return recode(field, value)
    if field in TIMES:
        return None if value is None else checks.moment(field, value, InvalidFilter)
    if field == "worker":
        return worker_name(value)
    if field == "state":
        return _state(value)
    return checks.tags(value, InvalidFilter) if field == "tags" else value


def worker_name(value: Any) -> Any:
    """Return the name of a worker's class, of a function with `@job` or of a contract's class; any other as it is."""
    found = value.worker if isinstance(value, FunctionWorker) else value
    if isinstance(found, type) and issubclass(found, Worker):
        return options_of(found).name
    contract: contracts.JobContract | None = getattr(found, "__contract__", None)
    return found if contract is None else contract.options.worker


def _state(value: Any) -> Any:
    wanted = [value] if isinstance(value, str) else value
    if not isinstance(wanted, list | tuple | set | frozenset) or not wanted or not set(wanted) <= set(STATES):
        mend = "look at other jobs with oban.jobs(state=…)"
        raise InvalidFilter("state", value, f"{', '.join(STATES)}, or a list of these", mend)
    return value


def _soon(value: Any) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=checks.seconds("scheduled_in", value, InvalidFilter))
