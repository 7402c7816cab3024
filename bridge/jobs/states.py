"""The states of a job and what follows from each."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """The eight labels of the column `state`.

    available → executing → completed is the straight way. `scheduled` and `retryable` wait for their time, `suspended`
    waits for somebody's retry; `cancelled` and `discarded` are ends like `completed`.
    """

    AVAILABLE = "available"
    SUSPENDED = "suspended"
    SCHEDULED = "scheduled"
    EXECUTING = "executing"
    RETRYABLE = "retryable"
    COMPLETED = "completed"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"


#: States that a new row may be given; all others are reached by running the job.
INSERTABLE = frozenset({JobState.AVAILABLE, JobState.SCHEDULED, JobState.SUSPENDED})

#: States that nothing leaves by itself.
FINAL = frozenset({JobState.COMPLETED, JobState.DISCARDED, JobState.CANCELLED})
