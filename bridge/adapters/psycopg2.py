"""Connections of psycopg2."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from psycopg2 import extensions  # type: ignore[import-untyped]  # it ships no types
from typing_extensions import override

from bridge.adapters.executor import Executor, Row
from bridge.adapters.savepoint import savepoint_by
from bridge.adapters.text import to_named, to_pyformat
from bridge.errors import InvalidSetting

_LOADERS = (
    extensions.BOOLEAN,
    extensions.INTEGER,
    extensions.LONGINTEGER,
    extensions.PYDATETIME,
    extensions.UNICODE,
    extensions.UNICODEARRAY,
)


def settle(cursor: Any) -> None:
    """Give a cursor psycopg2's own conversions, whatever the application chose for its connection."""
    for loader in _LOADERS:
        extensions.register_type(loader, cursor)


class Psycopg2Executor(Executor):
    """A connection of psycopg2."""

    blocking = True

    def __init__(self, conn: Any) -> None:
        if conn.async_:
            raise InvalidSetting("conn", "an asynchronous one", "a blocking connection of psycopg2", "drop async_=True")
        self._conn = conn

    @override
    async def fetch(self, statement: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        with self._conn.cursor(cursor_factory=extensions.cursor) as cursor:
            settle(cursor)
            # Without values psycopg2 reads no placeholders either, and `%%` would stay.
            cursor.execute(*((to_pyformat(statement), to_named(values)) if values else (statement,)))
            names = [column.name for column in cursor.description or ()]
            return Row.all(names, cursor.fetchall()) if names else []

    @override
    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        idle = self._conn.get_transaction_status() == extensions.TRANSACTION_STATUS_IDLE
        return savepoint_by(lambda statement: self.fetch(statement, ()), alone=self._conn.autocommit and idle)
