"""What a job came to, on its way from the child that ran it: exceptions as text, results as plain data."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from bridge import errors, telemetry
from bridge.engine import Ack
from bridge.errors import ContractError, JobError, Violation, message_of, printable, shorten
from bridge.jobs import Cancel, Discard, Job, Record, Snooze
from bridge.jobs.unsaved import UnsavedError
from bridge.queues.outcome import Outcome
from bridge.queues.processes.messages import Done, Failure
from bridge.telemetry import events, instruments

_encode: Final = msgspec.msgpack.Encoder().encode


#: Bytes of a result that handlers of events get to see; of a longer one they see what it begins with, as text.
RESULT_LIMIT: Final = 16 * 1_048_576


class RemoteError(JobError):
    """What a worker raised in a process of its own.

    The exception itself stays there: this one has its type's name and its text, and its traceback as a note.
    """


#: Exceptions of ours that are made of a text, which handlers may look for.
_OURS: Final = {cls.__name__: cls for cls in (JobError, errors.JobTimeout, errors.JobCancelled, errors.UnknownWorker)}


# In the child


def pack(number: int, outcome: Outcome, *, abandoned: bool) -> Done:
    """Return an outcome as a message."""
    done = Done(number, outcome.duration, abandoned)
    ack = outcome.ack
    if ack is None:
        return done
    done.state, done.at, done.scheduled_at, done.error, done.meta = (
        ack.state, ack.at, ack.scheduled_at, ack.error, ack.meta,
    )  # fmt: skip
    if outcome.job.unsaved_error is not None:
        done.failure, done.raised = _failure(outcome.job.unsaved_error), outcome.error is not None
    done.kind, done.result = _pack_result(outcome.result)
    return done


def _failure(unsaved: UnsavedError) -> Failure:
    error = unsaved.reason
    cls = type(error)
    module = printable(cls.__module__) if isinstance(cls.__module__, str) else ""
    found = Failure(unsaved.kind, module, printable(cls.__qualname__), _text(error), printable(unsaved.stacktrace))
    if isinstance(error, ContractError):
        found.contract, found.mend = error.contract, error.mend
        found.violations = [(each.path, each.rule, each.message) for each in error.violations]
    return found


def _text(error: BaseException) -> str:
    try:
        return message_of(error)
    except BaseException as broken:  # a `__str__` that raises SystemExit must not end the process
        return f"<no text: __str__ raised {type(broken).__name__}>"


def _pack_result(result: Any) -> tuple[str, bytes]:
    kind, value = _parts(result)
    try:
        encoded = _encode(value)
    except Exception:  # no plain data: an event's handler sees what it looked like
        encoded = b""
    return (kind, encoded) if 0 < len(encoded) <= RESULT_LIMIT else ("shown", _encode(_shown(result)))


def _shown(result: Any) -> str:
    try:
        return printable(shorten(result))
    except BaseException:  # a `__repr__` that raises SystemExit must not cost the job its outcome
        return f"<{type(result).__name__}>"


def _parts(result: Any) -> tuple[str, Any]:
    match result:
        case Cancel(reason=value) | Discard(reason=value) | Record(value=value):
            return type(result).__name__, value
        case Snooze(seconds=delay, meta=meta):
            return "Snooze", (delay, meta)
    return "value", result


# In the parent


def unpack(job: Job[Any], done: Done) -> Outcome:
    """Return a message as the outcome of its job, which knows its error from now on."""
    if done.state is None or done.at is None:
        return Outcome(job, None)
    assert job.id is not None  # noqa: S101 - a fetched job has one; this tells the type checker
    ack = Ack(job.id, job.attempt, done.state, done.at, done.scheduled_at, done.error, done.meta)
    error = None
    if (failure := done.failure) is not None:
        error = _error(failure)
        job.unsaved_error = UnsavedError("exit" if failure.kind == "exit" else "error", error, failure.stacktrace)
    return Outcome(job, ack, _result(done), error if done.raised else None)


def _result(done: Done) -> Any:
    if not telemetry.wanted(events.JOB_STOP) and not instruments.installed():
        return None
    value = msgspec.msgpack.decode(done.result)
    match done.kind:
        case "Cancel":
            return Cancel(value)
        case "Discard":
            return Discard(value)
        case "Record":
            return Record(value)
        case "Snooze":
            return Snooze(*value)
    return value


def _error(failure: Failure) -> BaseException:
    if failure.contract is not None:
        return ContractError(failure.contract, [Violation(*each) for each in failure.violations], failure.mend)
    ours = _OURS.get(failure.name) if failure.module == "bridge.errors" else None
    error = (ours or _class_like(failure.module, failure.name))(failure.message)
    if failure.stacktrace:
        error.add_note(failure.stacktrace)
    return error


@lru_cache(maxsize=1_000)
def _class_like(module: str, name: str) -> type[RemoteError]:
    """Return a class that tells the name of another one, which this process need not know."""
    return type(name.rpartition(".")[2], (RemoteError,), {"__module__": module, "__qualname__": name})
