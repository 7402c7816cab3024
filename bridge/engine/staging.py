"""Due jobs become available, unless an Elixir node sees to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.engine.clock import utc_now
from bridge.engine.conflicts import Conflicts, is_conflict
from bridge.engine.operations import operation
from bridge.engine.peers import Peer

if TYPE_CHECKING:
    from bridge.engine.connections import Connections
    from bridge.engine.schema import Catalog
    from bridge.engine.statements import Statements

#: How many due jobs one round of staging takes (Oban 2.23).
STAGE_LIMIT = 5_000


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a stager finds.

    Attributes:
        elixir: The nodes of Elixir's live leaders, with the seconds that their leases last.
        due: Whether there are jobs to be staged; not looked for where this node may not stage.
        ready: Those of this node's queues that have available jobs.
    """

    elixir: Mapping[str | None, float]
    due: bool
    ready: frozenset[str]


#: Where nobody can tell whether an Elixir node leads.
_IN_DOUBT = "select null::text as node, 3600::float8 as remaining"
_NOBODY = f"{_IN_DOUBT} where false"


class Staging:
    """What an engine needs to stage, and to know who else does."""

    catalog: Catalog
    _connections: Connections
    _sql: Statements
    _insert_channel: str
    _can_notify: bool
    _conflicts: Conflicts

    async def look_out(
        self, queues: Sequence[str], *, stages: bool, beat: str = "", heed: bool = True, in_doubt: bool = False
    ) -> Outlook:
        """Find out what there is to do, and spread the word.

        Args:
            queues: Those of this node.
            stages: Whether this node may stage. Then it announces every queue that has available jobs.
            beat: What it tells other nodes' stagers then, if anything.
            heed: Whether a live lease of Elixir's keeps it from all that.
            in_doubt: Take it that there is one, without a look.

        Raises:
            SchemaError: The role may not read the leases.
        """
        elixir = _IN_DOUBT if in_doubt else self._elixir if heed else _NOBODY
        insert, stager = self._insert_channel, f"{self.catalog.prefix}.oban_stager"
        channels = (insert if stages else None, stager if stages and beat else None)
        [row] = await self._connections.fetch(
            self._sql.fill("look_out", elixir=elixir),
            utc_now(),
            list(queues),
            stages,
            *(channels if self._can_notify else (None, None)),
            beat,
        )
        leaders = dict(zip(row["leaders"], row["remaining"], strict=True))
        return Outlook(leaders, row["due"], frozenset(row["ready"]))

    @operation("stage_jobs")
    async def stage(self, queues: Sequence[str], *, allowed: bool, heed: bool = False) -> tuple[int, set[str]]:
        """Make due jobs available where `allowed`; return how many, and which of `queues` have something to fetch.

        With `heed`, nothing is staged where an Elixir node leads, and none begins to while this goes on.
        """
        held = self._conflicts.held("staged")
        try:
            rows = await self._stage(queues, "id <> all($6::bigint[])", held, allowed=allowed, heed=heed)
        except Exception as error:
            if not is_conflict(error):
                raise
            due = await self._connections.fetch(self._sql["due_jobs"], utc_now(), STAGE_LIMIT, held)
            rows = await self._conflicts.isolate(
                "staged",
                [row["id"] for row in due],
                lambda ids: self._stage(queues, "id = any($6::bigint[])", ids, allowed=allowed, heed=heed),
            )
        ready = {row["queue"] for row in rows}
        return sum(row["jobs"] for row in rows), ready & set(queues)

    async def _stage(
        self, queues: Sequence[str], which: str, ids: Sequence[int], *, allowed: bool, heed: bool
    ) -> list[Any]:
        channel = self._insert_channel if self._can_notify else None
        guard = f"not exists ({self._elixir.replace('$1', '$2')})" if heed else "true"
        async with self._connections.transaction() if heed else nullcontext() as conn:
            if heed and self.catalog.has_peers:
                await self._connections.fetch(self._sql["read_committed"], conn=conn)
                await self._connections.fetch(self._sql["limit_transaction"], conn=conn)
                await self._connections.fetch(self._sql["hold_elections"], conn=conn)
            statement = self._sql.fill("stage_jobs", guard=guard, which=which)
            values = (allowed, utc_now(), STAGE_LIMIT, list(queues), channel, list(ids))
            return await self._connections.fetch(statement, *values, conn=conn)

    @property
    def _elixir(self) -> str:
        if self.catalog.has_peers:
            return self._sql.part("live_elixir")
        # Before V11 there is no table of leases. On tables of Oban for Python, Elixir can't lead.
        return _NOBODY if self.catalog.origin == "oban-py" else _IN_DOUBT

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
