"""Jobs that misbehave, and what becomes of the others: blocked loops, eaten memory, jobs without end, shutdowns."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import TYPE_CHECKING, ClassVar, Final

from faults import promises
from faults.machine import Limit
from faults.node import RESCUE_AFTER, SILENCE
from faults.workers import QUEUE, Blocking, Hungry, Long, Quick, Steady, Threaded

from . import Fault, Hit
from .locks import TableLocked, held
from .processes import START, NodeKilled

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node

#: Seconds for which a loop is blocked: longer than the silence after which a node counts as dead.
_BLOCKED: Final = SILENCE[1]

#: Megabytes that a job eats, and those of them after which its process is killed.
_EATEN: Final = 300
_TOO_MUCH: Final = 150

#: Bytes of addresses that a process may have, and megabytes that a job asks for in vain.
_LIMIT: Final = 1_500_000_000
_BEYOND: Final = 3_000

#: Seconds that a job without end lasts: two silences of the dead, and more.
_ENDLESS: Final = 2.2 * RESCUE_AFTER


class _Ordered(Fault):
    """Orders jobs of its own, each of which has to run just once."""

    def __init__(self) -> None:
        self._ordered: list[int] = []

    async def check(self, ground: Ground, hit: Hit) -> None:
        """Those jobs have run once, and completed."""
        await promises.ended(ground, self._ordered, 10)
        await promises.ran_once(ground, self._ordered)


class LoopBlocked(_Ordered):
    """A job blocks the event loop of the leader for longer than the silence of the dead; its node isn't dead.

    Jobs run in threads beside it, and others wait in the loop.
    """

    name = "loop-blocked"

    def lack(self, ground: Ground) -> str | None:
        return "all nodes of this ground run jobs in children" if _with_children(ground) == ground.nodes else None

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = await ground.leader()
        if node is None or not node.alive or node.processes > 1:
            node = random.choice([node for node in ground.nodes if node.alive and node.processes == 1])
        waiting = await ground.load.order(Long, {"seconds": _BLOCKED + 0.5}, queue=node.probes)
        await ground.load.order_many(Threaded, 20, {"seconds": 1.0})
        await ground.in_flight([node.pid], 3)
        blocking = await ground.load.order(Blocking, {"seconds": _BLOCKED}, queue=node.probes)
        self._ordered = [waiting.id or 0, blocking.id or 0]
        await promises.begun(ground, self._ordered)
        began = time.monotonic()
        await promises.ended(ground, self._ordered[1:], _BLOCKED + 5)
        return Hit(self.name, began, time.monotonic(), note=f"{node.name} for {_BLOCKED:g} s")


class ChildLoopBlocked(_Ordered):
    """A job blocks the event loop of a child for longer than the silence of the dead; others of that child wait."""

    name = "child-loop-blocked"
    needs: ClassVar[dict[str, object]] = {"processes": 2}

    def lack(self, ground: Ground) -> str | None:
        return None if _with_children(ground) else "no node of this ground runs jobs in children"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random, children=True)
        await ground.in_flight(node.children(), 3)
        blocking = await ground.load.order(Blocking, {"seconds": _BLOCKED}, queue=node.probes)
        self._ordered = [blocking.id or 0]
        began = time.monotonic()
        await promises.ended(ground, self._ordered, _BLOCKED + 5)
        return Hit(self.name, began, time.monotonic(), note=f"{node.name} for {_BLOCKED:g} s")


class MemoryEaten(Fault):
    """A job eats memory in a child until that gets SIGKILL, as from the kernel: what ran in that child fails."""

    name = "memory-eaten"
    needs: ClassVar[dict[str, object]] = {"processes": 2}

    def lack(self, ground: Ground) -> str | None:
        return None if _with_children(ground) else "no node of this ground runs jobs in children"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.any_node(random, children=True)
        await ground.load.order_many(Steady, 60, {"seconds": 2.0})
        await ground.in_flight(node.children(), 5)
        before = {pid: _resident(pid) for pid in node.children()}
        hungry = await ground.load.order(Hungry, {"megabytes": _EATEN, "seconds": 1}, queue=node.probes)
        child = await self._eater(before)
        began = time.monotonic()
        node.signal(SIGKILL, child)
        ended = time.monotonic()
        await promises.ended(ground, [hungry.id or 0], 20)  # nobody kills its second attempt
        return Hit(self.name, began, ended, pids=frozenset([child]), note=f"{node.name}: {child}")

    async def _eater(self, before: dict[int, int]) -> int:
        """Wait until a child has too much memory, and return it."""
        limit = Limit("memory to be eaten", 20)
        while True:
            for pid, megabytes in before.items():
                if _resident(pid) - megabytes > _TOO_MUCH:
                    return pid
            limit.check()
            await asyncio.sleep(0.01)


class MemoryLimited(Fault):
    """A job asks for more memory than its process may have: that job fails, and neither its child nor its node ends."""

    name = "memory-limited"

    def lack(self, ground: Ground) -> str | None:
        return None if shutil.which("prlimit") else "there is no prlimit: install Debian's package util-linux"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        command = ("prlimit", f"--as={_LIMIT}")
        node = ground.add_node("limited", processes=2, queues=f"{QUEUE}:5", command=command)
        try:
            node.start()
            await ground.works_again(START)
            before = set(node.children())
            began = time.monotonic()
            args = {"megabytes": _BEYOND, "seconds": 0}
            hungry = await ground.load.order(Hungry, args, queue=node.probes, max_attempts=1)
            await promises.ended(ground, [hungry.id or 0], 30, state="discarded")
            ended = time.monotonic()
            if set(node.children()) != before:
                raise AssertionError(f"children {sorted(before)} of {node.name} are {sorted(node.children())} now")
        finally:
            await ground.remove_node(node)
        return Hit(self.name, began, ended)


class EndlessBesideRescue(NodeKilled):
    """A node is killed and its jobs are rescued, while jobs of the others last far longer than any silence may."""

    name = "endless-beside-rescue"

    def __init__(self) -> None:
        super().__init__()
        self._endless: dict[int, str] = {}

    def lack(self, ground: Ground) -> str | None:
        return "there is one node only" if len(ground.nodes) < 2 else None

    async def strike(self, ground: Ground, random: Random) -> Hit:
        self._endless = {}
        for node in ground.nodes:
            job = await ground.load.order(Long, {"seconds": _ENDLESS}, queue=node.probes)
            self._endless[job.id or 0] = node.name
            await promises.begun(ground, [job.id or 0])
        return await super().strike(ground, random)

    async def check(self, ground: Ground, hit: Hit) -> None:
        """What the dead node ran is rescued, and begins again; what the others ran is left alone, and ends."""
        await super().check(ground, hit)
        first = {job: runs[0] for job, runs in (await promises.executions(ground, self._endless)).items()}
        lost = {job for job, run in first.items() if run.pid in hit.pids}
        await promises.ended(ground, self._endless.keys() - lost, 2 * _ENDLESS)
        await promises.ran_once(ground, self._endless.keys() - lost)
        await promises.begun(ground, lost)


class _Shutdown(Fault):
    """A node gets SIGTERM while it ends many jobs: when it is gone, each that ended has its outcome in its row."""

    bound = START

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = self._choose(ground, random)
        pids = node.pids()
        await ground.load.order_many(Quick, 1500)
        await ground.load.order_many(Threaded, 30, {"seconds": 0.5})
        await ground.load.order_many(Steady, 60, {"seconds": 0.3})
        await ground.in_flight(pids, 5)
        began = time.monotonic()
        status = await self._stop(ground, node, random)
        ended = time.monotonic()
        node.start()
        if status:
            raise AssertionError(f"{node.name} ended with status {status}: {node.lines()[-5:]}")
        await promises.written(ground, pids, since=began - 5)
        note = f"{node.name}, {ended - began:.1f} s"
        return Hit(self.name, began, ended, pids=pids, spares_ended=True, keeps_claims=True, note=note)

    def _choose(self, ground: Ground, random: Random) -> Node:
        return ground.any_node(random)

    async def _stop(self, ground: Ground, node: Node, random: Random) -> int:
        await asyncio.sleep(random.uniform(0, 0.3))
        return await node.stop()


class Shutdown(_Shutdown):
    """A node gets SIGTERM under load, one with children if there is one: what ended has its outcome in its row."""

    name = "shutdown-under-load"
    needs: ClassVar[dict[str, object]] = {"processes": [1, 2]}

    def _choose(self, ground: Ground, random: Random) -> Node:
        return ground.one_of_each(random)[-1]


class ShutdownLocked(_Shutdown):
    """A node gets SIGTERM while the table is locked, for less than its grace period: no outcome is left behind."""

    name = "shutdown-while-locked"

    async def _stop(self, ground: Ground, node: Node, random: Random) -> int:
        async with held(ground, TableLocked.statement):
            await asyncio.sleep(0.3)
            stopping = asyncio.create_task(node.stop())
            await asyncio.sleep(1.2)
        return await stopping


def _with_children(ground: Ground) -> list[Node]:
    return [node for node in ground.nodes if node.processes > 1]


def _resident(pid: int) -> int:
    """Return the megabytes that a process has in memory; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 // 2**20
    except OSError:
        return 0


FAULTS: Final = (
    LoopBlocked(),
    ChildLoopBlocked(),
    MemoryEaten(),
    MemoryLimited(),
    EndlessBesideRescue(),
    Shutdown(),
    ShutdownLocked(),
)
