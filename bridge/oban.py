"""The instance: what an application holds. Each method delegates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast, overload

from bridge.codecs.recorded import decode_recorded
from bridge.contracts.runtime import Contract
from bridge.engine import Changes, Group, JobOrId, Peer, connect, job_id_of, select_jobs
from bridge.engine.schema import Catalog, inspect, install, install_own
from bridge.errors import InvalidFilter, JobNotFound, NotRunning, SchemaError
from bridge.jobs import Job, Registry, contracts, instances, registry
from bridge.jobs.results import why_no_result
from bridge.plan import make_plan
from bridge.pubsub import Notifier, signals
from bridge.queues import QueueInfo
from bridge.runtime import Runtime

R = TypeVar("R")
A = TypeVar("A")
Args_co = TypeVar("Args_co", covariant=True)


class _JobUnder(Protocol[Args_co]):
    """A job by the type of its args, which may be a subclass's; `Job` itself is invariant, since args can be set."""

    @property
    def id(self) -> int | None: ...
    @property
    def args(self) -> Args_co: ...


class Oban:
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

    @property
    def name(self) -> str:
        """The instance's name."""
        return self._plan.name

    @property
    def node(self) -> str:
        """This process's name."""
        return self._plan.node

    @property
    def prefix(self) -> str:
        """The schema of Oban's tables."""
        return self._plan.prefix

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

    @property
    def _parts(self) -> Runtime:
        if self._runtime is None:
            raise NotRunning(f"the instance {self.name!r} is not running; await its start(), or use `async with`")
        return self._runtime

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

    # Inserting

    async def enqueue(self, job: Job[A], *, conn: Any = None) -> Job[A]:
        """Insert a job and tell its queue; the job gets its `id`, `inserted_at` and `scheduled_at`.

        Args:
            job: From `Job(…)` or `Worker.new(…)`. One that was inserted before is inserted again, as a copy.
            conn: An asyncpg connection: the job is inserted in its transaction, and is seen and announced when that
                commits.

        Raises:
            InvalidJob: A value that the table or an Elixir node can't take; nothing was written.
            ContractError: Args that break the contract of the job's worker.
            EncodeError: The same, within args or meta.
        """
        return await self._parts.engine.insert(job, conn)

    async def enqueue_many(
        self, jobs: Iterable[Job[Any]] | AsyncIterable[Job[Any]], *, conn: Any = None
    ) -> list[Job[Any]]:
        """Insert any number of jobs in one transaction, and tell each queue once; returns them in their order.

        Args:
            jobs: Any iterable, async or not; 5,000 at a time are held in memory beside the result.
            conn: As in `enqueue`.

        Raises:
            InvalidJob, ContractError, EncodeError: As in `enqueue`, and which of the jobs it is, counted from 0; none
                of them was inserted.
        """
        return await self._parts.engine.insert_many(jobs, conn)

    # Managing jobs

    async def get_job(self, job_id: int) -> Job[Any] | None:
        """Return the job of that id, or None."""
        return await self._parts.engine.get(job_id)

    async def jobs(self, *, limit: int = 100, **filters: Any) -> list[Job[Any]]:
        """Return jobs that match every filter, the newest first.

        Args:
            limit: How many at most.
            filters: Columns and values: `state="retryable"`, `queue=["a", "b"]`, `worker=SendMail`, `id=[1, 2]`; `args`
                and `meta` ask for jobs that contain the given dict, `tags` for exactly these tags.

        Raises:
            InvalidFilter: An unknown column, or a value of the wrong kind.
        """
        return await self._parts.engine.select(filters, limit)

    async def count_jobs(self, by: Group | Sequence[Group] = "state", **filters: Any) -> dict[Any, int]:
        """Return how many jobs match, by state, queue or worker, or by several of them (keys are tuples then).

        Raises:
            InvalidFilter: As in `jobs`.
        """
        columns = (by,) if isinstance(by, str) else tuple(by)
        if unknown := [column for column in columns if column not in ("state", "queue", "worker")]:
            raise InvalidFilter("by", unknown[0], "state, queue or worker")
        rows = await self._parts.engine.count(filters, columns)
        return {row[0] if isinstance(by, str) else tuple(row)[:-1]: row["jobs"] for row in rows}

    async def cancel_job(self, job: JobOrId) -> bool:
        """Cancel a job; one that runs is stopped, wherever it runs. False where it had ended, or is not there."""
        return await self.cancel_jobs([job]) == 1

    async def cancel_jobs(self, jobs: Iterable[JobOrId] | None = None, /, **filters: Any) -> int:
        """Cancel jobs, given themselves, by id or by filters as in `jobs`; returns how many.

        An asyncio worker that runs gets a CancelledError. One in a thread goes on until it looks at
        `current_job().cancelled()`, and its result is dropped.
        """
        cancelled = await self._parts.engine.cancel(select_jobs(jobs, filters))
        for job_id in cancelled:
            self._parts.queues.cancel(job_id)
        return len(cancelled)

    async def retry_job(self, job: JobOrId) -> bool:
        """Make a job available again, with an attempt left; False where it is available or running, or not there."""
        return await self.retry_jobs([job]) == 1

    async def retry_jobs(self, jobs: Iterable[JobOrId] | None = None, /, **filters: Any) -> int:
        """Make jobs available again, given as in `cancel_jobs`; returns how many."""
        return len(await self._parts.engine.retry(select_jobs(jobs, filters)))

    async def delete_job(self, job: JobOrId) -> bool:
        """Delete a job; False where it runs or is not there."""
        return await self.delete_jobs([job]) == 1

    async def delete_jobs(self, jobs: Iterable[JobOrId] | None = None, /, **filters: Any) -> int:
        """Delete jobs that don't run, given as in `cancel_jobs`; returns how many."""
        return len(await self._parts.engine.delete(select_jobs(jobs, filters)))

    async def update_job(self, job: JobOrId, changes: Changes) -> Job[Any]:
        """Change a job's args, max_attempts, meta, priority, queue, scheduled_at, tags or worker; returns it anew.

        `meta` is merged into what is there, so that keys of others survive. A new `scheduled_at` makes the job
        scheduled (Oban 2.23).

        Args:
            job: The job or its id.
            changes: Columns and values, or a function of the locked job that returns them.

        Raises:
            InvalidJob: A column that can't be changed, or a value that it can't take.
            ContractError: Args that break the contract of the job's worker.
            JobNotFound: No such job, or another transaction holds it.
        """
        found = await self.update_jobs([job], changes)
        if not found:
            raise JobNotFound(f"job {job_id_of(job)} is not there, or another transaction holds it; try again")
        return found[0]

    async def update_jobs(self, jobs: Iterable[JobOrId] | None, changes: Changes, /, **filters: Any) -> list[Job[Any]]:
        """Change jobs, given as in `cancel_jobs`, all or none; those that others hold are left out."""
        return await self._parts.engine.update(select_jobs(jobs, filters), changes)

    @overload
    async def fetch_result(self, job: _JobUnder[Contract[R]]) -> R: ...
    @overload
    async def fetch_result(self, job: JobOrId) -> Any: ...
    async def fetch_result(self, job: Any) -> Any:
        """Return what a job's worker recorded, in either language; as its contract types it, where it has one.

        Raises:
            ContractError: The result breaks the contract.
            JobNotFound: No such job, or nothing is recorded with it, or not yet; the message says which.
            DecodeError: What is recorded is damaged.
        """
        found = await self.get_job(job_id_of(job))
        if found is None:
            raise JobNotFound(f"job {job_id_of(job)} is not there: it was pruned or deleted, or is not committed yet")
        contract = contracts.find(found.worker)
        if "return" not in found.meta:
            raise JobNotFound(why_no_result(found, contract))
        result = decode_recorded(found.meta["return"])
        return result if contract is None else contract.load_result(result)

    # Queues

    async def pause_queue(self, queue: str, *, node: str | None = None, local_only: bool = False) -> None:
        """Let a queue fetch no more, on all nodes of both languages, on `node`, or here alone; what runs goes on."""
        await self._signal(signals.Pause(queue), node, local_only)

    async def resume_queue(self, queue: str, *, node: str | None = None, local_only: bool = False) -> None:
        """Let a queue fetch again; scoped as in `pause_queue`."""
        await self._signal(signals.Resume(queue), node, local_only)

    async def pause_all_queues(self, *, node: str | None = None, local_only: bool = False) -> None:
        """Let no queue fetch; scoped as in `pause_queue`."""
        await self._signal(signals.Pause(signals.ALL_QUEUES), node, local_only)

    async def resume_all_queues(self, *, node: str | None = None, local_only: bool = False) -> None:
        """Let every queue fetch again; scoped as in `pause_queue`."""
        await self._signal(signals.Resume(signals.ALL_QUEUES), node, local_only)

    async def scale_queue(self, queue: str, limit: int, *, node: str | None = None, local_only: bool = False) -> None:
        """Let a queue run at most `limit` jobs at once on each node; scoped as in `pause_queue`.

        Raises:
            InvalidSignal: A limit that would break an Elixir node: not an integer, or less than 1.
        """
        await self._signal(signals.Scale(queue, limit), node, local_only)

    async def start_queue(
        self,
        queue: str,
        limit: int,
        *,
        paused: bool = False,
        node: str | None = None,
        local_only: bool = False,
    ) -> None:
        """Start a queue; nodes where it runs leave it as it is. Scoped as in `pause_queue`, raises as `scale_queue`."""
        await self._signal(signals.Start(queue, limit, paused), node, local_only)

    async def stop_queue(self, queue: str, *, node: str | None = None, local_only: bool = False) -> None:
        """Stop a queue, giving its running jobs the grace period; scoped as in `pause_queue`."""
        await self._signal(signals.Stop(queue), node, local_only)

    def check_queue(self, queue: str) -> QueueInfo | None:
        """Tell how a queue stands on this node; None where it doesn't run here."""
        return self._parts.queues.check(queue)

    def check_all_queues(self) -> list[QueueInfo]:
        """Tell how each queue of this node stands."""
        return [info for name in self._parts.queues.names() if (info := self._parts.queues.check(name))]

    def running_jobs(self) -> list[int]:
        """Return the ids of the jobs that run on this node now; empty where the instance is not running."""
        return [] if self._runtime is None else self._runtime.queues.running_jobs()

    @property
    def notifier(self) -> Notifier:
        """Messages between nodes: `listen`, `unlisten`, `notify`, `status`.

        An instance without queues hears nothing until its notifier's `start` is awaited.
        """
        return self._parts.notifier

    async def _signal(self, signal: signals.Signal, node: str | None, local_only: bool) -> None:
        target = self.node if local_only else node
        ident = signals.ANY if target is None else signals.ident(self.name, target)
        await self._parts.signal(signal, ident)
