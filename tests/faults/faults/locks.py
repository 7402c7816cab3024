"""Locks that others hold, queries that hog the server, limits on statements, and backends that are cancelled or ended.

None of it kills a node or a job, so no job may run again.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from signal import SIGCONT, SIGSTOP
from typing import TYPE_CHECKING, Any, ClassVar, Final

import asyncpg

from faults.machine import Limit, rest
from faults.node import SILENCE
from faults.site import USER
from faults.workers import QUEUE, Long

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node

#: Seconds that queries hog the server.
_HOGGED: Final = 2.5

#: Seconds until an outcome whose write is cut short again and again has been asked whether it is to blame: five pauses
#: of up to two seconds, after as many writes, each as short as the limit, and some of larger parts.
_PATIENCE: Final = 15.0

#: Seconds that a node gets to start.
_START: Final = 20.0

#: Queries at once that do so, not more than a machine of two processors has.
_HOGS: Final = 2

_ROLE: Final = "faults_limited"

#: Whether somebody has tried to write the row of an outcome and to change nothing.
_ASKED: Final = (
    "select from pg_stat_activity where query like '%set attempt = attempt\nwhere%' and pid <> pg_backend_pid()"
)


class _Locked(Fault):
    """Another transaction holds a lock for longer than a silence after which a node counts as dead."""

    statement: ClassVar[str]

    async def strike(self, ground: Ground, random: Random) -> Hit:
        await ground.in_flight({pid for node in ground.nodes for pid in node.pids()}, 5)
        async with held(ground, self.statement):
            began = time.monotonic()
            await self._endure(ground, random.uniform(*SILENCE))
        return Hit(self.name, began, time.monotonic(), note=self.statement)

    async def _endure(self, ground: Ground, seconds: float) -> None:
        await asyncio.sleep(seconds)


class TableLocked(_Locked):
    """Somebody holds an ACCESS EXCLUSIVE lock on the jobs: nothing can be read or written."""

    name = "table-locked"
    statement = "lock table oban_jobs in access exclusive mode"


class TableShared(_Locked):
    """Somebody holds a SHARE lock on the jobs, as an index that is being built does: nothing can be written."""

    name = "table-shared"
    statement = "lock table oban_jobs in share mode"


class LeasesLocked(_Locked):
    """Somebody holds an ACCESS EXCLUSIVE lock on the leases: nobody can lead."""

    name = "leases-locked"
    statement = "lock table oban_peers in access exclusive mode"


class _ProducersLocked(_Locked):
    """No node can tell that it is alive, though all are, and have a job that lasts."""

    async def _endure(self, ground: Ground, seconds: float) -> None:
        for node in ground.nodes:
            await ground.load.order(Long, {"seconds": seconds + 1}, queue=node.probes)
        await asyncio.sleep(seconds)


class ProducersLocked(_ProducersLocked):
    """Somebody holds a SHARE lock on the list of producers: it can be read, but no heartbeat can be written."""

    name = "producers-locked"
    statement = "lock table bridge_producers in share mode"


class ProducerRowsLocked(_ProducersLocked):
    """Somebody holds the producers' rows of all nodes but the leader, and so their heartbeats; the leader beats."""

    name = "producer-rows-locked"
    statement = (
        "select from bridge_producers "
        "where node is distinct from (select node from oban_peers where name = 'Oban@python') for update"
    )


class RowsLocked(_Locked):
    """Somebody holds the rows of jobs that run: their outcomes wait, and those of the others don't."""

    name = "rows-locked"
    statement = "select from oban_jobs where state = 'executing' for update"

    async def _endure(self, ground: Ground, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        await ground.works_again(seconds)
        await asyncio.sleep(max(0.0, deadline - time.monotonic()))


class SlowQueries(Fault):
    """Queries hog the server's processors, and hold on to what they once saw of the table."""

    name = "slow-queries"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            hogs = [await stack.enter_async_context(_connection(ground)) for _ in range(_HOGS)]
            running = [asyncio.create_task(_hog(conn)) for conn in hogs]
            await asyncio.sleep(_HOGGED)
            if ended := [task for task in running if task.done()]:
                raise AssertionError(f"a query that should take hours has ended: {ended[0]}")
        await asyncio.gather(*running)
        return Hit(self.name, began, time.monotonic(), note=f"{_HOGS} queries")


class _Limited(Fault):
    """A node joins whose statements the server limits, while a table is locked for longer than any of them may take."""

    @abstractmethod
    async def _dsn(self, ground: Ground) -> str:
        """Return the DSN by which it has the limits."""

    async def strike(self, ground: Ground, random: Random) -> Hit:
        node = ground.add_node("limited", dsn=await self._dsn(ground), queues=f"{QUEUE}:20")
        try:
            node.start()
            await ground.works_again(_START)
            await ground.in_flight(node.pids(), 5)
            began = time.monotonic()
            await self._torment(ground, node, random)
            ended = time.monotonic()
            await ground.works_again(self.bound)
        finally:
            await ground.remove_node(node)
        return Hit(self.name, began, ended)

    @abstractmethod
    async def _torment(self, ground: Ground, node: Node, random: Random) -> None:
        """Keep its statements from coming to their end in time."""


class StatementTimeout(_Limited):
    """A DSN sets a `statement_timeout`, and for a while no statement keeps to it: no outcome is given up.

    It lasts until one has been asked whether it is itself to blame.
    """

    name = "statement-timeout"

    async def _dsn(self, ground: Ground) -> str:
        return f"{ground.node_dsn}{'&' if '?' in ground.node_dsn else '?'}statement_timeout=300"

    async def _torment(self, ground: Ground, node: Node, random: Random) -> None:
        async with held(ground, TableLocked.statement):
            limit = Limit("outcomes to be asked whether they are to blame", _PATIENCE)
            while not await ground.sql(_ASKED):
                limit.check()
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)  # until that statement was cut short as well


class RoleTimeouts(_Limited):
    """A role sets `lock_timeout` and `idle_in_transaction_session_timeout`, and for a while nothing keeps to them."""

    name = "role-timeouts"

    async def _dsn(self, ground: Ground) -> str:
        if not await ground.sql("select from pg_roles where rolname = $1", _ROLE):
            await ground.sql(f"create role {_ROLE} login superuser")
        await ground.sql(f"alter role {_ROLE} set lock_timeout = '200ms'")
        await ground.sql(f"alter role {_ROLE} set idle_in_transaction_session_timeout = '250ms'")
        return ground.node_dsn.replace(f"//{USER}@", f"//{_ROLE}@")

    async def _torment(self, ground: Ground, node: Node, random: Random) -> None:
        async with held(ground, TableLocked.statement):
            await asyncio.sleep(random.uniform(1, 2))
        ground.site.gate.delay(0.2)  # so that whatever takes more than one round trip idles for longer than it may
        await asyncio.sleep(1.5)
        ground.site.gate.delay(0)
        for _ in range(4):
            node.signal(SIGSTOP)
            await asyncio.sleep(0.4)
            node.signal(SIGCONT)
            await rest(random.uniform(0.05, 0.2))


class _Backends(Fault):
    """Hits the server's processes that serve nodes and the client, one after the other at random."""

    function: ClassVar[str]
    pause: ClassVar[float]
    seconds: ClassVar[float] = 3.0

    async def strike(self, ground: Ground, random: Random) -> Hit:
        await ground.in_flight({pid for node in ground.nodes for pid in node.pids()}, 3)
        began, count = time.monotonic(), 0
        async with _connection(ground) as conn:
            while time.monotonic() < began + self.seconds:
                count += await self._hit(conn, random)
                await rest(random.uniform(0, 2 * self.pause))
        return Hit(self.name, began, time.monotonic(), note=f"{count} backends")

    async def _hit(self, conn: Any, random: Random) -> int:
        """Hit one of those that do something, if any does, and return how many."""
        found = await conn.fetch(
            "select pid, state from pg_stat_activity "
            "where backend_type = 'client backend' and datname = current_database() and pid <> pg_backend_pid()"
        )
        pids = [row["pid"] for row in found if row["state"] != "idle"] or [row["pid"] for row in found]
        if not pids:
            return 0
        return int(await conn.fetchval(f"select {self.function}($1)::int", random.choice(pids)))


class BackendsTerminated(_Backends):
    """Backends are ended by `pg_terminate_backend`, as by an administrator or a failing server."""

    name = "backends-terminated"
    function = "pg_terminate_backend"
    pause = 0.1


class BackendsCancelled(_Backends):
    """Statements are cancelled by `pg_cancel_backend`, whatever they are."""

    name = "backends-cancelled"
    function = "pg_cancel_backend"
    pause = 0.02


@asynccontextmanager
async def _connection(ground: Ground) -> AsyncIterator[Any]:
    """Yield a connection of its own, past the gate; at its end the server has seen it go."""
    conn = await asyncpg.connect(ground.dsn, timeout=10, command_timeout=60)
    try:
        yield conn
    finally:
        pid = conn.get_server_pid()
        conn.terminate()
        await ground.sql("select pg_terminate_backend($1)", pid)


@asynccontextmanager
async def held(ground: Ground, statement: str) -> AsyncIterator[None]:
    """Have a transaction open in which a statement has taken its locks."""
    async with _connection(ground) as conn:
        await conn.execute("begin")
        await conn.execute(statement)
        yield


async def _hog(conn: Any) -> None:
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await conn.execute(
            "select count(*) from oban_jobs as a, generate_series(1, 100000) as b, generate_series(1, 100000) as c",
            timeout=3600,
        )


FAULTS: Final = (
    TableLocked(),
    TableShared(),
    LeasesLocked(),
    ProducersLocked(),
    ProducerRowsLocked(),
    RowsLocked(),
    SlowQueries(),
    StatementTimeout(),
    RoleTimeouts(),
    BackendsTerminated(),
    BackendsCancelled(),
)
