"""The producer of one queue on this node: fetches jobs, runs them, hands their outcomes to its acker."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridge import telemetry
from bridge.clock import elapsed
from bridge.engine import Engine
from bridge.jobs import Job, Registry
from bridge.queues.acker import Acker, RefusedOutcome
from bridge.queues.bounded import within
from bridge.queues.claims import LostClaims
from bridge.queues.drops import Drops
from bridge.queues.execution import Execution
from bridge.queues.info import Pulse, QueueInfo
from bridge.queues.leftovers import Leftovers
from bridge.queues.log import logger
from bridge.queues.options import QueueOptions
from bridge.queues.outage import Outage
from bridge.queues.outcome import JobInterrupted, Outcome, from_stop
from bridge.queues.pace import COOLDOWN, Pace, portion
from bridge.queues.returns import Returns
from bridge.telemetry import events

if TYPE_CHECKING:
    from bridge.queues.processes.pool import ProcessPool

#: Outcomes that may wait for the database before no more jobs are fetched.
BACKLOG = 5_000

#: Seconds that cancelled tasks get to come to an end when the producer stops.
UNWIND = 1.0


@dataclass(slots=True)
class _Running:
    execution: Execution
    task: asyncio.Task[None]


class Producer:
    """Runs one queue on this node.

    It fetches when somebody says that there are jobs (`wake`), when a slot gets free and there were more jobs than
    slots, and every `refresh_interval`; never while it is paused or full.
    """

    def __init__(
        self,
        options: QueueOptions,
        engine: Engine,
        registry: Registry,
        *,
        name: str,
        node: str,
        pulse: Pulse | None = None,
        processes: ProcessPool | None = None,
    ) -> None:
        self.options = options
        self.uuid = str(uuid.uuid4())
        self._engine = engine
        self._registry = registry
        self._name = name
        self._node = node
        self._pulse = pulse
        self._processes = processes
        self._running: dict[tuple[int, int], _Running] = {}
        self._acker = Acker(engine, self.uuid, self._report)
        self._wake = asyncio.Event()
        self._more = True
        self._lost = LostClaims(engine, self.uuid, pulse)
        self._early: set[int] | None = None
        self._outage = Outage(options.queue)
        self._drops = Drops(engine, self.uuid, lambda: tuple(self._running))
        self._task: asyncio.Task[None] | None = None
        self._known: tuple[Any, list[str]] = (None, [])
        self._started_at = self._updated_at = datetime.now(UTC)
        self._shutdown_started_at: datetime | None = None
        self._stopping = asyncio.Event()
        self._pace = Pace(self._stopping)
        self._returns = Returns(engine, self.uuid, options.queue)
        self._leftovers = Leftovers(self._tasks, self._acker, self._returns)
        self._may_claim = False

    # Control

    def start(self) -> None:
        """Begin to fetch and run."""
        self._acker.start()
        self._task = asyncio.create_task(self._run(), name=f"bridge-producer-{self.options.queue}")
        self.wake()

    def wake(self) -> None:
        """Say that there may be jobs to fetch."""
        self._more = True
        self._wake.set()

    def pause(self) -> None:
        """Fetch no more; what runs goes on."""
        self._change(paused=True)

    def resume(self) -> None:
        """Fetch again."""
        self._change(paused=False)

    def scale(self, limit: int) -> None:
        """Run at most `limit` jobs at once; with a lower one, what runs goes on."""
        self._change(limit=limit)

    def _change(self, **options: Any) -> None:
        self.options = replace(self.options, **options)
        self._updated_at = datetime.now(UTC)
        self.wake()

    def cancel(self, job_id: int) -> bool:
        """Cancel a job that runs here; False where none of that id does."""
        found = [running for (running_id, _), running in self._running.items() if running_id == job_id]
        for running in found:
            running.execution.cancel(running.task)
        # It may be among those of a fetch whose answer is on its way.
        if not found and self._early is not None:
            self._early.add(job_id)
        return bool(found)

    def check(self) -> QueueInfo:
        """Tell how the queue stands."""
        return QueueInfo(
            queue=self.options.queue,
            name=self._name,
            node=self._node,
            uuid=self.uuid,
            limit=self.options.limit,
            paused=self.options.paused,
            refresh_interval=self.options.refresh_interval,
            running=tuple(job_id for job_id, _ in self._running),
            started_at=self._started_at,
            updated_at=self._updated_at,
            shutdown_started_at=self._shutdown_started_at,
        )

    # Fetching

    async def _run(self) -> None:
        while not self._shutdown_started_at:
            await self._wait_for_wake(1.0 if self._lost.possible else self.options.refresh_interval)
            try:
                fetched = await self._dispatch()
            except Exception as error:
                await self._wait_for_stop(self._outage.failed(error))
                self.wake()
            else:
                self._outage.passed(fetched=fetched)
                if fetched:
                    await self._pause()
                elif self._lost.possible:  # Each round asks the table, whoever woke it.
                    await self._wait_for_stop(COOLDOWN)

    async def _wait_for_wake(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            self._more = True
        self._wake.clear()

    async def _pause(self) -> None:
        """Wait before the next fetch, so that jobs that come one by one don't cost a fetch each."""
        cooldown, limit = self.options.dispatch_cooldown, self.options.limit
        if cooldown is None and self._pace.is_ample(limit - len(self._running), limit):
            self._wake.set()
        else:
            await self._pace.pause(cooldown)
            # A fetch of a part of what is free has left slots that no job's end tells of.
            if self._more and len(self._running) < self.options.limit:
                self._wake.set()

    async def _dispatch(self) -> bool:
        """Fetch and start jobs; return False where there was no reason to, or no room."""
        if self._pulse is not None and (self._lost.possible or (self._more and not self.options.paused)):
            await self._pulse.ensure(self.uuid, self.options.queue)
        self._early = set()
        try:
            return await self._claim()
        finally:
            self._early = None

    async def _claim(self) -> bool:
        if self._lost.possible:
            asked = elapsed()
            claims = await self._lost_claims()
            self._start_jobs(() if self._lost.is_stale(asked) else claims)
        options = self.options
        demand = options.limit - len(self._running)
        full = demand <= 0 or self._acker.pending >= BACKLOG or self._waits_for_processes
        if options.paused or full or not self._more or self._shutdown_started_at:
            return False
        self._more = False
        asked = elapsed()
        wanted = portion(demand, options)
        try:
            jobs = await self._engine.fetch(options.queue, wanted, self._node, self.uuid, self._workers())
        except BaseException:
            self._more = True
            self._lost.watch()
            raise
        self._more = self._pace.note(len(jobs), wanted) or self._more
        if jobs and self._lost.is_stale(asked):
            self._lost.watch()
            self.wake()
            return True
        self._start_jobs(jobs)
        self._updated_at = datetime.now(UTC)
        return True

    async def _lost_claims(self) -> list[Job[Any]]:
        known = {*self._running, *self._acker.pending_keys()}
        return await self._lost.find(self.options.queue, known)

    def _workers(self) -> list[str] | None:
        if self.options.workers == "any":
            return None
        processes = self._processes
        state = (self._registry.version, None if processes is None else processes.workers)
        if self._known[0] != state:
            self._known = (state, self._registry.names() if processes is None else processes.known(self._registry))
        return self._known[1]

    @property
    def _waits_for_processes(self) -> bool:
        return self._processes is not None and not self._processes.ready

    async def _wait_for_stop(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._stopping.wait()
        except TimeoutError:
            pass

    # Running

    def _start_jobs(self, jobs: Iterable[Job[Any]]) -> None:
        for job in jobs:
            self._start_job(job)
        for job_id in tuple(self._early or ()):
            self.cancel(job_id)

    def _start_job(self, job: Job[Any]) -> None:
        execution = self._execution(job)
        assert job.id is not None  # noqa: S101 - a fetched job has one; this tells the type checker
        key = (job.id, job.attempt)
        task = asyncio.create_task(self._execute(key, execution, self._pace.begin()), name=f"bridge-job-{job.id}")
        self._running[key] = _Running(execution, task)

    def _execution(self, job: Job[Any]) -> Execution:
        if self._processes is None:
            return Execution(job, self._registry, self._engine.oban)
        return self._processes.execution(job, self._registry, self._engine.oban)

    async def _execute(self, key: tuple[int, int], execution: Execution, fetch: int) -> None:
        try:
            outcome = await execution.run()
        except BaseException as error:  # such as what a telemetry handler raises; no job is left without an outcome
            outcome = execution.failed(error)
        del self._running[key]
        self._pace.end(fetch)
        if outcome.ack is None and not execution.abandoned:
            outcome = from_stop(outcome)
        if outcome.ack is not None:
            self._acker.add(outcome)
        elif execution.abandoned:
            self._leftovers.orphans.append(execution)
        else:
            self._returns.add(execution.job)
        if self._more:
            self._wake.set()
            self._pace.is_ample(self.options.limit - len(self._running), self.options.limit)

    def _report(self, outcome: Outcome, recorded: bool) -> None:
        if not recorded and not isinstance(outcome.error, RefusedOutcome):
            self._drops.add(outcome.job)
        if recorded and isinstance(outcome.error, JobInterrupted):
            self._returns.discarded.append(outcome.job.id or 0)
        if outcome.ack is None:
            return
        if self._more:
            self._wake.set()  # A full backlog may have held up the next fetch.
        outcome.report(recorded, self._engine.oban)

    # Stopping

    async def stop(self, grace: float) -> None:
        """Fetch no more, give what runs `grace` seconds, then end it and hand it back; write every outcome.

        A job that can't be ended, in a thread or because it ignores its cancellation, stays `executing`: it is an
        orphan, to be rescued once this node is gone, or `linger` writes what it comes to.
        """
        begun = time.perf_counter_ns()
        try:
            await self._stop_in_order(time.monotonic() + grace)
        except BaseException:  # whoever waits for this stop was cancelled
            self._abandon()
            raise
        orphans = (execution.job.id or 0 for execution in self._leftovers.orphans)
        orphaned = (*orphans, *(job_id for job_id, _ in self._running))
        took = time.perf_counter_ns() - begun
        given = tuple(self._returns.handed_back), tuple(self._returns.discarded)
        self._returns.tell()
        event = events.QueueShutdown(self.options.queue, took, orphaned, self._engine.oban, *given)
        telemetry.emit(events.QUEUE_SHUTDOWN, event)

    @property
    def unfinished(self) -> bool:
        """Whether a stop has left jobs that go on, or anything that is not written."""
        return bool(self._leftovers)

    async def linger(self) -> None:
        """After a stop, write what becomes of the jobs that outlived it, for as long as the node goes on."""
        await self._leftovers.settle()
        if self._pulse is not None:
            await self._part(self._pulse, UNWIND)

    async def _stop_in_order(self, deadline: float) -> None:
        await self._stop_fetching(deadline - time.monotonic())
        await self._hand_back_lost_claims()
        await self._wait_for_running(deadline - time.monotonic())
        await self._end_running()
        await self._write_rest(deadline)

    def _abandon(self) -> None:
        """End every task without waiting for it; the rows stay as they are, to be rescued."""
        if self._task is not None:
            self._task.cancel()
        for running in self._running.values():
            running.execution.release(running.task)
        self._acker.abandon()
        self._drops.abandon()

    async def _stop_fetching(self, timeout: float) -> None:
        # A fetch that is under way must end by itself: cancelled, it could leave claimed jobs that nobody runs.
        self._shutdown_started_at = datetime.now(UTC)
        self._pace.stop()
        self.wake()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=max(timeout, UNWIND))
            if self._task.cancel():
                # The server may not hear that it was, and claim jobs later.
                self._lost.watch()
                await asyncio.wait([self._task], timeout=UNWIND)

    async def _hand_back_lost_claims(self) -> None:
        try:
            for job in await within(UNWIND, self._lost_claims()):
                self._returns.add(job, begun=False)
        except Exception as error:
            logger.warning("queue %s can't tell what its last fetch claimed: %s", self.options.queue, error)

    async def _wait_for_running(self, timeout: float) -> None:
        if self._running and timeout > 0:
            await asyncio.wait(self._tasks(), timeout=timeout)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [running.task for running in self._running.values()]

    async def _end_running(self) -> None:
        for running in self._running.values():
            running.execution.release(running.task)
        await self._wait_for_running(UNWIND)

    async def _write_rest(self, deadline: float) -> None:
        lost = [outcome.job.id for outcome in await self._acker.stop(_until(deadline))]
        if lost:
            logger.error("queue %s stopped before the outcomes of jobs %s were written", self.options.queue, lost)
        await self._returns.write(_until(deadline))
        await self._drops.stop()
        self._may_claim = self._lost.possible
        if self._pulse is not None and not (self._may_claim and self.unfinished):
            await self._part(self._pulse, _until(deadline))

    async def _part(self, pulse: Pulse, timeout: float) -> None:
        if self._may_claim:
            # Off the list, what a fetch claims after this would stay `executing`, and nobody would take it for lost.
            pulse.leave(self.uuid)
        else:
            await pulse.forget(self.uuid, timeout)


def _until(deadline: float) -> float:
    """Return the seconds that are left, at least those that a bit of tidying takes."""
    return max(deadline - time.monotonic(), UNWIND)
