"""Connections that one object stands for all the time, in the shape of a pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge.adapters.adapt import adapt
from bridge.adapters.executor import Executor


class Given:
    """A connection or session of the application's: what is written stays in its transaction."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return self._conn is None

    async def fetch(self, statement: str, *values: Any, timeout: float | None = None) -> list[Any]:
        """Run a statement on it."""
        return await adapt(self._conn).fetch(statement, values, timeout)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Executor]:
        """Yield it."""
        yield adapt(self._conn)
