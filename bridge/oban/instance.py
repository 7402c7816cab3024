"""The instance: how it is described, started and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, cast

from bridge.engine import Peer, connect
from bridge.engine.schema import Catalog, inspect, install, install_own
from bridge.errors import SchemaError
from bridge.jobs import Registry, instances, registry
from bridge.oban.control import Control
from bridge.oban.inserting import Inserting
from bridge.oban.managing import Managing
from bridge.plan import make_plan
from bridge.runtime import Runtime


class Oban(Inserting, Managing, Control):
    """A connection to Oban's tables, with queues that run here or without any.

    An async context manager: `async with Oban(dsn=…, queues={"badges": 10}) as oban: …`.
    """

    def __init__(
        self,
        *,
        dsn: str | None = None,
        pool: Any = None,
        queues: Mapping[str, Any] | None = None,
        name: str = "Oban",
        prefix: str = "public",
        node: str | None = None,
        insert_trigger: bool = True,
        shutdown_grace_period: float | timedelta = 15.0,
        stager: Mapping[str, Any] | None = None,
        leader: Mapping[str, Any] | None = None,
        cron: Any = None,
        lifeline: Mapping[str, Any] | None = None,
        pruner: Mapping[str, Any] | None = None,
        reindexer: Mapping[str, Any] | None = None,
        notifier: Mapping[str, Any] | None = None,
        pool_options: Mapping[str, Any] | None = None,
        registry: Registry = registry,
    ) -> None:
        """Describe an instance; `start` connects it.

        Args:
            dsn: `postgresql://user@host/database`; the instance opens a pool of its own.
            pool: Instead of that, an asyncpg pool that the application has; it is not closed.
            queues: Limits by queue, `{"badges": 10}`, or options: `{"badges": {"limit": 10, "paused": True}}`, see
                `QueueOptions`. Default: none, a client that inserts and manages.
            name: The instance's name as Elixir's `inspect` shows it; it is the first part of the node's address.
            prefix: The schema of Oban's tables.
            node: This process's name, without white space; default `DYNO`, or the host and the process id.
            insert_trigger: Whether new jobs are announced to all nodes.
            shutdown_grace_period: Seconds that running jobs get when the instance or a queue stops.
            stager: `interval` in seconds (1) and `mode`: `"auto"`, `"on"` or `"off"`, see `Stager`.
            leader: `interval` in seconds (30) and `enabled`, whether this node may lead, see `Leader`.
            cron: A list of entries, or a dict with `entries`, `timezone` (`"Etc/UTC"`) and `enabled`; the entries on
                workers come with them, unless it is False, see `parse_cron`.
            lifeline: `rescue_after` in seconds (60), how long this node's queues may be silent before their jobs are
                rescued; `interval` (a quarter of it) and `enabled`, whether this node rescues others', see `Lifeline`.
            pruner: `mode`, `"auto"`, `"on"` or `"off"`; `interval` (30) and `limit` (10,000 a statement), see `Pruner`;
                `max_age` (a day), `max_len`, `states`, `queues` and `workers`, see `parse_retention`.
            reindexer: `enabled` (False), `schedule` (`"@midnight"`), `timezone` (`"Etc/UTC"`), `indexes` and `timeout`,
                see `Reindexer`.
            notifier: `dsn`, where listening needs a way around a pooler; `enabled` (True), else queues poll.
            pool_options: `min_size` (1), `max_size` (10) and `timeout` (60 s a statement) of the own pool.
            registry: The workers that may run.

        Raises:
            InvalidSetting: A value of the wrong kind, or not just one of `dsn` and `pool`.
        """
        self._plan = make_plan(
            dsn=dsn,
            pool=pool,
            queues=queues,
            name=name,
            prefix=prefix,
            node=node,
            insert_trigger=insert_trigger,
            shutdown_grace_period=shutdown_grace_period,
            stager=stager,
            leader=leader,
            cron=cron,
            lifeline=lifeline,
            pruner=pruner,
            reindexer=reindexer,
            notifier=notifier,
            pool_options=pool_options,
            registry=registry,
        )
        self._runtime: Runtime | None = None
        self._changing = asyncio.Lock()

    # Life cycle

    @staticmethod
    def get_instance(name: str = "Oban") -> Oban:
        """Return the running instance of that name.

        Raises:
            InstanceNotFound: There is none in this process.
        """
        return cast("Oban", instances.find(name))

    async def start(self) -> Self:
        """Connect, listen, and start the queues; returns the instance.

        Raises:
            SchemaError: The schema has no tables of Oban that Bridge knows.
            NotRunning: Another instance of that name is running in this process.
            OSError, asyncpg.PostgresError: The database can't be reached.
        """
        async with self._changing:
            if self._runtime is None:
                instances.register(self.name, self)
                try:
                    self._runtime = await Runtime.open(self._plan)
                except BaseException:
                    instances.unregister(self.name, self)
                    raise
        return self

    async def stop(self) -> None:
        """Stop the queues, giving running jobs their grace period, and disconnect; a second call does nothing."""
        async with self._changing:
            if self._runtime is not None:
                try:
                    await self._runtime.close()
                finally:
                    self._runtime = None
                    instances.unregister(self.name, self)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # The database

    async def install(self) -> bool:
        """Install Oban's tables and Bridge's own where they are not there yet; it needs no started instance.

        Returns:
            False where Oban's were there.

        Raises:
            SchemaError: The role may not create Oban's.
        """
        conn = await self._connect()
        try:
            made = await install(conn, self.prefix)
            with suppress(SchemaError):  # a role that may make no tables does without Bridge's own
                await install_own(conn, self.prefix)
            return made
        finally:
            await self._disconnect(conn)

    async def inspect(self) -> Catalog:
        """Return what the schema has of Oban and what it lacks; it needs no started instance."""
        conn = await self._connect()
        try:
            return await inspect(conn, self.prefix)
        finally:
            await self._disconnect(conn)

    async def _connect(self) -> Any:
        return await (self._plan.pool.acquire() if self._plan.dsn is None else connect(self._plan.dsn))

    async def _disconnect(self, conn: Any) -> None:
        await (self._plan.pool.release(conn) if self._plan.dsn is None else conn.close())

    async def peers(self) -> list[Peer]:
        """Return the live leases of this schema: the leaders of all its instances, of both languages."""
        return await self._parts.engine.live_peers()
