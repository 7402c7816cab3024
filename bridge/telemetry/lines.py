"""Events as dictionaries that a log shows, and as lines of text.

The keys of a job's line are those that Oban's loggers write: event, id, worker, queue, attempt, max_attempts, args,
meta, tags, state, duration and queue_time, the last two in milliseconds with two decimals; and `level`, as the second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

import msgspec

from bridge.errors import message_of
from bridge.telemetry import events
from bridge.telemetry.visible import visible_json

_JOB_FIELDS = ("id", "worker", "queue", "attempt", "max_attempts", "args", "meta", "tags")
_job_values = attrgetter("id", "worker", "queue", "attempt", "max_attempts", "shown_args", "shown_meta", "tags")
_SHOWN = {"args": "shown_args", "meta": "shown_meta"}
_FREE_FIELDS = ("args", "meta", "tags")

#: A round of a service has failed.
PLUGIN_FAILED: Final = f"{events.PLUGIN}.exception"

#: What a round of a service may have done.
PLUGIN_COUNTS: Final = ("staged_count", "rescued_jobs", "discarded_jobs", "pruned_count", "jobs", "reindexed")

_CONNECTIVITY: Final = {
    "isolated": "no messages arrive, not even this node's own: its queues look for jobs themselves",
    "solitary": "this node hears itself, and no other",
    "clustered": "this node hears others",
    "unknown": "this node does not know whether messages arrive",
}
_MODES: Final = {
    "global": "this node's queues are told of jobs",
    "local": "this node's queues look for jobs themselves",
}


def encode_event(name: str, event: Any, level: int = logging.INFO) -> str:
    """Return the event's log line: one line of JSON, whatever the job's args hold; `level` as in `format_event`."""
    return encode_line(format_event(name, event, level))


def severity(name: str, level: int = logging.INFO) -> int:
    """Return the level of an event's line, where those of most have `level`.

    A failure is an error. That of a service's round is for debugging, because the service itself tells of it at a
    bounded rate, with the traceback of a bug, whether events are logged or not.
    """
    if name == PLUGIN_FAILED:
        return logging.DEBUG
    return logging.ERROR if name.endswith(".exception") else level


def encode_line(line: Mapping[str, Any]) -> str:
    """Return what `format_event` returned as one line of JSON."""
    try:
        return _encode(line)
    except Exception as error:  # a number with too many digits, a nesting too deep, a __repr__ that raises
        return _encode({**line, **dict.fromkeys(_FREE_FIELDS, f"<not shown: {type(error).__name__}>")})


def text_line(line: Mapping[str, Any]) -> str:
    """Return what `format_event` returned as text for people: the name, and `key=value` of the rest."""
    return " ".join([line["event"], *(f"{key}={_word(value)}" for key, value in line.items() if key != "event")])


def format_event(name: str, event: Any, level: int = logging.INFO) -> dict[str, Any]:
    """Return the event as the dictionary that is logged.

    It names the instance, as `oban`, where that has another name than Oban. `level` is what lines have that tell of no
    failure.
    """
    line = {"event": name, "level": logging.getLevelName(severity(name, level)).lower(), **_FORMATS[type(event)](event)}
    if event.oban.name != events.NOBODY.name:
        line["oban"] = event.oban.name
    return line


def _encode(line: Any) -> str:
    return visible_json(msgspec.json.encode(line, enc_hook=repr).decode())


def _word(value: Any) -> str:
    if isinstance(value, str) and value.isprintable() and value and not set(value) & set(' "='):
        return value
    try:
        return _encode(value)
    except Exception as error:
        return f"<not shown: {type(error).__name__}>"


# Jobs


def _job_start(event: events.JobStart) -> dict[str, Any]:
    return _job_fields(event.job)


def _job_stop(event: events.JobStop | events.JobException) -> dict[str, Any]:
    line = _job_fields(event.job)
    line["state"] = event.state
    line["duration"] = _milliseconds(event.duration)
    line["queue_time"] = _milliseconds(event.queue_time)
    if not event.recorded:
        line["recorded"] = False
    return line


def _job_exception(event: events.JobException) -> dict[str, Any]:
    return _job_stop(event) | _failure(event.error)


def _job_fields(job: Any) -> dict[str, Any]:
    try:
        return dict(zip(_JOB_FIELDS, _job_values(job), strict=True))
    except ValueError:  # a poison row's args can't be decoded; its line is the one that matters most
        return {field: _readable(job, _SHOWN.get(field, field)) for field in _JOB_FIELDS}


def _readable(job: Any, field: str) -> Any:
    try:
        return getattr(job, field)
    except ValueError as error:
        return f"<{error}>"


# The rest


def _queue_shutdown(event: events.QueueShutdown) -> dict[str, Any]:
    line = {"queue": event.queue, "elapsed": _milliseconds(event.elapsed), "orphaned": list(event.orphaned)}
    line |= {field: list(found) for field in ("handed_back", "discarded") if (found := getattr(event, field))}
    if event.orphaned:
        line["message"] = "jobs did not end in time; they are written when they end, or rescued once this node is gone"
    return line


def _supervisor_init(event: events.SupervisorInit) -> dict[str, Any]:
    return {"node": event.oban.node}


def _notifier_switch(event: events.NotifierSwitch) -> dict[str, Any]:
    return {"connectivity_status": event.status, "message": _CONNECTIVITY.get(event.status, "")}


def _stager_switch(event: events.StagerSwitch) -> dict[str, Any]:
    return {"mode": event.mode, "message": _MODES.get(event.mode, "")}


def _plugin_init(event: events.PluginInit) -> dict[str, Any]:
    return {"plugin": event.plugin}


def _plugin(event: events.Plugin) -> dict[str, Any]:
    counts = {field: found for field in PLUGIN_COUNTS if (found := getattr(event, field))}
    failures = {"failures": event.failures} if event.failures else {}
    return {"plugin": event.plugin, **_timed(event), **failures, **counts}


def _notify(event: events.Notify) -> dict[str, Any]:
    return {"channel": event.channel, "messages": len(event.payloads), **_timed(event)}


def _election(event: events.Election) -> dict[str, Any]:
    message = f"this node {'leads' if event.leader else 'does not lead'}"
    if event.leader is not event.was_leader:
        message += " now" if event.leader else " any more"
    fields = {"leader": event.leader, "was_leader": event.was_leader, "node": event.oban.node, "peer": event.peer}
    return fields | {"message": message} | _timed(event)


def _operation(event: events.Operation) -> dict[str, Any]:
    return {"count": event.count, **_timed(event)}


def _timed(event: Any) -> dict[str, Any]:
    return {"duration": _milliseconds(event.duration)} | ({} if event.error is None else _failure(event.error))


def _failure(error: BaseException) -> dict[str, Any]:
    return {"error_type": type(error).__name__, "error_message": message_of(error)}


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1_000_000, 2)


_FORMATS: Final[Mapping[type, Callable[[Any], dict[str, Any]]]] = {
    events.JobStart: _job_start,
    events.JobStop: _job_stop,
    events.JobException: _job_exception,
    events.QueueShutdown: _queue_shutdown,
    events.SupervisorInit: _supervisor_init,
    events.NotifierSwitch: _notifier_switch,
    events.StagerSwitch: _stager_switch,
    events.PluginInit: _plugin_init,
    events.Plugin: _plugin,
    events.Notify: _notify,
    events.Election: _election,
    events.Operation: _operation,
}
