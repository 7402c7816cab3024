"""Deleting jobs that have ended and had their time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from msgspec import Struct

from bridge.engine.operations import operation
from bridge.engine.tables import OwnTables

EndState = Literal["completed", "cancelled", "discarded"]
END_STATES: Final[tuple[EndState, ...]] = get_args(EndState)

#: When a job ended.
_ENDED_AT: Final[dict[EndState, str]] = {
    "completed": "coalesce(completed_at, scheduled_at)",
    "cancelled": "cancelled_at",
    "discarded": "discarded_at",
}

#: What tells that it did so before $1. No index of Oban's holds `completed_at`; but one holds `scheduled_at`, which is
#: never later, and leaves few rows to look at.
_TOO_OLD: Final[dict[EndState, str]] = {
    "completed": "scheduled_at < $1::timestamp and coalesce(completed_at, scheduled_at) < $1::timestamp",
    "cancelled": "cancelled_at < $1::timestamp",
    "discarded": "discarded_at < $1::timestamp",
}

_CONCERNED: Final = """($2::text is null or queue = $2)
      and ($3::text is null or worker = $3)
      and queue <> all($4::text[])
      and worker <> all($5::text[])"""

_BEYOND: Final = """id = any(array(
        select id
        from {{prefix}}.oban_jobs
        where state = '{state}'
          and {concerned}
        order by {ended_at} desc nulls first, id desc
        offset {max_len}
        limit {limit}
      ))"""


class Retention(Struct, frozen=True):
    """How long some jobs of one end state are kept.

    Attributes:
        state: The state.
        max_age: Seconds after their end, or None for any time.
        max_len: How many are kept at most, the last ones to end, or None for any number.
        queue: Only those of this queue; None means all queues but `other_queues`.
        worker: Only those of this worker; None means all workers but `other_workers`.
        other_queues: Queues that have a retention of their own.
        other_workers: Workers that have one.
    """

    state: EndState
    max_age: float | None = None
    max_len: int | None = None
    queue: str | None = None
    worker: str | None = None
    other_queues: tuple[str, ...] = ()
    other_workers: tuple[str, ...] = ()


class Pruning(OwnTables):
    """What an engine does to forget jobs."""

    @operation("prune_jobs")
    async def prune(self, retention: Retention, now: datetime, limit: int) -> int:
        """Delete at most `limit` jobs that a rule gives up at the time `now`, naive UTC; return how many."""
        statement = self._sql.fill("prune_jobs", condition=_condition(retention, "$6"), state=retention.state)
        [row] = await self._connections.fetch(statement, *_values(retention, now), limit)
        return int(row["jobs"])

    async def count_prunable(self, retention: Retention, now: datetime) -> int:
        """Return how many jobs `prune` would delete, called until it finds none."""
        statement = self._sql.fill("count_prunable", condition=_condition(retention, "all"), state=retention.state)
        [row] = await self._connections.fetch(statement, *_values(retention, now))
        return int(row["jobs"])


def _condition(retention: Retention, limit: str) -> str:
    state, max_len = retention.state, retention.max_len
    too_old = f"{_TOO_OLD[state]}\n      and {_CONCERNED}"
    if max_len is None:
        return too_old
    beyond = _BEYOND.format(
        state=state, concerned=_CONCERNED, ended_at=_ENDED_AT[state], max_len=int(max_len), limit=limit
    )
    return f"(({too_old})\n      or {beyond})"


def _values(retention: Retention, now: datetime) -> tuple[Any, ...]:
    # asyncpg sends the first of all times as -infinity, before which nothing ended.
    age = retention.max_age
    before = datetime.min if age is None else _before(now, age)  # noqa: DTZ901 - as the columns want it
    return before, retention.queue, retention.worker, list(retention.other_queues), list(retention.other_workers)


def _before(now: datetime, age: float) -> datetime:
    try:
        return now - timedelta(seconds=age)
    except OverflowError:  # longer than there are years
        return datetime.min  # noqa: DTZ901 - as the columns want it
