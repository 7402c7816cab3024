"""Draining a queue: its jobs run one after the other in the calling task (Oban 2.23: `Oban.drain_queue`)."""

from __future__ import annotations

import uuid
from collections import deque
from datetime import datetime
from typing import TypedDict

from bridge.engine import Engine
from bridge.errors import InvalidSetting
from bridge.jobs import Registry, checks
from bridge.queues.acker import Acker
from bridge.queues.execution import Execution
from bridge.queues.here import run_here
from bridge.queues.outcome import Outcome

#: How many jobs one round takes where no limit is given (Oban 2.23).
NO_LIMIT = 100_000_000


class DrainCounts(TypedDict):
    """How many jobs came to each end; the keys are Oban's.

    `failure` counts attempts that will be made again, `discard` those that won't, also for want of attempts. A job that
    was moved to the queue `quarantine` counts as a failure.
    """

    cancelled: int
    discard: int
    failure: int
    snoozed: int
    success: int


_COUNTED = {
    "available": "failure",
    "cancelled": "cancelled",
    "completed": "success",
    "discarded": "discard",
    "retryable": "failure",
    "scheduled": "snoozed",
}


class Drainer:
    """Runs what one queue holds, with a producer's own statements, execution and acks, but without a producer.

    Args:
        engine: Where the jobs are.
        registry: The workers that may run; jobs of others are left alone, as by a queue.
        node: This node's name.
        queue: The queue's.
        with_limit: How many jobs one round takes; default all.
        with_recursion: Begin again until a round finds none, so that jobs which the jobs enqueued run too.
        with_safety: Failures are recorded, and the next job runs. False raises the first one once it is recorded; what
            was fetched behind it is handed back.
        with_scheduled: True stages what is scheduled or retryable, a time all of it up to then.

    Raises:
        InvalidJob: The queue's name is none.
        InvalidSetting: An option of the wrong kind.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        *,
        node: str,
        queue: str,
        with_limit: int | None = None,
        with_recursion: bool = False,
        with_safety: bool = True,
        with_scheduled: bool | datetime = False,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._node = node
        self._queue = checks.name("queue", queue)
        self._limit = NO_LIMIT if with_limit is None else _limit(with_limit)
        self._recursive = _boolean("with_recursion", with_recursion)
        self._safe = _boolean("with_safety", with_safety)
        self._scheduled = with_scheduled if isinstance(with_scheduled, datetime) else _scheduled(with_scheduled)
        self._uuid = str(uuid.uuid4())
        self._acker = Acker(engine, self._uuid, lambda outcome, recorded: outcome.report(recorded, engine.oban))
        self._counts = DrainCounts(cancelled=0, discard=0, failure=0, snoozed=0, success=0)

    async def drain(self) -> DrainCounts:
        """Run the jobs, and return how many came to which end.

        Raises:
            Exception: What a job raised, without safety.
        """
        while True:
            before = self._counts.copy()
            await self._stage()
            await self._run_round()
            if not self._recursive or self._counts == before:
                return self._counts

    async def _stage(self) -> None:
        if self._scheduled is not False:
            until = None if self._scheduled is True else checks.moment("with_scheduled", self._scheduled)
            await self._engine.stage_queue(self._queue, until)

    async def _run_round(self) -> None:
        names = self._registry.names()
        left = deque(await self._engine.fetch(self._queue, self._limit, self._node, self._uuid, names))
        try:
            while left:
                outcome = await run_here(Execution(left[0], self._registry, self._engine.oban))
                await self._acker.write(outcome)
                left.popleft()
                self._count(outcome)
                if outcome.error is not None and not self._safe:
                    raise outcome.error
        finally:
            if left:
                await self._engine.release(self._uuid, [(job.id, job.attempt) for job in left if job.id is not None])

    def _count(self, outcome: Outcome) -> None:
        if outcome.ack is not None:
            self._counts[_COUNTED[outcome.ack.state]] += 1  # type: ignore[literal-required]  # one of its keys


def _limit(value: int) -> int:
    return checks.integer("with_limit", value, 1, checks.MAX_INT4, InvalidSetting)


def _boolean(field: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise InvalidSetting(field, value, "True or False")
    return value


def _scheduled(value: bool) -> bool:
    if not isinstance(value, bool):
        raise InvalidSetting("with_scheduled", value, "True, False or an aware datetime")
    return value
