"""A node at the edge: one more than the ground has, whose way to the server is a fault's own to break."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .ground import GONE
from .machine import Limit
from .node import RESCUED
from .workers import QUEUE, Changing, Mix, mix_of

if TYPE_CHECKING:
    from .faults import Hit
    from .ground import Ground
    from .ledger import Execution
    from .node import Node

#: Its name.
EDGE: Final = "edge"

#: Seconds that it gets until it works.
_START: Final = 30.0

#: The queues that it shares with the others: none whose jobs outlive its stop.
_SLOTS: Final = 20
_QUEUES: Final = f"{QUEUE}:{_SLOTS}"

#: Seconds after which jobs are ordered anew for a node, where others had those.
_AGAIN: Final = 1.0

#: Of a mixed lot: some of their second attempts are over when others go on yet, for long enough to be overwritten.
_MIXED: Final = {"later": 2.0, "mixed": True}
_ALL: Final = {mix_of(job) for job in range(4)}
_LASTING: Final = {Mix(lasts=True, fails=False), Mix(lasts=True, fails=True)}


@asynccontextmanager
async def edge_node(ground: Ground, dsn: str, **options: Any) -> AsyncIterator[Node]:
    """Yield a node that works, and end it in order, with all that it ran.

    Args:
        ground: Which it joins.
        dsn: By which it gets to the ground's database.
        options: Those of `Node`.
    """
    node = ground.add_node(EDGE, dsn=dsn, queues=_QUEUES, **options)
    node.start()
    try:
        await ground.works_again(_START)
        yield node
        await ground.remove_node(node)
    except BaseException:
        node.close()
        ground.nodes.remove(node)
        raise


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


async def keep_busy(ground: Ground, node: Node, seconds: float = 0.5) -> list[Execution]:
    """Wait until a node is in the midst of jobs that end otherwise in a second attempt, and return those.

    What it would overwrite, had they been taken from it, shows in them: some of their first attempts fail, and some of
    their second ones take longer. There are as many as all nodes can run at once, and most take some `seconds`.
    """
    pids, mine, more, limit = node.pids(), set[int](), time.monotonic(), Limit("jobs to be in flight", 20)
    while True:
        found = [run for run in ground.ledger.in_flight(pids) if run.job in mine and run.attempt == 1]
        if {mix_of(run.job) for run in found} == _ALL:
            return found
        limit.check()
        if time.monotonic() >= more:
            more += _AGAIN
            with suppress(*GONE):
                args = {**_MIXED, "seconds": seconds}
                ordered = await ground.load.order_many(Changing, _SLOTS * len(ground.nodes), args)
                mine |= {job.id or 0 for job in ordered}
        await asyncio.sleep(0.02)


async def taken_over(ground: Ground, node: Node, caught: Sequence[Execution]) -> None:
    """Wait until jobs that a node was in the midst of run at other ones, or have, so that it may overwrite these.

    Args:
        ground: Where they are.
        node: Which was in their midst.
        caught: The jobs, as `keep_busy` has returned them.

    Raises:
        AssertionError: None has run elsewhere, within the time for a rescue.
    """
    limit = Limit("rescues", RESCUED)
    while not await _run_elsewhere(ground, node, caught):
        if limit.is_over():
            raise AssertionError(f"none of {len(caught)} jobs of {node.name} has run elsewhere within {RESCUED:g} s")
        await asyncio.sleep(0.1)


async def _run_elsewhere(ground: Ground, node: Node, caught: Sequence[Execution]) -> bool:
    """Tell whether one of their second attempts is over, and one of each sort that lasts goes on, or is over too."""
    rows = await ground.sql(
        "select j.id, j.state::text "
        "from oban_jobs as j join unnest($1::bigint[], $2::int[]) as c (id, attempt) using (id) "
        "where j.attempt > c.attempt and j.attempted_by[1] <> $3 and j.state in ('executing', 'cancelled')",
        [run.job for run in caught],
        [run.attempt for run in caught],
        node.name,
    )
    over = any(row["state"] == "cancelled" for row in rows)
    return over and {mix_of(run.job) for run in caught} & _LASTING <= {mix_of(row["id"]) for row in rows}
