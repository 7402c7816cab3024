"""What peers on asyncpg share: a connection for SQL of the bench's own."""

from __future__ import annotations

from typing import Any

import asyncpg
from driver import Peer


class AsyncpgPeer(Peer):
    """A peer whose environment has asyncpg."""

    _sql: Any = None

    async def _connected(self) -> Any:
        if self._sql is None:
            self._sql = await asyncpg.connect(self.dsn)
        return self._sql

    async def execute(self, sql: str) -> None:
        """Run SQL."""
        await (await self._connected()).execute(sql)

    async def count(self, sql: str) -> int:
        """Return the number that the SQL selects."""
        return int(await (await self._connected()).fetchval(sql))
