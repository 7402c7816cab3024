"""Django's connections, through Django itself, so that `atomic` blocks, test cases and query logs see all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from typing_extensions import override

from bridge.adapters.executor import Executor, Row
from bridge.adapters.text import to_named, to_pyformat
from bridge.errors import InvalidSetting


class DjangoExecutor(Executor):
    """`django.db.connection`, or one of `connections`."""

    blocking = True

    def __init__(self, conn: Any) -> None:
        if conn.vendor != "postgresql":
            raise InvalidSetting("conn", conn.vendor, "a connection to PostgreSQL", "choose it: connections['alias']")
        # `django.db.connection` stands for the one of the thread that uses it.
        self._conn = conn if isinstance(conn, BaseDatabaseWrapper) else connections[conn.alias]

    @override
    async def fetch(self, statement: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        with self._conn.cursor() as cursor:
            _settle(cursor.cursor)
            cursor.execute(to_pyformat(statement), to_named(values))
            return Row.all([column[0] for column in cursor.description], cursor.fetchall())

    @override
    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        self._conn.validate_thread_sharing()
        if connections[self._conn.alias] is not self._conn:  # Django's blocks go by alias
            raise InvalidSetting("conn", "another one", f"this thread's connection {self._conn.alias!r}", "pass that")
        with transaction.atomic(using=self._conn.alias):
            yield


def _settle(cursor: Any) -> None:
    # Django speaks to both generations of the driver, and only the newer one's cursors have adapters.
    driver = "psycopg" if hasattr(cursor, "adapters") else "psycopg2"
    import_module(f"bridge.adapters.{driver}").settle(cursor)
