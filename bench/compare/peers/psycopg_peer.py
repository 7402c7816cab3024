"""What peers on psycopg share: a connection for SQL of the bench's own."""

from __future__ import annotations

from typing import Any

import psycopg
from driver import Peer


class PsycopgPeer(Peer):
    """A peer whose environment has psycopg."""

    _sql: Any = None

    async def _connected(self) -> Any:
        if self._sql is None:
            self._sql = await psycopg.AsyncConnection.connect(self.dsn, autocommit=True)
        return self._sql

    async def execute(self, sql: str) -> None:
        """Run SQL, statement by statement."""
        connection = await self._connected()
        for statement in sql.split(";"):
            await connection.execute(statement)

    async def count(self, sql: str) -> int:
        """Return the number that the SQL selects."""
        cursor = await (await self._connected()).execute(sql)
        return int((await cursor.fetchone())[0])
