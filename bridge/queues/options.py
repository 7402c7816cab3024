"""What is set of a queue on this node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from bridge.errors import InvalidSetting
from bridge.jobs.checks import MAX_INT4, integer, name, seconds, suggest


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """A queue's settings on one node.

    Attributes:
        queue: Its name.
        limit: How many of its jobs may run here at once.
        paused: Whether it starts without fetching.
        workers: `"known"` fetches only jobs whose worker is registered in this process and leaves all others alone, so
            that queues may be shared with nodes of another language; `"any"` fetches all, and fails those whose worker
            is unknown (what Oban does).
        dispatch_cooldown: The least seconds between two fetches (Oban 2.23: 5 ms). Default None: 5 ms where few slots
            are free or the last fetch found all that there was, and none where many jobs wait for many slots.
        refresh_interval: Seconds after which the queue looks for jobs though nobody told it of any, default 60.
    """

    queue: str
    limit: int = 10
    paused: bool = False
    workers: Literal["known", "any"] = "known"
    dispatch_cooldown: float | None = None
    refresh_interval: float = 60

    def __post_init__(self) -> None:
        where = f"queues.{self.queue}"
        name("queue", self.queue, InvalidSetting)
        integer(f"{where}.limit", self.limit, 1, MAX_INT4, InvalidSetting)
        if not isinstance(self.paused, bool):
            raise InvalidSetting(f"{where}.paused", self.paused, "true or false")
        if self.workers not in ("known", "any"):
            raise InvalidSetting(f"{where}.workers", self.workers, "'known' or 'any'")
        for field in ("dispatch_cooldown", "refresh_interval"):
            if field == "dispatch_cooldown" and self.dispatch_cooldown is None:
                continue
            if not 0.001 <= seconds(f"{where}.{field}", getattr(self, field), InvalidSetting) <= 86_400:
                raise InvalidSetting(f"{where}.{field}", getattr(self, field), "0.001 to 86400 seconds")


_OPTIONS = tuple(field.name for field in fields(QueueOptions) if field.name != "queue")


def parse_queue(queue: str, value: Any) -> QueueOptions:
    """Return a queue's options from its short form, a limit, or its long form, a mapping of options.

    Raises:
        InvalidSetting: Another value, an unknown option, or one of the wrong kind.
    """
    if isinstance(value, QueueOptions):
        if value.queue != queue:
            raise InvalidSetting(f"queues.{queue}", value.queue, "options of the queue that they are given for")
        return value
    if not isinstance(value, Mapping):
        return QueueOptions(queue, limit=value)
    for option in value:
        if option not in _OPTIONS:
            raise InvalidSetting(f"queues.{queue}", option, "an option of a queue", suggest(option, _OPTIONS))
    return QueueOptions(queue, **value)


def parse_queues(queues: Any) -> dict[str, QueueOptions]:
    """Return the options of every queue in a mapping of names to limits or options.

    Raises:
        InvalidSetting: As `parse_queue`, or something else than a mapping.
    """
    if not isinstance(queues, Mapping):
        raise InvalidSetting("queues", queues, "a mapping such as {'default': 10}")
    return {queue: parse_queue(queue, value) for queue, value in queues.items()}
