"""Outcomes that were dropped, because their rows are not their producer's any more: the log tells of all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final, TypeAlias

from bridge.engine import Engine
from bridge.jobs import Job
from bridge.queues.bounded import within
from bridge.queues.log import logger
from bridge.queues.wording import ids_of, named

#: Seconds in which drops are gathered before the first line: those of a node that was suspended come together.
GATHER: Final = 0.1

#: Seconds from one line to the next.
INTERVAL: Final = 30.0

#: How many rows are looked at for a line; the others are taken to be as these are.
LOOKS: Final = 100

#: Seconds that such a look may take.
PATIENCE: Final = 5.0

#: A job's id and its attempt.
Claim: TypeAlias = tuple[int, int]


class Drops:
    """Gathers dropped outcomes, and tells of them soon, then twice a minute at most, with none left out.

    Where their rows show that others took this node for dead, it says so, and also names the jobs that still run here
    though others have them: what these come to will be dropped as well, and needs no further word.

    Args:
        engine: Where the rows are.
        uuid: The producer's.
        running: Returns what it runs.
    """

    def __init__(self, engine: Engine, uuid: str, running: Callable[[], Collection[Claim]]) -> None:
        self._engine = engine
        self._uuid = uuid
        self._running = running
        self._new: list[Claim] = []
        self._told: set[Claim] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, job: Job[Any]) -> None:
        """Take a job whose outcome was dropped."""
        claim = (job.id or 0, job.attempt)
        if claim in self._told:
            self._told.discard(claim)
            return
        self._new.append(claim)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="bridge-drops")

    def abandon(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Tell of what was not told yet, by what is known."""
        self.abandon()
        if self._task is not None:
            await asyncio.wait([self._task])  # It puts back what it was about to tell.
        if self._new:
            await self._tell()

    async def _run(self) -> None:
        await asyncio.sleep(GATHER)
        while self._new:
            await self._tell()
            await asyncio.sleep(INTERVAL)

    async def _tell(self) -> None:
        dropped, self._new = self._new, []
        running = [claim for claim in self._running() if claim not in self._told]
        try:
            taken = await self._taken([*dropped, *running][:LOOKS])
        except asyncio.CancelledError:
            self._new = dropped + self._new
            raise
        lost = [claim for nth, claim in enumerate(dropped) if claim in taken or (taken and nth >= LOOKS)]
        held = [claim for claim in running if claim in taken]
        ended = {*self._new}
        self._told = {*self._told.intersection(self._running()), *held} - ended
        self._new = [claim for claim in self._new if claim not in held]
        _warn(lost + held, [claim for claim in dropped if claim not in {*lost}])

    async def _taken(self, claims: list[Claim]) -> set[Claim]:
        """Return those of some claims that were taken from this producer, as from one that died."""
        wanted = dict(claims)
        try:
            rows = await within(PATIENCE, self._engine.select({"id": list(wanted)}, len(wanted)))
            return {claim for row in rows if self._is_taken(row, (claim := (row.id or 0, wanted[row.id or 0]))[1])}
        except Exception as error:  # it is a better word for what is told anyway
            logger.debug("can't look up who changed jobs: %s", error)
            return set()

    def _is_taken(self, row: Job[Any], attempt: int) -> bool:
        if row.attempted_by[1:] != [self._uuid]:
            return row.attempt > attempt  # so it was made available before
        if row.attempt != attempt:
            return False  # this producer has it again, whoever made it available
        # Nobody but a rescue makes a running job available, or discards one without a word of why.
        discarded = row.state == "discarded" and row.attempt >= row.max_attempts and not _has_error(row, attempt)
        return row.state == "available" or discarded


def _has_error(row: Job[Any], attempt: int) -> bool:
    return any(entry.get("attempt") == attempt for entry in row.errors)


def _warn(taken: list[Claim], changed: list[Claim]) -> None:
    if taken:
        told = "others took this node for dead and have its jobs now: %s; what comes of these here is dropped"
        logger.warning(told, ids_of([job_id for job_id, _ in taken]))
    if changed:
        ended = "it ran; its outcome is" if len(changed) == 1 else "they ran; their outcomes are"
        logger.warning("%s changed by somebody else while %s dropped", named([job_id for job_id, _ in changed]), ended)
