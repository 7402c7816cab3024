"""New jobs: one or many, announced in the transaction that inserts them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, TypeVar

from bridge.engine import inserts
from bridge.engine.operations import insertion
from bridge.engine.uniques import Uniques
from bridge.jobs import Job

A = TypeVar("A")


class Inserting(Uniques):
    """What an engine needs to insert jobs."""

    @insertion("insert_job")
    async def insert(self, job: Job[A], conn: Any = None) -> Job[A]:
        """Insert one job and announce it, in `conn`'s transaction where one is given."""
        row = inserts.insert_row(job, self.catalog)
        if job.unique is not None:
            async with self._connections.transaction(conn) as held:
                [stored] = await self._insert_unique([job], [row], held, alone=True)
            return inserts.stored(job, stored)
        channel = self._insert_channel if self._announces else None
        [found] = await self._connections.fetch(self._sql["insert_job"], *row, channel, conn=conn)
        return inserts.stored(job, found)

    @insertion("insert_all_jobs")
    async def insert_many(self, jobs: Iterable[Job[Any]] | AsyncIterable[Job[Any]], conn: Any = None) -> list[Job[Any]]:
        """Insert any number of jobs, all or none, and announce each queue once."""
        found: list[tuple[Job[Any], Any]] = []
        async with self._connections.transaction(conn) as held:
            async for chunk in inserts.chunks(jobs):
                found += await self._insert_chunk(chunk, len(found), held)
        # Only now: jobs of a transaction that failed have no ids.
        return [inserts.stored(job, row) for job, row in found]

    async def _insert_chunk(self, chunk: list[Job[Any]], first: int, conn: Any) -> Iterable[tuple[Job[Any], Any]]:
        rows = inserts.insert_rows(chunk, self.catalog, first)
        if any(job.unique is not None for job in chunk):
            alone = first == 0 and len(chunk) < inserts.CHUNK
            return zip(chunk, await self._insert_unique(chunk, rows, conn, alone=alone), strict=True)
        found = await self._connections.fetch(self._sql["insert_jobs"], *inserts.columns(rows), conn=conn)
        if self._announces and (queues := inserts.announced_queues(rows)):
            await self._connections.fetch(self._sql["announce_queues"], self._insert_channel, queues, conn=conn)
        return zip(chunk, sorted(found, key=lambda row: row["id"]), strict=True)
