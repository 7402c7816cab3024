"""Connections of asyncpg, the driver whose conventions the engine has."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from typing_extensions import override

from bridge.adapters.executor import Executor
from bridge.adapters.savepoint import savepoint_by


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
        # asyncpg's own block refuses a transaction that a plain `begin` opened, and leaves open one whose `begin` is
        # cancelled.
        return savepoint_by(self._conn.execute, alone=not self._conn.is_in_transaction())
