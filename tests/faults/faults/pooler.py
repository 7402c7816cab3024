"""A pooler in transaction mode between one node and the server, which is killed and started again."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

from faults.chatter import Chatter
from faults.edge import edge_node, keep_busy, taken_over, works_again
from faults.ledger import Execution
from faults.machine import rest
from faults.node import BRIEF, Node
from faults.pgbouncer import PROGRAM, PgBouncer

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground


class _OfPooler(Fault):
    """Hits the pooler of one node in the midst of jobs; the other nodes don't use it."""

    #: Whether it lasts until the node's jobs have been rescued, and one of them has run elsewhere.
    rescued: ClassVar[bool] = False

    def lack(self, ground: Ground) -> str | None:
        return "PgBouncer is not installed" if PROGRAM is None else None

    async def strike(self, ground: Ground, random: Random) -> Hit:
        async with PgBouncer(ground.site.port) as pooler, edge_node(ground, pooler.dsn) as node:
            caught = await keep_busy(ground, node)
            self._chatter = Chatter(node)
            pids = node.pids() if self.rescued else frozenset()
            began = time.monotonic()
            note = await self._torment(ground, pooler, random, node, caught)
            hit = Hit(self.name, began, time.monotonic(), pids=pids, overlaps=True, note=note)
            return await works_again(ground, hit, self.bound)

    @abstractmethod
    async def _torment(
        self, ground: Ground, pooler: PgBouncer, random: Random, node: Node, caught: Sequence[Execution]
    ) -> str:
        """Kill the pooler, and start it again; return how, for people."""

    async def check(self, ground: Ground, hit: Hit) -> None:
        """Its node has not filled its log."""
        self._chatter.check()


class PoolerKilled(_OfPooler):
    """The pooler is killed again and again, and started at once or after a moment: nothing runs twice."""

    name = "pooler-killed"

    async def _torment(
        self, ground: Ground, pooler: PgBouncer, random: Random, node: Node, caught: Sequence[Execution]
    ) -> str:
        downs = [0.0, random.uniform(0, BRIEF / 2), random.uniform(BRIEF / 2, BRIEF)]
        pauses = [random.uniform(0.2, 1.0), random.uniform(0.5, 1.0), 0.0]
        for down, pause in zip(downs, pauses, strict=True):
            await pooler.kill()
            await asyncio.sleep(down)
            await pooler.start()
            await rest(pause)
        return f"down for {', '.join(f'{down:.1f}' for down in downs)} s"


class PoolerAway(_OfPooler):
    """The pooler is away until the jobs of its node have been rescued; it overwrites nothing when it is back."""

    name = "pooler-away"
    rescued = True

    async def _torment(
        self, ground: Ground, pooler: PgBouncer, random: Random, node: Node, caught: Sequence[Execution]
    ) -> str:
        await pooler.kill()
        await taken_over(ground, node, caught)
        await pooler.start()
        return f"until {len(caught)} jobs were taken from its node"


FAULTS: Final = (PoolerKilled(), PoolerAway())
