"""New jobs: one or many, announced in the transaction that inserts them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from bridge.engine import inserts
from bridge.engine.operations import insertion
from bridge.engine.uniques import Uniques
from bridge.jobs import Job

if TYPE_CHECKING:
    from typing import Self

A = TypeVar("A")


class Inserting(Uniques):
    """What an engine needs to insert jobs."""

    @insertion("insert_job")
    async def insert(self, job: Job[A], conn: Any = None) -> Job[A]:
        """Insert one job and announce it, in `conn`'s transaction where one is given.

        A unique one holds locks until its transaction ends. One of ours ends by itself where its connection was
        forgotten; how long a caller's may idle is the caller's to say.
        """
        row = inserts.insert_row(job, self.catalog)
        if job.unique is not None:
            async with self._connections.transaction(conn) as held:
                [stored] = await self._insert_unique([job], [row], held, alone=True, ours=conn is None)
            return inserts.stored(job, stored)
        channel = self._insert_channel if self._announces else None
        [found] = await self._connections.fetch(self._sql["insert_job"], *row, channel, conn=conn)
        return inserts.stored(job, found)

    @insertion("insert_all_jobs")
    async def insert_many(self, jobs: Iterable[Job[Any]] | AsyncIterable[Job[Any]], conn: Any = None) -> list[Job[Any]]:
        """Insert any number of jobs, all or none, and announce each queue once.

        Unique ones hold locks as in `insert`. Where they are more than a statement takes, a stream of them may pause
        for `IDLE_BETWEEN`, and the transaction is ended then.
        """
        found: list[tuple[Job[Any], Any]] = []
        first, ours = 0, conn is None
        ahead = ours and self._connections.has_tasks
        async with self._connections.transaction(conn) as held, _OneBehind() as writing:
            async for chunk in inserts.chunks(jobs):
                rows = inserts.insert_rows(chunk, self.catalog, first)
                found += await writing.last()
                alone = first == 0 and len(chunk) < inserts.CHUNK
                first += len(chunk)
                await writing.begin(self._insert_chunk(chunk, rows, held, alone=alone, ours=ours), ahead=ahead)
            found += await writing.last()
        # Only now: jobs of a transaction that failed have no ids.
        return [inserts.stored(job, row) for job, row in found]

    async def _insert_chunk(
        self, chunk: list[Job[Any]], rows: list[inserts.Row], conn: Any, *, alone: bool, ours: bool
    ) -> Iterable[tuple[Job[Any], Any]]:
        if any(job.unique is not None for job in chunk):
            return zip(chunk, await self._insert_unique(chunk, rows, conn, alone=alone, ours=ours), strict=True)
        found = await self._insert_rows(rows, conn)
        if self._announces and (queues := inserts.announced_queues(rows)):
            await self._connections.fetch(self._sql["announce_queues"], self._insert_channel, queues, conn=conn)
        return zip(chunk, found, strict=True)

    async def _insert_rows(self, rows: list[inserts.Row], conn: Any) -> Iterable[Any]:
        """Insert rows of no rule; return `id`, `inserted_at` and `scheduled_at` of each, in their order."""
        if (alike := inserts.alike(rows)) is None:
            found = await self._connections.fetch(self._sql["insert_jobs"], *inserts.columns(rows), conn=conn)
            return sorted(found, key=lambda row: row["id"])
        [found] = await self._connections.fetch(self._sql["insert_alike_jobs"], *alike, conn=conn)
        ids = found["ids"] or ()
        if found["differ"]:
            return await self._connections.fetch(self._sql["inserted_times"], ids, conn=conn)
        times = {"inserted_at": found["inserted_at"], "scheduled_at": found["scheduled_at"]}
        return ({"id": job_id, **times} for job_id in ids)


class _OneBehind:
    """Writes one chunk while the next is made: the server and this process work at the same time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._done: Any = ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Whatever went wrong here, the connection must not be asked to roll back while it works.
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def begin(self, write: Coroutine[Any, Any, Any], *, ahead: bool) -> None:
        """Begin a write, and don't wait for its end where it may run ahead."""
        if ahead:
            self._task = asyncio.create_task(write)
            await asyncio.sleep(0)  # lets it send its statement
        else:
            self._done = await write

    async def last(self) -> Any:
        """Return what the last write did; nothing where there was none."""
        if self._task is not None:
            self._done = await self._task
            self._task = None
        done, self._done = self._done, ()
        return done
