"""One connection's open transaction in place of a pool: what an instance does on it is gone when it is rolled back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import TracebackType
from typing import Any

import asyncpg

from bridge.adapters import Executor, adapt
from bridge.engine import connect


@asynccontextmanager
async def sandbox(conn: Any) -> AsyncIterator[Sandbox]:
    """Yield what stands for a pool within a transaction, which is rolled back at the end of the block.

    Pass it as `Oban(pool=…, testing="manual")`: all that the instance inserts, reads and changes is in that
    transaction, beside what the test itself does on the connection. Nobody else sees any of it, and no notification is
    ever sent.

    Args:
        conn: An open connection or session, anything that `enqueue` takes as `conn`; where its transaction has begun
            already, a savepoint of it is rolled back. Or a DSN: a connection is opened, and closed at the end; it is
            `Sandbox.conn`.
    """
    if isinstance(conn, str):
        opened = await connect(conn)
        try:
            async with sandbox(opened) as pool:
                yield pool
        finally:
            await opened.close()
        return
    executor = adapt(conn)
    with suppress(_RollBack):
        async with executor.savepoint():
            yield Sandbox(conn, executor)
            raise _RollBack


class _RollBack(Exception):
    """Leaves a block whose savepoint is to be rolled back."""


class Sandbox:
    """Lends the same connection to whoever asks, one after the other, as a pool would.

    Each statement is within a savepoint, so that one that fails leaves the transaction as it was, as it would on a
    pool's connection.

    Attributes:
        conn: The connection, for a test's own statements.
    """

    def __init__(self, conn: Any, executor: Executor) -> None:
        self.conn = conn
        self._executor = executor
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None
        self._depth = 0

    async def fetch(self, statement: str, *values: Any, timeout: float | None = None) -> list[Any]:
        """Run a statement and return its rows, as a pool of asyncpg does."""
        async with self.acquire(), self._executor.savepoint():
            return await self._executor.fetch(statement, values, timeout)

    def acquire(self, *, timeout: float | None = None) -> _Loan:
        """Wait until nobody else has the connection, and lend it: awaited, or in `async with`."""
        return _Loan(self)

    async def release(self, _conn: Any, *, timeout: float | None = None) -> None:
        """Take the connection back."""
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._lock.release()

    async def close(self) -> None:
        """Do nothing: the connection is the test's."""

    def get_max_size(self) -> int:
        """Return 1, so that nobody keeps the connection to listen."""
        return 1

    async def _lend(self) -> Any:
        # Who has the connection may ask again, as for jobs that are made while others are inserted.
        task = asyncio.current_task()
        if self._owner is not task:
            await self._lock.acquire()
            self._owner = task
        self._depth += 1
        return self.conn if isinstance(self.conn, asyncpg.Connection) else _Lent(self._executor)


class _Loan:
    """What `acquire` returns, which is awaited or entered."""

    def __init__(self, pool: Sandbox) -> None:
        self._pool = pool
        self._conn: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._pool._lend().__await__()  # noqa: SLF001 - its own pool's

    async def __aenter__(self) -> Any:
        self._conn = await self
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.release(self._conn)


class _Lent(Executor):
    """Another library's connection, with what the catalog is read by beside it."""

    def __init__(self, executor: Executor) -> None:
        self.blocking = executor.blocking
        self._executor = executor

    async def fetch(self, statement: str, values: Sequence[Any] = (), timeout: float | None = None) -> list[Any]:
        return await self._executor.fetch(statement, values, timeout)

    async def fetchrow(self, statement: str, *values: Any) -> Any:
        rows = await self._executor.fetch(statement, values)
        return rows[0] if rows else None

    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        return self._executor.savepoint()
