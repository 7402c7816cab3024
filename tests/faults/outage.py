"""What all outages of the database have in common: jobs end meanwhile, are acked after it, and run no second time."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Collection
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final

from . import promises
from .faults import Fault, Hit
from .ground import GONE
from .ledger import Execution
from .machine import Limit
from .node import SILENCE
from .workers import LONG, Steady

if TYPE_CHECKING:
    from .ground import Ground

#: Seconds within which outcomes that waited for the database are written: the longest pause of those who wait, and the
#: write.
ACKED: Final = 5.0

#: Jobs that an outage must catch, and seconds after which more are ordered where others had those.
_CAUGHT: Final = 3
_AGAIN: Final = 1.5


class Outage(Fault):
    """Takes the database away while jobs run that end before it is back.

    Attributes:
        lasting: Seconds of the outage, at the least and at the most; by default every node falls silent for longer
            than a dead one would, and nobody may conclude that.
    """

    lasting: ClassVar[tuple[float, float]] = SILENCE

    def __init__(self) -> None:
        self._caught: list[Execution] = []

    async def prepare(self, ground: Ground) -> None:
        """Make ready for it, before the jobs that it is to catch begin; `bring_back` undoes that as well."""

    @abstractmethod
    async def take_away(self, ground: Ground, random: Random) -> str:
        """Make nodes unable to work; return what was done, for people."""

    @abstractmethod
    async def bring_back(self, ground: Ground) -> None:
        """Make the database whole again, whether or not `prepare` and `take_away` came to their end."""

    async def strike(self, ground: Ground, random: Random) -> Hit:
        try:
            await self.prepare(ground)
            self._caught = await half_way(ground, frozenset[int]().union(*(node.pids() for node in ground.nodes)))
            began = time.monotonic()
            note = await self.take_away(ground, random)
            await asyncio.sleep(random.uniform(*self.lasting))
            await one_ended(ground, self._caught)
        finally:
            await self.bring_back(ground)
        return Hit(self.name, began, time.monotonic(), note=f"{note}; {len(self._caught)} jobs in flight")

    async def check(self, ground: Ground, hit: Hit) -> None:
        """What ended while the database was away is written now that it is back."""
        await acked(ground, self._caught, hit)


async def half_way(ground: Ground, pids: Collection[int]) -> list[Execution]:
    """Return executions of jobs that processes have begun, and that go on for most of a second.

    They are of a queue in which little else waits, whatever the load.
    """
    mine: set[int] = set()
    more, limit = time.monotonic(), Limit("jobs to be in flight", 20)
    while True:
        caught = [run for run in ground.ledger.in_flight(pids) if run.job in mine]
        if len(caught) >= _CAUGHT:
            return caught
        limit.check()
        if time.monotonic() >= more:
            more += _AGAIN
            with suppress(*GONE):
                ordered = await ground.load.order_many(Steady, 5 * len(ground.nodes), {"seconds": 0.8}, queue=LONG)
                mine |= {job.id or 0 for job in ordered}
        await asyncio.sleep(0.02)


async def one_ended(ground: Ground, caught: Collection[Execution]) -> None:
    """Wait until one of these executions has ended, so that its outcome has to wait for the database."""
    limit = Limit("jobs to end", 20)
    going_on = set(caught)
    while caught and going_on <= set(ground.ledger.in_flight({run.pid for run in caught})):
        limit.check()
        await asyncio.sleep(0.02)


async def acked(ground: Ground, caught: Collection[Execution], hit: Hit) -> None:
    """Assert that of executions which ended during an outage each one's outcome is written, and none was run again.

    Raises:
        AssertionError: One is not in time, one was run again, or none ended during the outage.
    """
    ids = {run.job for run in caught}
    runs = await promises.executions(ground, ids)
    ended = {job for job in ids if (end := runs[job][0].ended) is not None and end <= hit.ended}
    if not ended:
        raise AssertionError(f"{hit.fault}: none of {len(ids)} jobs ended while the database was away")
    if twice := {job: held for job, held in runs.items() if len(held) > 1}:
        raise AssertionError(f"{hit.fault}: jobs ran again: {twice}")
    limit = Limit("outcomes to be written", ACKED, since=hit.ended)
    while left := await _unwritten(ground, ended):
        if limit.is_over():
            raise AssertionError(f"{hit.fault}: ended meanwhile, and not written {ACKED:g} s after: {left[:5]}")
        await asyncio.sleep(0.1)


async def _unwritten(ground: Ground, jobs: Collection[int]) -> list[Any]:
    return await ground.sql(
        "select id, state::text, attempt from oban_jobs where id = any($1::bigint[]) and state <> 'completed'",
        list(jobs),
    )
