"""A job as a producer gets it from the table, made without one: for jobs that run inline, and for tests of workers."""

from __future__ import annotations

from typing import Any

from bridge.engine import utc_now
from bridge.jobs import Job, checks, contracts


def fetched(job: Job[Any], *, job_id: int, node: str) -> Job[Any]:
    """Return a new job as its first attempt would find it, its args and meta read back from JSON.

    Raises:
        ContractError, EncodeError, InvalidJob: As an insert would.
    """
    now = utc_now()
    found = Job.from_row({
        "id": job_id,
        "state": "executing",
        "queue": job.queue,
        "worker": job.worker,
        "args": job.args_json(),
        "meta": job.meta_json(),
        "errors": [],
        "tags": checks.tags(job.tags),
        "attempt": 1,
        "max_attempts": job.max_attempts,
        "priority": job.priority,
        "attempted_by": [node],
        "inserted_at": now,
        "scheduled_at": now,
        "attempted_at": now,
        "completed_at": None,
        "cancelled_at": None,
        "discarded_at": None,
    })  # fmt: skip
    contract = contracts.contract_of(job.args)
    if contract is not None:
        found.read_args(contract)
    return found
