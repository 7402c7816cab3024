"""Running a job in the calling task, as inline jobs, drained queues and tests of workers do."""

from __future__ import annotations

import asyncio

from bridge.jobs.context import leave_job
from bridge.queues.execution import Execution
from bridge.queues.outcome import Outcome


async def run_here(execution: Execution) -> Outcome:
    """Run an execution and return its outcome; the job that was current before is current again then.

    Raises:
        KeyboardInterrupt, asyncio.CancelledError: These were meant for the caller, not for the job.
    """
    with leave_job():
        outcome = await execution.run()
    error = outcome.error
    if isinstance(error, KeyboardInterrupt) or (isinstance(error, asyncio.CancelledError) and _is_ending()):
        raise error
    return outcome


def _is_ending() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
