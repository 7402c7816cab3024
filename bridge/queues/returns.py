"""The jobs that a producer hands back when it stops: it ended them before their end, or never began them."""

from __future__ import annotations

import asyncio
from typing import Any

from bridge.engine import Engine, is_unavailable
from bridge.errors import SchemaError
from bridge.jobs import Job
from bridge.queues.backoff import RetryDelay
from bridge.queues.bounded import within
from bridge.queues.log import logger


class Returns:
    """Gathers what is to be handed back, and makes it available to other nodes.

    Args:
        engine: Where the jobs are.
        uuid: The producer's; a row that another one took over is left alone.
        queue: The queue's name, for the log.
    """

    def __init__(self, engine: Engine, uuid: str, queue: str) -> None:
        self._engine = engine
        self._uuid = uuid
        self._queue = queue
        self._left: list[tuple[int, int]] = []

    def add(self, job: Job[Any]) -> None:
        """Take a job to hand back: this attempt, and no later one that runs elsewhere by then, or here."""
        assert job.id is not None  # noqa: S101 - a fetched job has one; this tells the type checker
        self._left.append((job.id, job.attempt))

    async def write(self, timeout: float) -> None:
        """Hand back what was gathered, within `timeout` seconds; of what is left by then, the log tells."""
        try:
            await within(timeout, self._write())
        except Exception as error:
            ids = [job_id for job_id, _ in self._left]
            known = is_unavailable(error) or isinstance(error, SchemaError)  # which says what to do by itself
            logger.error("queue %s could not hand back jobs %s: %s", self._queue, ids, error, exc_info=not known)

    async def _write(self) -> None:
        delay = RetryDelay(longest=0.5)
        while self._left:
            try:
                await self._engine.release(self._uuid, self._left)
                self._left = await self._engine.unreleased(self._uuid, self._left)
            except Exception as error:
                if not is_unavailable(error):
                    raise
            if self._left:  # Other transactions hold these rows, or the database is away.
                await asyncio.sleep(delay.next())
