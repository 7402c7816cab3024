"""Nodes that are stopped by SIGSTOP, and go on when others have their jobs, or before."""

from __future__ import annotations

import asyncio
import signal
import time
from random import Random
from typing import TYPE_CHECKING, Final

from faults import promises
from faults.edge import keep_busy, taken_over
from faults.ledger import Execution
from faults.machine import Limit
from faults.node import BRIEF, QUICK, RESCUED
from faults.workers import Changing

from . import Fault, Hit
from .processes import FEW, START

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node


class NodeStopped(Fault):
    """A node's main process gets SIGSTOP until its jobs have been rescued, and then SIGCONT: it overwrites nothing.

    What it would overwrite shows in jobs that come to another end in their second attempt, some of which goes on yet;
    in jobs that wait for theirs, because no other node runs them; and in jobs that have none left.
    """

    name = "node-stopped"

    def __init__(self) -> None:
        self._rescued: list[tuple[int, int]] = []

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        pids = node.pids()
        own = await self._order_own(ground, node)
        caught = await keep_busy(ground, node)
        began = time.monotonic()
        node.signal(signal.SIGSTOP)
        try:
            self._rescued = [(run.job, run.attempt) for run in ground.ledger.in_flight(pids) if run.job in own]
            await taken_over(ground, node, caught)
            await promises.left(ground, self._rescued, RESCUED)
        finally:
            node.signal(signal.SIGCONT)
        return Hit(self.name, began, time.monotonic(), pids=pids, overlaps=True, note=node.name)

    async def _order_own(self, ground: Ground, node: Node) -> set[int]:
        """Have jobs under way that only this node runs, some of which have one attempt; return their ids."""
        own = set[int]()
        for attempts in (1, 20):
            options = {"queue": node.probes, "max_attempts": attempts}
            jobs = await ground.load.order_many(Changing, 2, {"seconds": 3.0, "later": 0.1}, **options)
            own |= {job.id or 0 for job in jobs}
        await promises.begun(ground, own)
        return own

    async def check(self, ground: Ground, hit: Hit) -> None:
        """It has completed nothing that had been taken from it."""
        await promises.not_completed(ground, self._rescued)


class StoppedNodeTerminated(Fault):
    """A node gets SIGSTOP until its jobs run elsewhere, and SIGTERM then: it hands none of them back when it continues.

    Their first attempts outlive its grace period, and the second ones that.
    """

    name = "stopped-node-terminated"
    bound = START

    def lack(self, ground: Ground) -> str | None:
        return "there is one node only" if len(ground.nodes) < 2 else None

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        pids = node.pids()
        caught = await self._order_long(ground, node)
        began = time.monotonic()
        node.signal(signal.SIGSTOP)
        try:
            await promises.left(ground, [(run.job, run.attempt) for run in caught], RESCUED)
            await promises.begun(ground, [run.job for run in caught], attempt=2)
        finally:
            status = await node.stop()
        ended = time.monotonic()
        node.start()
        if status:
            raise AssertionError(f"{node.name} ended with status {status}: {node.lines()[-5:]}")
        note = f"{node.name}: {len(caught)} jobs in flight"
        return Hit(self.name, began, ended, pids=pids, overlaps=True, note=note)

    async def _order_long(self, ground: Ground, node: Node) -> list[Execution]:
        """Return executions that the node is in the midst of, of jobs that take long here, and later anywhere."""
        grace: float = QUICK["SHUTDOWN_GRACE_PERIOD"]
        args = {"seconds": RESCUED + 2 * grace, "later": grace + 2.0, "at": node.name}
        ids, found = set[int](), list[Execution]()
        limit = Limit("jobs to be in flight", 20)
        while len(found) < FEW:
            limit.check()
            ids |= {job.id or 0 for job in await ground.load.order_many(Changing, 10, args)}
            await asyncio.sleep(0.2)
            found = [run for run in ground.ledger.in_flight(node.pids()) if run.job in ids]
        return found


class NodePaused(Fault):
    """A node's main process gets SIGSTOP for a moment: too short for a rescue, so nothing runs twice."""

    name = "node-paused"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        await ground.in_flight(node.pids, FEW)
        began = time.monotonic()
        node.signal(signal.SIGSTOP)
        await asyncio.sleep(random.uniform(0.3, 1.5 * BRIEF))
        node.signal(signal.SIGCONT)
        return Hit(self.name, began, time.monotonic(), note=node.name)


FAULTS: Final = (NodeStopped(), StoppedNodeTerminated(), NodePaused())
