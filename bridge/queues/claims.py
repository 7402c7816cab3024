"""Claims of which a producer doesn't know: the answers to their fetches were lost, or may still be on their way."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, Final

from bridge.clock import elapsed
from bridge.engine import Engine, is_unavailable
from bridge.errors import SchemaError
from bridge.jobs import Job
from bridge.queues.info import Pulse

#: Seconds after a lost answer in which the fetch may still claim jobs: the server may be waiting for a lock.
CLAIM_WATCH: Final = 90.0


class LostClaims:
    """Looks for what a producer's fetches have claimed without its knowing.

    Args:
        engine: Where the jobs are.
        uuid: The producer's.
        pulse: Tells how long the producer may be silent before others take its jobs.
    """

    def __init__(self, engine: Engine, uuid: str, pulse: Pulse | None) -> None:
        self._engine = engine
        self._uuid = uuid
        self._pulse = pulse
        self._until = 0.0

    @property
    def possible(self) -> bool:
        """Whether there may be any."""
        return time.monotonic() < self._until

    def watch(self) -> None:
        """Hear that a fetch has got no answer, or none that can be trusted."""
        self._until = time.monotonic() + CLAIM_WATCH

    def is_stale(self, asked: float) -> bool:
        """Return whether an answer came too late to tell whose the jobs in it are.

        This process was stopped meanwhile, or its network, for so long that they may have been rescued.

        Args:
            asked: When it was asked for, by `clock.elapsed`.
        """
        return self._pulse is not None and elapsed() - asked > self._pulse.rescue_after / 2

    async def find(self, queue: str, known: Collection[tuple[int | None, int]]) -> list[Job[Any]]:
        """Return the jobs of a queue that are the producer's in the table, but for those that it knows.

        Nobody else would ever run them, nor rescue them while it lives.

        Raises:
            OSError, asyncpg.PostgresError: The database can't be asked.
        """
        try:
            claimed = await self._engine.claimed(queue, self._uuid)
        except Exception as error:
            if is_unavailable(error):
                self.watch()  # Nobody has looked yet.
            elif not isinstance(error, SchemaError):
                self._until = 0.0
            raise
        return [job for job in claimed if (job.id, job.attempt) not in known]
