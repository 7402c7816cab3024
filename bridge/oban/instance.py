"""The instance: how it is described, started and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Never, cast

from bridge.engine import Peer, connect
from bridge.engine.schema import Catalog, inspect, install, install_own
from bridge.errors import SchemaError
from bridge.frames import frameless
from bridge.jobs import Registry, instances, registry
from bridge.jobs.modes import Mode
from bridge.maintenance import Service
from bridge.oban.control import Control
from bridge.oban.draining import Draining
from bridge.oban.lifecycle import Connect, LifeCycle, check_connect
from bridge.oban.managing import Managing
from bridge.plan import check_known, make_plan
from bridge.runtime import Runtime

if TYPE_CHECKING:
    from bridge.doctor import Finding


class Oban(LifeCycle, Managing, Control, Draining):
    """A connection to Oban's tables, with queues that run here or without any.

    An async context manager: `async with Oban(dsn=…, queues={"badges": 10}) as oban: …`.
    """

    @frameless
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
        connect: Connect = "now",
        services: Iterable[Service] = (),
        processes: int | Mapping[str, Any] = 1,
        testing: Mode = "disabled",
        **unknown: Never,
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
            lifeline: `rescue_after` in seconds (45), how long this node's queues may be silent before their jobs are
                rescued; `interval` (a fifth of it) and `enabled`, whether this node rescues others', see `Lifeline`.
            pruner: `mode`, `"auto"`, `"on"` or `"off"`; `interval` (30) and `limit` (10,000 a statement), see `Pruner`;
                `max_age` (a day), `max_len`, `states`, `queues` and `workers`, see `parse_retention`.
            reindexer: `enabled` (False), `schedule` (`"@midnight"`), `timezone` (`"Etc/UTC"`), `indexes` and `timeout`,
                see `Reindexer`.
            notifier: `dsn`, where listening needs a way around a pooler; `enabled` (True), else queues poll.
            pool_options: `min_size` (1), `max_size` (10) and `timeout` (60 s a statement) of the own pool; `prepared`
                (`"auto"`), whether statements are prepared once and kept, which needs a session of one's own.
            registry: The workers that may run.
            connect: `"now"` lets `start` fail where the database is away or has no tables of Oban; `"wait"` lets it
                wait for them, and `"background"` return at once and wait meanwhile, see `start` and `ready`.
            services: Background services of your own, objects of subclasses of `bridge.maintenance.Service`. They run
                where this node serves: it has queues, or cron entries.
            processes: How many processes run the jobs; 1 is this one. More are started with the queues, and import the
                modules of the workers; a dict with `count` and `imports` names modules to import before. They need
                `dsn` and the default registry, and workers that are not defined in the script itself.
            testing: `"manual"` inserts jobs and runs none; `"inline"` runs each where it is enqueued, and stores none.
                In both, queues, cron and services are checked and then left off, see `bridge.testing`.
            unknown: Nothing: an option that there is not is refused, and the nearest one named.

        Raises:
            InvalidSetting: A value of the wrong kind, an unknown option, or not just one of `dsn` and `pool`.
        """
        check_known(unknown, Oban)
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
            services=services,
            processes=processes,
            testing=testing,
        )
        self._connect_mode = check_connect(connect)
        self._runtime: Runtime | None = None
        self._opening: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    # Life cycle

    @staticmethod
    def get_instance(name: str = "Oban") -> Oban:
        """Return the running instance of that name.

        Raises:
            InstanceNotFound: There is none in this process.
        """
        return cast("Oban", instances.find(name))

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

    async def diagnose(self, *, timeout: float = 5.0) -> list[Finding]:
        """Return what is wrong with the database or its nodes, each with the mend, as `bridge doctor` tells it.

        Nothing is changed. It needs no started instance; a look at queues that seem to stand still takes 1.5 seconds.

        Args:
            timeout: Seconds that one question to the database may take; what takes longer is told as not looked at.

        Raises:
            OSError, asyncpg.PostgresError: The database can't be reached.
        """
        from bridge.doctor import examine  # noqa: PLC0415 - a node that works needs no doctor

        return [
            finding
            async for finding in examine(
                self._connection,
                self.prefix,
                workers=self._plan.registry.names(),
                listen=lambda: self._connection(listening=True),
                settings={
                    "notifier.dsn": self._plan.notifier.get("dsn") is not None,
                    "pruner.mode": self._plan.pruner.get("mode", "auto"),
                },
                timeout=timeout,
            )
        ]

    @asynccontextmanager
    async def _connection(self, *, listening: bool = False) -> AsyncIterator[Any]:
        """Yield a connection of the pool, or one by a DSN that keeps no statements, so that any pooler will do."""
        plan = self._plan
        own = plan.dsn is not None or (listening and plan.notifier.get("dsn") is not None)
        conn = await (self._connect_by_dsn(listening) if own else plan.pool.acquire())
        try:
            yield conn
        finally:
            await (conn.close() if own else plan.pool.release(conn))

    @frameless
    async def _connect_by_dsn(self, listening: bool) -> Any:
        dsn: Any = (self._plan.notifier.get("dsn") if listening else None) or self._plan.dsn
        return await connect(dsn, statement_cache_size=0)

    async def _connect(self) -> Any:
        return await (self._plan.pool.acquire() if self._plan.dsn is None else connect(self._plan.dsn))

    async def _disconnect(self, conn: Any) -> None:
        await (self._plan.pool.release(conn) if self._plan.dsn is None else conn.close())

    async def peers(self) -> list[Peer]:
        """Return the live leases of this schema: the leaders of all its instances, of both languages."""
        return await self._parts.engine.live_peers()
