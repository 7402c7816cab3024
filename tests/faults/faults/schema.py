"""The schema upgraded under nodes that work on it, and roles with the least rights, or with none for a while."""

from __future__ import annotations

import asyncio
import re
import time
from abc import abstractmethod
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, Self

import asyncpg

from faults import promises
from faults.annex import Annex
from faults.chatter import Chatter
from faults.ledger import Execution
from faults.machine import Limit
from faults.node import RESCUED, SILENCE
from faults.outage import acked, half_way
from faults.site import USER

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node

#: The page whose statements the roles are made by.
_PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "roles.md"

#: Whether a node has beaten within so many seconds.
_HEARD: Final = """
    select from bridge_producers where node = $1 and beat_at > timezone('UTC', now()) - $2 * interval '1 second'
"""

_START: Final = 20.0
_SETTLED: Final = 60.0


class SchemaUpgraded(Fault):
    """Tables of an older version are brought to the newest one while nodes run jobs from them, and others are added."""

    name = "schema-upgraded"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        version = random.randint(9, 13)
        suspended = random.choice((True, False))
        async with Annex(ground, prefix="annex", version=version, suspended=suspended, random=random) as annex:
            old = await annex.add_node("older")
            chatter = Chatter(old)
            annex.load.start(jobs=1000, rate=250)
            await asyncio.sleep(random.uniform(0.3, 1.0))
            began = time.monotonic()
            said = await annex.upgrade()
            ended = time.monotonic()
            await annex.works_again(self.bound)
            chatter.check()
            await annex.add_node("newer")
            await annex.settle(_SETTLED)
            account = await annex.account()
        if "took step V14" not in said or annex.load.refusals:
            raise AssertionError(f"{self.name}: refused {annex.load.refusals}; bridge upgrade said: {said}")
        if not account.ok:
            raise AssertionError(f"{self.name}, from version {version}:\n{account}")
        known = "with" if suspended else "without"
        return Hit(self.name, began, ended, note=f"from version {version}, {known} the state suspended")


class LeastRights(Fault):
    """Nodes of the roles `app_worker` and `app_runner` join, do the same work as all others, and leave in order."""

    name = "least-rights"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        async with _Roles(ground):
            worker = ground.add_node("worker", dsn=_dsn_of(ground, "app_worker"))
            runner = ground.add_node(
                "runner", dsn=_dsn_of(ground, "app_runner"), environment={"BRIDGE_LEADER_ENABLED": "false"}
            )
            began = time.monotonic()
            try:
                marks = {node: node.mark() for node in (worker, runner)}
                for node in marks:
                    node.start()
                await ground.works_again(_START)
                for node, mark in marks.items():
                    await ground.in_flight([node.pid], 3)
                    if said := [line for line in node.lines(mark) if "permission denied" in str(line)]:
                        raise AssertionError(f"{self.name}: {node.name} lacks a right: {said[:3]}")
            finally:
                await asyncio.gather(ground.remove_node(worker), ground.remove_node(runner))
        return Hit(self.name, began, time.monotonic())


class _Revoked(Fault):
    """A node's role loses rights in the midst of jobs, for a dead node's silence and more, and gets them back."""

    def __init__(self) -> None:
        self._caught: list[Execution] = []

    @abstractmethod
    def revoke(self) -> str:
        """Return the statement that takes the rights of `app_worker` away."""

    @abstractmethod
    def hit(self, node: Node, began: float, ended: float) -> Hit:
        """Return what this may explain."""

    @abstractmethod
    async def endure(self, ground: Ground, random: Random) -> None:
        """Wait while they are taken away."""

    async def strike(self, ground: Ground, random: Random) -> Hit:
        async with _Roles(ground) as roles:
            node = ground.add_node("worker", dsn=_dsn_of(ground, "app_worker"))
            try:
                node.start()
                await ground.works_again(_START)
                chatter = Chatter(node)
                self._caught = await half_way(ground, [node.pid])
                began = time.monotonic()
                await ground.sql(self.revoke())
                await self.endure(ground, random)
                await roles.grant()
                hit = self.hit(node, began, time.monotonic())
                await ground.works_again(self.bound)
                await self.look(ground, node, hit)
                chatter.check()
            finally:
                await ground.remove_node(node)
        return hit

    async def look(self, ground: Ground, node: Node, hit: Hit) -> None:
        """Assert more of the node that has its rights again."""


class JobRightsRevoked(_Revoked):
    """A node may not touch the table of jobs for a while, but tells that it lives: its jobs stay its own."""

    name = "job-rights-revoked"

    def revoke(self) -> str:
        return "revoke all on oban_jobs from app_worker"

    def hit(self, node: Node, began: float, ended: float) -> Hit:
        return Hit(self.name, began, ended, note=f"{len(self._caught)} jobs in flight")

    async def endure(self, ground: Ground, random: Random) -> None:
        await asyncio.sleep(random.uniform(*SILENCE))

    async def look(self, ground: Ground, node: Node, hit: Hit) -> None:
        await acked(ground, self._caught, hit)


class AllRightsRevoked(_Revoked):
    """A node may touch no table, until others take it for dead; with its rights it is soon heard again."""

    name = "all-rights-revoked"

    def revoke(self) -> str:
        return "revoke all on oban_jobs, oban_peers, bridge_producers, bridge_crons from app_worker"

    def hit(self, node: Node, began: float, ended: float) -> Hit:
        note = f"{len(self._caught)} jobs in flight"
        return Hit(self.name, began, ended, nodes=frozenset([node.name]), overlaps=True, note=note)

    async def endure(self, ground: Ground, random: Random) -> None:
        await promises.left(ground, [(run.job, run.attempt) for run in self._caught], RESCUED)

    async def look(self, ground: Ground, node: Node, hit: Hit) -> None:
        limit = Limit("nodes to be heard again", 2 * self.bound, since=hit.ended)
        while not await ground.sql(_HEARD, node.name, time.monotonic() - hit.ended):
            if limit.is_over():
                raise AssertionError(f"{self.name}: node {node.name} has its rights again, and does not beat")
            await asyncio.sleep(0.1)


class _Roles:
    """The worker and the runner of the page, in the ground's schema, for as long as a block lasts."""

    _names: Final = ("app_worker", "app_runner")

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        page = _PAGE.read_text("utf-8")
        self._blocks = dict(re.findall(r"```sql\n-- (\w+)\n(.*?)```", page, re.DOTALL))

    async def __aenter__(self) -> Self:
        await self._drop()
        await self._run(
            "".join(line for line in self._blocks["roles"].splitlines() if line.startswith("create role app_worker"))
        )
        await self._run(self._blocks["runner"])
        await self.grant()
        await self._ground.replicated()  # a server that does not know the role refuses it, and no other one is asked
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def grant(self) -> None:
        """Give the worker its rights, as the page says."""
        await self._run(self._blocks["worker"])

    async def _drop(self) -> None:
        for name in self._names:
            if await self._ground.sql("select from pg_roles where rolname = $1", name):
                await self._run(f"drop owned by {name}; drop role {name}")

    async def _run(self, script: str) -> None:
        conn: Any = await asyncpg.connect(self._ground.dsn, timeout=10)
        try:
            await conn.execute(re.sub(r"\bjobs\b(?=[. ])", "public", script))
        finally:
            conn.terminate()


def _dsn_of(ground: Ground, role: str) -> str:
    return ground.node_dsn.replace(f"//{USER}@", f"//{role}@")


FAULTS: Final[tuple[Fault, ...]] = (SchemaUpgraded(), LeastRights(), JobRightsRevoked(), AllRightsRevoked())
