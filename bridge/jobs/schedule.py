"""When a new job is to run, and the state that it waits in until then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.errors import InvalidJob
from bridge.jobs import checks
from bridge.jobs.states import JobState


def wake_time(at: datetime | None, delay: float | timedelta | None) -> datetime | None:
    """Return when a job is to run, from a time or from seconds from now; None: at once.

    Raises:
        InvalidJob: Neither can be stored.
    """
    if at is not None:
        return checks.moment("scheduled_at", at)
    if delay is None:
        return None
    try:
        return datetime.now(UTC) + timedelta(seconds=checks.seconds("schedule_in", delay))
    except OverflowError:
        raise InvalidJob("schedule_in", delay, "a time within the years 1 to 9999") from None


def initial_state(state: JobState | str | None, scheduled_at: datetime | None) -> JobState:
    """Return the state that a job is inserted in, from what its caller asks for and from its time.

    Raises:
        InvalidJob: The two contradict each other.
    """
    if state is None:
        return JobState.AVAILABLE if scheduled_at is None else JobState.SCHEDULED
    found = checks.insert_state(state)
    if found is JobState.SCHEDULED and scheduled_at is None:
        raise InvalidJob("state", state, "a time with it", "give scheduled_at or schedule_in")
    if found is JobState.AVAILABLE and scheduled_at is not None:
        raise InvalidJob("state", state, "no time with it", "leave out scheduled_at and schedule_in")
    return found
