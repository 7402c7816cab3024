"""One execution of a job, from its start to its outcome."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from types import FunctionType, MethodType
from typing import Any

from bridge import telemetry
from bridge.errors import ContractError, EncodeError, InvalidWorker, JobTimeout
from bridge.jobs import Job, Registry, Worker, contracts
from bridge.jobs.checks import seconds
from bridge.jobs.context import enter_job
from bridge.queues import outcome
from bridge.queues.outcome import Outcome
from bridge.queues.threads import run_in_thread
from bridge.telemetry import events, instruments
from bridge.telemetry.events import NOBODY, Instance

CANCELLED = "the job was cancelled while it ran"


class Execution:
    """Runs one job in the task that awaits `run`.

    `cancel` and `release` end it early; without them a CancelledError is the worker's own, and a failure like any
    other.
    """

    def __init__(self, job: Job[Any], registry: Registry, oban: Instance = NOBODY) -> None:
        self.job = job
        self._oban = oban
        self._registry = registry
        self._worker: Worker | None = None
        self._cancel_reason: str | None = None
        self._released = False
        self._begun = False
        #: What `process` returned, before a contract made it a record.
        self.result: Any = None
        #: The worker runs in a thread that could not be stopped and goes on.
        self.abandoned = False
        self._thread: asyncio.Future[Any] | None = None

    async def run(self) -> Outcome:
        """Run the job; whatever happens becomes its outcome."""
        self._begun = True
        enter_job(self.job)
        if not instruments.installed():
            return await self._run()
        with instruments.running(instruments.Run(self._oban, self.job)) as run:
            found = await self._run()
            run.state = None if found.ack is None else found.ack.state
            run.result, run.error = found.result, found.error
            return found

    async def _run(self) -> Outcome:
        started = time.perf_counter_ns()
        self._report_start()
        try:
            found = await self._outcome()
        except BaseException as error:  # SystemExit in a worker must not end the node
            found = self.failed(error)
        found.duration = time.perf_counter_ns() - started
        if telemetry.wanted(events.JOB_STOP) or telemetry.wanted(events.JOB_EXCEPTION):
            found.context = contextvars.copy_context()
        return found

    def cancel(self, task: asyncio.Task[Any], reason: str = CANCELLED) -> None:
        """End the job that runs in `task`, because somebody cancelled it; a second call does nothing."""
        # A second cancellation would interrupt what the worker does to end in order.
        if self._cancel_reason is None:
            self._cancel_reason = reason
            self.job._cancelled = True  # noqa: SLF001 - what `Job.cancelled()` reads
            self._interrupt(task)

    def release(self, task: asyncio.Task[Any]) -> None:
        """End the job that runs in `task`, because its producer stops; the job is to be handed back."""
        self._released = True
        self._interrupt(task)

    def _interrupt(self, task: asyncio.Task[Any]) -> None:
        # A task that is cancelled before its first step never runs at all, and the job's outcome would be lost.
        if self._begun:
            task.cancel()

    def _report_start(self) -> None:
        if telemetry.wanted(events.JOB_START):
            telemetry.emit(events.JOB_START, events.JobStart(self.job, time.time_ns(), self._oban))

    async def _outcome(self) -> Outcome:
        job = self.job
        if self._cancel_reason is not None or self._released:
            raise asyncio.CancelledError
        found = self._registry.resolve(job.worker)
        contract = found.options.contract
        if contract is not None:
            try:
                job.read_args(contract)
            except ContractError as error:
                return outcome.from_invalid(job, error, found.options.on_invalid)
        job.check_objects()  # A row whose args or meta are no object fails here, before the worker sees it.
        worker = self._worker = found()
        limit = _timeout(worker, job)
        result = self.result = await (self._process(worker) if limit is None else self._process_within(worker, limit))
        return self._outcome_of(result, worker)

    def _outcome_of(self, result: Any, worker: Worker) -> Outcome:
        contract = worker.options.contract
        try:
            return outcome.from_result(self.job, result if contract is None else contract.record(result))
        except EncodeError as error:
            raise contracts.veiled(error, contract) from None

    async def _process_within(self, worker: Worker, limit: float) -> Any:
        try:
            async with asyncio.timeout(limit) as timer:
                return await self._process(worker)
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise JobTimeout(f"{self.job.worker} timed out after {round(limit * 1000)}ms{self._goes_on()}") from error

    async def _process(self, worker: Worker) -> Any:
        process = worker.process
        if _is_async(process):
            return await process(self.job)
        self._thread = run_in_thread(f"job-{self.job.id}", process, self.job)
        try:
            await asyncio.wait([self._thread])
        except asyncio.CancelledError:
            self.abandoned = True
            self.job._cancelled = True  # noqa: SLF001 - what `Job.cancelled()` reads, in the thread
            self._thread.add_done_callback(_ignore)
            raise
        return self._thread.result()

    async def outlived(self) -> Outcome | None:
        """Wait for the thread that outlived the job's release, and return what the job came to.

        None where it was told that it was cancelled: then nobody knows whether it came to its end or gave up.
        """
        if self._thread is None or self._worker is None:
            return None
        await asyncio.wait([self._thread])
        if self.job._cancel_seen:  # noqa: SLF001 - `Job.cancelled()` has told the thread
            return None
        try:
            self.result = self._thread.result()
            return self._outcome_of(self.result, self._worker)
        except BaseException as error:  # as in a run: whatever it is, it is the job's outcome
            return outcome.from_error(self.job, error, self._worker)

    def failed(self, error: BaseException) -> Outcome:
        """Return the outcome of an execution that ended with `error`."""
        if isinstance(error, asyncio.CancelledError):
            if self._cancel_reason is not None:
                return outcome.from_cancel(self.job, self._cancel_reason + self._goes_on())
            if self._released:
                return Outcome(self.job, None)
        return outcome.from_error(self.job, error, self._worker)

    def _goes_on(self) -> str:
        return "; its thread can't be stopped and goes on" if self.abandoned else ""


def _ignore(thread: asyncio.Future[Any]) -> None:
    # Else asyncio complains of an error that nobody has asked for.
    if not thread.cancelled():
        thread.exception()


def _is_async(process: Any) -> bool:
    # The plain case first: `inspect` looks through wrappers, which takes longer than most of a job's way.
    function = process.__func__ if type(process) is MethodType else None
    plain = type(function) is FunctionType and function.__code__.co_flags & inspect.CO_COROUTINE
    return bool(plain) or inspect.iscoroutinefunction(process)


def _timeout(worker: Worker, job: Job[Any]) -> float | None:
    limit = worker.timeout(job)
    if limit is None:
        return None
    found = seconds("timeout", limit, InvalidWorker)
    if found <= 0:
        raise InvalidWorker("timeout", limit, "more than 0 seconds, or None")
    return found
