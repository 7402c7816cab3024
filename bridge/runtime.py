"""What a started instance consists of: opened in order, closed in the opposite one."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from bridge import telemetry
from bridge.cluster import CHANNEL, Beats, ClusterSituation, Leader
from bridge.cron import Scheduler, load_crontab
from bridge.engine import Connections, Engine, connect, create_pool
from bridge.engine.rights import require_rights
from bridge.engine.schema import Catalog, inspect
from bridge.maintenance import RESCUE_AFTER, Heartbeat, Lifeline, Pruner, Reindexer, Service, Stager
from bridge.plan import Plan
from bridge.pubsub import Link, Notifier, Status, channels, signals
from bridge.queues import Inline, QueueManager, Respondent
from bridge.telemetry.events import SUPERVISOR_INIT

if TYPE_CHECKING:
    from bridge.queues.processes.pool import ProcessPool

logger = logging.getLogger("bridge")

#: Seconds that connections get to close in order, before they are dropped.
CLOSE = 2.0


class Runtime:
    """The parts of a started instance."""

    def __init__(self, plan: Plan, pool: Any, engine: Engine) -> None:
        self.plan = plan
        self.pool = pool
        self.engine = engine
        self.heartbeat = self._make_heartbeat()
        self.processes = self._make_processes()
        self.queues = QueueManager(
            engine,
            plan.registry,
            name=plan.name,
            node=plan.node,
            grace=plan.grace,
            pulse=self.heartbeat,
            processes=self.processes,
        )
        engine.takes_locks = plan.testing == "disabled"
        self.inline = Inline(engine, plan.registry, plan.node)
        self.notifier = Notifier(
            connect=self._connect_listener,
            publish=engine.notify,
            prefix=plan.prefix,
            ident=plan.ident,
            node=plan.node,
            oban=engine.oban,
        )
        interval = plan.leader.get("interval", 30.0)
        self.leader = Leader(engine, instance=plan.name, node=plan.node, interval=interval)
        lines = load_crontab(plan.cron, plan.registry, instance=plan.name)
        self.cron = Scheduler(engine, self.leader, lines, instance=plan.name)
        leaseless = self._may_lead and not self._elects
        beats = Beats(self.leader.lease, plan.node, interval=plan.stager.get("interval", 1.0))
        self.situation = ClusterSituation(self.leader, self.notifier, beats, leaseless=leaseless)
        self.stager = Stager(engine, self.queues.names, self._wake, situation=self.situation, **plan.stager)
        self.leader.on_change(self.stager.look_again)
        self.upkeep = self._make_upkeep()
        # The application's come last: when their first rounds begin, the instance is ready for them.
        self._services = (*self.upkeep.values(), *plan.services)
        for service in plan.services:
            service.attach(engine.oban, self._leads)
        self._missed = False
        self._settled = False
        self._closing = AsyncExitStack()

    def _make_heartbeat(self) -> Heartbeat:
        plan = self.plan
        rescue_after = plan.lifeline.get("rescue_after", RESCUE_AFTER)
        return Heartbeat(
            self.engine,
            instance=plan.name,
            node=plan.node,
            rescue_after=rescue_after,
            connect=None if plan.dsn is None else self._connect_alone,
        )

    async def _connect_alone(self) -> Any:
        assert self.plan.dsn is not None  # noqa: S101 - nobody asks for it elsewhere
        return await connect(self.plan.dsn, statement_cache_size=0)

    def _make_processes(self) -> ProcessPool | None:
        """Return what runs jobs in other processes; None where they run in this one, which costs nothing then."""
        plan = self.plan
        if plan.processes.count == 1 or plan.dsn is None:
            return None
        from bridge.queues.processes import messages, options, pool  # noqa: PLC0415 - few need them
        from bridge.queues.processes.logs import levels  # noqa: PLC0415 - likewise

        count = plan.processes.count
        options.modules_of(plan.processes, plan.registry)  # refuses what children couldn't import
        most = max(2, plan.pool_options.get("max_size", 10) // count)

        def set_up() -> messages.Setup:
            assert plan.dsn is not None  # noqa: S101 - as above
            return messages.Setup(
                plan.name,
                plan.prefix,
                plan.node,
                plan.dsn,
                plan.insert_trigger,
                {**plan.pool_options, "min_size": 0, "max_size": most},
                self.engine.catalog,
                sys.path,
                options.modules_of(plan.processes, plan.registry),
                levels(),
            )

        return pool.ProcessPool(count, "bridge.oban.child", set_up)

    def _make_upkeep(self) -> dict[str, Service]:
        """Return the services of which a leader's do something, those that are switched on."""
        plan, engine = self.plan, self.engine
        lifeline, reindexer = dict(plan.lifeline), dict(plan.reindexer)
        found: dict[str, Service] = {}
        if lifeline.pop("enabled", True):
            names, beats = plan.registry.names, self.heartbeat.is_heard
            found["lifeline"] = Lifeline(engine, self._leads, workers=names, beats=beats, **lifeline)
        if plan.pruner.get("mode", "auto") != "off":
            found["pruner"] = Pruner(engine, self._leads, **plan.pruner)
        if reindexer.pop("enabled", False):
            found["reindexer"] = Reindexer(engine, self._leads, **reindexer)
        return found

    def _leads(self) -> bool:
        # Where no lease can be had, each node does what a leader does, which is safe to do twice.
        return self.situation.leads

    @property
    def _may_lead(self) -> bool:
        return bool(self.plan.leader.get("enabled", True))

    @property
    def _elects(self) -> bool:
        """Whether there is a table of leases, or reason to make one: before V11, Elixir has none."""
        catalog = self.engine.catalog
        return self._may_lead and bool(self.cron.lines or catalog.has_peers or catalog.origin == "oban-py")

    @classmethod
    async def open(cls, plan: Plan, catalog: Catalog | None = None) -> Self:
        """Connect, read what the schema has, and start all parts.

        Args:
            plan: What the instance is.
            catalog: What the schema has, where somebody has read it already; then nothing connects for it.

        Raises:
            SchemaError: The schema has no tables of Oban that Bridge knows, or queues are to run and the role may not
                use these.
            OSError, asyncpg.PostgresError: The database can't be reached.
        """
        async with AsyncExitStack() as stack:
            pool = plan.pool
            if pool is None:
                assert plan.dsn is not None  # noqa: S101 - `Oban` saw to it
                pool = await create_pool(plan.dsn, **plan.pool_options, checked=catalog is not None)
                stack.push_async_callback(_bounded, pool.close)
            if catalog is None:
                async with pool.acquire() as conn:
                    catalog = (await inspect(conn, plan.prefix)).require()
                    if plan.queues:
                        await require_rights(conn, plan.prefix)
                if catalog.outdated:
                    logger.warning("%s", catalog.outdated)
            oban = telemetry.Instance(plan.name, plan.prefix, plan.node)
            engine = Engine(Connections(pool), plan.prefix, catalog, announce=plan.insert_trigger, oban=oban)
            runtime = cls(plan, pool, engine)
            await runtime._start(stack)
            runtime._closing = stack.pop_all()
        telemetry.emit(SUPERVISOR_INIT, telemetry.SupervisorInit(time.time_ns(), oban))
        return runtime

    async def close(self) -> None:
        """Stop all parts: the queues first, the pool last."""
        await self._closing.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(_bounded, self.notifier.stop)
        stack.push_async_callback(self.heartbeat.stop)  # jobs may still be running until the queues have stopped
        if self.processes is not None:
            stack.push_async_callback(self.processes.stop)
        stack.push_async_callback(self.queues.stop_all)
        stack.push_async_callback(self._stop_services)
        stack.push_async_callback(self.leader.stop)  # the next leader need not wait until the queues have ended
        stack.push_async_callback(self.cron.stop)
        self.cron.check()
        if self.plan.queues or self.plan.cron.entries:
            await self._serve()
        for options in self.plan.queues.values():
            self.queues.start(options)

    async def _stop_services(self) -> None:
        """Stop them at the same time: where the database says nothing, each waits a moment for its last answer."""
        stops = [service.stop() for service in (self.stager, *self._services)]
        for error in await asyncio.gather(*stops, return_exceptions=True):
            if error is not None:
                raise error

    async def _serve(self) -> None:
        """Listen, stage and lead, which a node with queues does and a mere client doesn't; again does nothing."""
        if not self.stager.running:
            self.stager.start()
            self.heartbeat.start()
            if self.listens:
                await self._listen()
            self._lead()
            for service in self._services:
                service.start()

    def _lead(self) -> None:
        if self._elects:
            self.leader.start()
            if self.cron.lines:
                self.cron.start()

    @property
    def listens(self) -> bool:
        """Whether queues here hear messages: they may, the channels' names fit, and there is a connection to spare."""
        if not self.plan.notifier.get("enabled", True):
            return False
        if not self.can_notify:
            logger.warning("the prefix is too long for notifications; queues look for jobs every second instead")
        elif self._listener_dsn is None and self.pool.get_max_size() < 2:
            logger.warning("the pool's only connection is needed for jobs; queues look for them every second instead")
            return False
        return self.can_notify

    @property
    def _listener_dsn(self) -> str | None:
        return self.plan.notifier.get("dsn") or self.plan.dsn

    async def _listen(self) -> None:
        self.notifier.listen(channels.INSERT, self.queues.on_insert)
        self.notifier.listen(channels.SIGNAL, self.queues.on_signal)
        self.notifier.listen(channels.LEADER, self._on_leader)
        self.notifier.listen(CHANNEL, self.situation.on_beat)
        self.notifier.listen(channels.CENSUS, Respondent(self.queues, self.notifier).hear)
        self.notifier.on_reconnect(self._catch_up)
        self.notifier.on_switch(self._on_status)
        await self.notifier.start(wait=False)

    async def _connect_listener(self) -> Any:
        return await (self.pool.acquire() if self._listener_dsn is None else connect(self._listener_dsn))

    def _catch_up(self) -> None:
        self._missed = True
        self.queues.wake()
        self.leader.wake()
        self.stager.look_again()

    def _on_leader(self, channel: str, payload: dict[str, Any]) -> None:
        self.situation.on_leader(channel, payload)
        self.stager.look_again()

    def _on_status(self, status: Status) -> None:
        # What a node finds out first is news only if it is bad.
        if status is Status.ISOLATED or (status is not Status.UNKNOWN and self._settled):
            logger.debug("this node is %s", status)  # the event tells it at info
        self._settled = True
        self.situation.on_status(status)
        self.stager.look_again()

    async def _wake(self, queues: Iterable[str]) -> None:
        """Do after each round of the stager what messages would have asked for, where they did not arrive."""
        self.queues.wake(queues)
        deaf = not self.notifier.hears
        if deaf or self._missed:
            await self.queues.cancel_marked()
            self._missed = deaf

    # Control

    async def signal(self, signal: signals.Signal, ident: str) -> None:
        """Send a control message; what is meant for this node alone, or can't reach it by the channel, is done here."""
        mine = ident in (signals.ANY, self.plan.ident)
        if self.plan.testing != "disabled" and isinstance(signal, signals.Start):
            mine = False  # in a test nothing runs by itself
        heard = self.notifier.link is Link.CONNECTED and self.notifier.status() is not Status.ISOLATED
        if mine and isinstance(signal, signals.Start):
            await self._serve()
        if mine and (ident != signals.ANY or not heard):
            self.queues.apply(signal)
        if ident != self.plan.ident and self.can_notify:
            await self.notifier.notify(channels.SIGNAL, signals.to_payload(signal, ident))

    @property
    def can_notify(self) -> bool:
        """Whether the channel of signals has a name that PostgreSQL takes."""
        return channels.fits(channels.channel_name(self.plan.prefix, channels.SIGNAL))


async def _bounded(close: Callable[[], Awaitable[None]]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE):
            await close()
