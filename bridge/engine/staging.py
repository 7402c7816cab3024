"""Due jobs become available, unless an Elixir node sees to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

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

#: Seconds for which jobs are due, while an Elixir node holds a lease, before it counts as one that doesn't stage.
LATE = 1.25
#: How many of them are staged at once: meanwhile nobody can write jobs.
LATE_LIMIT = 1_000

#: How long a transaction that holds up elections, or writers of jobs, may wait for its lock, and idle.
ELECTION_LIMITS = ("300ms", "2s")
WRITE_LIMITS = ("100ms", "500ms")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a stager finds.

    Attributes:
        elixir: The nodes of Elixir's live leaders, with the seconds that their leases last.
        due: Whether there are jobs to be staged, which beside a leader of Elixir's are late ones only; not looked for
            where this node may not stage.
        ready: Those of this node's queues that have available jobs.
    """

    elixir: Mapping[str | None, float]
    due: bool
    ready: frozenset[str]


#: Where nobody can tell whether an Elixir node leads.
_IN_DOUBT = "select null::text as node, 3600::float8 as remaining"
_NOBODY = f"{_IN_DOUBT} where false"

#: Jobs that are known by their ids, in place of those that a statement would find.
_GIVEN = "select unnest($3::bigint[]) as id"


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
            heed: Whether a live lease of Elixir's keeps it from all that, unless jobs are late.
            in_doubt: Take it that there is one, without a look.

        Raises:
            SchemaError: The role may not read the leases.
        """
        elixir = _IN_DOUBT if in_doubt else self._elixir if heed else _NOBODY
        insert, stager = self._insert_channel, f"{self.catalog.prefix}.oban_stager"
        channels = (insert if stages else None, stager if stages and beat else None)
        [row] = await self._connections.fetch(
            self._sql.fill("look_out", due=self._due_part(until="(select until from horizon)"), elixir=elixir),
            utc_now(),
            list(queues),
            stages,
            *(channels if self._can_notify else (None, None)),
            beat,
            LATE if self.catalog.has_peers else None,
        )
        leaders = dict(zip(row["leaders"], row["remaining"], strict=True))
        return Outlook(leaders, row["due"], frozenset(row["ready"]))

    @operation("stage_jobs")
    async def stage(self, queues: Sequence[str], *, allowed: bool, heed: bool = False) -> tuple[int, set[str]]:
        """Make due jobs available where `allowed`; return how many, and which of `queues` have something to fetch.

        With `heed`, nothing is staged where an Elixir node leads, and none begins to while this goes on.
        """
        guard = f"not exists ({self._elixir})" if heed else "true"

        async def act(due: str, ids: Sequence[int]) -> list[Any]:
            async with self._elections_held() if heed else nullcontext() as conn:
                return await self._stage(queues, due, ids, guard=guard, allowed=allowed, conn=conn)

        try:
            rows = await act(self._stageable, self._conflicts.held("staged"))
        except Exception as error:
            if not is_conflict(error):
                raise
            due = await self._due(STAGE_LIMIT)
            rows = await self._conflicts.isolate("staged", due, lambda ids: act(_GIVEN, ids))
        return _told(rows, queues)

    @operation("stage_jobs")
    async def stage_late(self, queues: Sequence[str]) -> tuple[int, set[str]]:
        """Make due jobs available though an Elixir node holds a lease; return what `stage` does.

        That node may wake up and stage at any moment. Its statement takes no locks before its look at the table, and
        joins by id: it would set back to `available` what had been staged here, and started, since that look. So
        nobody writes jobs while this does, for the milliseconds that it takes, and what Elixir does comes before or
        after it, as a whole. Nothing is staged where others' transactions don't let it come to that within 100 ms.
        """

        async def act(ids: Sequence[int]) -> list[Any]:
            async with self._writes_held() as conn:
                return await self._stage(queues, _GIVEN, ids, conn=conn)

        try:
            return _told(await self._conflicts.isolate("staged", await self._due(LATE_LIMIT), act), queues)
        except asyncpg.LockNotAvailableError:
            return 0, set()

    async def _due(self, limit: int) -> list[int]:
        statement = self._sql.fill("find_due", due=self._stageable)
        rows = await self._connections.fetch(statement, utc_now(), limit, self._conflicts.held("staged"))
        return [row["id"] for row in rows]

    @property
    def _stageable(self) -> str:
        # Locked where they are found: rows that somebody holds must not count, or those behind them would wait as long.
        return self._due_part(most=str(STAGE_LIMIT), held="$3::bigint[]", lock="for update of job skip locked")

    def _due_part(self, *, until: str = "$1", most: str = "1", held: str = "'{}'", lock: str = "") -> str:
        """Return the SQL that finds due jobs, by the index where there is the one that it takes."""
        part = self._sql.part("due_jobs" if self.catalog.has_state_index else "due_jobs_unindexed")
        for name, sql in {"until": until, "most": most, "held": held, "lock": lock}.items():
            part = part.replace(f"{{{name}}}", sql)
        return part

    async def _stage(
        self,
        queues: Sequence[str],
        due: str,
        ids: Sequence[int],
        *,
        guard: str = "true",
        allowed: bool = True,
        conn: Any = None,
    ) -> list[Any]:
        channel = self._insert_channel if self._can_notify else None
        statement = self._sql.fill("stage_jobs", due=due, guard=guard)
        values = (utc_now(), STAGE_LIMIT, list(ids), list(queues), channel, allowed)
        return await self._connections.fetch(statement, *values, conn=conn)

    @asynccontextmanager
    async def _elections_held(self) -> AsyncIterator[Any]:
        async with self._connections.transaction() as conn:
            if self.catalog.has_peers:
                await self._hold("hold_elections", ELECTION_LIMITS, conn)
            yield conn

    @asynccontextmanager
    async def _writes_held(self) -> AsyncIterator[Any]:
        async with self._connections.transaction() as conn:
            await self._hold("hold_writes", WRITE_LIMITS, conn)
            yield conn

    async def _hold(self, lock: str, limits: tuple[str, str], conn: Any) -> None:
        await self._connections.fetch(self._sql["read_committed"], conn=conn)
        await self._connections.fetch(self._sql["limit_transaction"], *limits, conn=conn)
        await self._connections.fetch(self._sql[lock], conn=conn)

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


def _told(rows: Sequence[Any], queues: Sequence[str]) -> tuple[int, set[str]]:
    return sum(row["jobs"] for row in rows), {row["queue"] for row in rows} & set(queues)
