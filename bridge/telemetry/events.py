"""The events and the bus that carries them to handlers.

Names and meaning follow Oban's telemetry: `oban.job.start`, `oban.job.stop` (the worker came to an end: completed,
cancelled, snoozed or discarded on its own wish), `oban.job.exception` (it failed) and `oban.queue.shutdown`. An event
of a job's end is sent once its row has been written. Times are integers in nanoseconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bridge.errors import ValidationError

logger = logging.getLogger("bridge.telemetry")

JOB_START = "oban.job.start"
JOB_STOP = "oban.job.stop"
JOB_EXCEPTION = "oban.job.exception"
QUEUE_SHUTDOWN = "oban.queue.shutdown"
EVENTS = (JOB_START, JOB_STOP, JOB_EXCEPTION, QUEUE_SHUTDOWN)


@dataclass(frozen=True, slots=True)
class JobStart:
    """A worker is about to run `job`; `system_time` is nanoseconds since 1970."""

    job: Any
    system_time: int


@dataclass(frozen=True, slots=True)
class JobStop:
    """A worker came to an end without failing.

    Attributes:
        job: The job as it was fetched.
        state: The row's new state: completed, cancelled, scheduled (snoozed) or discarded.
        duration: Nanoseconds that the worker ran.
        queue_time: Nanoseconds between `scheduled_at` and `attempted_at`, at least 0.
        result: What `process` returned.
        recorded: False where the row had been changed by somebody else meanwhile and was left alone.
    """

    job: Any
    state: str
    duration: int
    queue_time: int
    result: Any = None
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class JobException:
    """A worker failed; `state` is retryable or discarded, the rest is as in `JobStop`."""

    job: Any
    state: str
    duration: int
    queue_time: int
    error: BaseException
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class QueueShutdown:
    """A queue stopped after `elapsed` nanoseconds; `orphaned` are the ids of jobs that did not end in time."""

    queue: str
    elapsed: int
    orphaned: tuple[int, ...]


Handler = Callable[[str, Any], None]

_handlers: dict[str, tuple[frozenset[str], Handler]] = {}


def attach(handler_id: str, events: Iterable[str], handler: Handler) -> None:
    """Call `handler(name, event)` for each event whose name is in `events`.

    Handlers run on the event loop, so they must be quick. One that raises is detached and logged, because a broken
    handler must not break jobs (as in Erlang's telemetry). Only KeyboardInterrupt and SystemExit pass, which are
    meant for the process.

    Raises:
        ValidationError: An unknown event name, or a handler id that is taken.
    """
    wanted_names = frozenset(events)
    if unknown := sorted(wanted_names - set(EVENTS)):
        raise ValidationError("events", unknown[0], f"one of {', '.join(EVENTS)}")
    if handler_id in _handlers:
        raise ValidationError("handler_id", handler_id, "an id that is not in use", "detach the other one first")
    _handlers[handler_id] = (wanted_names, handler)


def detach(handler_id: str) -> bool:
    """Remove a handler; False where there is none of that id."""
    return _handlers.pop(handler_id, None) is not None


def wanted(name: str) -> bool:
    """Tell whether anybody listens, so that nobody builds an event in vain."""
    return any(name in names for names, _ in _handlers.values())


def emit(name: str, event: Any) -> None:
    """Send `event` to every handler that asked for `name`."""
    for handler_id, (names, handler) in tuple(_handlers.items()):
        if name in names:
            _call(handler_id, handler, name, event)


def _call(handler_id: str, handler: Handler, name: str, event: Any) -> None:
    try:
        handler(name, event)
    except (KeyboardInterrupt, SystemExit):
        raise  # a signal's handler may have raised them while ours ran
    except BaseException:  # a CancelledError of a plain function is nobody's wish, and would end a queue in silence
        detach(handler_id)
        logger.exception("telemetry handler %r raised on %s and was detached", handler_id, name)
