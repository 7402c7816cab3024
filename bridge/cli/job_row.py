"""A job's row as people and scripts see it, however broken it is, without what its contract calls sensitive."""

from __future__ import annotations

import json as plain_json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from bridge.cli.moments import exact, relative, span
from bridge.cli.tables import clean, jsonable
from bridge.codecs import json
from bridge.codecs.recorded import decode_recorded
from bridge.errors import DecodeError
from bridge.jobs import Job, JobState, contracts

#: The six times of a row, in the order in which they come to be.
TIMES: Final = ("inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at")

_ENDED: Final = {
    JobState.COMPLETED: "completed_at",
    JobState.CANCELLED: "cancelled_at",
    JobState.DISCARDED: "discarded_at",
}


def columns_of(job: Job[Any], *, reveal: bool = False) -> dict[str, Any]:
    """Return all 18 columns as JSON values, whatever stands in them; times are ISO 8601 in UTC."""
    return {
        "id": job.id,
        "state": str(job.state),
        "queue": job.queue,
        "worker": job.worker,
        "args": args_of(job, reveal=reveal),
        "meta": meta_of(job, reveal=reveal),
        "tags": list(job.tags),
        "errors": errors_of(job),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "priority": job.priority,
        "attempted_by": list(job.attempted_by),
        **{name: exact(getattr(job, name)) for name in TIMES},
    }


def args_of(job: Job[Any], *, reveal: bool = False) -> Any:
    """Return the args as the row has them, `"<sensitive>"` for what the contract that is known here calls so."""
    value = _stored(job, "args")
    contract = contracts.find(job.worker)
    return value if reveal or contract is None else contract.redact(value)


def meta_of(job: Job[Any], *, reveal: bool = False) -> Any:
    """Return the meta as the row has it, without a recorded result that the contract calls sensitive."""
    value = _stored(job, "meta")
    if isinstance(value, Mapping) and "return" in value and not reveal and _hidden_in_result(job):
        from bridge.contracts.runtime.terms import SENSITIVE  # noqa: PLC0415 - loaded with a contract

        return {**value, "return": SENSITIVE}
    return value


def errors_of(job: Job[Any]) -> Any:
    """Return the failed attempts, or whatever stands in their place."""
    try:
        return job.errors or []
    except DecodeError as error:
        return [str(error)]


def result_of(job: Job[Any], *, reveal: bool = False) -> dict[str, Any]:
    """Return what was recorded as `{"result": …}`, or why it can't be read as `{"result_error": …}`; else nothing."""
    meta = _stored(job, "meta")
    if not isinstance(meta, Mapping) or "return" not in meta:
        return {}
    try:
        found = jsonable(decode_recorded(meta["return"]))
        return {"result": found if reveal else _redacted(found, _hidden_in_result(job))}
    except (DecodeError, RecursionError) as error:
        return {"result_error": str(error)}


def unknown_contract(job: Job[Any]) -> str | None:
    """Return the tag of the contract that the job was made under, where nothing here knows what is sensitive in it."""
    meta = _stored(job, "meta")
    tag = meta.get("contract") if isinstance(meta, Mapping) else None
    return str(tag) if tag is not None and contracts.find(job.worker) is None else None


def pretty(value: Any) -> str:
    """Return a value as JSON on several lines, safe to print."""
    try:
        text = plain_json.dumps(value, ensure_ascii=False, indent=2, default=str)
    except (ValueError, RecursionError) as error:
        text = f"<not shown: {type(error).__name__}>"
    return clean(text, keep="\n")


def brief(value: Any, limit: int = 400) -> str:
    """Return a value as JSON on one line, its beginning where it is long."""
    try:
        return plain_json.dumps(value, ensure_ascii=False, default=str)[:limit]
    except (ValueError, RecursionError) as error:
        return f"<not shown: {type(error).__name__}>"


def when(job: Job[Any], now: datetime) -> str:
    """Return what time means in the job's state: when it is due, since when it waits or runs, when it ended."""
    match job.state:
        case JobState.SCHEDULED | JobState.RETRYABLE:
            return "due " + _relative(job.scheduled_at, now)
        case JobState.AVAILABLE:
            return "waits " + _since(job.scheduled_at, now)
        case JobState.EXECUTING:
            return "runs " + _since(job.attempted_at, now)
        case JobState.SUSPENDED:
            return "held " + _since(job.inserted_at, now)
        case _:
            return _relative(getattr(job, _ENDED[job.state]), now)


def _relative(moment: datetime | None, now: datetime) -> str:
    return "?" if moment is None else relative(moment, now)


def _since(moment: datetime | None, now: datetime) -> str:
    return "?" if moment is None else span(max((now - moment).total_seconds(), 0))


def _hidden_in_result(job: Job[Any]) -> frozenset[str]:
    contract = contracts.find(job.worker)
    if contract is None or contract.result is None:
        return frozenset()
    from bridge.contracts.runtime.hidden import hidden_names  # noqa: PLC0415 - loaded with a contract

    return frozenset(hidden_names(contract.result))


def _redacted(result: Any, names: frozenset[str]) -> Any:
    if not names:
        return result
    from bridge.contracts.runtime.terms import redacted  # noqa: PLC0415 - loaded with a contract

    return redacted(result, names)


def _stored(job: Job[Any], column: str) -> Any:
    """Return what stands in a JSON column, which may be no object; the job's own attributes refuse that."""
    text: str | None = getattr(job, f"_{column}_text")
    try:
        return None if text is None else json.decode(text)
    except DecodeError as error:
        return f"<{error}>"
