"""A node at the edge: one more than the ground has, whose way to the server is a fault's own to break."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .ground import GONE
from .node import RESCUED
from .workers import QUEUE, Changing

if TYPE_CHECKING:
    from .faults import Hit
    from .ground import Ground
    from .ledger import Execution
    from .node import Node

#: Seconds that it gets until it works.
_START: Final = 30.0

#: The queues that it shares with the others: none whose jobs outlive its stop.
_SLOTS: Final = 20
_QUEUES: Final = f"{QUEUE}:{_SLOTS}"

#: Seconds after which jobs are ordered anew for a node, where others had those.
_AGAIN: Final = 1.0


@asynccontextmanager
async def edge_node(ground: Ground, dsn: str, **options: Any) -> AsyncIterator[Node]:
    """Yield a node that works, and end it in order, with all that it ran.

    Args:
        ground: Which it joins.
        dsn: By which it gets to the ground's database.
        options: Those of `Node`.
    """
    node = ground.add_node("edge", dsn=dsn, queues=_QUEUES, **options)
    node.start()
    try:
        await ground.works_again(_START)
        yield node
        await ground.remove_node(node)
    except BaseException:
        node.close()
        ground.nodes.remove(node)
        raise


class Chatter:
    """What a node logs from now on, which must be little.

    Args:
        node: Which is listened to.
        rate: Lines a second that it may log.
    """

    def __init__(self, node: Node, rate: float) -> None:
        self._node = node
        self._rate = rate
        self._mark = node.mark()
        self._begun = time.monotonic()

    def check(self) -> None:
        """Refuse more lines than it may have logged until now."""
        said, most = self._node.chatter(self._mark), self._rate * (time.monotonic() - self._begun + 5)
        if said > most:
            last = self._node.lines(self._mark)[-5:]
            raise AssertionError(f"node {self._node.name} logged {said} lines, more than {most:.0f}: {last}")


async def works_again(ground: Ground, hit: Hit, bound: float) -> Hit:
    """Wait until all nodes work, the one at the edge among them; return the hit with how long it took since its end.

    Where they don't, the hit counts all the same: it explains what the account will find.
    """
    try:
        took = await ground.works_again(bound)
    except AssertionError:
        ground.hits.append(hit)
        raise
    ground.recovered.setdefault(hit.fault, []).append(took)
    return replace(hit, note=f"{hit.note}, works again after {took:.1f} s")


async def keep_busy(ground: Ground, node: Node) -> list[Execution]:
    """Wait until a node is in the midst of jobs that end otherwise in a second attempt, and return those.

    What it would overwrite, had they been taken from it, shows in them. There are as many as all nodes can run at once.
    """
    pids, mine, more = node.pids(), set[int](), time.monotonic()
    async with asyncio.timeout(20):
        while not (found := [run for run in ground.ledger.in_flight(pids) if run.job in mine]):
            if time.monotonic() >= more:
                more += _AGAIN
                with suppress(*GONE):
                    ordered = await ground.load.order_many(Changing, _SLOTS * len(ground.nodes), {"seconds": 0.5})
                    mine |= {job.id or 0 for job in ordered}
            await asyncio.sleep(0.02)
    return found


async def taken_over(ground: Ground, node: Node, caught: Sequence[Execution]) -> None:
    """Wait until a job that a node was in the midst of has run at another one, to an end that the first may overwrite.

    Raises:
        AssertionError: None has, within the time for a rescue.
    """
    deadline = time.monotonic() + RESCUED
    while not await _run_elsewhere(ground, node, caught):
        if time.monotonic() > deadline:
            raise AssertionError(f"none of {len(caught)} jobs of {node.name} has run elsewhere within {RESCUED:g} s")
        await asyncio.sleep(0.1)


async def _run_elsewhere(ground: Ground, node: Node, caught: Sequence[Execution]) -> list[Any]:
    return await ground.sql(
        "select from oban_jobs as j join unnest($1::bigint[], $2::int[]) as c (id, attempt) using (id) "
        "where j.attempt > c.attempt and j.attempted_by[1] <> $3 and j.state = 'cancelled'",
        [run.job for run in caught],
        [run.attempt for run in caught],
        node.name,
    )
