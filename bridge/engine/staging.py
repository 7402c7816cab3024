"""Due jobs become available, unless an Elixir node sees to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.engine.clock import utc_now
from bridge.engine.peers import Peer

if TYPE_CHECKING:
    from bridge.engine.connections import Connections
    from bridge.engine.schema import Catalog
    from bridge.engine.statements import Statements

#: How many due jobs one round of staging takes (Oban 2.23).
STAGE_LIMIT = 5_000


class Staging:
    """What an engine needs to stage, and to know who else does."""

    catalog: Catalog
    _connections: Connections
    _sql: Statements
    _insert_channel: str
    _can_notify: bool

    async def stage(self, queues: Sequence[str], *, allowed: bool) -> tuple[int, set[str]]:
        """Make due jobs available where `allowed`; return how many, and which of `queues` have something to fetch."""
        channel = self._insert_channel if self._can_notify else None
        rows = await self._connections.fetch(
            self._sql["stage_jobs"], allowed, utc_now(), STAGE_LIMIT, list(queues), channel
        )
        ready = {row["queue"] for row in rows}
        return sum(row["jobs"] for row in rows), ready & set(queues)

    async def elixir_leads(self) -> bool:
        """Tell whether an Elixir node holds a live lease.

        Tables of V9 and V10 have none to tell it by, so the answer is True there. On those of Oban for
        Python, Elixir can't lead.
        """
        if not self.catalog.has_peers:
            return self.catalog.origin != "oban-py"
        [row] = await self._connections.fetch(self._sql["elixir_leads"], utc_now())
        return bool(row[0])

    async def live_peers(self) -> list[Peer]:
        """Return the live leases; none where there is no table of them."""
        rows = await self._connections.fetch(self._sql["live_peers"], utc_now()) if self.catalog.has_peers else []
        return [Peer.from_row(row) for row in rows]
