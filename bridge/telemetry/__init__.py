"""What happens inside, as events: attach a handler to hear of it."""

from bridge.telemetry.events import (
    Handler,
    JobException,
    JobStart,
    JobStop,
    QueueShutdown,
    attach,
    detach,
    emit,
    wanted,
)

__all__ = [
    "Handler",
    "JobException",
    "JobStart",
    "JobStop",
    "QueueShutdown",
    "attach",
    "detach",
    "emit",
    "wanted",
]
