"""An annex: a schema of its own in the ground's database, on tables of an older version, with its own account."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack, suppress
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, Self

import asyncpg

from bridge import Oban
from bridge.engine.schema import quote_ident, upgrade_sql

from .account import Account, take_account
from .ground import GONE
from .ledger import Ledger
from .load import Load
from .machine import MACHINE, Limit
from .node import Node
from .workers import KINDS, Long, Probe

if TYPE_CHECKING:
    from .ground import Ground

#: Version 9, as Oban's migrations left it; the tests of the schema have it too.
_TABLES: Final = Path(__file__).resolve().parent.parent / "engine" / "schema" / "data" / "v9.sql"

_FETCH: Final = (
    "oban_jobs_state_queue_priority_scheduled_at_id_index on {prefix}.oban_jobs"
    " (state, queue, priority, scheduled_at, id)"
)  # fmt: skip

_POLL: Final = 0.05

#: Of annexes: each has a ledger of its own, since the ids of its jobs begin at one, and a client by a name of its own.
_NUMBERS: Final = count(1)

#: What its load holds: all but those jobs whose end would have to be waited for.
_KINDS: Final = tuple(kind for kind in KINDS if kind.worker is not Long)


class Annex:
    """Nodes, a client and a ledger beside the ground's, on tables of an older version; an async context manager.

    Its jobs are in no account but its own, and no fault explains anything there.

    Args:
        ground: Has the server.
        prefix: The schema's name; it is made, and dropped at the end.
        version: That of its tables, 9 to 14.
        suspended: Whether they were made by a release of Oban that knows the state, or by an older one.
        random: Chooses what the load holds.
    """

    def __init__(self, ground: Ground, *, prefix: str, version: int, suspended: bool, random: Random) -> None:
        self.prefix = prefix
        self.version = version
        self.nodes: list[Node] = []
        self._ground = ground
        self._suspended = suspended
        self._random = random
        self._name = f"{prefix}-{next(_NUMBERS)}"
        self._ledger = Ledger(ground.folder / f"ledger-{self._name}")
        self._stack = AsyncExitStack()

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
        with suppress(*GONE):
            await self._stack.aclose()
        with suppress(*GONE):
            await self._ground.sql(f"drop schema if exists {quote_ident(self.prefix)} cascade")

    async def _open(self) -> None:
        await self._make()
        self.client = Oban(
            dsn=self._ground.dsn,
            name=self._name,
            prefix=self.prefix,
            connect="background",
            pool_options={"max_size": 3},
        )
        await self._stack.enter_async_context(self.client)
        await self.client.ready()
        self.load = Load(self.client, self._random, _KINDS)

    async def _make(self) -> None:
        sql = _TABLES.read_text("utf-8")
        parts = {"suspended": "'suspended'," if self._suspended else "", "tags": "text[] default array[]::text[]"}
        for token, text in {**parts, "fetch": _FETCH, "prefix": quote_ident(self.prefix)}.items():
            sql = sql.replace(f"{{{token}}}", text)
        conn = await asyncpg.connect(self._ground.dsn)
        try:
            await conn.execute(f"drop schema if exists {quote_ident(self.prefix)} cascade")
            await conn.execute(f"create schema {quote_ident(self.prefix)}")
            await conn.execute(sql)
            if self.version > 9:
                await conn.execute(upgrade_sql(self.prefix, from_version=9, to_version=self.version))
        finally:
            await conn.close()

    async def add_node(self, name: str) -> Node:
        """Start a node, and return it once it works."""
        ground = self._ground
        environment = {"BRIDGE_PREFIX": self.prefix}
        node = Node(name, ground.node_dsn, ground.folder, self._ledger, environment=environment)
        self.nodes.append(node)
        node.start()
        await self.works_again(20)
        return node

    async def works_again(self, bound: float) -> None:
        """Wait until every node has run a fresh job.

        Raises:
            AssertionError: One did not within `bound` seconds.
        """
        limit = Limit("nodes to work again", bound)
        asked = [(await self.client.enqueue(Probe.new({}, queue=node.probes))).id for node in self.nodes]
        while await self._count("where id = any($1::bigint[]) and state <> 'completed'", asked):
            limit.check(f"of {[node.name for node in self.nodes]}")
            await asyncio.sleep(_POLL)

    async def upgrade(self) -> str:
        """Run `bridge upgrade`, and return what it said.

        Raises:
            AssertionError: It failed.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", "upgrade", f"--dsn={self._ground.dsn}", f"--prefix={self.prefix}",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            cwd=self._ground.folder,
        )  # fmt: skip
        said, _ = await process.communicate()
        if process.returncode:
            raise AssertionError(f"bridge upgrade ended with status {process.returncode}: {said.decode()}")
        return said.decode()

    async def settle(self, timeout: float) -> None:
        """Wait until the load is enqueued and every job has come to its end."""
        limit = Limit("jobs to come to their end", timeout)
        waiting = "where state in ('available', 'scheduled', 'executing', 'retryable')"
        while self.load.running or await self._count(waiting):
            limit.check()
            await asyncio.sleep(_POLL)
        await self.load.finished()

    async def account(self) -> Account:
        """Return the account of all that has happened here."""
        conn = await asyncpg.connect(self._ground.dsn, server_settings={"search_path": quote_ident(self.prefix)})
        try:
            return await take_account(conn, self._ledger, self.load.orders, [], machine=MACHINE)
        finally:
            await conn.close()

    async def _count(self, condition: str, *values: Any) -> int:
        rows = await self._ground.sql(
            f"select count(*) as jobs from {quote_ident(self.prefix)}.oban_jobs {condition}", *values
        )
        return int(rows[0]["jobs"])
