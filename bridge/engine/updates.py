"""Changes that a person makes to a job that waits or has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bridge.codecs import json
from bridge.engine.clock import naive
from bridge.engine.inserts import check_limits
from bridge.engine.merging import check_merge
from bridge.errors import DecodeError, EncodeError, InvalidJob
from bridge.jobs import Job, JobState, checks, contracts

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog

Changes = Mapping[str, Any] | Callable[[Job[Any]], Mapping[str, Any]]

#: The columns that may be changed (Oban 2.23: `Oban.update_job`), each with its check.
_CHECKS: dict[str, Callable[[Any], Any]] = {
    "args": lambda value: json.encode_object(_plain(checks.mapping("args", value)), "args"),
    "meta": lambda value: json.encode_object(checks.mapping("meta", value), "meta"),
    "max_attempts": checks.max_attempts,
    "priority": checks.priority,
    "queue": lambda value: checks.name("queue", value),
    "tags": checks.tags,
    "worker": lambda value: checks.name("worker", value),
    "scheduled_at": lambda value: naive(checks.moment("scheduled_at", value)),
}


_WAITING = frozenset({JobState.AVAILABLE, JobState.SCHEDULED, JobState.RETRYABLE})


def check_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes as values for `update_job.sql`.

    Raises:
        InvalidJob: A column that can't be changed, or a value that it can't take.
        EncodeError: Args or meta that JSON or jsonb can't hold; neither error shows args where a contract hides any.
    """
    if not isinstance(changes, Mapping) or not changes:
        raise InvalidJob("changes", changes, "a dict of columns and values")
    for field in changes:
        if field not in _CHECKS:
            raise InvalidJob("changes", field, "a column that can be changed", checks.suggest(field, _CHECKS))
    try:
        return {field: _CHECKS[field](value) for field, value in changes.items()}
    except (EncodeError, InvalidJob) as error:
        raise contracts.veiled_by_any(error) if error.field.startswith(("args", "meta")) else error from None


def update_values(job: Job[Any], changes: Mapping[str, Any], catalog: Catalog) -> list[Any]:
    """Return the parameters of `update_job.sql` for one locked job, whose row must stay one that can run."""
    values = check_changes(changes)
    if job.scheduled_at is not None and values.get("scheduled_at") == naive(job.scheduled_at):
        del values["scheduled_at"]  # Only another time makes the job scheduled (Oban 2.23).
    check_limits(
        catalog,
        priority=values.get("priority", 0),
        max_attempts=values.get("max_attempts", 1),
        tags=values.get("tags", ()),
    )
    if "scheduled_at" in values and job.state is JobState.EXECUTING:
        raise InvalidJob("scheduled_at", changes["scheduled_at"], "a job that is not running", "cancel it first")
    _check_attempts(job, values)
    _check_args(job, changes, values)
    _check_meta(job, values)
    return [job.id, *(values.get(field) for field in _CHECKS)]


def _plain(args: Any) -> Any:
    contract = contracts.contract_of(args)
    return args if contract is None else contract.dump(args)


def _check_args(job: Job[Any], changes: Mapping[str, Any], values: dict[str, Any]) -> None:
    """Hold new args, or the row's under a new worker, to the worker's contract, and put its tag into meta."""
    if not values.keys() & {"args", "worker"}:
        return
    contract = contracts.settle(values.get("worker", job.worker), changes.get("args"))
    if contract is None:
        return
    before = _row_args(job)
    contract.check_edited(before, json.decode(values["args"]) if "args" in values else before)
    meta = json.decode(values["meta"]) if "meta" in values else {}
    values["meta"] = json.encode_object({**meta, "contract": contract.tag}, "meta")


def _check_meta(job: Job[Any], values: Mapping[str, Any]) -> None:
    if "meta" in values:
        try:
            check_merge(job, values["meta"])
        except EncodeError as error:
            raise contracts.veiled_by_any(error) from None


def _row_args(job: Job[Any]) -> Any:
    try:
        return job.raw_args
    except DecodeError:
        return None


def _check_attempts(job: Job[Any], values: Mapping[str, Any]) -> None:
    # An available job without attempts left is never run, and takes a slot of every fetch of an Elixir node; what waits
    # for its time becomes available.
    waits = "scheduled_at" in values or job.state in _WAITING
    least = job.attempt + 1 if waits else max(job.attempt, 1)
    wanted = values.get("max_attempts", job.max_attempts)
    if wanted < least and values.keys() & {"max_attempts", "scheduled_at"}:
        mend = f"it has made {job.attempt} attempts: change max_attempts to {least} or more"
        raise InvalidJob("max_attempts", wanted, f"at least {least} for job {job.id} in its state", mend)
