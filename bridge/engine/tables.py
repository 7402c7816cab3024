"""Bridge's own tables: few, and made when they are first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from bridge.engine.connections import Connections
    from bridge.engine.schema import Catalog
    from bridge.engine.statements import Statements


class OwnTables:
    """What an engine needs to have tables of its own."""

    catalog: Catalog
    _connections: Connections
    _sql: Statements

    async def _ensure(self, table: str, create: str) -> None:
        """Create a table by the statement `create`, unless it is there.

        Raises:
            SchemaError: The role may not create it.
        """
        # Asked first, because `if not exists` needs the right to create even where nothing has to be.
        [row] = await self._connections.fetch(self._sql["has_table"], self.catalog.prefix, table)
        if not row[0]:
            try:
                await self._connections.fetch(self._sql[create])
            except (asyncpg.UniqueViolationError, asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError):
                return  # another node was faster
