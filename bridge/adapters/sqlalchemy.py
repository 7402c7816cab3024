"""SQLAlchemy's sessions and connections, through SQLAlchemy itself, so that its transactions begin and end with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from typing_extensions import override

from bridge.adapters.executor import Executor, Row
from bridge.adapters.savepoint import savepoint_by
from bridge.adapters.text import to_named, to_pyformat
from bridge.errors import InvalidSetting

T = TypeVar("T")

_DRIVERS = ("asyncpg", "psycopg", "psycopg2")


class ConnectionExecutor(Executor):
    """A connection of SQLAlchemy; the other classes here are other ways to one."""

    blocking = True

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    async def _do(self, act: Callable[[Connection], T]) -> T:
        """Return what `act` returns for the connection, called where it may block."""
        return act(self._connection_of(self._conn))

    def _connection_of(self, conn: Any) -> Connection:
        return conn  # type: ignore[no-any-return]  # the class that was recognised

    @override
    async def fetch(self, statement: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        return await self._do(lambda connection: _fetch(connection, statement, values))

    @override
    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        if await self._do(_in_autocommit):
            async with savepoint_by(lambda statement: self.fetch(statement, ()), alone=True):
                yield
            return
        nested = await self._do(lambda connection: connection.begin_nested())
        try:
            yield
        except BaseException:
            with suppress(Exception):  # where the connection is lost, the error that was raised says so
                await self._do(lambda _: nested.rollback())
            raise
        await self._do(lambda _: nested.commit())


class SessionExecutor(ConnectionExecutor):
    """A session of SQLAlchemy's ORM."""

    def _connection_of(self, conn: Any) -> Connection:
        return conn.connection()  # type: ignore[no-any-return]


class ScopedSessionExecutor(SessionExecutor):
    """A `scoped_session`: the session of the thread, or of the request."""

    def __init__(self, conn: Any) -> None:
        super().__init__(conn())


class AsyncConnectionExecutor(ConnectionExecutor):
    """An asynchronous connection of SQLAlchemy."""

    blocking = False

    async def _do(self, act: Callable[[Connection], T]) -> T:
        found: T = await self._conn.run_sync(lambda conn: act(self._connection_of(conn)))
        return found


class AsyncSessionExecutor(AsyncConnectionExecutor, SessionExecutor):
    """An asynchronous session of SQLAlchemy's ORM."""


class AsyncScopedSessionExecutor(AsyncSessionExecutor, ScopedSessionExecutor):
    """An `async_scoped_session`: the session of the task, or of the request."""


class EnginePool:
    """An engine of SQLAlchemy in the shape of a pool: each use is a transaction of its own.

    Raises:
        InvalidSetting: It is no blocking engine.
    """

    def __init__(self, engine: Any) -> None:
        if not isinstance(engine, Engine):
            raise InvalidSetting("engine", type(engine), "a blocking engine of SQLAlchemy", "create_engine makes one")
        self._engine = engine

    async def fetch(self, statement: str, *values: Any, timeout: float | None = None) -> list[Any]:
        """Run a statement on one of its connections, and commit."""
        with self._engine.begin() as connection:
            return await ConnectionExecutor(connection).fetch(statement, values, timeout)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Executor]:
        """Yield one of its connections, and commit at the end."""
        with self._engine.begin() as connection:
            yield ConnectionExecutor(connection)


def _fetch(connection: Connection, statement: str, values: Sequence[Any]) -> list[Any]:
    result = connection.exec_driver_sql(*_bound(connection, statement, values))
    return Row.all(result.keys(), [tuple(row) for row in result]) if result.returns_rows else []


def _bound(connection: Connection, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the statement and its values as the driver beneath takes them."""
    dialect = connection.dialect
    if dialect.name != "postgresql" or dialect.driver not in _DRIVERS:
        raise InvalidSetting(
            "conn",
            f"{dialect.name}+{dialect.driver}",
            f"PostgreSQL by one of the drivers {', '.join(_DRIVERS)}",
            "create the engine with postgresql+psycopg://…, for example",
        )
    if not values:
        return (statement,)
    if dialect.driver == "asyncpg":
        return statement, tuple(values)
    return to_pyformat(statement), to_named(values)


def _in_autocommit(connection: Connection) -> bool:
    return bool(getattr(connection.connection.dbapi_connection, "autocommit", False))
