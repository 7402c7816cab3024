"""Two things that go wrong at the same time, of which each alone costs little."""

from __future__ import annotations

import asyncio
import signal
import time
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from faults import promises
from faults.edge import keep_busy
from faults.ledger import Execution
from faults.machine import Limit
from faults.midway import midway
from faults.node import QUICK, RESCUED
from faults.outage import acked, half_way, one_ended

from . import Fault, Hit
from .processes import START

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node

#: Seconds that the database is away.
_AWAY: Final = (0.8, 1.4)

#: Seconds of a node's grace period that it needs for what it writes at its end.
_WRITING: Final = 1.0


class _WithOthers(Fault):
    """Hits a node, beside others that take its jobs over."""

    bound = START

    def lack(self, ground: Ground) -> str | None:
        return "there is one node only" if len(ground.nodes) < 2 else None


class ServerAndNodeKilled(_WithOthers):
    """A node gets SIGKILL while the server is away, or both at one moment, and they come back in either order.

    What ended at the others meanwhile is written later, and runs no second time; the dead one's jobs are rescued.
    """

    name = "server-and-node-killed"

    def __init__(self) -> None:
        self._written: list[Execution] = []
        self._rescued: list[Execution] = []

    async def strike(self, ground: Ground, random: Random) -> Hit:
        dying = ground.any_node(random)
        others = [node for node in ground.nodes if node is not dying]
        await ground.in_flight(dying.pids, 3)
        self._written = await half_way(ground, frozenset[int]().union(*(node.pids() for node in others)))
        pids, began = dying.pids(), time.monotonic()
        try:
            await self._kill(ground, dying, after=random.choice((0.0, 0.3)))
            await asyncio.sleep(random.uniform(*_AWAY))
            await one_ended(ground, self._written)
            if waits := random.choice((True, False)):
                dying.start()
        finally:
            await ground.site.start()
        ended = time.monotonic()
        if not waits:
            dying.start()
        note = f"{dying.name}: {len(self._rescued)} jobs in flight, {len(self._written)} of others"
        return Hit(self.name, began, ended, pids=pids, note=note)

    async def _kill(self, ground: Ground, node: Node, after: float) -> None:
        """Kill the server, and the node so many seconds after it; what ends there in between is not written."""
        killing = asyncio.create_task(ground.site.kill())
        await asyncio.sleep(after)
        self._rescued = ground.ledger.in_flight(node.pids())
        await node.kill()
        await killing

    async def check(self, ground: Ground, hit: Hit) -> None:
        """Nothing is left of the dead, and all of the others is written."""
        await acked(ground, self._written, hit)
        await promises.rescued(ground, self._rescued, hit)


class TerminatedInOutage(_WithOthers):
    """A node gets SIGTERM while the server is away, for less than its grace period: it writes what ended, and leaves.

    The server is started again, or the standby takes its place.
    """

    name = "terminated-in-outage"
    needs: ClassVar[dict[str, object]] = {"standby": True}

    def __init__(self) -> None:
        self._caught: list[Execution] = []
        self._failed_over = False

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random)
        self._failed_over = ground.standby is not None and random.choice((True, False))
        if self._failed_over and ground.standby is not None and ground.standby.pid is None:
            await ground.rebuild_standby()  # an earlier fault has left it down
        self._caught = await half_way(ground, node.pids())
        pids, began = node.pids(), time.monotonic()
        stopping = asyncio.create_task(self._stop(ground, node))
        try:
            if self._failed_over:
                await ground.fail_over(random.uniform(*_AWAY))
            else:
                await self._restart(ground, random)
            back = time.monotonic()
        finally:
            told, status = await stopping
        ended = time.monotonic()
        node.start()
        if status:
            raise AssertionError(f"{node.name} ended with status {status}: {node.lines()[-5:]}")
        in_time = back - told < QUICK["SHUTDOWN_GRACE_PERIOD"] - _WRITING
        self._caught = self._caught if in_time else []
        how = "failover" if self._failed_over else "restart"
        note = f"{node.name}: {how}, back after {back - told:.1f} s, gone after {ended - told:.1f} s"
        return Hit(self.name, began, ended, pids=pids, spares_ended=in_time, note=note)

    async def _stop(self, ground: Ground, node: Node) -> tuple[float, int]:
        """Stop a node once the server is away; return when it was told, and its exit status."""
        site = ground.site
        limit = Limit("servers to end", 40)
        while site.pid is not None:
            limit.check()
            await asyncio.sleep(0.01)
        return time.monotonic(), await node.stop()

    async def _restart(self, ground: Ground, random: Random) -> None:
        modes: tuple[Literal["fast", "immediate"], ...] = ("fast", "immediate")
        try:
            await ground.site.stop(random.choice(modes))
            await asyncio.sleep(random.uniform(*_AWAY))
        finally:
            await ground.site.start()

    async def check(self, ground: Ground, hit: Hit) -> None:
        """What ended is written, and did not run again."""
        if self._failed_over:
            await ground.rebuild_standby()
        if self._caught:
            await acked(ground, self._caught, hit)


class RescueCutOff(_WithOthers):
    """The network fails in the midst of the statement that rescues a dead node's jobs: nobody learns how it ended."""

    name = "rescue-cut-off"

    def __init__(self) -> None:
        self._caught: list[Execution] = []

    async def strike(self, ground: Ground, random: Random) -> Hit:
        dying, gate = ground.any_node(random), ground.site.gate
        pids, began = await self._kill(ground, dying)
        try:
            async with midway(ground, random.choice(self._caught).job) as rescue:
                name = await rescue.reached("with orphaned as", RESCUED)
                random.choice((gate.cut, gate.freeze))()
                await asyncio.sleep(random.uniform(0.1, 0.5))
                await rescue.release()
                await asyncio.sleep(random.uniform(0.1, 1.0))
        finally:
            gate.drop()  # what is under way gets lost
            gate.thaw()
            gate.mend()
        ended = time.monotonic()
        dying.start()
        return Hit(self.name, began, ended, pids=pids, note=f"{dying.name}, {len(self._caught)} jobs, by {name}")

    async def _kill(self, ground: Ground, node: Node) -> tuple[frozenset[int], float]:
        """Kill a node in the midst of jobs that nobody else changes; return its processes, and when it was hit."""
        while True:
            mine = {run.job for run in await keep_busy(ground, node)}
            node.signal(signal.SIGSTOP)
            pids, began = node.pids(), time.monotonic()
            self._caught = [run for run in ground.ledger.in_flight(pids) if run.job in mine]
            if self._caught:
                await node.kill()
                return pids, began
            node.signal(signal.SIGCONT)

    async def check(self, ground: Ground, hit: Hit) -> None:
        """All jobs of the dead are rescued all the same."""
        await promises.rescued(ground, self._caught, hit)


FAULTS: Final = (ServerAndNodeKilled(), TerminatedInOutage(), RescueCutOff())
