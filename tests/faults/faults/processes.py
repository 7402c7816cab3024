"""Processes of nodes that are killed or ended, and of their children."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

from faults import promises
from faults.ledger import Execution
from faults.machine import Limit
from faults.midway import midway
from faults.node import QUICK, RESCUED, SILENCE
from faults.workers import Changing, Quick, Scarred, Threaded

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node

#: Jobs that become due at one moment, which the leader stages in one statement.
_DUE: Final = 2000

_BECOME_DUE: Final = "update oban_jobs set scheduled_at = timezone('UTC', now()) where id = any($1::bigint[])"

#: Jobs that are enough to hit.
FEW: Final = 3

#: A node that is started anew has to read its programs and connect first: seconds until it must work.
START: Final = 15.0


class _Ending(Fault):
    """Kills processes in the midst of jobs, and sees that these don't stay behind."""

    bound = START

    def __init__(self) -> None:
        self._caught: list[Execution] = []

    async def _kill(self, ground: Ground, nodes: Collection[Node]) -> frozenset[int]:
        """Kill nodes at once, all with jobs in flight; return the processes that ended."""
        for node in nodes:
            await ground.in_flight(node.pids, FEW)
        for node in nodes:
            node.signal(signal.SIGSTOP)  # so that nothing ends between the count and the end
        pids = frozenset[int]().union(*(node.pids() for node in nodes))
        self._caught = ground.ledger.in_flight(pids)
        await asyncio.gather(*(node.kill() for node in nodes))
        return pids

    async def check(self, ground: Ground, hit: Hit) -> None:
        """Every job that was caught is taken from the dead in time."""
        await promises.rescued(ground, self._caught, hit)


class NodeKilled(_Ending):
    """A node's main process gets SIGKILL, and is started again under its name, as an init system would.

    Some of its jobs had failed before, and keep that error; of those that were in their last attempt but one each runs
    once more, and those in their last one are discarded.
    """

    name = "node-killed"

    def __init__(self) -> None:
        super().__init__()
        self._last: list[int] = []
        self._last_but_one: list[int] = []

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        self._last = await _scarred(ground, node, max_attempts=2)
        self._last_but_one = await _scarred(ground, node, max_attempts=3)
        await promises.begun(ground, [*self._last, *self._last_but_one], attempt=2)
        await ground.in_flight(node.pids, FEW + len(self._last) + len(self._last_but_one))
        began = time.monotonic()
        pids = await self._kill(ground, [node])
        ended = time.monotonic()
        await asyncio.sleep(random.uniform(0, 0.5))
        node.start()
        return Hit(self.name, began, ended, pids=pids, note=f"{node.name}: {len(self._caught)} jobs in flight")

    async def check(self, ground: Ground, hit: Hit) -> None:
        """It depends on the attempts that were left whether a job runs again."""
        await super().check(ground, hit)
        await promises.ended(ground, self._last, 1, "discarded")
        await promises.ended(ground, self._last_but_one, START)


async def _scarred(ground: Ground, node: Node, max_attempts: int) -> list[int]:
    """Order a job that only this node runs, and whose second attempt lasts until it is killed; return its id.

    One: a fault that is made of this one may need places in that queue, too.
    """
    options = {"queue": node.probes, "max_attempts": max_attempts}
    return [job.id or 0 for job in await ground.load.order_many(Scarred, 1, {"seconds": 30.0}, **options)]


class AllKilled(_Ending):
    """All nodes get SIGKILL at one moment, so that nobody is left who could rescue, until they start again."""

    name = "all-nodes-killed"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        nodes = [node for node in ground.nodes if node.alive]
        began = time.monotonic()
        pids = await self._kill(ground, nodes)
        ended = time.monotonic()
        await asyncio.sleep(random.uniform(0, 0.5))
        for node in nodes:
            node.start()
        return Hit(self.name, began, ended, pids=pids, note=f"{len(self._caught)} jobs in flight")


class NodeTerminated(Fault):
    """A node gets SIGTERM under load, ends in order and in time, and is started again: it has handed back what it ran.

    Where one runs jobs in children, it gets it at the same time as one that doesn't.
    """

    name = "node-terminated"
    bound = START
    needs: ClassVar[dict[str, object]] = {"processes": [1, 1, 2], "nodes": 3}

    async def strike(self, ground: Ground, random: Random) -> Hit:
        nodes = ground.one_of_each(random)
        for node in nodes:
            await ground.in_flight(node.children if node.processes > 1 else node.pids, FEW)
        await self._order_long(ground, nodes)
        producers = await promises.producers(ground, nodes)
        pids = frozenset[int]().union(*(node.pids() for node in nodes))
        began = time.monotonic()
        found = await asyncio.gather(*(node.stop() for node in nodes))
        ended = time.monotonic()
        try:
            await promises.ended_in_order(ground, producers, pids)
        finally:
            for node in nodes:
                node.start()
        for node, status in zip(nodes, found, strict=True):
            if status != 0:
                raise AssertionError(f"{node.name} ended with status {status}: {node.lines()[-5:]}")
        # What ended was acked; what outlived the grace period was interrupted, and handed back.
        note = ", ".join(node.name for node in nodes)
        return Hit(self.name, began, ended, pids=pids, spares_ended=True, keeps_claims=True, note=note)

    async def _order_long(self, ground: Ground, nodes: Collection[Node]) -> None:
        """Have jobs under way whose first attempts outlive the grace period."""
        args = {"seconds": 2 * QUICK["SHUTDOWN_GRACE_PERIOD"], "later": 0.1}
        orders = [ground.load.order_many(Changing, 2, args, queue=node.probes) for node in nodes]
        await promises.begun(ground, [job.id or 0 for jobs in await asyncio.gather(*orders) for job in jobs])


class NodeAborted(_Ending):
    """A node gets SIGTERM twice under load, as from somebody without patience: it ends at once, and leaves its jobs."""

    name = "node-aborted"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        await ground.load.order_many(Threaded, 20, {"seconds": 2.0})
        await ground.in_flight(node.pids, FEW)
        pids = node.pids()
        began = time.monotonic()
        node.signal(signal.SIGTERM)
        await asyncio.sleep(random.uniform(0.2, 1.0))
        self._caught = ground.ledger.in_flight(pids)
        status = await node.stop()
        ended = time.monotonic()
        node.start()
        # All jobs may have ended before the second one came, which then finds a node or an interpreter on its way out.
        if status not in (0, 128 + signal.SIGTERM, -signal.SIGTERM):
            raise AssertionError(f"{node.name} ended with status {status}: {node.lines()[-5:]}")
        return Hit(self.name, began, ended, pids=pids, note=f"{node.name}: status {status}")


class _OfChild(Fault):
    """Hits a process in which a node runs jobs, and not the node."""

    needs: ClassVar[dict[str, object]] = {"processes": 2}

    def lack(self, ground: Ground) -> str | None:
        if not any(node.processes > 1 for node in ground.nodes):
            return "no node of this ground runs jobs in children"
        return None

    async def _busy_child(self, ground: Ground, random: Random) -> tuple[Node, int]:
        node = ground.any_node(random, children=True)
        runs = await ground.in_flight(node.children, FEW)
        return node, random.choice(sorted({run.pid for run in runs}))


class ChildKilled(_OfChild):
    """A child gets SIGKILL: what ran in it fails and runs again, and another child takes its place."""

    name = "child-killed"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node, child = await self._busy_child(ground, random)
        began = time.monotonic()
        node.signal(signal.SIGKILL, child)
        return Hit(self.name, began, time.monotonic(), pids=frozenset([child]), note=f"{node.name}: {child}")

    async def check(self, ground: Ground, hit: Hit) -> None:
        """Another one takes its place."""
        node = next(node for node in ground.nodes if hit.note.startswith(f"{node.name}:"))
        limit = Limit("children to take the place of others", 5)
        while len(set(node.children()) - hit.pids) < node.processes:
            limit.check()
            await asyncio.sleep(0.05)


class ChildTerminated(_OfChild):
    """A child gets SIGTERM, which is its node's to decide: it goes on, and no job notices."""

    name = "child-terminated"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node, child = await self._busy_child(ground, random)
        began = time.monotonic()
        node.signal(signal.SIGTERM, child)
        await asyncio.sleep(0.5)
        if child not in node.children():
            raise AssertionError(f"child {child} of {node.name} ended by a SIGTERM that its node did not get")
        return Hit(self.name, began, time.monotonic(), note=node.name)


class ChildStopped(_OfChild):
    """A child gets SIGSTOP for longer than a dead node's silence, then SIGCONT: its node lives, so its jobs wait."""

    name = "child-stopped"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node, child = await self._busy_child(ground, random)
        began = time.monotonic()
        node.signal(signal.SIGSTOP, child)
        await asyncio.sleep(random.uniform(*SILENCE))
        node.signal(signal.SIGCONT, child)
        return Hit(self.name, began, time.monotonic(), note=node.name)


class SameName(_Ending):
    """A second node of the same name joins, works beside the first, and is killed: only its own jobs run again."""

    name = "same-name"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        first = ground.any_node(random)
        second = ground.add_node(first.name, processes=first.processes)
        second.start()
        try:
            await ground.in_flight(second.pids, 1)
            await asyncio.sleep(random.uniform(1, 2))
            began = time.monotonic()
            pids = await self._kill(ground, [second])
        finally:
            second.close()
            ground.nodes.remove(second)
        return Hit(self.name, began, time.monotonic(), pids=pids, note=first.name)


class LeaderKilled(_Ending):
    """The leader gets SIGKILL in the midst of the statement by which it stages many jobs that become due at once.

    The statement is held up at one of the rows, when some of the others have been changed. What it does is undone, or
    done as a whole: each of these jobs runs, and just once.
    """

    name = "leader-killed"

    def __init__(self) -> None:
        super().__init__()
        self._due: list[int] = []

    async def strike(self, ground: Ground, random: Random) -> Hit:
        jobs = await ground.load.order_many(Quick, _DUE, scheduled_at=datetime.now(UTC) + timedelta(hours=1))
        self._due = [job.id or 0 for job in jobs]
        async with midway(ground, random.choice(self._due)) as staging:
            await ground.sql(_BECOME_DUE, self._due)
            name = await staging.reached("with due as", 10)
            leader = next(node for node in ground.nodes if node.name == name)  # only who leads does that
            began = time.monotonic()
            pids = leader.pids()
            self._caught = ground.ledger.in_flight(pids)
            await leader.kill()
            ended = time.monotonic()
        leader.start()
        return Hit(self.name, began, ended, pids=pids, note=leader.name)

    async def check(self, ground: Ground, hit: Hit) -> None:
        """What it was staging is staged by another one, too."""
        await super().check(ground, hit)
        await promises.ended(ground, self._due, max(RESCUED, hit.ended + 2 * RESCUED - time.monotonic()))
        await promises.ran_once(ground, self._due)


FAULTS: Final = (
    NodeKilled(),
    AllKilled(),
    NodeTerminated(),
    NodeAborted(),
    ChildKilled(),
    ChildTerminated(),
    ChildStopped(),
    SameName(),
    LeaderKilled(),
)
