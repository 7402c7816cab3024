"""What one execution came to: the job's new state, and the ack that writes it."""

from __future__ import annotations

import inspect
import math
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge import telemetry
from bridge.codecs import json
from bridge.codecs.recorded import encode_recorded
from bridge.engine import QUARANTINE, Ack, check_merge, utc_now
from bridge.errors import ContractError, JobCancelled, JobError, ValidationError, shorten
from bridge.jobs import Cancel, Discard, Job, Record, Snooze, Worker
from bridge.jobs.backoff import default_backoff
from bridge.jobs.checks import seconds
from bridge.jobs.options import OnInvalid
from bridge.jobs.results import SNOOZE_LIMIT
from bridge.queues.failures import TEXT_LIMIT, error_entry, unsaved_error
from bridge.queues.log import logger
from bridge.telemetry import Instance, events


@dataclass(slots=True)
class Outcome:
    """An execution that came to an end.

    Attributes:
        job: The job as it was fetched.
        ack: What to write; None hands the job back (its producer stops).
        result: What `process` returned.
        error: Why it failed.
        duration: Nanoseconds that it ran.
        context: What was current where it ran, for who hears of its end.
        refused: The ack that was to be written at first, where the database refused it.
        given_up: It was told that the row took nothing; it is tried all the same, and told of no more.
    """

    job: Job[Any]
    ack: Ack | None
    result: Any = None
    error: BaseException | None = None
    duration: int = 0
    context: Context | None = None
    refused: Ack | None = None
    given_up: bool = False

    def report(self, recorded: bool, oban: Instance) -> None:
        """Tell of the job's end, where anybody wants to know, as if it were told where the job ran."""
        name = events.JOB_STOP if self.error is None else events.JOB_EXCEPTION
        if self.ack is not None and telemetry.wanted(name):
            context = copy_context() if self.context is None else self.context
            context.run(telemetry.emit, name, self._event(self.ack.state, recorded, oban))

    def _event(self, state: str, recorded: bool, oban: Instance) -> events.JobStop | events.JobException:
        waited = queue_time(self.job)
        if self.error is None:
            return events.JobStop(self.job, state, self.duration, waited, self.result, recorded, oban)
        return events.JobException(self.job, state, self.duration, waited, self.error, recorded, oban)


def from_result(job: Job[Any], result: Any) -> Outcome:
    """Return the outcome of a worker that returned `result`.

    Raises:
        EncodeError: The result is to be recorded, or merged into meta, and can't be, or is too long with what is there.
        JobError: The result is none, such as a class in place of its instance.
    """
    at = utc_now()
    if result is None:
        return Outcome(job, _ack(job, "completed", at))
    match result:
        case Cancel(reason=reason):
            cancelled = JobCancelled(f"{job.worker} cancelled itself: {shorten(reason, TEXT_LIMIT)}")
            return Outcome(job, _ack(job, "cancelled", at, error=_entry(job, cancelled, at)), result)
        case Discard(reason=reason):
            discarded = JobError(f"{job.worker} discarded itself: {shorten(reason, TEXT_LIMIT)}")
            return Outcome(job, _ack(job, "discarded", at, error=_entry(job, discarded, at)), result)
        case Snooze(seconds=delay, meta=meta):
            wake = at + timedelta(seconds=seconds("seconds", delay))
            merged = None if meta is None else _merged(job, meta)
            return Outcome(job, _ack(job, "scheduled", at, scheduled_at=wake, meta=merged), result)
        case Record(value=value, limit=limit):
            merged = _merged(job, {"recorded": True, "return": encode_recorded(value, limit)})
            return Outcome(job, _ack(job, "completed", at, meta=merged), result)
    _refuse_nonsense(result)
    return Outcome(job, _ack(job, "completed", at), result)


def _merged(job: Job[Any], meta: Any) -> str:
    text = json.encode_object(meta, "meta")
    check_merge(job, text)
    return text


def _refuse_nonsense(result: Any) -> None:
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise JobError("process returned an awaitable that nobody awaited; define it with `async def`")
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise JobError("process is a generator, and nobody runs through it; leave out its `yield`")
    if isinstance(result, type) and issubclass(result, Cancel | Discard | Record | Snooze):
        raise JobError(f"process returned the class {result.__name__}; return an instance, {result.__name__}(…)")


def from_error(job: Job[Any], error: BaseException, worker: Worker | None) -> Outcome:
    """Return the outcome of an attempt that failed: retryable after the worker's backoff, or discarded."""
    at = utc_now()
    entry = _entry(job, error, at)
    if job.attempt >= job.max_attempts:
        return Outcome(job, _ack(job, "discarded", at, error=entry), error=error)
    wake = at + timedelta(seconds=_backoff(job, worker))
    return Outcome(job, _ack(job, "retryable", at, scheduled_at=wake, error=entry), error=error)


def from_cancel(job: Job[Any], reason: str) -> Outcome:
    """Return the outcome of a job that was cancelled from outside while it ran."""
    at = utc_now()
    error = JobCancelled(reason)
    return Outcome(job, _ack(job, "cancelled", at, error=_entry(job, error, at)), Cancel(reason))


def from_stop(stopped: Outcome) -> Outcome:
    """Return what becomes of a job that is handed back because its queue stops: in its last attempt it is discarded.

    Then it has the reason among its errors, as a job that was killed has with Oban; else nothing of it changes.
    """
    job = stopped.job
    if job.attempt < job.max_attempts:
        return stopped
    at, error = utc_now(), JobInterrupted("its queue stopped before its end, and it had no attempt left")
    ack = _ack(job, "discarded", at, error=_entry(job, error, at))
    return Outcome(job, ack, error=error, duration=stopped.duration, context=stopped.context)


def from_invalid(job: Job[Any], error: ContractError, policy: OnInvalid) -> Outcome:
    """Return the outcome of a job whose args break its worker's contract: no attempt would end otherwise.

    It is cancelled, or with the policy `quarantine` moved to the queue of that name, from where somebody may move it
    back once its args are mended; in that queue itself it is cancelled.
    """
    at = utc_now()
    listing = ContractError(error.contract, error.violations, error.mend, limit=len(error.violations))
    entry = _entry(job, listing, at)
    if policy == "quarantine" and job.queue != QUARANTINE:
        meta = json.encode_object({"quarantined_from": job.queue}, "meta")
        return Outcome(job, _ack(job, "available", at, error=entry, meta=meta), error=error)
    return Outcome(job, _ack(job, "cancelled", at, error=entry), error=error)


def _entry(job: Job[Any], error: BaseException, at: datetime) -> str:
    """Return the entry of the attempt's error, which its job knows from now on."""
    job.unsaved_error = unsaved = unsaved_error(error)
    return error_entry(error, job.attempt, at, unsaved.stacktrace)


def _backoff(job: Job[Any], worker: Worker | None) -> float:
    if worker is None:
        return default_backoff(job)
    try:
        delay = seconds("backoff", worker.backoff(job))
        if not (math.isfinite(delay) and 0 <= delay <= SNOOZE_LIMIT):
            raise ValidationError("backoff", delay, f"0 to {SNOOZE_LIMIT} seconds")  # noqa: TRY301 - handled as one
    except BaseException:  # even a SystemExit in it must not cost the job its outcome
        logger.exception("backoff of %s failed for job %s; Oban's formula is used instead", job.worker, job.id)
        return default_backoff(job)
    return delay


def _ack(job: Job[Any], state: str, at: datetime, **columns: Any) -> Ack:
    assert job.id is not None  # noqa: S101 - a fetched job has one; this tells the type checker
    return Ack(job.id, job.attempt, state, at, **columns)


def queue_time(job: Job[Any]) -> int:
    """Return the nanoseconds that the job waited for this attempt, at least 0."""
    scheduled = job.scheduled_at or datetime.now(UTC)
    return max(0, int(((job.attempted_at or scheduled) - scheduled).total_seconds() * 1e9))


class JobInterrupted(JobError):
    """A job's last attempt was ended, because its queue stopped."""
