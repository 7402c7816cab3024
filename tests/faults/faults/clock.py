"""Clocks that are wrong: a node's that is stepped, or always off; and the database's own.

The machine's clock stays as it is: processes get one of their own, by libfaketime.
"""

from __future__ import annotations

import asyncio
import signal
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Final

from bridge.postgres.account import Account
from bridge.postgres.binaries import Binaries
from bridge.postgres.folder import Folder
from faults import promises
from faults.fake_time import LACK, FakeTime, library
from faults.machine import Limit
from faults.node import RESCUED
from faults.workers import QUEUE, Long, Quick

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node
    from faults.site import Site

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0

#: Seconds between two steps: enough for elections, beats and looks for orphans of every node.
_BETWEEN: Final = 1.7

#: Seconds that a job lasts longer than all steps together.
_MORE: Final = 0.5

#: Seconds that a node gets to start, and a server, which nobody can ask for how long it was kept waiting.
_START: Final = 20.0
_RESTART: Final = 120

#: Now, by the database's clock.
_NOW: Final = "timezone('UTC', clock_timestamp())"

#: Jobs that become due in the second after a step.
_DUE: Final = 40


class _WrongClock(Fault):
    """Has jobs scheduled, and a job that lasts, while a clock is wrong."""

    def __init__(self) -> None:
        self._ordered: list[int] = []

    def lack(self, ground: Ground) -> str | None:
        return None if library() else LACK

    async def _order_due(self, ground: Ground) -> None:
        """Order jobs whose time comes soon, by the right clock."""
        due = datetime.now(UTC) + timedelta(seconds=1)
        jobs = await ground.load.order_many(Quick, _DUE, scheduled_at=due)
        self._ordered += [job.id or 0 for job in jobs]

    async def check(self, ground: Ground, hit: Hit) -> None:
        """All jobs whose time has come meanwhile have run, each once, and whatever else was due has too."""
        await promises.ended(ground, self._ordered, self.bound)
        await promises.ran_once(ground, self._ordered)


class _OfNode(_WrongClock):
    """The clock of a node that leads, beside others whose clocks are right."""

    bound = 5.0

    @abstractmethod
    def _offsets(self, random: Random) -> tuple[float, Sequence[float]]:
        """Return how far off the clock is when the node starts, and all that it is set to while it runs."""

    async def strike(self, ground: Ground, random: Random) -> Hit:
        self._ordered = []
        first, steps = self._offsets(random)
        async with self._joined(ground, first) as (node, clock):
            await ground.in_flight(node.pids(), 1)
            lasting = {"seconds": len(steps) * _BETWEEN + _MORE}
            self._ordered.append((await ground.load.order(Long, lasting, queue=node.probes)).id or 0)
            began = time.monotonic()
            for step in steps:
                clock.set(step)
                await self._order_due(ground)
                await asyncio.sleep(_BETWEEN)
            clock.set(0)
            ended = time.monotonic()
            await ground.works_again(self.bound)
            late = await _bring_forward(ground)
            await promises.ended(ground, self._ordered, 15)
        shown = ", ".join(f"{step:+.0f}" for step in steps)
        return Hit(self.name, began, ended, clocks=True, note=f"{shown} s; {late} jobs were put off by a wrong clock")

    @asynccontextmanager
    async def _joined(self, ground: Ground, seconds: float) -> AsyncIterator[tuple[Node, FakeTime]]:
        """Add a node with a clock of its own, and let it lead; it leaves in order."""
        clock = FakeTime(ground.folder / "clock", seconds)
        node = ground.add_node("clock", queues=f"{QUEUE}:20", environment=clock.environment)
        try:
            node.start()
            await ground.works_again(_START)
            await _give_lease(ground, node)
            yield node, clock
        finally:
            await ground.remove_node(node)


class ClockStepped(_OfNode):
    """The leader's clock goes forward and back by minutes and hours while jobs run, and is put right at last."""

    name = "clock-stepped"

    def _offsets(self, random: Random) -> tuple[float, Sequence[float]]:
        return 0.0, _steps(random)


class ClockOff(_OfNode):
    """The clock of a node that leads is always a minute off, ahead or behind."""

    name = "clock-off"

    def _offsets(self, random: Random) -> tuple[float, Sequence[float]]:
        off = random.choice([_MINUTE, -_MINUTE])
        return off, [off, off]


class _OfDatabase(_WrongClock):
    """The database's clock, by which leases and rescues go; its server is restarted to have one that can be set."""

    bound = 5.0

    @asynccontextmanager
    async def _clocked(self, ground: Ground) -> AsyncIterator[FakeTime]:
        site = ground.site
        clock = FakeTime(site.server.data_dir / "clock")
        await asyncio.to_thread(_restart, site, clock.environment)
        try:
            await ground.works_again(_START)
            yield clock
        finally:
            clock.set(0)
            await site.restart("fast")


class DatabaseClockStepped(_OfDatabase):
    """The database's clock goes forward and back by minutes and hours while jobs run, and is put right at last."""

    name = "database-clock-stepped"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        self._ordered = []
        steps = _steps(random)
        began = time.monotonic()
        async with self._clocked(ground) as clock:
            lasting = {"seconds": (len(steps) + 1) * _BETWEEN + _MORE}
            for node in ground.nodes:
                job = await ground.load.order(Long, lasting, queue=node.probes)
                self._ordered.append(job.id or 0)
            for step in (*steps, 0.0):
                clock.set(step)
                await self._order_due(ground)
                await asyncio.sleep(_BETWEEN)
                await _led(ground)
            await promises.ended(ground, self._ordered, 15)
        shown = ", ".join(f"{step:+.0f}" for step in steps)
        return Hit(self.name, began, time.monotonic(), clocks=True, note=f"{shown} s")


class _Death(_OfDatabase):
    """A node dies while the database's clock is ahead, which is put right just then: its jobs are rescued yet.

    By hours, which no lease and no beat may be off, or by minutes, which they may.
    """

    bound = 15.0  # a node starts anew

    def lack(self, ground: Ground) -> str | None:
        return "there is one node only" if len(ground.nodes) < 2 else super().lack(ground)

    @abstractmethod
    async def _dying(self, ground: Ground, random: Random) -> Node:
        """Return the node that is to die."""

    async def strike(self, ground: Ground, random: Random) -> Hit:
        self._ordered = []
        async with self._clocked(ground) as clock:
            ahead = random.choice((random.uniform(0.5, 10) * _MINUTE, random.uniform(2, 5) * _HOUR))
            clock.set(ahead)
            await asyncio.sleep(_BETWEEN)  # all have beaten by the wrong clock, and somebody leads by it
            dying = await self._dying(ground, random)
            await ground.in_flight(dying.pids(), 3)
            dying.signal(signal.SIGSTOP)
            began, pids = time.monotonic(), dying.pids()
            caught = [(run.job, run.attempt) for run in ground.ledger.in_flight(pids)]
            await dying.kill()
            clock.set(0)
            ended = time.monotonic()
            await promises.left(ground, caught, RESCUED)
        dying.start()
        note = f"{ahead:+.0f} s, {dying.name}: {len(caught)} jobs in flight"
        return Hit(self.name, began, ended, pids=pids, clocks=True, note=note)


class DatabaseClockAndDeath(_Death):
    """A node dies while the database's clock is ahead, which is put right just then: its jobs are rescued yet."""

    name = "database-clock-and-death"

    async def _dying(self, ground: Ground, random: Random) -> Node:
        leader = await ground.leader()
        return random.choice([node for node in ground.nodes if node.alive and node is not leader])


class DatabaseClockAndLeader(_Death):
    """The leader dies while the database's clock is ahead, which is put right just then: somebody leads yet."""

    name = "database-clock-and-leader"

    async def _dying(self, ground: Ground, random: Random) -> Node:
        limit = Limit("leases to be taken", 10)
        while (leader := await ground.leader()) is None or not leader.alive:
            limit.check("nobody leads")
            await asyncio.sleep(0.05)
        return leader


def _steps(random: Random) -> list[float]:
    """Return what a clock is set to one after the other: by minutes and by hours, ahead and behind."""
    sizes = [random.uniform(1, 10) * _MINUTE, random.uniform(1, 5) * _HOUR]
    return random.sample([*sizes, *(-size for size in sizes)], 3)


async def _give_lease(ground: Ground, node: Node) -> None:
    """Make a node the leader, as if the one before had just died, and wait until it knows."""
    lease = "name = 'Oban@python'"
    await ground.sql(
        f"update oban_peers set node = $1, expires_at = {_NOW} + interval '9 s' where {lease}",
        node.name,
    )
    renewed = f"{lease} and node = $1 and expires_at < {_NOW} + interval '2 s'"
    limit = Limit("leases to be renewed", 9)
    while not await ground.sql(f"select from oban_peers where {renewed}", node.name):
        limit.check()
        await asyncio.sleep(0.05)


async def _led(ground: Ground, within: float = 5.0) -> None:
    """Wait until somebody holds a lease that lasts no longer than any node asks for."""
    held = f"name = 'Oban@python' and expires_at between {_NOW} and {_NOW} + interval '2 s'"
    limit = Limit("leases to be taken", within)
    while not await ground.sql(f"select from oban_peers where {held}"):
        limit.check("nobody led after a step of the database's clock")
        await asyncio.sleep(0.05)


async def _bring_forward(ground: Ground) -> int:
    """Have jobs run now that a node put off to a time by its own wrong clock, as an operator would; return how many.

    Times to run again go by the clock of the node, as Oban's do. No job of the load is put off for more than 2 s.
    """
    rows = await ground.sql(
        f"update oban_jobs set scheduled_at = {_NOW} "
        f"where state in ('scheduled', 'retryable') and scheduled_at > {_NOW} + interval '3 s' returning id"
    )
    return len(rows)


def _restart(site: Site, environment: dict[str, str]) -> None:
    """Restart a site's server with more in its environment; its own start makes that bare.

    Paths are those of its start, which the server keeps for its restarts.
    """
    folder = site.server.data_dir
    account = Account.for_data(site.pgdata, folder)
    program = Binaries.find(account, Folder(folder)).program("pg_ctl")
    words = [f"{name}={value}" for name, value in environment.items()]
    said = account.run(
        "/usr/bin/env", *words, program, "restart", "--mode=fast", "--wait", "--silent",
        f"--timeout={_RESTART}", "--pgdata=pgdata", "--log=log/server.log",
        cwd=folder,
    )  # fmt: skip
    if said.returncode:
        raise AssertionError(f"the server did not start with another clock: {said.stderr}")


FAULTS: Final = (
    ClockStepped(),
    ClockOff(),
    DatabaseClockStepped(),
    DatabaseClockAndDeath(),
    DatabaseClockAndLeader(),
)
