"""What shows that a ground works again: every node begins fresh jobs, of its own queue and of the shared one."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import asyncpg

from .machine import Limit
from .workers import QUEUE, Probe, Steady

if TYPE_CHECKING:
    from .ground import Ground
    from .node import Node

#: Whatever a connection may say while a fault lasts.
GONE: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)

_POLL: Final = 0.05

#: Seconds that a question may take.
_PATIENCE: Final = 2.0

#: Seconds after which jobs are ordered for nodes that have begun none of the shared queue, and again; how many for each
#: node, and how long they take: more at once than a node has places, so that no node takes all of them.
_FIRST: Final = 0.3
_AGAIN: Final = 0.7
_MANY: Final = 30
_LASTING: Final = 0.2


class Recovery:
    """Watches a ground from now on, until all of its nodes work.

    Args:
        ground: Which it is.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._begun = time.monotonic()
        self._more = self._begun + _FIRST
        alive = [node for node in ground.nodes if node.alive]
        self._silent = {node.name: node for node in alive}
        self._idle = [node for node in alive if _shares(node)]
        self._asked: dict[str, int] = {}

    async def wait(self, bound: float) -> float:
        """Wait until every node has run a job of its own queue, and begun one of the shared queue; return the seconds.

        Raises:
            AssertionError: One did not within `bound` seconds.
        """
        limit = Limit("nodes to work again", bound, since=self._begun)
        while self._silent or self._idle:
            with suppress(*GONE):
                await self._look()
            if (left := self._left) and limit.is_over():
                names = ", ".join(sorted({node.name for node in left}))
                raise AssertionError(f"nodes {names} did not work again within {bound:g} s{self._last_words(left)}")
            await asyncio.sleep(_POLL if left else 0)
        if dead := [node.name for node in self._ground.nodes if not node.alive]:
            raise AssertionError(f"nodes {', '.join(dead)} are dead: a fault starts anew what it kills")
        return time.monotonic() - self._begun

    @property
    def _left(self) -> list[Node]:
        return [*self._silent.values(), *self._idle]

    async def _look(self) -> None:
        last = self._ground.ledger.last_begun
        self._idle = [node for node in self._idle if last(QUEUE, node.pids()) < self._begun]
        up = any(node.name not in self._silent for node in self._idle)
        if up and time.monotonic() > self._more:
            self._more = time.monotonic() + _AGAIN
            async with asyncio.timeout(_PATIENCE):
                await self._ground.load.order_many(Steady, _MANY * len(self._ground.nodes), {"seconds": _LASTING})
        if self._silent:
            await self._probe()

    async def _probe(self) -> None:
        """Ask every node that was not asked yet, and strike out those that have answered."""
        for name, node in self._silent.items():
            if name not in self._asked:
                async with asyncio.timeout(_PATIENCE):
                    job = await self._ground.client.enqueue(Probe.new({}, queue=node.probes))
                self._asked[name] = job.id or 0
        rows = await self._ground.sql(
            "select id from oban_jobs where id = any($1::bigint[]) and state = 'completed'",
            list(self._asked.values()),
            timeout=_PATIENCE,
        )
        done = {row["id"] for row in rows}
        for name in [name for name, job in self._asked.items() if job in done]:
            self._silent.pop(name, None)

    def _last_words(self, nodes: list[Node]) -> str:
        return "".join(f"\n{node.name}: {str(line)[:300]}" for node in nodes for line in node.lines()[-2:])


def _shares(node: Node) -> bool:
    return QUEUE in {queue.partition(":")[0] for queue in node.queues.split(",")}
