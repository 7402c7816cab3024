"""Events as log lines, one JSON object each.

The keys of a job's line are those that Oban's loggers write: event, id, worker, queue, attempt, max_attempts, args,
meta, tags, state, duration and queue_time, the last two in milliseconds with two decimals.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from bridge.errors import message_of
from bridge.telemetry import events

_JOB_FIELDS = ("id", "worker", "queue", "attempt", "max_attempts", "args", "meta", "tags")
_FREE_FIELDS = ("args", "meta", "tags")


def attach_logger(
    level: int = logging.INFO,
    logger: logging.Logger | None = None,
    names: Iterable[str] = events.EVENTS,
    handler_id: str = "bridge-logger",
) -> None:
    """Log events as JSON lines to `logger` (default: the logger `oban`).

    Args:
        level: The level of a line; failures are logged as errors.
        logger: Where to.
        names: Which events.
        handler_id: The id for `detach_logger`, where several are wanted.
    """
    target = logger or logging.getLogger("oban")

    def log(name: str, event: Any) -> None:
        severity = logging.ERROR if name == events.JOB_EXCEPTION else level
        if target.isEnabledFor(severity):
            target.log(severity, "%s", encode_event(name, event))

    events.attach(handler_id, names, log)


def detach_logger(handler_id: str = "bridge-logger") -> bool:
    """Stop what `attach_logger` started."""
    return events.detach(handler_id)


def encode_event(name: str, event: Any) -> str:
    """Return the event's log line: one line of JSON, whatever the job's args hold."""
    line = format_event(name, event)
    try:
        return _encode(line)
    except Exception as error:  # a number with too many digits, a nesting too deep, a __repr__ that raises
        return _encode(line | {field: f"<not shown: {type(error).__name__}>" for field in _FREE_FIELDS})


def _encode(line: dict[str, Any]) -> str:
    return msgspec.json.encode(line, enc_hook=repr).decode()


def format_event(name: str, event: Any) -> dict[str, Any]:
    """Return the event as the dictionary that is logged."""
    if isinstance(event, events.QueueShutdown):
        return {
            "event": name,
            "queue": event.queue,
            "elapsed": _milliseconds(event.elapsed),
            "orphaned": list(event.orphaned),
        }
    line: dict[str, Any] = {"event": name, **_job_fields(event.job)}
    if isinstance(event, events.JobStart):
        return line
    line |= {
        "state": event.state,
        "duration": _milliseconds(event.duration),
        "queue_time": _milliseconds(event.queue_time),
    }
    if not event.recorded:
        line["recorded"] = False
    if isinstance(event, events.JobException):
        line |= {"error_type": type(event.error).__name__, "error_message": message_of(event.error)}
    return line


def _job_fields(job: Any) -> dict[str, Any]:
    return {field: _readable(job, "shown_args" if field == "args" else field) for field in _JOB_FIELDS}


def _readable(job: Any, field: str) -> Any:
    # A poison row's args can't be decoded; its line is the one that matters most.
    try:
        return getattr(job, field)
    except ValueError as error:
        return f"<{error}>"


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1_000_000, 2)
