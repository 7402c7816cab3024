"""Reading the whole table beside everyone who works on it: in small pages, read-only, without waiting for a lock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bridge.engine.clock import naive
from bridge.engine.filters import MAX_INT8
from bridge.engine.statements import Statements

PAGE: Final = 2_000
"""How many rows one statement looks at."""

STATEMENT_TIMEOUT: Final = 30.0
"""Seconds that one page may take before the server stops it."""

_LOCK_TIMEOUT: Final = "2s"


@dataclass(frozen=True, slots=True)
class ScannedRow:
    """What a scan reads of a job; `args` is JSON text or None, `contract` what its meta says, where that is text."""

    id: int
    worker: str
    state: str
    queue: str
    max_attempts: int | None
    contract: str | None
    args: str | None


@dataclass(frozen=True, slots=True)
class LiveRows:
    """How many jobs of one worker, contract tag and state there are, and the latest time of any of them, in UTC."""

    worker: str
    contract: str | None
    state: str
    count: int
    last_scheduled_at: datetime | None


async def scan_jobs(
    conn: Any,
    prefix: str,
    *,
    workers: Sequence[str] | None = None,
    states: Sequence[str] | None = None,
    since: datetime | None = None,
    limit: int | None = None,
    page: int = PAGE,
    statement_timeout: float = STATEMENT_TIMEOUT,
) -> AsyncIterator[list[ScannedRow]]:
    """Yield jobs in pages, the newest first.

    Each page is a read-only transaction of its own, so no lock outlives it and no snapshot holds back vacuum; a
    replica serves as well as the primary. Rows that are inserted meanwhile are not read, and none is read twice.

    Args:
        conn: A connection that is in no transaction.
        prefix: The schema.
        workers: Their names; default all.
        states: Labels of `state`; default all.
        since: Only jobs that were inserted then or later, an aware time.
        limit: How many jobs at most.
        page: How many rows one statement looks at, wanted or not.
        statement_timeout: Seconds.

    Raises:
        asyncpg.QueryCanceledError: A page took too long.
        asyncpg.LockNotAvailableError: Somebody alters the table.
    """
    statement = Statements(prefix)["scan_jobs"]
    before, left = MAX_INT8, limit
    while left is None or left > 0:
        async with _reading(conn, statement_timeout):
            found = await conn.fetch(statement, before, page, workers, states, since and naive(since))
        if not found:
            return
        before = found[-1]["id"]
        rows = [_row(row) for row in found if row["wanted"]][:left]
        left = left if left is None else left - len(rows)
        if rows:
            yield rows


async def count_live(conn: Any, prefix: str, *, statement_timeout: float = 10 * STATEMENT_TIMEOUT) -> list[LiveRows]:
    """Return how many jobs there are by worker, contract tag and state; it reads the whole table once.

    Raises:
        asyncpg.QueryCanceledError: It took longer than `statement_timeout` seconds.
    """
    async with _reading(conn, statement_timeout):
        found = await conn.fetch(Statements(prefix)["count_live"])
    return [LiveRows(*row.values()) for row in found]


@asynccontextmanager
async def _reading(conn: Any, statement_timeout: float) -> AsyncIterator[None]:
    async with conn.transaction(readonly=True):
        await conn.fetch(
            "select set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true)",
            f"{max(1, round(statement_timeout * 1_000))}ms",
            _LOCK_TIMEOUT,
        )
        yield


def _row(row: Any) -> ScannedRow:
    return ScannedRow(
        row["id"], row["worker"], row["state"], row["queue"], row["max_attempts"], row["contract"], row["args"]
    )
