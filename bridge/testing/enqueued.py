"""Assertions about jobs that are enqueued."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bridge.errors import InvalidFilter
from bridge.jobs import Job, checks
from bridge.oban import Oban
from bridge.testing.filters import STATES, Expected, read_expected, worker_name
from bridge.testing.matching import Difference, differences

#: Seconds between two looks at the table (Oban 2.23).
_INTERVAL = 0.01

#: Jobs that one look reads at most; more of them in a test's database are a mistake of their own.
_MOST = 1_000_000

#: Jobs that a message shows.
_SHOWN = 5


async def all_enqueued(
    oban: Oban | None = None, /, *, delta: float | timedelta = 1.0, **filters: Any
) -> list[Job[Any]]:
    """Return the jobs that are available, scheduled or suspended and match every filter, the newest first.

    Args:
        oban: The instance; default the running one named `Oban`.
        delta: Seconds, or a timedelta, that a time may be off.
        filters: Any field of a job. `worker` is a name, a worker's class, a function with `@job` or a contract's class.
            `args` and `meta` match a job that holds at least what is given, at any depth; lists must have the same
            length; `ANY` stands for any value of a key that is there. Times are aware datetimes, and `scheduled_in` is
            seconds from now or a timedelta. `tags` are exactly these. `id`, `queue`, `worker`, `state`, `priority`,
            `attempt` and `max_attempts` may be lists of values, of which one matches.

    Raises:
        InvalidFilter: An unknown field, or a value of the wrong kind.
        InstanceNotFound: No such instance is running.
    """
    expected = read_expected(filters, delta)
    return await _matching(oban or Oban.get_instance(), expected)


async def assert_enqueued(
    oban: Oban | None = None,
    /,
    *,
    timeout: float | timedelta | None = None,
    delta: float | timedelta = 1.0,
    **filters: Any,
) -> Job[Any]:
    """Fail unless a job is enqueued that matches every filter; return the newest one that does.

    Args:
        oban: As in `all_enqueued`.
        timeout: Seconds, or a timedelta, to wait for it, looking every 10 ms; default: it must be there now. The test's
            own transaction is looked at, in which no notification ever arrives.
        delta: As in `all_enqueued`.
        filters: As in `all_enqueued`.

    Raises:
        AssertionError: There is none; the message shows the jobs that come nearest, and how each differs.
        InvalidFilter, InstanceNotFound: As in `all_enqueued`.
    """
    __tracebackhide__ = True
    instance, expected = oban or Oban.get_instance(), read_expected(filters, delta)
    patience = _patience(timeout)
    found = await _wait(instance, expected, patience)
    if not found:
        raise AssertionError(_missed(filters, expected, patience, await _candidates(instance)))
    return found[0]


async def refute_enqueued(
    oban: Oban | None = None,
    /,
    *,
    timeout: float | timedelta | None = None,
    delta: float | timedelta = 1.0,
    **filters: Any,
) -> None:
    """Fail if a job is enqueued that matches every filter; without filters, any job.

    Args:
        oban: As in `all_enqueued`.
        timeout: Seconds, or a timedelta, through which there must be none, looking every 10 ms; default: now alone.
        delta: As in `all_enqueued`.
        filters: As in `all_enqueued`.

    Raises:
        AssertionError: There is one; the message shows it.
        InvalidFilter, InstanceNotFound: As in `all_enqueued`.
    """
    __tracebackhide__ = True
    instance, expected = oban or Oban.get_instance(), read_expected(filters, delta)
    found = await _wait(instance, expected, _patience(timeout))
    if found:
        shown = "\n".join(f"  {_title(job)}\n    args: {dict(job.shown_args)!r}" for job in found[:_SHOWN])
        told = f"expected no job that matches\n\n{_listed(filters) or '  anything'}"
        raise AssertionError(f"{told}\n\nbut found {len(found)}:\n\n{shown}")


async def _wait(oban: Oban, expected: Expected, patience: float) -> list[Job[Any]]:
    deadline = time.monotonic() + patience
    while not (found := await _matching(oban, expected)) and time.monotonic() < deadline:  # noqa: ASYNC110 - a row sets no Event
        await asyncio.sleep(_INTERVAL)
    return found


async def _matching(oban: Oban, expected: Expected) -> list[Job[Any]]:
    jobs = await oban.jobs(limit=_MOST, **expected.by_database)
    return [job for job in jobs if not differences(job, expected.fields, expected.delta)]


async def _candidates(oban: Oban) -> list[Job[Any]]:
    return await oban.jobs(limit=_MOST, state=list(STATES))


def _patience(timeout: float | timedelta | None) -> float:
    found = 0.0 if timeout is None else checks.seconds("timeout", timeout, InvalidFilter)
    if found < 0:
        raise InvalidFilter("timeout", timeout, "0 seconds or more")
    return found


# Messages


def _missed(filters: Mapping[str, Any], expected: Expected, patience: float, jobs: list[Job[Any]]) -> str:
    within = f" within {patience:g} s" if patience else ""
    told = f"expected a job to be enqueued{within} that matches\n\n{_listed(filters) or '  anything'}\n\n"
    if not jobs:
        return f"{told}but no job is {', '.join(STATES[:-1])} or {STATES[-1]}"
    ranked = sorted(((job, differences(job, expected.fields, expected.delta)) for job in jobs), key=_distance)
    nearest = "\n".join(_compared(job, found) for job, found in ranked[:_SHOWN])
    return f"{told}but found {len(jobs)} that {'does' if len(jobs) == 1 else 'do'} not; nearest first:\n\n{nearest}"


def _distance(ranked: tuple[Job[Any], list[Difference]]) -> tuple[bool, int]:
    # A job of another worker is hardly the one that was meant, however many of its args are the same.
    return any(difference.path == "worker" for difference in ranked[1]), len(ranked[1])


def _compared(job: Job[Any], found: list[Difference]) -> str:
    return "\n".join((f"  {_title(job)}", *(f"    {difference}" for difference in found)))


def _title(job: Job[Any]) -> str:
    return f"job {job.id}, {job.worker} in queue {job.queue}, {job.state}"


def _listed(filters: Mapping[str, Any]) -> str:
    return "\n".join(f"  {field} = {_named(value)}" for field, value in filters.items())


def _named(value: Any) -> str:
    name = worker_name(value)
    return repr(value) if name is value else str(name)
