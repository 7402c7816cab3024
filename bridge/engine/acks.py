"""What became of a job's execution, on its way into the row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

#: Completions of one statement share their `completed_at`; those that are further apart get their own.
_SAME_MOMENT = timedelta(milliseconds=100)


@dataclass(slots=True)
class Ack:
    """The outcome of one attempt, as columns.

    Attributes:
        id: The job's.
        attempt: The attempt that ended; a row that is further on is left alone.
        state: The row's new state; `scheduled` is a snooze and adds an attempt, `available` is a quarantine and takes
            this one back.
        at: When it ended, naive UTC.
        scheduled_at: When to run again, naive UTC, for `retryable` and `scheduled`.
        error: The entry for `errors`, as JSON text.
        meta: What to merge into `meta`, as JSON text.
    """

    id: int
    attempt: int
    state: str
    at: datetime
    scheduled_at: datetime | None = None
    error: str | None = None
    meta: str | None = None


#: Where jobs whose args break their contract wait to be mended, if their worker wants that. Nobody serves it.
QUARANTINE = "quarantine"


def split(acks: Iterable[Ack]) -> tuple[list[tuple[int, datetime, list[int]]], list[Ack]]:
    """Part acks into plain completions, as (attempt, time, ids) a group, and all others.

    The two are written by different statements: `id = any(…)` is fast, but together with a join it is quadratic in the
    batch.
    """
    plain: defaultdict[int, list[Ack]] = defaultdict(list)
    others: list[Ack] = []
    for ack in acks:
        if ack.state == "completed" and ack.meta is None:
            plain[ack.attempt].append(ack)
        else:
            others.append(ack)
    groups = []
    for attempt, members in plain.items():
        newest = max([ack.at for ack in members])
        earliest = newest - _SAME_MOMENT
        groups.append((attempt, newest, [ack.id for ack in members if ack.at >= earliest]))
        others += [ack for ack in members if ack.at < earliest]
    return groups, others
