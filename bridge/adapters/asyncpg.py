"""Connections of asyncpg, the driver whose conventions the engine has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final

from typing_extensions import override

from bridge.adapters.executor import Executor
from bridge.adapters.savepoint import savepoint_by

#: Seconds that a cancelled caller waits for a `begin` that is on its way.
_ANSWER: Final = 2.0


class AsyncpgExecutor(Executor):
    """A connection of asyncpg, or one that its pool lent."""

    blocking = False

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    @override
    async def fetch(self, statement: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        rows: list[Any] = await self._conn.fetch(statement, *values, timeout=timeout)
        return rows

    @override
    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        # asyncpg's own block refuses to be within a transaction that a plain `begin` opened.
        inside = not self._conn.is_closed() and self._conn.is_in_transaction()
        return savepoint_by(self._conn.execute, alone=False) if inside else _transaction(self._conn)


@asynccontextmanager
async def _transaction(conn: Any) -> AsyncIterator[None]:
    """Hold a transaction that asyncpg knows of, so that the caller's own blocks may stand within it."""
    transaction = conn.transaction()
    beginning = asyncio.ensure_future(transaction.start())
    try:
        # A `begin` that is cancelled may have begun all the same, and nobody would ever end it.
        await asyncio.shield(beginning)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait([beginning], timeout=_ANSWER)
        if done and beginning.exception() is None:
            await transaction.rollback()
        else:
            beginning.cancel()
        raise
    try:
        yield
    except BaseException:
        with suppress(Exception):  # where the connection is lost, the error that was raised says so
            await transaction.rollback()
        raise
    await transaction.commit()
