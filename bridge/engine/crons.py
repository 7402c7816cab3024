"""Which minute's cron jobs were inserted last, so that no minute's are inserted twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bridge.engine.clock import naive
from bridge.engine.inserts import insert_row
from bridge.engine.tables import OwnTables

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog
    from bridge.jobs import Job

#: How long a minute's transaction may wait for each lock, and idle: the next leader waits for one that was forgotten.
LIMITS: Final = ("20s", "10s")


class LastMinute(NamedTuple):
    """The last minute that was done, and the leader that did it, by its uuid; None where none was."""

    minute: datetime | None
    leader: str | None


class Crons(OwnTables):
    """What an engine does for cron jobs."""

    catalog: Catalog

    async def prepare_crons(self) -> None:
        """Make the table `bridge_crons`, unless it is there.

        Raises:
            SchemaError: The role may not create it.
        """
        await self._ensure("bridge_crons", "create_crons")

    @asynccontextmanager
    async def transaction(self, conn: Any = None) -> AsyncIterator[Any]:
        """Yield a connection within a transaction; with `conn`, within a savepoint of its transaction.

        Where the transaction is not `conn`'s, it ends by itself when its connection is lost, so that another leader
        comes to the minute.
        """
        async with self._connections.transaction(conn) as held:
            if conn is None:
                await self._connections.fetch(self._sql["limit_transaction"], *LIMITS, conn=held)
            yield held

    async def lock_minute(self, instance: str, conn: Any) -> LastMinute:
        """Return the minute that was done last, which nobody else can change until `conn`'s transaction ends."""
        [row] = await self._connections.fetch(self._sql["lock_minute"], instance, conn=conn)
        minute = row["minute"]
        return LastMinute(None if minute is None else minute.replace(tzinfo=UTC), row["leader"])

    async def record_minute(self, instance: str, minute: datetime, leader: str | None, conn: Any) -> None:
        """Remember that the jobs of a minute are inserted by `conn`'s transaction."""
        await self._connections.fetch(self._sql["record_minute"], instance, naive(minute), leader, conn=conn)

    def check_new(self, job: Job[Any]) -> None:
        """Refuse a job that an insert would refuse.

        Raises:
            InvalidJob, ContractError, EncodeError: As `insert` does.
        """
        insert_row(job, self.catalog)
