"""What a producer tells of itself, and what it needs to be known as alive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """A queue on this node, as `check_queue` tells of it; the names are Oban's.

    Attributes:
        queue: Its name.
        name: The instance.
        node: This node.
        uuid: The producer's, the second element of its jobs' `attempted_by`.
        limit: How many jobs may run at once.
        paused: Whether it fetches none.
        refresh_interval: Seconds after which it looks for jobs though nobody told it of any.
        running: The ids of the jobs that run now.
        started_at: When it started.
        updated_at: When it last fetched or changed.
        shutdown_started_at: When it began to stop, or None.
        stalled: Why it fetches nothing though it is not paused: none of the node's processes takes jobs. Else empty.
    """

    queue: str
    name: str
    node: str
    uuid: str
    limit: int
    paused: bool
    refresh_interval: float
    running: tuple[int, ...]
    started_at: datetime
    updated_at: datetime
    shutdown_started_at: datetime | None
    stalled: str = ""


class Pulse(Protocol):
    """What keeps a producer from being taken for dead.

    Attributes:
        rescue_after: Seconds of silence after which it is.
    """

    rescue_after: float

    async def ensure(self, uuid: str, queue: str) -> None:
        """Return when the producer may claim jobs, because it is known to be alive."""

    async def forget(self, uuid: str, timeout: float) -> None:
        """Hear that the producer has stopped; must not fail, nor take longer than so many seconds."""

    def leave(self, uuid: str) -> None:
        """Hear that the producer has stopped, and that jobs may be its own in the table of which it doesn't know."""
