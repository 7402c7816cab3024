"""Inserting jobs from code without an event loop: Flask, Django, scripts."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Never, Self, TypeVar

from bridge.adapters import adapt
from bridge.adapters.background import BackgroundPool
from bridge.adapters.given import Given
from bridge.engine import Connections, Engine, JobOrId, create_pool
from bridge.engine.schema import Catalog, inspect
from bridge.errors import InvalidSetting
from bridge.frames import frameless
from bridge.jobs import Job, Registry, registry
from bridge.jobs.modes import Mode, is_inline
from bridge.oban import Oban
from bridge.plan import Plan, check_known
from bridge.runtime import Runtime
from bridge.telemetry.events import Instance

A = TypeVar("A")
T = TypeVar("T")

_BLOCKING = "a connection or session that blocks"
_MEND = "asynchronous ones are for Oban.enqueue"


class SyncOban:
    """A client that blocks: it inserts jobs and looks at them, and runs none.

    One object serves all threads, and processes that are forked later. It connects when it is first used.

    `Worker.enqueue` needs a running `Oban`; blocking code writes `oban.enqueue(GenerateBadge.new({…}))`.
    """

    @frameless
    def __init__(
        self,
        *,
        dsn: str | None = None,
        conn: Any = None,
        engine: Any = None,
        name: str = "Oban",
        prefix: str = "public",
        insert_trigger: bool = True,
        pool_options: Mapping[str, Any] | None = None,
        registry: Registry = registry,
        testing: Mode = "disabled",
        **unknown: Never,
    ) -> None:
        """Describe a client by where it inserts: at most one of `dsn`, `conn` and `engine`.

        With none of these, each call brings its `conn`.

        Args:
            dsn: `postgresql://user@host/database`; the client opens connections of its own.
            conn: What stands for a connection all the time, such as `django.db.connection` or a `scoped_session`: each
                call takes part in the transaction that is open there.
            engine: A blocking engine of SQLAlchemy: each call is a transaction of its own on one of its connections.
            name: The instance's name, for telemetry.
            prefix: The schema of Oban's tables.
            insert_trigger: Whether new jobs are announced to all nodes.
            pool_options: With `dsn`: `min_size` (0), `max_size` (10) and `timeout` (60 s a statement).
            registry: The workers, for the testing mode `"inline"`.
            testing: As in `Oban`.
            unknown: Nothing, as in `Oban`.

        Raises:
            InvalidSetting: A value of the wrong kind, an unknown option, or more than one of `dsn`, `conn` and
                `engine`.
        """
        check_known(unknown, SyncOban)
        given = {"dsn": dsn, "conn": conn, "engine": engine}
        if len(chosen := [option for option, value in given.items() if value is not None]) > 1:
            raise InvalidSetting("dsn", chosen, "at most one of dsn, conn and engine", "leave the others out")
        self._conn = conn
        self._client = _Client(
            dsn=dsn,
            pool=None if dsn is not None else _pool_of(conn, engine),
            name=name,
            prefix=prefix,
            insert_trigger=insert_trigger,
            cron=False,
            pool_options=_lazy(pool_options),
            registry=registry,
            testing=testing,
        )

    def enqueue(self, job: Job[A], *, conn: Any = None) -> Job[A]:
        """Insert a job and tell its queue; the job gets its `id`, `inserted_at` and `scheduled_at`.

        Args:
            job: From `Job(…)` or `Worker.new(…)`. One that was inserted before is inserted again, as a copy.
            conn: A blocking connection or session: the job is inserted in its transaction, and is seen and announced
                when that commits. Default: what the client was made with.

        Raises:
            InvalidJob: A value that the table or an Elixir node can't take; nothing was written.
            ContractError: Args that break the contract of the job's worker.
            EncodeError: The same, within args or meta.
            InvalidSetting: `conn` is none that blocks, or there is none.
            SchemaError: There are no tables of Oban's that Bridge knows.
        """
        return self._do(lambda: self._client.enqueue(job, conn=conn), conn)

    def enqueue_many(self, jobs: Iterable[Job[Any]], *, conn: Any = None) -> list[Job[Any]]:
        """Insert any number of jobs, all or none, and tell each queue once; returns them in their order.

        Args:
            jobs: Any iterable; 2,500 at a time are held in memory beside the result.
            conn: As in `enqueue`.

        Raises:
            InvalidJob, ContractError, EncodeError: As in `enqueue`, and which of the jobs it is, counted from 0.
        """
        if not isinstance(jobs, Iterable):
            raise InvalidSetting("jobs", type(jobs), "an iterable of jobs that blocks", "collect them into a list")
        return self._do(lambda: self._client.enqueue_many(jobs, conn=conn), conn)

    def get_job(self, job_id: int) -> Job[Any] | None:
        """Return the job of that id, or None."""
        return self._do(lambda: self._client.get_job(job_id))

    def cancel_job(self, job: JobOrId) -> bool:
        """Cancel a job; one that runs is stopped, wherever it runs. False where it had ended, or is not there."""
        return self._do(lambda: self._client.cancel_job(job))

    def fetch_result(self, job: JobOrId) -> Any:
        """Return what a job's worker recorded, in either language; as its contract types it, where it has one.

        Raises:
            ContractError, JobNotFound, DecodeError: As `Oban.fetch_result` does.
        """
        return self._do(lambda: self._client.fetch_result(job))

    def close(self) -> None:
        """Close the client's own connections; the next call opens them again."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, call: Callable[[], Coroutine[Any, Any, T]], conn: Any = None) -> T:
        given = self._conn if conn is None else conn
        if given is None and self._client.has_none:
            raise InvalidSetting("conn", None, _BLOCKING, "pass conn=…, or make SyncOban(dsn=…)")
        if given is not None and not adapt(given).blocking:
            raise InvalidSetting("conn", type(given), _BLOCKING, _MEND)
        if not self._client.is_set_up:
            self._client.set_up(_run(self._client.read_catalog(conn)))
        return _run_inline(call) if self._client.runs_inline else _run(call())


class _Client(Oban):
    """An instance of which nothing runs, whose connections block."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        plan = self._plan
        self._own = None if plan.dsn is None else BackgroundPool(partial(_open_pool, plan))
        self._pool = plan.pool if self._own is None else self._own

    @property
    def is_set_up(self) -> bool:
        return self._runtime is not None

    @property
    def has_none(self) -> bool:
        """Whether it has no connection but those that calls bring."""
        return self._own is None and isinstance(self._pool, Given) and self._pool.is_empty

    @property
    def runs_inline(self) -> bool:
        return is_inline(self._plan.testing)

    async def read_catalog(self, conn: Any) -> Catalog:
        if conn is not None:
            return (await inspect(conn, self.prefix)).require()
        held: Any
        async with self._pool.acquire() as held:
            return (await inspect(held, self.prefix)).require()

    def set_up(self, catalog: Catalog) -> None:
        plan = self._plan
        engine = Engine(
            Connections(self._pool),
            plan.prefix,
            catalog,
            announce=plan.insert_trigger,
            oban=Instance(plan.name, plan.prefix, plan.node),
        )
        self._runtime = Runtime(plan, self._pool, engine)

    def close(self) -> None:
        if self._own is not None:
            self._own.close()


async def _open_pool(plan: Plan) -> Any:
    assert plan.dsn is not None  # noqa: S101 - nobody asks for it elsewhere
    return await create_pool(plan.dsn, **plan.pool_options)


def _lazy(pool_options: Any) -> Any:
    if pool_options is None:
        pool_options = {}
    return {"min_size": 0, **pool_options} if isinstance(pool_options, Mapping) else pool_options


def _pool_of(conn: Any, engine: Any) -> Any:
    if engine is None:
        return Given(conn)
    try:
        from bridge.adapters.sqlalchemy import EnginePool  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise InvalidSetting("engine", type(engine), "SQLAlchemy", "pip install 'oban-bridge[sqlalchemy]'") from None
    return EnginePool(engine)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in one step: nothing that blocks suspends it."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    finally:
        coroutine.close()
    raise InvalidSetting("conn", "another one", _BLOCKING, _MEND)


def _run_inline(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run what runs a job, whose worker may suspend, on an event loop of its own."""
    found: Future[T] = Future()

    def run() -> None:
        try:
            found.set_result(asyncio.run(call()))
        except BaseException as error:
            found.set_exception(error)

    # A thread, because this one may have a loop that runs.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="bridge-inline")
    thread.start()
    thread.join()
    return found.result()
