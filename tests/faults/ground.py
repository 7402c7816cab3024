"""The ground that faults strike: a PostgreSQL of its own, nodes that run jobs, a client that enqueues, a ledger."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from signal import SIGCONT
from string import ascii_lowercase
from typing import Any, Final, Self

import asyncpg

from bridge import Oban

from . import promises
from .account import Account, take_account
from .causes import Written
from .chatter import Chatter
from .faults import Fault, Hit
from .ledger import Execution, Ledger
from .load import Load
from .machine import MACHINE, Limit
from .node import Node
from .recovery import GONE, Recovery
from .site import DATABASE, USER, Site
from .workers import LONG, QUEUE, Quick, Steady

_POLL: Final = 0.05
_START: Final = 60.0

#: Of the node that logs as users see it; the others log only what should not be.
_TELLING: Final = {"BRIDGE_LOG_LEVEL": "info"}

#: Some of the jobs that have not come to their end.
_UNSETTLED: Final = (
    "select id, queue, worker, state::text, attempt from oban_jobs "
    "where state in ('available', 'suspended', 'scheduled', 'executing', 'retryable') limit 3"
)

#: Probes that nobody has begun.
_FORGET: Final = "delete from oban_jobs where queue = $1 and worker = 'Faults.Probe' and attempt = 0"


class Ground:
    """Everything that a fault may strike, as an async context manager.

    Its folder holds the ledger, a log of each node (`a.log`), and one of the harness itself (`harness.log`).

    Args:
        nodes: How many nodes are started, `a`, `b`, … by name; `a` logs at the level that is the default.
        processes: How many processes each of them runs its jobs in, or a number for each.
        random: Chooses what the load holds; default unseeded.
        settings: PostgreSQL's, by name.
        environment: More variables for every node.
        standby: Whether there is a second server, to which the first one streams, for `fail_over`.
        keep: Leave the folder, with the nodes' logs and the ledger, where it is.
    """

    def __init__(
        self,
        *,
        nodes: int = 2,
        processes: int | Sequence[int] = 1,
        random: Random | None = None,
        settings: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        standby: bool = False,
        keep: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bridge-faults-"))
        self.ledger = Ledger(self.folder / "ledger")
        self.random = random or Random()
        #: Where the server of now is, the primary one.
        self.site = Site(settings)
        #: The other server, a standby that streams from it, where the ground was made with one.
        self.standby: Site | None = Site(settings) if standby else None
        self._sites = [self.site, *([self.standby] if self.standby else [])]
        self.nodes: list[Node] = []
        #: What the faults did, in their order.
        self.hits: list[Hit] = []
        #: Faults that could not be made here, with why.
        self.skipped: dict[str, str] = {}
        #: How many seconds each fault's end was past when all nodes worked again, by the fault's name.
        self.recovered: dict[str, list[float]] = {}
        #: When outcomes were seen to be written.
        self.written: list[Written] = []
        self._processes = [processes] * nodes if isinstance(processes, int) else list(processes)
        self._environment = environment or {}
        self._keep = keep
        self._stack = AsyncExitStack()
        self._syncing: asyncio.Task[None] | None = None

    # Life

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            node.close()
        if self._syncing is not None:
            self._syncing.cancel()
        with suppress(*GONE):
            await self._stack.aclose()
        for site in self._sites:
            await site.close()
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _open(self) -> None:
        MACHINE.watch()
        self._stack.enter_context(_logged_to(self.folder / "harness.log"))
        await self.site.open()
        if self.standby is not None:
            await self.standby.open()
            await self.rebuild_standby()
        self.client = Oban(
            dsn=self.dsn,
            name=self.folder.name,  # there may be other grounds in this process
            connect="background",
            pool_options={"max_size": 3, "timeout": 10},
        )
        await self.client.install()
        await self._stack.enter_async_context(self.client)
        await self.client.ready()
        self.load = Load(self.client, self.random)
        self._syncing = asyncio.create_task(self._sync(), name="faults-sync")
        for name, processes in zip(ascii_lowercase, self._processes, strict=False):
            environment = {} if self.nodes else _TELLING
            self.add_node(name, processes=processes, environment=environment).start()
        await self.works_again(_START)

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(1)
            await asyncio.to_thread(self.ledger.sync)
            self.ledger.begun()  # so that it never has much to read at once

    # What it has

    @property
    def dsn(self) -> str:
        """The DSN of the database past the gate, for the harness itself; with a standby, of whichever takes writes."""
        return self._dsn([site.port for site in self._sites])

    @property
    def node_dsn(self) -> str:
        """The DSN that nodes are given, by way of the gate of each server."""
        return self._dsn([site.gate.port for site in self._sites])

    def _dsn(self, ports: Sequence[int]) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"postgresql://{USER}@{hosts}/{DATABASE}" + ("?target_session_attrs=read-write" if self.standby else "")

    def add_node(self, name: str, **options: Any) -> Node:
        """Return a new node, which is not started yet; options as in `Node`."""
        options.setdefault("dsn", self.node_dsn)
        options["environment"] = {**self._environment, **options.get("environment", {})}
        dsn = options.pop("dsn")
        node = Node(name, dsn, self.folder, self.ledger, **options)
        self.nodes.append(node)
        return node

    async def remove_node(self, node: Node) -> None:
        """End a node that a fault has added, in order, and forget it, with the probes that nobody else runs."""
        if node.alive:
            await node.stop()
        self.nodes.remove(node)
        # Where the answer to an insert came too late there is one more of them than was asked for.
        with suppress(*GONE):
            await self.sql(_FORGET, node.probes)

    def any_node(self, random: Random, *, children: bool = False) -> Node:
        """Return one of the nodes that run, or of those that run jobs in children."""
        return random.choice([node for node in self.nodes if node.alive and (node.processes > 1 or not children)])

    def one_of_each(self, random: Random) -> list[Node]:
        """Return one of the nodes that run jobs themselves, and one of those that run them in children, if any."""
        alive = [node for node in self.nodes if node.alive]
        kinds = [[node for node in alive if (node.processes > 1) is children] for children in (False, True)]
        return [random.choice(kind) for kind in kinds if kind]

    async def sql(self, query: str, *values: Any, timeout: float = 30) -> list[Any]:
        """Run a statement on a connection of its own, past the gate; errors are raised."""
        conn = await asyncpg.connect(self.dsn, timeout=timeout)
        try:
            found: list[Any] = await conn.fetch(query, *values, timeout=timeout)
            return found
        finally:
            conn.terminate()

    async def leader(self) -> Node | None:
        """Return the node that leads the Python nodes now."""
        rows = await self.sql("select node from oban_peers where name = 'Oban@python'")
        names = {row["node"] for row in rows}
        return next((node for node in self.nodes if node.name in names), None)

    # Two servers

    async def fail_over(self, pause: float = 0.0) -> None:
        """Kill the primary server, and promote the standby, which has all that was confirmed; they change places.

        The dead one stays down until `rebuild_standby`.

        Args:
            pause: Seconds in between, for which there is no primary one.
        """
        dying, taking = self.site, self._other
        await self.sql("alter system set synchronous_standby_names = '*'")
        await self.sql("select pg_reload_conf()")
        await self._until("select from pg_stat_replication where sync_state = 'sync'")
        # Commits wait for the standby once the checkpointer has heard of the setting, which this statement waits for;
        # what was confirmed before may not have reached it yet.
        await self.sql("checkpoint", timeout=30)
        written = (await self.sql("select pg_current_wal_lsn()::text as lsn"))[0]["lsn"]
        arrived = "select from pg_stat_replication where sync_state = 'sync' and flush_lsn >= $1::text::pg_lsn"
        await self._until(arrived, written)
        await dying.kill()
        await asyncio.sleep(pause)
        conn = await asyncpg.connect(taking.dsn, timeout=10)
        try:
            await conn.execute("select pg_promote()")
        finally:
            conn.terminate()
        self.site, self.standby = taking, dying

    async def rebuild_standby(self) -> None:
        """Make the server that is down a standby of the other one, and wait until it streams."""
        await self.sql("alter system reset synchronous_standby_names")
        await self.sql("select pg_reload_conf()")
        await self._other.follow(self.site)
        await self._until("select from pg_stat_replication where state = 'streaming'")

    async def replicated(self) -> None:
        """Wait until the standby, where there is one, knows all that the primary does, such as a role that is new."""
        if self.standby is not None:
            written = (await self.sql("select pg_current_wal_lsn()::text as lsn"))[0]["lsn"]
            await self._until("select from pg_stat_replication where replay_lsn >= $1::text::pg_lsn", written)

    @property
    def _other(self) -> Site:
        if self.standby is None:
            raise RuntimeError("the ground has no standby: make it with standby=True")
        return self.standby

    async def _until(self, query: str, *values: Any, timeout: float = 30) -> None:
        """Wait until a query returns anything."""
        limit = Limit("servers to get so far", timeout)
        while not await self.sql(query, *values):
            if limit.is_over():
                raise AssertionError(f"nothing came of {query} within {timeout:g} s")
            await asyncio.sleep(_POLL)

    # Load

    def start_load(self, *, jobs: int, rate: float) -> None:
        """Begin to enqueue; see `Load.start`."""
        self.load.start(jobs=jobs, rate=rate)

    async def busy(self, count: int = 1, pid: int | None = None, timeout: float = 20) -> None:
        """Wait until so many executions more have begun, by one process where a `pid` is given.

        Where the load is too thin for that, or over, quick jobs are added to it.
        """
        before = self.ledger.begun(pid)
        limit = Limit("jobs to begin", timeout)
        more = time.monotonic() + 0.3
        while self.ledger.begun(pid) < before + count:
            if limit.is_over():
                raise AssertionError(f"no {count} jobs began within {timeout:g} s")
            if time.monotonic() > more:
                more += 1
                with suppress(*GONE):
                    await self.load.order_many(Quick, 2 * count * len(self.nodes))
            await asyncio.sleep(_POLL)

    async def in_flight(
        self, pids: Collection[int] | Callable[[], Collection[int]], count: int = 1, timeout: float = 20
    ) -> list[Execution]:
        """Wait until these processes are in the midst of so many executions, and return those.

        Pass `node.pids` or `node.children` themselves, not what they return, where processes may be starting yet.
        Where the load is too thin for that, jobs of half a second are added to it.
        """
        limit = Limit("jobs to be in flight", timeout)
        more = time.monotonic() + 0.3
        while len(found := self.ledger.in_flight(pids() if callable(pids) else pids)) < count:
            if limit.is_over():
                raise AssertionError(f"no {count} jobs in flight in {pids} within {timeout:g} s")
            if time.monotonic() > more:
                more += 1
                with suppress(*GONE):
                    await self.load.order_many(Steady, 4 * count * len(self.nodes), {"seconds": 0.5})
            await asyncio.sleep(_POLL)
        return found

    # Faults

    async def suffer(self, fault: Fault, random: Random) -> Hit | None:
        """Let a fault strike, see that all works again in time, and note what it did; None where it can't be made."""
        if lack := fault.lack(self):
            self.skipped[fault.name] = lack
            return None
        chatters = [Chatter(node) for node in self.nodes]
        before = {node: node.pids() for node in self.nodes if node.alive}
        hit = await fault.strike(self, random)
        self.hits.append(hit)
        took = await self.works_again(fault.bound)
        if hit.is_harmful and fault.rescue is not None:
            alone = all(node.name in hit.nodes or hit.pids & pids for node, pids in before.items())
            hit = self.hits[-1] = replace(hit, rescued=hit.ended + fault.rescue + (took if alone else 0.0))
        self.recovered.setdefault(fault.name, []).append(took)
        for chatter in chatters:
            chatter.check()
        await fault.check(self, hit)
        until = await promises.all_written(self, hit)
        self.written.append(Written(time.monotonic(), until))
        return hit

    async def revive(self) -> None:
        """Bring everything back that a fault has left broken, after it has broken its promise."""
        for site in self._sites:
            site.gate.mend()
            site.gate.thaw()
            site.gate.delay(0)
            with suppress(ProcessLookupError):
                site.signal(SIGCONT)
        await self.site.start()
        for node in self.nodes:
            for pid in tuple(node.frozen):
                node.signal(SIGCONT, pid)
            if not node.alive:
                node.start()
        await self.works_again(_START)

    async def works_again(self, bound: float) -> float:
        """Wait until every node works, and return the seconds it took.

        It has run a fresh job of its own queue then, and begun one of the shared queue, where it runs that.

        Raises:
            AssertionError: One does not within `bound` seconds.
        """
        return await Recovery(self).wait(bound)

    # The end

    async def settle(self, timeout: float = 120) -> float:
        """Wait until the load is enqueued and every job has come to its end; return the seconds it took."""
        begun, limit = time.monotonic(), Limit("jobs to come to their end", timeout)
        while self.load.running or await self.sql(_UNSETTLED):
            if limit.is_over():
                left = [*map(dict, await self.sql(_UNSETTLED))]
                raise AssertionError(f"jobs did not come to their end within {timeout:g} s, such as {left}")
            await asyncio.sleep(0.2)
        await self.load.finished()
        return time.monotonic() - begun

    async def account(self) -> Account:
        """Return the account of all that has happened."""
        conn = await asyncpg.connect(self.dsn)
        try:
            told = (self.load.orders, self.hits, self.skipped, self.written, MACHINE)
            account = await take_account(conn, self.ledger, *told)
        finally:
            await conn.close()
        account.recovered = {name: max(times) for name, times in self.recovered.items()}
        return account


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Write what the client, its driver and the gates log to a file: an outage makes them say much."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("bridge", "asyncpg")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


__all__ = ["GONE", "LONG", "QUEUE", "Ground"]
