"""Connections of psycopg 3, blocking and asynchronous."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row
from psycopg.types.bool import BoolLoader
from psycopg.types.datetime import TimestampLoader
from psycopg.types.none import NoneDumper
from psycopg.types.numeric import IntLoader
from psycopg.types.string import StrDumperUnknown, TextLoader
from typing_extensions import override

from bridge.adapters.executor import Executor, Row
from bridge.adapters.savepoint import savepoint_by
from bridge.adapters.text import to_text
from bridge.errors import InvalidSetting

_LOADERS = {
    "bool": BoolLoader,
    "int2": IntLoader,
    "int4": IntLoader,
    "int8": IntLoader,
    "text": TextLoader,
    "timestamp": TimestampLoader,
    "varchar": TextLoader,
}


# Statements are cast below: psycopg takes literal texts alone, so that nobody builds them of values.


def settle(cursor: Any) -> None:
    """Give a cursor psycopg's own conversions, whatever the application chose for its connection."""
    for name, loader in _LOADERS.items():
        cursor.adapters.register_loader(name, loader)
    cursor.adapters.register_dumper(str, StrDumperUnknown)
    cursor.adapters.register_dumper(type(None), NoneDumper)


class _Psycopg(Executor):
    def __init__(self, conn: Any) -> None:
        if not hasattr(psycopg, "RawCursor"):
            raise InvalidSetting("conn", f"psycopg {psycopg.__version__}", "psycopg 3.2 or later", "upgrade it")
        self._conn = conn

    @override
    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        # psycopg's own block would commit at its end where the implicit transaction has not begun yet.
        idle = self._conn.info.transaction_status == TransactionStatus.IDLE
        return savepoint_by(self._run, alone=self._conn.autocommit and idle)

    @abstractmethod
    async def _run(self, statement: str) -> None:
        """Run a statement that has no rows."""

    def _has_rows(self, cursor: Any) -> bool:
        # In a pipeline nothing is known of the answer until it is asked for.
        return cursor.description is not None or self._conn.info.pipeline_status != PipelineStatus.OFF


class PsycopgExecutor(_Psycopg):
    """A blocking connection of psycopg 3."""

    blocking = True

    @override
    async def fetch(self, statement: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        with psycopg.RawCursor(self._conn, row_factory=tuple_row) as cursor:
            settle(cursor)
            cursor.execute(cast("Any", statement), _texts(values))
            rows = cursor.fetchall() if self._has_rows(cursor) else []
            return Row.all(_names(cursor), rows)

    @override
    async def _run(self, statement: str) -> None:
        with psycopg.RawCursor(self._conn) as cursor:
            cursor.execute(cast("Any", statement))


class AsyncPsycopgExecutor(_Psycopg):
    """An asynchronous connection of psycopg 3."""

    blocking = False

    @override
    async def fetch(self, statement: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        async with psycopg.AsyncRawCursor(self._conn, row_factory=tuple_row) as cursor:
            settle(cursor)
            await cursor.execute(cast("Any", statement), _texts(values))
            rows = await cursor.fetchall() if self._has_rows(cursor) else []
            return Row.all(_names(cursor), rows)

    @override
    async def _run(self, statement: str) -> None:
        async with psycopg.AsyncRawCursor(self._conn) as cursor:
            await cursor.execute(cast("Any", statement))


def _texts(values: Sequence[Any]) -> list[str | None] | None:
    return [to_text(value) for value in values] or None


def _names(cursor: Any) -> list[str]:
    return [column.name for column in cursor.description or ()]
