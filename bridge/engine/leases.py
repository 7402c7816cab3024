"""The leases of Python's leaders: a row of their own beside those of Elixir's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from bridge.engine.tables import OwnTables
from bridge.errors import SchemaError

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog


class Election(Struct, frozen=True):
    """How an election ended.

    Attributes:
        won: Whether the lease is this node's now.
        node: Who holds it; None where it changed hands at that moment.
        remaining: Seconds until it runs out, by the database's clock.
    """

    won: bool
    node: str | None = None
    remaining: float = 0.0


class Leases(OwnTables):
    """What an engine does with leases."""

    catalog: Catalog
    _can_notify: bool

    async def elect(self, lease: str, node: str, ttl: float) -> Election:
        """Take or renew a lease for `ttl` seconds, if it is free, has run out, or is this node's.

        It stands in `oban_peers`, or in `bridge_peers` where Oban's tables are older than V11, or oban-py's.

        Raises:
            SchemaError: There is no such table, and the role may not make it.
        """
        if not self.catalog.has_peers:
            await self._ensure("bridge_peers", "create_peers")
        statement = self._sql.fill("elect_leader", table=self._lease_table)
        rows = await self._connections.fetch(statement, lease, node, ttl)
        return Election(rows[0]["mine"], rows[0]["node"], max(rows[0]["remaining"], 0.0)) if rows else Election(False)

    async def holder(self, lease: str) -> str | None:
        """Return the node that holds a lease which has not run out; None also where there is no table for it."""
        try:
            rows = await self._connections.fetch(self._sql.fill("lease_holder", table=self._lease_table), lease)
        except SchemaError:
            return None
        return rows[0]["node"] if rows else None

    async def release_lease(self, lease: str, node: str) -> None:
        """Give a lease up, if it is this node's, and tell the other nodes, so that one of them takes it at once."""
        channel = f"{self.catalog.prefix}.oban_leader" if self._can_notify else None
        statement = self._sql.fill("release_lease", table=self._lease_table)
        await self._connections.fetch(statement, lease, node, channel)

    @property
    def _lease_table(self) -> str:
        return "oban_peers" if self.catalog.has_peers else "bridge_peers"
