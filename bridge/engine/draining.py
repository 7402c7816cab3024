"""What draining a queue asks of the engine beside what a producer does."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from bridge.engine.clock import naive

if TYPE_CHECKING:
    from bridge.engine.connections import Connections
    from bridge.engine.statements import Statements


class Draining:
    """What an engine needs to stage a queue that is drained."""

    _connections: Connections
    _sql: Statements

    async def stage_queue(self, queue: str, until: datetime | None) -> int:
        """Make a queue's scheduled and retryable jobs available, all or those up to an aware time; return how many."""
        bound = None if until is None else naive(until)
        return len(await self._connections.fetch(self._sql["stage_queue"], queue, bound))
