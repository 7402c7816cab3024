"""Rows of `oban_jobs` as the cases want them, for every peer that uses that table."""

from __future__ import annotations

from typing import Final

STATES: Final = ("completed", "executing", "retryable", "scheduled", "cancelled", "discarded")

_ROWS = """
insert into oban_jobs
  (state, queue, worker, args, attempt, max_attempts, attempted_by, attempted_at, completed_at, cancelled_at,
   discarded_at, scheduled_at)
select {state}, {queue}, {worker}, jsonb_build_object('n', i), 1, 20, array['gone', 'gone'], now, now, now, now, {due}
from generate_series(1, {{count}}) as i, (select timezone('utc', now()) as now) as moment
"""


def rows(state: str, queue: str, worker: str, due: str) -> str:
    """Return the SQL that writes such rows; `{count}` is still to be filled in."""
    return _ROWS.format(state=f"'{state}'::oban_job_state", queue=f"'{queue}'", worker=f"'{worker}'", due=due)


def fills(worker: str) -> dict[str, str]:
    """Return the SQL of each filling; jobs of the queue `bench` that count are for `worker`."""
    return {
        "finished": rows("completed", "bench", worker, "now"),
        "waiting": rows("available", "other", worker, "now - interval '1 hour'"),
        "foreign": rows("available", "bench", "Elsewhere.Worker", "now - interval '1 hour'"),
        "seen": ";".join(rows(state, "other", worker, "now + interval '1 day'") for state in STATES),
    }


WAITING: Final = """
select count(*)
from oban_jobs
where state in ('available', 'executing', 'scheduled', 'retryable')
  and queue = 'bench'
"""
