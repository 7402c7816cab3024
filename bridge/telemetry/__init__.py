"""What happens inside, as events: attach a handler to hear of it.

Nothing is built where nobody listens: emit guarded by `wanted`, or within a `span`::

    if telemetry.wanted(events.STAGER_SWITCH):
        telemetry.emit(events.STAGER_SWITCH, events.StagerSwitch("local", engine.oban))

    with telemetry.span(events.ELECTION, events.Election, engine.oban, lease, leads, leads) as span:
        won = await elect()
        span.set(leader=won)
"""

from bridge.telemetry.bus import Handler, attach, detach, emit, wanted
from bridge.telemetry.events import (
    Election,
    Instance,
    JobException,
    JobStart,
    JobStop,
    NotifierSwitch,
    Notify,
    Operation,
    Plugin,
    PluginInit,
    QueueShutdown,
    StagerSwitch,
    SupervisorInit,
)
from bridge.telemetry.spans import NO_SPAN, Span, span
from bridge.telemetry.visible import guard_loggers

__all__ = [
    "NO_SPAN",
    "Election",
    "Handler",
    "Instance",
    "JobException",
    "JobStart",
    "JobStop",
    "NotifierSwitch",
    "Notify",
    "Operation",
    "Plugin",
    "PluginInit",
    "QueueShutdown",
    "Span",
    "StagerSwitch",
    "SupervisorInit",
    "attach",
    "detach",
    "emit",
    "span",
    "wanted",
]

guard_loggers()
