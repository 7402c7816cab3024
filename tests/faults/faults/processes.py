"""Processes of nodes that are killed, ended, or stopped and continued."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final

from faults import promises
from faults.edge import keep_busy, taken_over
from faults.ledger import Execution
from faults.node import BRIEF, RESCUED, SILENCE
from faults.workers import Quick, Threaded

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node

#: Jobs that become due at one moment, which the leader stages in one statement.
_DUE: Final = 2000

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
            await ground.in_flight(node.pids, 3)
        for node in nodes:
            node.signal(signal.SIGSTOP)  # so that nothing ends between the count and the end
        pids = frozenset[int]().union(*(node.pids() for node in nodes))
        self._caught = ground.ledger.in_flight(pids)
        await asyncio.gather(*(node.kill() for node in nodes))
        return pids

    async def check(self, ground: Ground, hit: Hit) -> None:
        """Every job that was caught is taken from the dead in time."""
        within = max(0.0, hit.ended + RESCUED - time.monotonic())
        await promises.left(ground, [(run.job, run.attempt) for run in self._caught], within)


class NodeKilled(_Ending):
    """A node's main process gets SIGKILL, and is started again under its name, as an init system would."""

    name = "node-killed"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        began = time.monotonic()
        pids = await self._kill(ground, [node])
        ended = time.monotonic()
        await asyncio.sleep(random.uniform(0, 0.5))
        node.start()
        return Hit(self.name, began, ended, pids=pids, note=f"{node.name}: {len(self._caught)} jobs in flight")


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
    """A node gets SIGTERM under load, ends in order and in time, and is started again."""

    name = "node-terminated"
    bound = START

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        await ground.in_flight(node.pids, 3)
        pids = node.pids()
        began = time.monotonic()
        status = await node.stop()
        ended = time.monotonic()
        node.start()
        if status != 0:
            raise AssertionError(f"{node.name} ended with status {status}: {node.lines()[-5:]}")
        # What ended was acked; what outlived the grace period was interrupted, and handed back.
        return Hit(self.name, began, ended, pids=pids, spares_ended=True, note=node.name)


class NodeAborted(_Ending):
    """A node gets SIGTERM twice under load, as from somebody without patience: it ends at once, and leaves its jobs."""

    name = "node-aborted"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        await ground.load.order_many(Threaded, 20, {"seconds": 2.0})
        await ground.in_flight(node.pids, 3)
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


class NodeStopped(Fault):
    """A node's main process gets SIGSTOP until its jobs have been rescued, and then SIGCONT: it overwrites nothing.

    What it would overwrite shows in jobs that come to another end in their second attempt.
    """

    name = "node-stopped"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        pids = node.pids()
        caught = await keep_busy(ground, node)
        began = time.monotonic()
        node.signal(signal.SIGSTOP)
        try:
            await taken_over(ground, node, caught)
        finally:
            node.signal(signal.SIGCONT)
        return Hit(self.name, began, time.monotonic(), pids=pids, overlaps=True, note=node.name)


class NodePaused(Fault):
    """A node's main process gets SIGSTOP for a moment: too short for a rescue, so nothing runs twice."""

    name = "node-paused"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        await ground.in_flight(node.pids, 3)
        began = time.monotonic()
        node.signal(signal.SIGSTOP)
        await asyncio.sleep(random.uniform(0.3, 1.5 * BRIEF))
        node.signal(signal.SIGCONT)
        return Hit(self.name, began, time.monotonic(), note=node.name)


class _OfChild(Fault):
    """Hits a process in which a node runs jobs, and not the node."""

    needs: ClassVar[dict[str, object]] = {"processes": 2}

    def lack(self, ground: Ground) -> str | None:
        if not any(node.processes > 1 for node in ground.nodes):
            return "no node of this ground runs jobs in children"
        return None

    async def _busy_child(self, ground: Ground, random: Random) -> tuple[Node, int]:
        node = ground.any_node(random, children=True)
        runs = await ground.in_flight(node.children, 3)
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
        async with asyncio.timeout(5):
            while len(set(node.children()) - hit.pids) < node.processes:  # noqa: ASYNC110 - /proc tells nobody
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
    """The leader gets SIGKILL in the moment in which it stages many jobs that become due at once."""

    name = "leader-killed"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        leader = await self._leader(ground)
        due = datetime.now(UTC) + timedelta(seconds=1)
        await ground.load.order_many(Quick, _DUE, scheduled_at=due)
        await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()) + random.uniform(0, 0.3))
        began = time.monotonic()
        pids = leader.pids()
        self._caught = ground.ledger.in_flight(pids)
        await leader.kill()
        ended = time.monotonic()
        leader.start()
        return Hit(self.name, began, ended, pids=pids, note=leader.name)

    async def _leader(self, ground: Ground) -> Any:
        async with asyncio.timeout(10):
            while (leader := await ground.leader()) is None or not leader.alive:  # noqa: ASYNC110 - a row tells nobody
                await asyncio.sleep(0.1)
        return leader


FAULTS: Final = (
    NodeKilled(),
    AllKilled(),
    NodeTerminated(),
    NodeAborted(),
    NodeStopped(),
    NodePaused(),
    ChildKilled(),
    ChildTerminated(),
    ChildStopped(),
    SameName(),
    LeaderKilled(),
)
