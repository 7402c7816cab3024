"""New jobs of which some are unique: those that are there already are found, and the others inserted."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from bridge.engine import inserts
from bridge.engine.advisory import lock_columns, locks_of
from bridge.engine.candidates import Candidate, find_candidates
from bridge.engine.duplicates import settle
from bridge.engine.probes import Probes
from bridge.engine.replacing import Changes, changes_json, changes_of, merge
from bridge.errors import ContractError, DecodeError, InvalidJob
from bridge.jobs import Job, JobState, contracts

if TYPE_CHECKING:
    from bridge.engine.connections import Connections
    from bridge.engine.inserts import Row
    from bridge.engine.schema import Catalog
    from bridge.engine.statements import Statements

#: How often a job is inserted that the unique index refuses for a row that is gone when it is looked for.
_ATTEMPTS: Final = 10

#: How long a transaction of ours may idle while it holds locks: one whose connection was forgotten ends then, and who
#: waits for its locks goes on. Jobs that come part by part may be waited for, between two parts.
IDLE: Final = "30s"
IDLE_BETWEEN: Final = "5min"


class Uniques:
    """What an engine needs to insert unique jobs."""

    catalog: Catalog
    #: False under test, where a transaction is as long as a test, and another one's would wait for it (Oban 2.23).
    takes_locks: bool = True
    _connections: Connections
    _sql: Statements
    _insert_channel: str
    _announces: bool

    async def _insert_unique(
        self, jobs: Sequence[Job[Any]], rows: Sequence[Row], conn: Any, *, alone: bool, ours: bool
    ) -> list[Any]:
        """Insert those of new jobs that are not there yet, and announce the queues of all that are available.

        The locks are waited for and held until the transaction ends. The statements are a handful for any number of
        jobs, whether they are the same as stored ones or as each other.

        Args:
            jobs: At most a statement's fill, some of them unique.
            rows: Their values.
            conn: A connection in a transaction.
            alone: False where they are a part of more that the transaction inserts.
            ours: Whether the transaction is no caller's; then it ends by itself where it idles.

        Returns:
            For each, the row that was inserted, or the stored job that it is the same as.
        """
        candidates = find_candidates(jobs, rows)
        locks = locks_of(candidates.values(), self.catalog.prefix, alone=alone)
        if self.takes_locks:
            limit = (IDLE if alone else IDLE_BETWEEN) if ours else None
            await self._connections.fetch(self._sql["lock_uniques"], *lock_columns(locks), limit, conn=conn)
        stored = await Probes(self._connections, self._sql, self.catalog).find(candidates, conn)
        kept, twins = settle(rows, candidates, stored)
        found: dict[int, Any] = {**stored, **await self._insert_kept(rows, kept, candidates, conn)}
        same = {nth: found[nth].id for nth in found if isinstance(found[nth], Job)}
        same |= {nth: _id_of(found[twin]) for nth, twin in twins.items()}
        current = await self._replace(jobs, rows, same, conn)
        current |= await self._read({same[nth] for nth in twins} - current.keys(), conn)
        conflicts = {nth: _conflict(jobs[nth], current.get(same[nth]) or found[nth]) for nth in same}
        found |= conflicts
        await self._announce_unique([rows[nth] for nth in kept if nth not in conflicts], conflicts.values(), conn)
        return [found[nth] for nth in range(len(rows))]

    async def _insert_kept(
        self, rows: Sequence[Row], kept: Sequence[int], candidates: Mapping[int, Candidate], conn: Any
    ) -> dict[int, Any]:
        if any(nth in candidates and candidates[nth].unique.index for nth in kept):
            return await self._insert_indexed(rows, kept, conn)
        if not kept:
            return {}
        columns = inserts.columns([rows[nth] for nth in kept])
        inserted = await self._connections.fetch(self._sql["insert_jobs"], *columns, conn=conn)
        return dict(zip(kept, sorted(inserted, key=_id_of), strict=True))

    async def _insert_indexed(self, rows: Sequence[Row], kept: Sequence[int], conn: Any) -> dict[int, Any]:
        """Insert rows that the unique index may refuse; return each one's row, or the job that keeps it out."""
        found: dict[int, Any] = {}
        for _ in range(_ATTEMPTS):
            left = [nth for nth in kept if nth not in found]
            if not left:
                return found
            columns = inserts.columns([rows[nth] for nth in left])
            statement = self._sql["insert_indexed_jobs"]
            inserted = await self._connections.fetch(statement, *columns, self.catalog.prefix, conn=conn)
            found |= {left[row["nth"] - 1]: row for row in inserted}
            if refused := [nth for nth in left if nth not in found]:
                columns = inserts.columns([rows[nth] for nth in refused])[:5]
                keeping = await self._connections.fetch(self._sql["find_indexed"], *columns, conn=conn)
                found |= {refused[row["nth"] - 1]: Job.from_row(row) for row in keeping}
        mend = "another unique index than Bridge's keeps it out, or the job that does comes and goes: try again"
        raise InvalidJob("unique", rows[left[0]][2], "a job that the table's unique indexes take", mend)

    async def _replace(
        self, jobs: Sequence[Job[Any]], rows: Sequence[Row], same: Mapping[int, int], conn: Any
    ) -> dict[int, Job[Any]]:
        """Change stored jobs as their duplicates say; return those that were changed, by id."""
        changes: dict[int, Changes] = {}
        for nth, job_id in sorted(same.items()):
            if own := changes_of(jobs[nth], rows[nth]):
                changes[job_id] = merge(changes.get(job_id, {}), own)
        if not changes:
            return {}
        texts = [changes_json(each) for each in changes.values()]
        found = await self._connections.fetch(self._sql["replace_jobs"], list(changes), texts, conn=conn)
        return {row["id"]: Job.from_row(row) for row in found}

    async def _read(self, ids: Iterable[int], conn: Any) -> dict[int, Job[Any]]:
        wanted = sorted(ids)
        found = await self._connections.fetch(self._sql["read_jobs"], wanted, conn=conn) if wanted else []
        return {row["id"]: Job.from_row(row) for row in found}

    async def _announce_unique(self, rows: Iterable[Row], conflicts: Iterable[Job[Any]], conn: Any) -> None:
        # Oban 2.23: a job that was there is announced like a new one.
        queues = {*inserts.announced_queues(rows)}
        queues |= {job.queue for job in conflicts if job.state == JobState.AVAILABLE}
        if self._announces and queues:
            await self._connections.fetch(self._sql["announce_queues"], self._insert_channel, sorted(queues), conn=conn)


def _id_of(row: Any) -> Any:
    return row.id if isinstance(row, Job) else row["id"]


def _conflict(job: Job[Any], stored: Job[Any]) -> Job[Any]:
    """Return the stored job for a new one, with args of the same kind where they can be read so."""
    found = copy.copy(stored)
    found.conflict = True
    contract = contracts.contract_of(job.args)
    if contract is not None:
        with suppress(ContractError, DecodeError):  # it may be older than the contract
            found.read_args(contract)
    return found
