"""What a doctor asks of a database: each answer is read-only, bounded in time, and tells why where there is none."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from bridge.engine.acks import QUARANTINE
from bridge.engine.denials import what_was_denied
from bridge.engine.rights import rights_values
from bridge.engine.schema import Catalog, inspect
from bridge.engine.statements import Statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

TIMEOUT: Final = 5.0
"""Seconds that one question may take."""

SAMPLE: Final = 20_000
"""How many rows a question looks at, of each state or queue, where looking at all would take too long."""

COUNTED: Final = 10_001
"""How far rows are counted."""

BACKEND_PID: Final = "select pg_backend_pid()"
"""Asks which of the server's processes answers: behind a pooler in transaction mode another one from time to time."""

_LOCK_TIMEOUT: Final = 2_000  # milliseconds: somebody alters the table


class NoAnswerError(Exception):
    """The database gave no answer to one question; the text says why."""


class NotAllowedError(NoAnswerError):
    """The role may not ask that."""


class Diagnosis:
    """Asks about one schema, over one connection that is in no transaction.

    Each question is a read-only transaction of its own, so that no snapshot holds back vacuum, and any pooler will do.

    Args:
        conn: The connection.
        catalog: What the schema has, by `inspect`.
        timeout: Seconds that one question may take.

    Every method raises `NoAnswerError` where the answer takes too long, and its `NotAllowedError` where the role may
    not ask.
    """

    def __init__(self, conn: Any, catalog: Catalog, *, timeout: float = TIMEOUT) -> None:
        self.catalog = catalog
        self.timeout = timeout
        self._conn = conn
        self._sql = Statements(catalog.prefix)

    @classmethod
    async def begin(cls, conn: Any, prefix: str, *, timeout: float = TIMEOUT) -> Diagnosis:
        """Read what the schema has, and return who asks about it."""
        found = cls(conn, Catalog(prefix, schema_exists=False, version=None), timeout=timeout)
        async with found._answering():
            found.catalog = await inspect(conn, prefix)
        return found

    # The session

    async def server(self) -> Any:
        """Return what the server says of itself, the session and the role."""
        return await self._row("server")

    async def clock(self) -> Any:
        """Return the database's time, naive UTC."""
        return (await self._row("clock"))["now"]

    async def backend(self) -> tuple[int, int]:
        """Return the process that the connection was told of when it was opened, and the one that answers."""
        return self._conn.get_server_pid(), (await self.server())["pid"]

    async def notify(self, channel: str, payload: str) -> None:
        """Send a text."""
        await self._row("notify", channel, payload)

    async def rights(self) -> list[Any]:
        """Return what the role may do with each table that is there."""
        return await self._rows("rights", self.catalog.prefix, *rights_values())

    async def transactions(self, longer_than: float) -> list[Any]:
        """Return the sessions whose transaction has been open for so many seconds."""
        return await self._rows("transactions", longer_than)

    # The table

    async def indexes(self) -> list[Any]:
        """Return the indexes of the table of jobs."""
        return await self._rows("indexes", self.catalog.prefix)

    async def table(self) -> Any:
        """Return the size of the table of jobs, and what vacuum and analyze did."""
        return await self._row("table", self.catalog.prefix)

    async def states(self) -> dict[str, float]:
        """Return the share of each state, as the last analyze saw it; nothing where none has run."""
        return {row["state"]: row["share"] for row in await self._rows("states", self.catalog.prefix)}

    async def oldest_ended(self) -> Any:
        """Return when the first job, by id, ended that has; None where none has."""
        rows = await self._rows("oldest_ended")
        return rows[0]["ended_at"] if rows else None

    # Nodes

    async def leases(self) -> list[Any]:
        """Return every lease, live or run out."""
        found: list[Any] = []
        for table in ("oban_peers", "bridge_peers"):
            if table in self.catalog.objects:
                found += await self._rows("leases", table=table)
        return found

    async def producers(self) -> list[Any]:
        """Return Python's producers, dead or alive."""
        return await self._rows("producers") if "bridge_producers" in self.catalog.objects else []

    async def executing(self) -> list[Any]:
        """Return who runs how many jobs."""
        return await self._rows("executing", SAMPLE)

    async def recent_runs(self) -> list[Any]:
        """Return which node ran which worker in which queue, among the newest jobs."""
        return await self._rows("recent_runs", SAMPLE)

    # Jobs

    async def heads(self) -> list[Any]:
        """Return the next job of each queue that has one waiting."""
        return await self._rows("heads", COUNTED)

    async def waiting_workers(self) -> list[Any]:
        """Return which workers' jobs wait in which queues."""
        return await self._rows("waiting_workers", SAMPLE)

    async def foreign_heads(self, workers: Collection[str]) -> list[Any]:
        """Return how many of the next jobs of each queue are for others than these workers, and stand before theirs."""
        return await self._rows("foreign_heads", sorted(workers), SAMPLE)

    async def overdue(self, longer_than: float) -> Any:
        """Return how many jobs have been due for so many seconds and are still scheduled or retryable."""
        return await self._row("overdue", longer_than, COUNTED)

    async def exhausted(self) -> list[Any]:
        """Return the jobs, by state, that wait without attempts left."""
        return await self._rows("exhausted", COUNTED)

    async def quarantined(self) -> list[Any]:
        """Return the jobs, by worker and queue, that were set aside."""
        return await self._rows("quarantined", QUARANTINE, COUNTED)

    async def faulty_rows(self) -> list[Any]:
        """Return rows that no node should have written, by fault; at least one row, which tells how many were read."""
        return await self._rows("faulty_rows", SAMPLE)

    async def cron_twins(self) -> list[Any]:
        """Return the cron jobs that were inserted more than once for a minute."""
        return await self._rows("cron_twins", SAMPLE)

    # Beneath

    async def _row(self, name: str, *values: Any) -> Any:
        return (await self._rows(name, *values))[0]

    async def _rows(self, name: str, *values: Any, **parts: str) -> list[Any]:
        statement = self._sql.fill(f"diagnosis/{name}", **parts)
        async with self._answering(statement):
            rows: list[Any] = await self._conn.fetch(statement, *values)
            return rows

    @asynccontextmanager
    async def _answering(self, statement: str = "") -> AsyncIterator[None]:
        try:
            async with self._reading():
                yield
        except asyncpg.InsufficientPrivilegeError as error:
            denied = what_was_denied(statement, str(error))
            role = (await self.server())["role"]
            grant = f" ({denied.mend(role)})" if denied else ""
            raise NotAllowedError(f"role {role} may not look: {error}{grant}") from error
        except asyncpg.QueryCanceledError as error:
            raise NoAnswerError(f"no answer within {self.timeout:g} s") from error
        except asyncpg.LockNotAvailableError as error:
            raise NoAnswerError("somebody holds a lock on the table") from error
        except (asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
            raise NoAnswerError(f"the database refused the question: {error}") from error

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        limits: Sequence[int] = (max(1, round(self.timeout * 1_000)), _LOCK_TIMEOUT)
        async with self._conn.transaction(readonly=True):
            await self._conn.fetch(
                "select set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true)",
                *map(str, limits),
            )
            yield
