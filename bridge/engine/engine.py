"""The engine: every statement that Bridge runs on Oban's tables, as a method each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from bridge.engine.acks import QUARANTINE, Ack, split
from bridge.engine.clock import utc_now
from bridge.engine.conflicts import Conflicts, is_conflict
from bridge.engine.connections import Connections
from bridge.engine.crons import Crons
from bridge.engine.draining import Draining
from bridge.engine.filters import MAX_INT8, build_where
from bridge.engine.indexes import Indexes
from bridge.engine.inserting import Inserting
from bridge.engine.leases import Leases
from bridge.engine.operations import operation
from bridge.engine.producers import Producers
from bridge.engine.pruning import Pruning
from bridge.engine.staging import Staging
from bridge.engine.statements import Statements
from bridge.engine.updates import Changes, check_changes, update_values
from bridge.errors import InvalidFilter
from bridge.jobs import Job, checks
from bridge.telemetry import Instance

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog

Group = Literal["state", "queue", "worker"]


class Engine(Inserting, Staging, Leases, Crons, Producers, Pruning, Indexes, Draining):
    """Reads and writes jobs of one schema.

    Args:
        connections: Where the statements run.
        prefix: The schema.
        catalog: What this database has; `inspect` reads it.
        announce: False leaves out the notifications of new jobs.
        oban: The instance that its events name.
    """

    def __init__(
        self,
        connections: Connections,
        prefix: str,
        catalog: Catalog,
        *,
        announce: bool = True,
        oban: Instance | None = None,
    ) -> None:
        self.catalog = catalog
        self.oban = oban or Instance(prefix=prefix)
        self._connections = connections
        self._sql = Statements(prefix, catalog.errors_type)
        self._conflicts = Conflicts()
        self._insert_channel = f"{prefix}.oban_insert"
        self._signal_channel = f"{prefix}.oban_signal"
        # pg_notify refuses longer channel names; then nodes poll.
        self._can_notify = len(self._signal_channel.encode()) <= 63
        self._announces = announce and self._can_notify and not catalog.announces_inserts

    # Running

    @operation("fetch_jobs")
    async def fetch(
        self, queue: str, limit: int, node: str, uuid: str, workers: Sequence[str] | None
    ) -> list[Job[Any]]:
        """Claim at most `limit` available jobs of a queue, first by priority, then by time.

        `workers` are the names that may be taken; None takes any.
        """
        by_worker = workers is not None and self.catalog.has_worker_index
        statement = "fetch_known_jobs" if by_worker else "fetch_jobs"
        now = utc_now()
        rows = await self._fetch(statement, queue, limit, now, node, uuid, workers)
        at = now.replace(tzinfo=UTC)
        rows.sort(key=_TURN)
        return [Job.from_claim(row, queue, [node, uuid], at) for row in rows]

    async def claimed(self, queue: str, uuid: str) -> list[Job[Any]]:
        """Return the jobs of a queue that are the producer `uuid`'s now."""
        return [Job.from_row(row) for row in await self._fetch("claimed_jobs", queue, uuid)]

    @operation("ack_jobs")
    async def ack(self, uuid: str, acks: Sequence[Ack]) -> set[tuple[int, int]]:
        """Write outcomes of the producer `uuid`'s jobs; return (id, attempt) of each that its row took.

        A row that is no longer this attempt's is left alone, and so is one that another transaction holds, which
        `put_off` tells. Writing twice changes nothing, and returns the same.
        """
        quarantined = [ack for ack in acks if ack.state == "available"]
        groups, others = split(ack for ack in acks if ack.state != "available")
        statements: list[tuple[str, Sequence[Any]]] = [
            ("complete_jobs", (ids, attempt, uuid, at)) for attempt, at, ids in groups
        ]
        if others:
            statements.append(("ack_jobs", (uuid, *_columns(others, *_ACK), self.catalog.max_attempts_limit)))
        if quarantined:
            columns = _columns(quarantined, "id", "attempt", "error", "meta")
            statements.append(("quarantine_jobs", (uuid, *columns, QUARANTINE)))
        written: set[tuple[int, int]] = set()
        # Each is a transaction of its own: one of several would stand open, with its rows locked, where the network
        # forgets the connection between two statements, until the server finds that out, which may take hours.
        for name, values in statements:
            rows = await self._fetch(name, *values)
            written.update(zip(rows[0]["ids"] or (), rows[0]["attempts"] or (), strict=True))
        return written

    async def touch(self, uuid: str, job_id: int, attempt: int) -> None:
        """Write the row of a job of the producer `uuid` and change nothing, to see whether that can be done in time."""
        await self._fetch("touch_job", job_id, attempt, uuid)

    async def put_off(self, uuid: str, acks: Sequence[Ack]) -> set[tuple[int, int]]:
        """Return (id, attempt) of those outcomes, out of some that were not written, that are to be written again."""
        if not acks:
            return set()
        rows = await self._fetch("unwritten_jobs", [ack.id for ack in acks], uuid)
        states = {(row["id"], row["attempt"]): row["state"] for row in rows}
        # A cancelled row takes an error, and nothing else any more.
        return {
            key
            for ack in acks
            if (state := states.get(key := (ack.id, ack.attempt))) == "executing" or (state and ack.error)
        }

    @operation("release_jobs")
    async def release(self, uuid: str, claims: Collection[tuple[int, int]], *, begun: bool = True) -> dict[int, str]:
        """Hand back unfinished jobs, (id, attempt), of a producer that stops; return each one's new state.

        Those that were never `begun` lose no attempt by it: they may have one more. A row that another transaction
        holds is left alone, which `unreleased` tells.
        """

        async def act(ids: Sequence[int]) -> list[Any]:
            some = set(ids)
            part = [claim for claim in claims if claim[0] in some]
            columns = [job_id for job_id, _ in part], [attempt for _, attempt in part]
            return await self._fetch(
                "release_jobs", *columns, uuid, utc_now(), not begun, self.catalog.max_attempts_limit
            )

        rows = await self._conflicts.isolate("handed back", list({job_id for job_id, _ in claims}), act)
        await self._announce({row["queue"] for row in rows if row["state"] == "available"})
        return {row["id"]: row["state"] for row in rows}

    async def unreleased(self, uuid: str, claims: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return those of a producer's claims, out of some, that are to be released again: they run by their rows."""
        rows = await self._fetch("unwritten_jobs", [job_id for job_id, _ in claims], uuid)
        held = self._conflicts.held("handed back")
        left = {(row["id"], row["attempt"]) for row in rows if row["state"] == "executing" and row["id"] not in held}
        return sorted(left.intersection(claims))

    async def notify(self, channel: str, payloads: Sequence[str]) -> None:
        """Publish texts on a channel."""
        await self._fetch("notify", channel, list(payloads))

    # Reading and changing

    async def get(self, job_id: int) -> Job[Any] | None:
        """Return the job of that id."""
        rows = await self._fetch("get_job", checks.integer("id", job_id, 1, MAX_INT8, InvalidFilter))
        return Job.from_row(rows[0]) if rows else None

    async def select(self, filters: Mapping[str, Any], limit: int) -> list[Job[Any]]:
        """Return jobs that match, the newest first."""
        where, values = self._where(filters)
        checks.integer("limit", limit, 0, MAX_INT8, InvalidFilter)
        statement = self._sql.fill("list_jobs", where=where, limit=f"${len(values) + 1}")
        return [Job.from_row(row) for row in await self._run(statement, *values, limit)]

    async def ids(self, filters: Mapping[str, Any], limit: int) -> list[tuple[int, str]]:
        """Return ids and states of jobs that match, the oldest first; `min_id` goes on where a page has ended."""
        where, values = self._where(filters)
        statement = self._sql.fill("list_ids", where=where, limit=f"${len(values) + 1}")
        return [(row["id"], row["state"]) for row in await self._run(statement, *values, limit)]

    async def count(self, filters: Mapping[str, Any], by: Sequence[Group]) -> list[Any]:
        """Return rows of the columns `by` and `jobs`, how many there are of each."""
        where, values = self._where(filters)
        labels = ", ".join(f"{column}::text" for column in by)
        statement = self._sql.fill("count_jobs", where=where, labels=labels, group=", ".join(by))
        return await self._run(statement, *values)

    @operation("cancel_all_jobs")
    async def cancel(self, filters: Mapping[str, Any]) -> list[int]:
        """Cancel what has not ended, and tell the nodes that run any of it; return the ids."""
        where, values = self._some(filters)
        statement = self._sql.fill("cancel_jobs", where=where, **_numbered(values, "now", "channel"))
        channel = self._signal_channel if self._can_notify else None
        return [row["id"] for row in await self._run(statement, *values, utc_now(), channel)]

    @operation("retry_all_jobs")
    async def retry(self, filters: Mapping[str, Any]) -> list[int]:
        """Make jobs available that are neither available nor running; return the ids."""
        where, values = self._some(filters)
        try:
            rows = await self._retry(where, values)
        except Exception as error:
            if not is_conflict(error):
                raise
            found = await self._run(self._sql.fill("retryable_jobs", where=where), *values)
            rows = await self._conflicts.isolate(
                "retried",
                [row["id"] for row in found],
                lambda ids: self._retry(f"{where} and id = any(${len(values) + 1}::bigint[])", [*values, list(ids)]),
            )
        await self._announce({row["queue"] for row in rows})
        return sorted(row["id"] for row in rows)

    async def _retry(self, where: str, values: Sequence[Any]) -> list[Any]:
        statement = self._sql.fill("retry_jobs", where=where, **_numbered(values, "now"))
        return await self._run(statement, *values, utc_now())

    @operation("delete_all_jobs")
    async def delete(self, filters: Mapping[str, Any]) -> list[int]:
        """Delete what is not running; return the ids."""
        where, values = self._some(filters)
        rows = await self._run(self._sql.fill("delete_jobs", where=where), *values)
        return sorted(row["id"] for row in rows)

    @operation("update_job")
    async def update(self, filters: Mapping[str, Any], changes: Changes) -> list[Job[Any]]:
        """Change columns of the jobs that nobody else holds; return them as they are now."""
        where, values = self._some(filters)
        if not callable(changes):
            check_changes(changes)
        statement = self._sql.fill("lock_jobs", where=where)
        try:
            async with self._connections.transaction() as conn:
                rows = await self._run(statement, *values, conn=conn)
                return [await self._update_one(Job.from_row(row), changes, conn) for row in rows]
        except Exception as error:
            if not is_conflict(error):
                raise
        async with self._connections.transaction() as conn:
            rows = await self._run(statement, *values, conn=conn)
            return await self._update_each([Job.from_row(row) for row in rows], changes, conn)

    async def _update_each(self, jobs: Sequence[Job[Any]], changes: Changes, conn: Any) -> list[Job[Any]]:
        """Change rows one by one, without those that a unique index refuses."""
        locked = {job.id: job for job in jobs if job.id is not None}

        async def update(ids: Sequence[int]) -> list[Job[Any]]:
            async with self._connections.transaction(conn) as savepoint:
                return [await self._update_one(locked[job_id], changes, savepoint) for job_id in ids]

        return await self._conflicts.isolate("changed", list(locked), update)

    async def _update_one(self, job: Job[Any], changes: Changes, conn: Any) -> Job[Any]:
        wanted = changes(job) if callable(changes) else changes
        [row] = await self._fetch("update_job", *update_values(job, wanted, self.catalog), conn=conn)
        return Job.from_row(row)

    # Beneath

    def _where(self, filters: Mapping[str, Any]) -> tuple[str, list[Any]]:
        return build_where(filters, self.catalog.states)

    def _some(self, filters: Mapping[str, Any]) -> tuple[str, list[Any]]:
        if filters == {"id": []}:  # A list of jobs that happens to be empty.
            return "false", []
        if not filters:
            raise InvalidFilter(
                "filters", dict(filters), "at least one", "a change to every job needs one that says so"
            )
        return self._where(filters)

    async def _announce(self, queues: Iterable[str]) -> None:
        if self._can_notify and (names := sorted(queues)):
            await self._fetch("announce_queues", self._insert_channel, names)

    async def _fetch(self, name: str, *values: Any, conn: Any = None) -> list[Any]:
        return await self._run(self._sql[name], *values, conn=conn)

    async def _run(self, statement: str, *values: Any, conn: Any = None) -> list[Any]:
        return await self._connections.fetch(statement, *values, conn=conn)


_TURN = itemgetter("priority", "scheduled_at", "id")


def _numbered(values: Sequence[Any], *names: str) -> dict[str, str]:
    casts: dict[str, Callable[[int], str]] = {"now": "${}::timestamp".format, "channel": "${}::text".format}
    return {name: casts[name](len(values) + nth) for nth, name in enumerate(names, 1)}


_ACK = ("id", "attempt", "state", "at", "scheduled_at", "error", "meta")


def _columns(acks: Sequence[Ack], *fields: str) -> list[list[Any]]:
    return [[getattr(ack, field) for ack in acks] for field in fields]
