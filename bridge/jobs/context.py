"""The job that the calling code runs in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from bridge.jobs.job import Job

_current: ContextVar[Job[Any] | None] = ContextVar("bridge_current_job", default=None)


def current_job() -> Job[Any] | None:
    """Return the job that is being run here, also in its thread and in tasks that it started; None outside of one."""
    return _current.get()


def enter_job(job: Job[Any]) -> None:
    """Make `job` the current one for the rest of the calling task."""
    _current.set(job)


@contextmanager
def leave_job() -> Iterator[None]:
    """Make the job that is current now current again at the end, for code that runs others in its own task."""
    before = _current.get()
    try:
        yield
    finally:
        _current.set(before)
