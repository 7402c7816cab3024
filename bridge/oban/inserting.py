"""How an instance inserts jobs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, TypeVar

from bridge.jobs import Job, modes
from bridge.oban.base import Base

A = TypeVar("A")


class Inserting(Base):
    """New jobs, one or many."""

    async def enqueue(self, job: Job[A], *, conn: Any = None) -> Job[A]:
        """Insert a job and tell its queue; the job gets its `id`, `inserted_at` and `scheduled_at`.

        A unique job that is there already is not inserted: the stored one is returned, and its `conflict` is True.

        Args:
            job: From `Job(…)` or `Worker.new(…)`. One that was inserted before is inserted again, as a copy.
            conn: A connection or session of asyncpg, psycopg, psycopg2 or SQLAlchemy: the job is inserted in its
                transaction, and is seen and announced when that commits. One that blocks blocks the event loop
                meanwhile; `SyncOban` is for code that has none.

        Raises:
            InvalidJob: A value that the table or an Elixir node can't take; nothing was written.
            ContractError: Args that break the contract of the job's worker.
            EncodeError: The same, within args or meta.
            InvalidSetting: `conn` is none that Bridge knows.
        """
        if modes.is_inline(self._plan.testing):
            return await self._parts.inline.insert(job)
        return await self._parts.engine.insert(job, conn)

    async def enqueue_many(
        self, jobs: Iterable[Job[Any]] | AsyncIterable[Job[Any]], *, conn: Any = None
    ) -> list[Job[Any]]:
        """Insert any number of jobs in one transaction, and tell each queue once; returns them in their order.

        Unique ones count as if each were inserted by itself.

        Args:
            jobs: Any iterable, async or not; 2,500 at a time are held in memory beside the result.
            conn: As in `enqueue`.

        Raises:
            InvalidJob, ContractError, EncodeError: As in `enqueue`, and which of the jobs it is, counted from 0; none
                of them was inserted.
        """
        if modes.is_inline(self._plan.testing):
            return await self._parts.inline.insert_many(jobs)
        return await self._parts.engine.insert_many(jobs, conn)
