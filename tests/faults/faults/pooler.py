"""A pooler in transaction mode between one node and the server, which is killed and started again."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import TYPE_CHECKING, Final

from faults.edge import Chatter, edge_node, keep_busy, ran_elsewhere, works_again
from faults.ground import CHATTER
from faults.ledger import Execution
from faults.pgbouncer import PROGRAM, PgBouncer

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground

#: Seconds of a silence that is long enough for a rescue.
_LONG: Final = 6.0


class _OfPooler(Fault):
    """Hits the pooler of one node in the midst of jobs; the other nodes don't use it."""

    def __init__(self) -> None:
        self._caught: list[Execution] = []

    def lack(self, ground: Ground) -> str | None:
        return "PgBouncer is not installed" if PROGRAM is None else None

    async def _keep_down(self, ground: Ground, downs: list[float], pauses: list[float], *, rescued: bool) -> Hit:
        """Kill the pooler for so many seconds each time, and wait so long after each start."""
        async with PgBouncer(ground.site.port) as pooler, edge_node(ground, pooler.dsn) as node:
            self._caught = await keep_busy(ground, node)
            self._chatter = Chatter(node, CHATTER)
            pids = node.pids() if rescued else frozenset()
            began = time.monotonic()
            for down, pause in zip(downs, pauses, strict=True):
                await pooler.kill()
                await asyncio.sleep(down)
                await pooler.start()
                ended = time.monotonic()
                await asyncio.sleep(pause)
            note = f"down for {', '.join(f'{down:.1f}' for down in downs)} s"
            hit = Hit(self.name, began, ended, pids=pids, overlaps=True, note=note)
            return await works_again(ground, hit, self.bound)

    async def check(self, ground: Ground, hit: Hit) -> None:
        """Its node has not filled its log."""
        self._chatter.check()


class PoolerKilled(_OfPooler):
    """The pooler is killed again and again, and started at once or after a moment: nothing runs twice."""

    name = "pooler-killed"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        downs = [0.0, random.uniform(0, 0.5), random.uniform(0.5, 1.5)]
        pauses = [random.uniform(0.2, 1.5), random.uniform(1, 2), 0.0]
        return await self._keep_down(ground, downs, pauses, rescued=False)


class PoolerAway(_OfPooler):
    """The pooler is away until the jobs of its node have been rescued; it overwrites nothing when it is back."""

    name = "pooler-away"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        return await self._keep_down(ground, [_LONG + random.uniform(0, 2)], [0.0], rescued=True)

    async def check(self, ground: Ground, hit: Hit) -> None:
        """Others have run its jobs, too."""
        await super().check(ground, hit)
        if not await ran_elsewhere(ground, hit, self._caught):
            raise AssertionError(f"none of {len(self._caught)} jobs of a node whose pooler was away ran elsewhere")


FAULTS: Final = (PoolerKilled(), PoolerAway())
