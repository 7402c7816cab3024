"""Events as log lines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

from bridge.errors import ValidationError
from bridge.telemetry import bus, events
from bridge.telemetry.lines import PLUGIN_COUNTS, encode_event, encode_line, format_event, severity, text_line

__all__ = ["GROUPS", "attach_logger", "detach_logger", "encode_event", "format_event"]

HANDLER: Final = "bridge-logger"

#: What is logged, by groups (Oban 2.23).
GROUPS: Final = {
    "job": (events.JOB_START, events.JOB_STOP, events.JOB_EXCEPTION),
    "notifier": (events.NOTIFIER_SWITCH,),
    "peer": (f"{events.ELECTION}.stop", f"{events.ELECTION}.exception"),
    "plugin": (f"{events.PLUGIN}.stop", f"{events.PLUGIN}.exception"),
    "queue": (events.QUEUE_SHUTDOWN,),
    "stager": (events.STAGER_SWITCH,),
}


def attach_logger(
    level: int = logging.INFO,
    logger: logging.Logger | None = None,
    events: str | Iterable[str] = "all",
    *,
    encode: bool = True,
    name: str | None = None,
    handler_id: str | None = None,
) -> None:
    """Log events to `logger`, a line each.

    A queue's shutdown is logged where it left orphans, an election where it changed who leads, and a round of a service
    where it did something. Of its failures in a row the first is logged, and each tenth after it, for debugging: the
    service itself tells of these as warnings of the logger `bridge.maintenance`.

    Args:
        level: The level of a line; other failures are logged as errors.
        logger: Where to; default the logger `oban`.
        events: `"all"`, or any of `job`, `notifier`, `peer`, `plugin`, `queue` and `stager` (Oban 2.23); names and
            patterns of single events too, such as `"oban.engine.*"`.
        encode: Whether a line is JSON. Otherwise it is `name key=value …`, and the record's attribute `oban` is the
            dictionary, for a formatter that wants it.
        name: Only of the instance of that name; default all of this process.
        handler_id: The id for `detach_logger`; default `bridge-logger`, with `-` and `name` where that is given.

    Raises:
        ValidationError: An unknown event, or a logger is attached already by that id.
    """
    target = logger or logging.getLogger("oban")

    def log(event_name: str, event: Any) -> None:
        rank = severity(event_name, level)
        if not target.isEnabledFor(rank) or (name is not None and event.oban.name != name):
            return
        if _is_worth_a_line(event_name, event):
            line = format_event(event_name, event, level)
            text, extra = (encode_line(line), None) if encode else (text_line(line), {"oban": line})
            # As `log` does, but for the search of the caller, which is known, and a third of the cost.
            target.handle(target.makeRecord(target.name, rank, __file__, 0, text, (), None, "log", extra))

    bus.attach(handler_id or _id(name), _names(events), log)


def detach_logger(handler_id: str | None = None, *, name: str | None = None) -> bool:
    """Stop what `attach_logger` started; False where there is none."""
    return bus.detach(handler_id or _id(name))


def _id(name: str | None) -> str:
    return HANDLER if name is None else f"{HANDLER}-{name}"


def _names(wanted: str | Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for each in [wanted] if isinstance(wanted, str) else wanted:
        if each == "all":
            found.update(*GROUPS.values())
        elif each in GROUPS:
            found.update(GROUPS[each])
        elif each.startswith("oban."):
            found |= bus.names_of(each)
        else:
            raise ValidationError("events", each, f"all, {', '.join(GROUPS)}, or a name that begins with oban.")
    return frozenset(found)


def _is_worth_a_line(name: str, event: Any) -> bool:
    if isinstance(event, events.QueueShutdown):
        return bool(event.orphaned)
    if isinstance(event, events.NotifierSwitch):
        return event.status != "unknown"  # a node that begins with it says nothing, so only one that stops would
    if isinstance(event, events.Election):
        return event.leader is not event.was_leader and not isinstance(event.error, asyncio.CancelledError)
    if isinstance(event, events.Plugin):
        if name.endswith(".exception"):
            # A first failure and each tenth; none where its node stopped in the midst of it.
            first = event.failures % 10 == 1 or not event.failures
            return first and not isinstance(event.error, asyncio.CancelledError)
        return any(getattr(event, field) for field in PLUGIN_COUNTS)
    return True
