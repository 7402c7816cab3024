"""New jobs: one or many, announced in the transaction that inserts them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from bridge.engine import inserts
from bridge.jobs import Job

if TYPE_CHECKING:
    from bridge.engine.connections import Connections
    from bridge.engine.schema import Catalog
    from bridge.engine.statements import Statements

A = TypeVar("A")


class Inserting:
    """What an engine needs to insert jobs."""

    catalog: Catalog
    _connections: Connections
    _sql: Statements
    _insert_channel: str
    _announces: bool

    async def insert(self, job: Job[A], conn: Any = None) -> Job[A]:
        """Insert one job and announce it, in `conn`'s transaction where one is given."""
        row = inserts.insert_row(job, self.catalog)
        channel = self._insert_channel if self._announces else None
        [found] = await self._connections.fetch(self._sql["insert_job"], *row, channel, conn=conn)
        return inserts.stored(job, found)

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
        found = await self._connections.fetch(self._sql["insert_jobs"], *inserts.columns(rows), conn=conn)
        if self._announces and (queues := inserts.announced_queues(rows)):
            await self._connections.fetch(self._sql["announce_queues"], self._insert_channel, queues, conn=conn)
        return zip(chunk, sorted(found, key=lambda row: row["id"]), strict=True)
