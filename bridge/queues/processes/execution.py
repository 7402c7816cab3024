"""One execution of a job that another process runs, as the parent follows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bridge.engine import Ack, utc_now
from bridge.errors import JobTimeout, ProcessEnded
from bridge.jobs import Job, Registry, Worker
from bridge.jobs.context import enter_job
from bridge.queues import outcome
from bridge.queues.execution import Execution
from bridge.queues.outcome import Outcome
from bridge.queues.processes.absence import NoProcessError
from bridge.queues.processes.messages import Columns, Done
from bridge.queues.processes.outcomes import unpack
from bridge.telemetry.events import Instance

if TYPE_CHECKING:
    from bridge.queues.processes.pool import ProcessPool
    from bridge.queues.processes.process import Child


class RemoteExecution(Execution):
    """Gives a job to a child and waits for what it came to; events and acks are the parent's, as of any other job."""

    def __init__(self, job: Job[Any], registry: Registry, oban: Instance, pool: ProcessPool) -> None:
        super().__init__(job, registry, oban)
        self._pool = pool
        self._child: Child | None = None
        self._number = 0
        self._duration = 0

    async def run(self) -> Outcome:
        """Run the job; instruments go around it there, or else here."""
        if not self._pool.instrumented:
            return await super().run()
        self._begun = True
        enter_job(self.job)
        return await self._run()

    async def _run(self) -> Outcome:
        found = await super()._run()
        found.duration = self._duration or found.duration
        return found

    async def _outcome(self) -> Outcome:
        try:
            child, done = await self._done()
        except NoProcessError:
            return _handed_back(self.job)
        self._duration = done.duration
        self.abandoned = done.abandoned
        if done.abandoned and done.state is None:
            self.abandoned = not await child.ends_soon(self._number)
        found = unpack(self.job, done)
        self.result = found.result
        return found

    async def _done(self) -> tuple[Child, Done]:
        """Give the job to a child, and to another one where that ends before it has begun it."""
        columns = Columns.of(self.job)
        while self._cancel_reason is None and not self._released:
            child = await self._pool.choose()
            self._number = child.run(columns)
            self._child = child
            try:
                return child, await child.done(self._number)
            except ProcessEnded:
                if child.has_begun(self._number):
                    raise
            self._child = None
        raise asyncio.CancelledError

    def _interrupt(self, task: asyncio.Task[Any]) -> None:
        if self._child is None:
            super()._interrupt(task)
        elif self._released:
            self._child.release(self._number)
        elif self._cancel_reason is not None:
            self._child.cancel(self._number, self._cancel_reason)

    async def outlived(self) -> Outcome | None:
        """Wait for the process in which the thread goes on; what the job came to is lost with it."""
        if self._child is not None:
            await self._child.ended.wait()
        return None

    def failed(self, error: BaseException) -> Outcome:
        """Return the outcome of an execution that ended with `error`: with its process, for instance."""
        if isinstance(error, ProcessEnded) and self._child is not None:
            if self._cancel_reason is not None:
                return outcome.from_cancel(self.job, f"{self._cancel_reason}; {error}")
            if self._released:
                return Outcome(self.job, None)
            self._worker = self._known_worker()
            if (limit := self._child.exceeded(self._number)) is not None:
                told = f"{self.job.worker} timed out after {round(limit * 1000)}ms"
                error = JobTimeout(f"{told}; its process did not go on meanwhile, and was ended")
        return super().failed(error)

    def _known_worker(self) -> Worker | None:
        """Return the job's worker, for its backoff; the one that ran is gone."""
        try:
            worker = self._registry.resolve(self.job.worker)
            if worker.options.contract is not None:
                self.job.read_args(worker.options.contract)
            return worker()
        except BaseException:  # Oban's formula will do
            return None


def _handed_back(job: Job[Any]) -> Outcome:
    """Return the outcome of a job that no process was there for: available again, with no attempt lost.

    It is written as a snooze without delay, so that another node may take it.
    """
    assert job.id is not None  # noqa: S101 - a fetched job has one; this tells the type checker
    at = utc_now()
    return Outcome(job, Ack(job.id, job.attempt, "scheduled", at, scheduled_at=at))
