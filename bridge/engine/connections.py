"""The pool, and the one way by which statements reach the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import asyncpg

from bridge.errors import SchemaError

_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InternalClientError,
)


def is_unavailable(error: BaseException) -> bool:
    """Tell "the database is away or busy, try again" from "this statement or value is wrong"."""
    # asyncpg's error for a value that it can't encode is an InterfaceError too, and a ValueError.
    return isinstance(error, _UNAVAILABLE) and not isinstance(error, ValueError)


async def create_pool(dsn: str, *, min_size: int = 1, max_size: int = 10, timeout: float = 60) -> Any:
    """Open a pool of connections.

    Args:
        dsn: `postgresql://user@host/database`, with any option that libpq knows.
        min_size: Connections that are kept.
        max_size: Connections at most.
        timeout: Seconds that one statement may take, so that a dead network is noticed.
    """
    return await asyncpg.create_pool(dsn, min_size=min_size, max_size=max_size, command_timeout=timeout)


async def connect(dsn: str, *, timeout: float = 60) -> Any:
    """Open one connection outside of the pool, for listening."""
    return await asyncpg.connect(dsn, command_timeout=timeout)


class Connections:
    """Runs statements on a pool, or on a connection that the caller holds."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    async def fetch(self, statement: str, *values: Any, conn: Any = None) -> list[Any]:
        """Run a statement and return its rows.

        Raises:
            SchemaError: The table is not there, or the role may not use it.
        """
        try:
            rows: list[Any] = await (self.pool if conn is None else conn).fetch(statement, *values)
        except (
            asyncpg.UndefinedTableError,
            asyncpg.InvalidSchemaNameError,
            asyncpg.UndefinedObjectError,
        ) as error:
            raise SchemaError(f"{error}; expected Oban's tables here: run bridge install") from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise SchemaError(f"{error}; grant the role what it needs, or connect as another one") from error
        return rows

    @asynccontextmanager
    async def transaction(self, conn: Any = None) -> AsyncIterator[Any]:
        """Yield a connection within a transaction; on a caller's connection, within a savepoint of its own."""
        async with self.pool.acquire() if conn is None else nullcontext(conn) as held, held.transaction():
            yield held
