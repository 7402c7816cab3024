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
from bridge.queues.wording import named


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
        #: By whether they were begun.
        self._left: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        #: The jobs that are available again.
        self.handed_back: list[int] = []
        #: Those that were discarded, because they had no attempt left.
        self.discarded: list[int] = []

    @property
    def pending(self) -> list[int]:
        """The jobs that are not handed back yet."""
        return [job_id for claims in self._left.values() for job_id, _ in claims]

    def add(self, job: Job[Any], *, begun: bool = True) -> None:
        """Take a job to hand back: this attempt, and no later one that runs elsewhere by then, or here.

        Where it was not `begun`, that costs it no attempt.
        """
        assert job.id is not None  # noqa: S101 - a fetched job has one; this tells the type checker
        self._left[begun].append((job.id, job.attempt))

    async def write(self, timeout: float) -> None:
        """Hand back what was gathered, within `timeout` seconds; of what is left by then, the log tells."""
        try:
            await within(timeout, self._write())
        except Exception as error:
            known = is_unavailable(error) or isinstance(error, SchemaError)  # which says what to do by itself
            logger.error(
                "queue %s could not hand back jobs %s: %s", self._queue, self.pending, error, exc_info=not known
            )

    async def _write(self) -> None:
        delay = RetryDelay(longest=0.5)
        while self.pending:
            try:
                for begun in (True, False):
                    await self._write_part(begun)
            except Exception as error:
                if not is_unavailable(error):
                    raise
            if self.pending:  # Other transactions hold these rows, or the database is away.
                await asyncio.sleep(delay.next())

    async def _write_part(self, begun: bool) -> None:
        if claims := self._left[begun]:
            self._note(await self._engine.release(self._uuid, claims, begun=begun))
            self._left[begun] = await self._engine.unreleased(self._uuid, claims)

    def _note(self, states: dict[int, str]) -> None:
        self.handed_back += [job_id for job_id, state in states.items() if state == "available"]
        self.discarded += [job_id for job_id, state in states.items() if state == "discarded"]

    def tell(self) -> None:
        """Let the log tell what became of the jobs that were handed back, a line for all of them."""
        told = []
        if self.handed_back:
            told.append(f"{named(self.handed_back, 'is', 'are')} available again")
        if self.discarded:
            told.append(f"{named(self.discarded)} discarded for good, with no attempt left")
        if told:
            logger.warning("queue %s stopped before the end of jobs: %s", self._queue, "; ".join(told))
        self.handed_back, self.discarded = [], []
