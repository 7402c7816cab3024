"""The producers of Python's queues: who is alive, and the jobs that the dead left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from bridge.engine.conflicts import Conflicts, is_conflict
from bridge.engine.operations import operation
from bridge.engine.tables import OwnTables

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog

#: How many jobs one statement rescues.
RESCUE_LIMIT = 1_000

#: How many jobs of unknown producers are told of at once.
UNHEARD_LIMIT = 100


class DatabaseClock(Struct, frozen=True):
    """The time by the database's clock, naive UTC, and since when its server has been running."""

    now: datetime
    server_since: datetime


class Orphan(Struct, frozen=True):
    """A job whose producer is gone, or was never heard of.

    Attributes:
        id: The job's.
        queue: Its queue.
        worker: Its worker's name.
        state: What it becomes by its rescue: available, or discarded where it has no attempts left; executing where it
            is left alone.
        node: Where it ran.
        uuid: The producer's.
    """

    id: int
    queue: str
    worker: str
    state: str
    node: str
    uuid: str

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """Return a row's job."""
        return cls(row["id"], row["queue"], row["worker"], row["state"], row["node"], row["uuid"])


class LiveProducer(Struct, frozen=True):
    """A queue on a Python node that beats; times are naive UTC by the database's clock."""

    uuid: str
    name: str
    node: str
    queue: str
    started_at: datetime
    beat_at: datetime


class Load(Struct, frozen=True):
    """How many jobs of a queue a producer runs; the uuid is None where the row doesn't tell."""

    queue: str
    node: str | None
    uuid: str | None
    jobs: int


class Producers(OwnTables):
    """What an engine does with producers."""

    catalog: Catalog
    _can_notify: bool
    _conflicts: Conflicts

    async def prepare_producers(self) -> None:
        """Make the table `bridge_producers`, unless it is there.

        Raises:
            SchemaError: The role may not create it.
        """
        await self._ensure("bridge_producers", "create_producers")

    async def beat(
        self, producers: Mapping[str, str], *, instance: str, node: str, rescue_after: float, conn: Any = None
    ) -> None:
        """Tell that producers, uuids and queues, are alive; after `rescue_after` silent seconds they are not.

        Raises:
            SchemaError: There is no table for it, or the role may not write to it.
        """
        values = (list(producers), list(producers.values()), instance, node, rescue_after)
        await self._connections.fetch(self._sql["beat_producers"], *values, conn=conn)

    async def live_producers(self) -> list[LiveProducer]:
        """Return the producers that are alive; none where there is no list of them."""
        [row] = await self._connections.fetch(self._sql["has_table"], self.catalog.prefix, "bridge_producers")
        rows = await self._connections.fetch(self._sql["list_producers"]) if row[0] else []
        return [LiveProducer(*row.values()) for row in rows]

    async def loads(self) -> list[Load]:
        """Return how many jobs each producer of either language runs, by their rows."""
        return [Load(*row.values()) for row in await self._connections.fetch(self._sql["count_running"])]

    async def forget_producer(self, uuid: str) -> bool:
        """Take a producer off the list; False where jobs of it are executing, by which it is to be found."""
        return bool(await self._connections.fetch(self._sql["forget_producer"], uuid))

    async def forget_producers(self, silent: float) -> int:
        """Take producers off the list that have been silent for so many seconds and left no jobs; return how many."""
        return len(await self._connections.fetch(self._sql["forget_producers"], silent))

    async def read_clock(self) -> DatabaseClock:
        """Return the time by the database's clock."""
        [row] = await self._connections.fetch(self._sql["read_clock"])
        return DatabaseClock(row["now"], row["server_since"])

    @operation("rescue_jobs")
    async def rescue(
        self, now: datetime, since: datetime, rescue_after: float, *, limit: int = RESCUE_LIMIT
    ) -> list[Orphan]:
        """Hand back jobs of dead producers, at most `limit`, and announce their queues.

        Args:
            now: The time, from `read_clock`.
            since: From when on producers are known to have been able to beat.
            rescue_after: Seconds of silence after which a producer is dead, where it didn't give a longer time itself.
            limit: How many at most.
        """
        values, held = (now, since, rescue_after, limit), self._conflicts.held("rescued")
        try:
            rows = await self._rescue("j.id <> all($5::bigint[])", values, held)
        except Exception as error:
            if not is_conflict(error):
                raise
            orphans = await self.orphans(now, since, rescue_after, limit=limit)
            rows = await self._conflicts.isolate(
                "rescued",
                [orphan.id for orphan in orphans if orphan.id not in held],
                lambda ids: self._rescue("j.id = any($5::bigint[])", values, ids),
            )
        queues = sorted({row["queue"] for row in rows if row["state"] == "available"})
        if queues and self._can_notify:
            channel = f"{self.catalog.prefix}.oban_insert"
            await self._connections.fetch(self._sql["announce_queues"], channel, queues)
        return sorted(map(Orphan.from_row, rows), key=lambda orphan: orphan.id)

    async def _rescue(self, which: str, values: Sequence[Any], ids: Sequence[int]) -> list[Any]:
        statement = self._sql.fill("rescue_jobs", orphans=self._sql["orphaned_jobs"], which=which)
        return await self._connections.fetch(statement, *values, list(ids))

    async def orphans(
        self, now: datetime, since: datetime, rescue_after: float, *, limit: int | None = RESCUE_LIMIT
    ) -> list[Orphan]:
        """Return what `rescue` would hand back, all of it where there is no limit."""
        rows = await self._connections.fetch(self._sql["orphaned_jobs"], now, since, rescue_after, limit)
        return [Orphan.from_row(row) for row in rows]

    async def unheard(
        self, workers: Sequence[str] | None, before: datetime, *, limit: int | None = UNHEARD_LIMIT
    ) -> list[Orphan]:
        """Return jobs of these workers, or any, executing since `before` by producers of which no beat is known."""
        names = None if workers is None else list(workers)
        rows = await self._connections.fetch(self._sql["unheard_jobs"], names, before, limit)
        return [Orphan.from_row(row) for row in rows]
